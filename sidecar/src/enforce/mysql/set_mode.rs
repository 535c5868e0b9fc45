//! `SET sql_mode`: which mode a value stands for.
//!
//! All that follows is read under it, so nothing is guessed: whole names in plain strings, the session's own mode, and in
//! the place of the server's the one that the session began with.

use super::{
    SqlMode,
    parse::Parser,
    set::is_alone,
    told::unclear,
    tree::{Call, Expr, Output, Query, Term},
    walk::Walk,
};
use crate::enforce::{Denial, Reason};

fn unknown() -> Denial {
    unclear(Reason::Setting, "sql_mode", "this sql_mode is not for limited sessions")
}

impl<'a> Walk<'a> {
    /// Reads the value, and finds out which mode it is.
    pub(super) fn set_mode(&mut self, parser: &mut Parser<'a>) -> Result<SqlMode, Denial> {
        let at = parser.at;
        if is_alone(parser) {
            if parser.take("DEFAULT") {
                return self.as_begun((at, at + 1));
            }
            // The server takes a bare name for a string.
            if let Some(mode) = parser.tokens.name(at).and_then(|name| SqlMode::parse(&name)) {
                parser.word_or_string()?;
                return Ok(mode);
            }
        }
        let value = parser.expr()?;
        self.expr_of_its_own(&value)?;
        self.mode_of(&value)
    }

    /// The mode that the session began with, which is put in the place of these tokens.
    fn as_begun(&mut self, tokens: (usize, usize)) -> Result<SqlMode, Denial> {
        let begun = self.ground.begun;
        self.edit(tokens, begun.to_string())?;
        Ok(begun.reading())
    }

    fn mode_of(&mut self, value: &Expr<'_>) -> Result<SqlMode, Denial> {
        match value {
            Expr::Constant(Some(names)) => SqlMode::parse(names).ok_or_else(unknown),
            Expr::Setting(setting) if !setting.name.text.eq_ignore_ascii_case("sql_mode") => Err(unknown()),
            Expr::Setting(setting) if setting.global => self.as_begun((setting.from, setting.name.at + 1)),
            Expr::Setting(_) => Ok(self.ground.mode),
            Expr::Query(query) => self.mode_of(selected(query).ok_or_else(unknown)?),
            Expr::Call(call) => self.mode_of_call(call),
            // Operators make a number of a string.
            Expr::Several(_)
            | Expr::Constant(None)
            | Expr::Column(_)
            | Expr::Default(_)
            | Expr::Inserted(_) => Err(unknown()),
        }
    }

    fn mode_of_call(&mut self, call: &Call<'_>) -> Result<SqlMode, Denial> {
        let name = call.path.first().map(|name| name.text.to_ascii_uppercase()).unwrap_or_default();
        match (name.as_str(), call.arguments.as_slice()) {
            ("CONCAT", arguments) => self.concatenated(arguments),
            ("REPLACE", [of, Expr::Constant(Some(name)), Expr::Constant(Some(by))]) => {
                let name = name.trim_matches(',');
                if name.is_empty() || !SqlMode::is_harmless(name) || !SqlMode::is_harmless(by) {
                    return Err(unknown());
                }
                self.mode_of(of)
            }
            _ => Err(unknown()),
        }
    }

    /// `CONCAT(@@sql_mode, ',A')`: whole names, with a comma wherever two parts meet.
    fn concatenated(&mut self, parts: &[Expr<'_>]) -> Result<SqlMode, Denial> {
        let mut mode = SqlMode::default();
        let mut comma = true;
        for part in parts {
            let (begins, ends) = match part {
                Expr::Constant(Some(text)) => (text.starts_with(','), text.ends_with(',')),
                Expr::Constant(None)
                | Expr::Column(_)
                | Expr::Setting(_)
                | Expr::Call(_)
                | Expr::Query(_)
                | Expr::Default(_)
                | Expr::Inserted(_)
                | Expr::Several(_) => (false, false),
            };
            if !comma && !begins {
                return Err(unknown());
            }
            mode = mode.and(self.mode_of(part)?);
            comma = ends;
        }
        Ok(mode)
    }
}

/// The one value that a query without tables gives.
fn selected<'q, 't>(query: &'q Query<'t>) -> Option<&'q Expr<'t>> {
    let [Term::Select(select)] = query.terms.as_slice() else { return None };
    match select.items.as_slice() {
        [Output::Value(value, _)] if select.from.is_empty() => Some(value),
        _ => None,
    }
}
