//! `SET`: the session's own settings, by a positive list, and user variables.

use std::borrow::Cow;

use super::{
    Change, SqlMode,
    expr::deny_setting,
    lexer::Kind,
    parse::{Parser, contains},
    settings::{is_only_switched_on, is_readable, is_writable},
    told::{refuse, unclear},
    tree::{Expr, Name},
    walk::{Place, Walk},
};
use crate::enforce::{Denial, Reason};

/// What begins a `SET` that sets no variable.
const OTHERS: [&str; 6] = ["PASSWORD", "ROLE", "STATEMENT", "DEFAULT", "RESOURCE", "GLOBAL"];
const LEVELS: [&[&str]; 4] =
    [&["READ", "COMMITTED"], &["READ", "UNCOMMITTED"], &["REPEATABLE", "READ"], &["SERIALIZABLE"]];

impl<'a> Walk<'a> {
    /// Judges a `SET` from behind this word on.
    pub(super) fn set(&mut self, parser: &mut Parser<'a>) -> Result<Change, Denial> {
        let transaction = parser.take("TRANSACTION")
            || parser.take_all(&["SESSION", "TRANSACTION"])
            || parser.take_all(&["LOCAL", "TRANSACTION"]);
        if transaction {
            return set_transaction(parser);
        }
        if OTHERS.iter().any(|word| parser.is(word)) {
            return Err(refuse("this SET"));
        }
        let mut mode = None;
        loop {
            self.set_one(parser, &mut mode)?;
            if !parser.symbol(",") {
                break;
            }
        }
        Ok(mode.map_or(Change::Nothing, Change::Mode))
    }

    fn set_one(&mut self, parser: &mut Parser<'a>, mode: &mut Option<SqlMode>) -> Result<(), Denial> {
        if parser.kind() == Some(Kind::Variable) {
            let value = parser.assigned_variable()?;
            return self.expr_of_its_own(&value);
        }
        if parser.take("NAMES") {
            self.character_set(parser, &[])?;
            return if parser.take("COLLATE") { collation(parser) } else { Ok(()) };
        }
        if parser.take_all(&["CHARACTER", "SET"]) || parser.take("CHARSET") {
            return self.character_set(parser, &[]);
        }
        let name = if parser.kind() == Some(Kind::Setting) {
            parser.own_setting()?
        } else {
            parser.take_any(&["SESSION", "LOCAL"]);
            parser.name()?
        };
        self.claim(&name);
        if !parser.symbol("=") && !parser.symbol(":=") {
            return Err(parser.error());
        }
        self.set_setting(parser, &name, mode)
    }

    fn set_setting(
        &mut self,
        parser: &mut Parser<'a>,
        name: &Name<'a>,
        mode: &mut Option<SqlMode>,
    ) -> Result<(), Denial> {
        match name.text.to_ascii_lowercase().as_str() {
            "sql_mode" => {
                if mode.is_some() {
                    return Err(refuse("a SET of sql_mode twice"));
                }
                *mode = Some(self.set_mode(parser)?);
                Ok(())
            }
            "session_track_system_variables" => {
                let value = parser.expr()?;
                self.expr_of_its_own(&value)?;
                if tracks_more(&value) { Ok(()) } else { Err(deny_setting(&name.text)) }
            }
            "character_set_client" | "character_set_connection" => self.character_set(parser, &[]),
            "character_set_results" => self.character_set(parser, &["NULL", "binary"]),
            "collation_connection" => collation(parser),
            lower if is_only_switched_on(lower) => {
                let on = parser.word_at(0).is_some_and(|word| contains(&["ON", "TRUE", "DEFAULT"], word));
                if !on && parser.tokens.span(parser.at, parser.at + 1) != b"1" {
                    return Err(deny_setting(&name.text));
                }
                self.value(parser)
            }
            lower if is_writable(lower) => self.value(parser),
            _ => Err(deny_setting(&name.text)),
        }
    }

    /// A word, or an expression that reads what the grant covers.
    fn value(&mut self, parser: &mut Parser<'a>) -> Result<(), Denial> {
        if is_alone(parser) && parser.word_at(0).is_some() {
            return parser.word_or_string();
        }
        let value = parser.expr()?;
        self.expr_of_its_own(&value)
    }

    /// Only what is UTF-8: elsewhere a letter may end in a backslash or a quote. What the server's default is nobody
    /// knows here, so that is UTF-8 as well.
    fn character_set(&mut self, parser: &mut Parser<'a>, more: &[&str]) -> Result<(), Denial> {
        let at = parser.at;
        if parser.take("DEFAULT") {
            return self.edit((at, at + 1), "utf8mb4".to_owned());
        }
        let name = named(parser);
        if !contains(&["utf8", "utf8mb3", "utf8mb4"], &name) && !contains(more, &name) {
            let why = format!("character set {name} is not for limited sessions; UTF-8 is");
            return Err(unclear(Reason::Setting, &name, &why));
        }
        parser.word_or_string()
    }
}

/// Whether what stands here is a value by itself.
pub(super) fn is_alone(parser: &Parser<'_>) -> bool {
    matches!(parser.tokens.kind(parser.at + 1), None | Some(Kind::Symbol("," | ";")))
}

/// The name that stands here, as a word or a string.
fn named<'t>(parser: &Parser<'t>) -> Cow<'t, str> {
    parser.tokens.text(parser.at).or_else(|| parser.word_at(0).map(Into::into)).unwrap_or_default()
}

fn set_transaction(parser: &mut Parser<'_>) -> Result<Change, Denial> {
    parser.list(|parser| {
        let isolation = parser.take_all(&["ISOLATION", "LEVEL"]);
        let known = if isolation {
            LEVELS.iter().any(|level| parser.take_all(level))
        } else {
            parser.take_all(&["READ", "ONLY"]) || parser.take_all(&["READ", "WRITE"])
        };
        if known { Ok(()) } else { Err(parser.error()) }
    })?;
    Ok(Change::Nothing)
}

fn collation(parser: &mut Parser<'_>) -> Result<(), Denial> {
    let name = named(parser);
    if !name.to_ascii_lowercase().starts_with("utf8") {
        return Err(unclear(Reason::Setting, &name, "only collations of UTF-8 are for limited sessions"));
    }
    parser.word_or_string()
}

/// `CONCAT(@@session_track_system_variables, ',a,b')`: what the server tells unasked may become more, of what may be read.
fn tracks_more(value: &Expr<'_>) -> bool {
    let Expr::Call(call) = value else { return false };
    let [Expr::Setting(before), Expr::Constant(Some(more))] = call.arguments.as_slice() else { return false };
    let concatenates = call.path.first().is_some_and(|name| name.text.eq_ignore_ascii_case("CONCAT"));
    let more = more.strip_prefix(',').unwrap_or_default();
    concatenates
        && before.name.text.eq_ignore_ascii_case("session_track_system_variables")
        && more.split(',').all(|name| is_readable(name.trim()))
}

impl<'a> Walk<'a> {
    /// An expression that stands outside any query. It does not outlive its judgement.
    pub(super) fn expr_of_its_own(&mut self, value: &Expr<'a>) -> Result<(), Denial> {
        let mut inner = Walk::new(self.ground, self.tokens, self.notes);
        inner.expr(value, Place::NOWHERE)?;
        let Walk { claims, edits, views, computed, .. } = inner;
        self.claims.extend(claims);
        self.edits.extend(edits);
        self.views |= views;
        self.computed |= computed;
        Ok(())
    }
}
