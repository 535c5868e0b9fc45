//! Expressions.
//!
//! How operators bind decides what a value is, not what is read for it: operands and operators are read one after
//! another, whatever their rank.

use super::{
    super::{
        lexer::Kind,
        told::refuse,
        tree::{Expr, Name, Setting},
    },
    Parser, contains,
    words::is_reserved,
};
use crate::enforce::Denial;

/// Operators with an operand on either side.
#[rustfmt::skip]
const BETWEEN_OPERANDS: &[&str] = &[
    "+", "-", "*", "/", "%", "^", "|", "&", "<<", ">>", ">", "<", ">=", "<=", "=", "<=>", "<>", "!=", "&&",
    "||", "->", "->>",
];
const WORDS_BETWEEN_OPERANDS: [&str; 10] =
    ["AND", "OR", "XOR", "DIV", "MOD", "LIKE", "RLIKE", "REGEXP", "ESCAPE", "BETWEEN"];
const NEGATED: [&str; 5] = ["LIKE", "RLIKE", "REGEXP", "BETWEEN", "IN"];

/// Words that are values by themselves.
const VALUES: [&str; 13] = [
    "NULL",
    "TRUE",
    "FALSE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "DEFAULT",
];

/// Character sets that a string may be introduced by.
const INTRODUCERS: [&str; 10] = [
    "_ASCII", "_BINARY", "_LATIN1", "_UCS2", "_UTF16", "_UTF16LE", "_UTF32", "_UTF8", "_UTF8MB3", "_UTF8MB4",
];

/// What an interval counts.
#[rustfmt::skip]
pub(super) const UNITS: &[&str] = &[
    "MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "SECOND_MICROSECOND",
    "MINUTE_MICROSECOND", "MINUTE_SECOND", "HOUR_MICROSECOND", "HOUR_SECOND", "HOUR_MINUTE", "DAY_MICROSECOND",
    "DAY_SECOND", "DAY_MINUTE", "DAY_HOUR", "YEAR_MONTH",
];

/// One, or several together.
fn together(mut operands: Vec<Expr<'_>>) -> Expr<'_> {
    match (operands.pop(), operands.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            operands.extend(last);
            Expr::Several(operands)
        }
    }
}

impl<'t> Parser<'t> {
    /// Reads an expression.
    pub(in super::super) fn expr(&mut self) -> Result<Expr<'t>, Denial> {
        let first = self.operand()?;
        let behind = self.at;
        if !self.operator()? {
            // A name with anything behind it is no bare name.
            return Ok(if self.at == behind { first } else { Expr::Several(vec![first]) });
        }
        let mut operands = vec![first, self.operand()?];
        while self.operator()? {
            operands.push(self.operand()?);
        }
        Ok(Expr::Several(operands))
    }

    /// Reads several, with commas between.
    pub(in super::super) fn exprs(&mut self) -> Result<Vec<Expr<'t>>, Denial> {
        self.list(Self::expr)
    }

    /// Reads what stands behind an operand; whether another operand follows.
    fn operator(&mut self) -> Result<bool, Denial> {
        loop {
            match self.kind() {
                Some(Kind::Symbol(symbol)) if BETWEEN_OPERANDS.contains(&symbol) => {
                    self.at += 1;
                    return Ok(true);
                }
                Some(Kind::Word) => {}
                _ => return Ok(false),
            }
            if self.take("IS") {
                self.take("NOT");
                if !self.take_any(&["NULL", "TRUE", "FALSE", "UNKNOWN"]) {
                    return Err(self.error());
                }
            } else if self.take("COLLATE") {
                self.word_or_string()?;
            } else {
                return Ok(self.word_operator());
            }
        }
    }

    fn word_operator(&mut self) -> bool {
        if self.is("IN") {
            let of_a_search = self.is_at(1, "NATURAL") || self.is_at(1, "BOOLEAN");
            return !of_a_search && self.take("IN");
        }
        if self.is("NOT") && self.word_at(1).is_some_and(|word| contains(&NEGATED, word)) {
            return self.take("NOT") && self.take_any(&NEGATED);
        }
        self.take_any(&WORDS_BETWEEN_OPERANDS)
            || self.take_all(&["SOUNDS", "LIKE"])
            || self.take_all(&["MEMBER", "OF"])
            || self.is("MEMBER") && self.symbol_at(1, "(") && self.take("MEMBER")
    }

    /// Reads a word that names something of the server's, such as a collation.
    pub(in super::super) fn word_or_string(&mut self) -> Result<(), Denial> {
        match self.kind() {
            Some(Kind::Word | Kind::Quoted | Kind::Text) => {
                self.step();
                Ok(())
            }
            _ => Err(self.error()),
        }
    }

    /// Reads an operand and what stands before it. A name with anything before it is no bare name.
    pub(super) fn operand(&mut self) -> Result<Expr<'t>, Denial> {
        let mut bare = true;
        while ["+", "-", "~", "!"].iter().any(|sign| self.symbol(sign)) || self.take_any(&["NOT", "BINARY"]) {
            bare = false;
        }
        let operand = self.bare_operand()?;
        Ok(if bare { operand } else { Expr::Several(vec![operand]) })
    }

    fn bare_operand(&mut self) -> Result<Expr<'t>, Denial> {
        match self.kind() {
            Some(Kind::Number | Kind::Parameter) => {
                self.at += 1;
                Ok(Expr::Constant(None))
            }
            Some(Kind::Text) => Ok(self.strings()),
            Some(Kind::Variable) => self.variable(),
            Some(Kind::Setting) => self.setting().map(Expr::Setting),
            Some(Kind::Symbol("(")) => self.deeper(Self::parentheses),
            Some(Kind::Symbol("{")) => self.deeper(Self::braces),
            Some(Kind::Quoted) => self.deeper(Self::named),
            Some(Kind::Word) => self.deeper(Self::beginning_with_a_word),
            Some(Kind::Symbol(_)) | None => Err(self.error()),
        }
    }

    /// Reads strings that stand one behind another: they are one.
    fn strings(&mut self) -> Expr<'t> {
        let text = self.tokens.text(self.at);
        let begin = self.at;
        while self.kind() == Some(Kind::Text) {
            self.at += 1;
        }
        Expr::Constant(text.filter(|_| self.at == begin + 1))
    }

    /// `@a`, `@a := …`
    fn variable(&mut self) -> Result<Expr<'t>, Denial> {
        self.at += 1;
        if self.symbol(":=") {
            let value = self.deeper(Self::expr)?;
            return Ok(Expr::Several(vec![value]));
        }
        Ok(Expr::Constant(None))
    }

    /// `@@a`, `@@session.a`
    pub(in super::super) fn setting(&mut self) -> Result<Setting<'t>, Denial> {
        let from = self.at;
        self.at += 1;
        let scope = self.tokens.word(self.at).filter(|_| self.symbol_at(1, "."));
        let global = scope.is_some_and(|scope| scope.eq_ignore_ascii_case("global"));
        if scope.is_some_and(|scope| contains(&["global", "session", "local"], scope)) {
            self.step();
            self.at += 1;
        }
        let name = self.name_here()?;
        if self.is_symbol(".") { Err(self.error()) } else { Ok(Setting { name, global, from }) }
    }

    /// `@@a`, `@@session.a`: a setting of the session itself.
    pub(in super::super) fn own_setting(&mut self) -> Result<Name<'t>, Denial> {
        let Setting { name, global, .. } = self.setting()?;
        if global { Err(refuse("a setting of the whole server")) } else { Ok(name) }
    }

    /// `@a = …`
    pub(in super::super) fn assigned_variable(&mut self) -> Result<Expr<'t>, Denial> {
        self.at += 1;
        if !self.symbol("=") && !self.symbol(":=") {
            return Err(self.error());
        }
        self.expr()
    }

    /// `(a)`, `(a, b)`, `(SELECT …)`
    fn parentheses(&mut self) -> Result<Expr<'t>, Denial> {
        if self.query_in_parentheses() {
            self.at += 1;
            let query = self.query()?;
            self.need_symbol(")")?;
            return Ok(Expr::Query(Box::new(query)));
        }
        self.at += 1;
        let list = self.exprs()?;
        self.need_symbol(")")?;
        let list = together(list);
        // `(a)` is no bare name.
        Ok(if matches!(list, Expr::Column(_)) { Expr::Several(vec![list]) } else { list })
    }

    /// `{fn a}`, `{d 'a'}`: the word says nothing to the server.
    fn braces(&mut self) -> Result<Expr<'t>, Denial> {
        self.at += 1;
        if self.kind() != Some(Kind::Word) {
            return Err(self.error());
        }
        self.step();
        let inside = self.expr()?;
        self.need_symbol("}")?;
        Ok(Expr::Several(vec![inside]))
    }

    /// `a.b.c`, `f(…)`
    fn named(&mut self) -> Result<Expr<'t>, Denial> {
        let path = self.path()?;
        if self.is_symbol("(") { self.call(path) } else { Ok(Expr::Column(path)) }
    }

    fn beginning_with_a_word(&mut self) -> Result<Expr<'t>, Denial> {
        let Some(word) = self.word_at(0) else { return self.named() };
        if self.symbol_at(1, "(") {
            return self.word_with_parenthesis(word);
        }
        let string = self.tokens.kind(self.at + 1);
        if string == Some(Kind::Text) && contains(&["DATE", "TIME", "TIMESTAMP"], word) {
            self.step();
            self.at += 1;
            return Ok(Expr::Constant(None));
        }
        if word.starts_with('_') && matches!(string, Some(Kind::Text | Kind::Number)) {
            return self.introduced(word);
        }
        let role = self.server.is_maria() && word.eq_ignore_ascii_case("CURRENT_ROLE");
        if role || contains(&VALUES, word) {
            self.step();
            return Ok(Expr::Constant(None));
        }
        if self.take("CASE") {
            return self.case();
        }
        if self.take("INTERVAL") {
            return self.interval();
        }
        if is_reserved(word, self.server) { Err(self.error()) } else { self.named() }
    }

    /// `_utf8mb4'a'`
    fn introduced(&mut self, word: &str) -> Result<Expr<'t>, Denial> {
        if !contains(&INTRODUCERS, word) {
            return Err(self.error());
        }
        self.step();
        self.at += 1;
        self.strings();
        Ok(Expr::Constant(None))
    }

    fn case(&mut self) -> Result<Expr<'t>, Denial> {
        let mut parts = Vec::new();
        if !self.is("WHEN") {
            parts.push(self.expr()?);
        }
        while self.take("WHEN") {
            parts.push(self.expr()?);
            self.need("THEN")?;
            parts.push(self.expr()?);
        }
        if self.take("ELSE") {
            parts.push(self.expr()?);
        }
        self.need("END")?;
        Ok(Expr::Several(parts))
    }

    /// `INTERVAL a DAY`
    fn interval(&mut self) -> Result<Expr<'t>, Denial> {
        let amount = self.expr()?;
        if self.take_any(UNITS) { Ok(Expr::Several(vec![amount])) } else { Err(self.error()) }
    }

    /// `word (…`, where the word may be more than a function's name.
    fn word_with_parenthesis(&mut self, word: &'t str) -> Result<Expr<'t>, Denial> {
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            "EXISTS" | "ANY" | "SOME" | "ALL" => self.quantified(),
            "ROW" => {
                self.step();
                self.parentheses()
            }
            "CASE" => {
                self.step();
                self.case()
            }
            "INTERVAL" => self.interval_or_call(),
            "MATCH" => self.search(),
            "VALUES" | "VALUE" | "DEFAULT" => self.of_column(upper == "DEFAULT"),
            _ => self.named_call(),
        }
    }

    fn quantified(&mut self) -> Result<Expr<'t>, Denial> {
        self.step();
        if self.query_in_parentheses() { self.parentheses() } else { Err(self.error()) }
    }

    /// `INTERVAL (a) DAY`, or the function `INTERVAL(a, b)`.
    fn interval_or_call(&mut self) -> Result<Expr<'t>, Denial> {
        self.step();
        let amount = self.expr()?;
        self.take_any(UNITS);
        Ok(Expr::Several(vec![amount]))
    }

    /// `VALUES(a)`, `DEFAULT(a)`
    fn of_column(&mut self, default: bool) -> Result<Expr<'t>, Denial> {
        self.step();
        self.at += 1;
        let path = self.path()?;
        self.need_symbol(")")?;
        Ok(if default { Expr::Default(path) } else { Expr::Inserted(path) })
    }

    /// `MATCH (a, b) AGAINST (c IN BOOLEAN MODE)`
    fn search(&mut self) -> Result<Expr<'t>, Denial> {
        self.step();
        let columns = self.parentheses()?;
        self.need("AGAINST")?;
        self.need_symbol("(")?;
        let pattern = self.expr()?;
        self.take_all(&["IN", "NATURAL", "LANGUAGE", "MODE"]);
        self.take_all(&["IN", "BOOLEAN", "MODE"]);
        self.take_all(&["WITH", "QUERY", "EXPANSION"]);
        self.need_symbol(")")?;
        Ok(Expr::Several(vec![columns, pattern]))
    }
}
