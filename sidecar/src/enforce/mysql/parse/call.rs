//! Calls of functions, with the words that stand in some of them, and windows.

use super::{
    super::{
        lexer::Kind,
        tree::{Call, Expr, Name, Over, Path, Window},
    },
    Parser, contains,
    expr::UNITS,
};
use crate::enforce::Denial;

/// Functions whose first argument is a word.
const WITH_UNIT: [&str; 4] = ["EXTRACT", "TIMESTAMPADD", "TIMESTAMPDIFF", "GET_FORMAT"];
const FURTHER_UNITS: [&str; 12] = [
    "DATE",
    "TIME",
    "DATETIME",
    "TIMESTAMP",
    "SQL_TSI_SECOND",
    "SQL_TSI_MINUTE",
    "SQL_TSI_HOUR",
    "SQL_TSI_DAY",
    "SQL_TSI_WEEK",
    "SQL_TSI_MONTH",
    "SQL_TSI_QUARTER",
    "SQL_TSI_YEAR",
];

/// The words that a type in a cast or of a column of `JSON_TABLE` is made of.
#[rustfmt::skip]
const TYPES: &[&str] = &[
    "ARRAY", "ASCII", "BIGINT", "BINARY", "BIT", "BLOB", "BOOL", "BOOLEAN", "CHAR", "CHARACTER", "CHARSET",
    "DATE", "DATETIME", "DEC", "DECIMAL", "DOUBLE", "FLOAT", "INET4", "INET6", "INT", "INTEGER", "JSON",
    "LATIN1", "LONGBLOB", "LONGTEXT", "MEDIUMBLOB", "MEDIUMINT", "MEDIUMTEXT", "NCHAR", "NUMERIC",
    "PRECISION", "REAL", "SET", "SIGNED", "SMALLINT", "TEXT", "TIME", "TIMESTAMP", "TINYBLOB", "TINYINT",
    "TINYTEXT", "UNICODE", "UNSIGNED", "UTF8", "UTF8MB3", "UTF8MB4", "UUID", "VARBINARY", "VARCHAR",
    "VARYING", "YEAR",
];

impl<'t> Parser<'t> {
    /// Reads a call of a function that a word names.
    pub(super) fn named_call(&mut self) -> Result<Expr<'t>, Denial> {
        let path = vec![self.name_here()?];
        self.call(path)
    }

    /// Reads a call from its parenthesis on.
    pub(super) fn call(&mut self, path: Path<'t>) -> Result<Expr<'t>, Denial> {
        let open = self.at;
        self.need_symbol("(")?;
        let mut call = Call { path, open, arguments: Vec::new(), order: Vec::new(), over: None };
        if self.is_symbol("*") && self.symbol_at(1, ")") {
            self.at += 1;
        } else if !self.is_symbol(")") {
            self.arguments(&mut call)?;
        }
        self.need_symbol(")")?;
        if self.take_all(&["WITHIN", "GROUP"]) {
            self.need_symbol("(")?;
            call.order.extend(self.order_by()?);
            self.need_symbol(")")?;
        }
        let windowed = self.before_over(&call.path);
        if self.take("OVER") {
            call.over = Some(self.over()?);
        } else if windowed {
            return Err(self.error());
        }
        Ok(Expr::Call(Box::new(call)))
    }

    /// What some window functions have before their window; elsewhere `FROM` begins a clause, and `first` is a table.
    fn before_over(&mut self, path: &Path<'t>) -> bool {
        let nth = matches!(path.as_slice(), [name] if name.text.eq_ignore_ascii_case("NTH_VALUE"));
        let counts = nth && (self.take_all(&["FROM", "FIRST"]) || self.take_all(&["FROM", "LAST"]));
        let nulls = self.take_all(&["RESPECT", "NULLS"]) || self.take_all(&["IGNORE", "NULLS"]);
        counts || nulls
    }

    fn arguments(&mut self, call: &mut Call<'t>) -> Result<(), Denial> {
        let word = match call.path.as_slice() {
            [name] => name.text.clone(),
            _ => "".into(),
        };
        if contains(&WITH_UNIT, &word) {
            if !self.take_any(UNITS) && !self.take_any(&FURTHER_UNITS) {
                return Err(self.error());
            }
            if !self.symbol(",") && !self.take("FROM") {
                return Err(self.error());
            }
        }
        if word.eq_ignore_ascii_case("TRIM") && self.take_any(&["BOTH", "LEADING", "TRAILING"]) {
            self.take("FROM");
        }
        self.take_any(&["DISTINCT", "ALL"]);
        loop {
            call.arguments.push(self.expr()?);
            self.behind_argument(call)?;
            if !(self.symbol(",") || self.take_any(&["FROM", "FOR"])) {
                break;
            }
        }
        call.order = self.order_by()?;
        if self.take("SEPARATOR") && !self.constant() {
            return Err(self.error());
        }
        if self.take("LIMIT") {
            call.order.extend(self.exprs()?);
        }
        Ok(())
    }

    /// `AS CHAR(5)`, `USING utf8mb4`, `RETURNING CHAR NULL ON EMPTY`
    fn behind_argument(&mut self, call: &mut Call<'t>) -> Result<(), Denial> {
        let convert = call.path.first().is_some_and(|name| name.text.eq_ignore_ascii_case("CONVERT"));
        if self.take("USING") {
            return self.word_or_string();
        }
        if self.take_any(&["AS", "RETURNING"]) {
            self.type_name()?;
        } else if convert && call.arguments.len() == 1 && self.symbol(",") {
            return self.type_name();
        }
        loop {
            if self.take("DEFAULT") {
                call.arguments.push(self.expr()?);
            } else if !self.take_any(&["NULL", "ERROR"]) {
                return Ok(());
            }
            self.need("ON")?;
            if !self.take_any(&["EMPTY", "ERROR"]) {
                return Err(self.error());
            }
        }
    }

    pub(super) fn type_name(&mut self) -> Result<(), Denial> {
        if !self.take_any(TYPES) {
            return Err(self.error());
        }
        loop {
            if self.symbol("(") {
                self.list(|parser| if parser.constant() { Ok(()) } else { Err(parser.error()) })?;
                self.need_symbol(")")?;
            } else if !self.take_any(TYPES) {
                return Ok(());
            }
        }
    }

    /// Reads `ORDER BY …`, if that stands here.
    pub(in super::super) fn order_by(&mut self) -> Result<Vec<Expr<'t>>, Denial> {
        if self.take_all(&["ORDER", "BY"]) { self.ordered() } else { Ok(Vec::new()) }
    }

    /// Reads `a ASC, b DESC`.
    pub(super) fn ordered(&mut self) -> Result<Vec<Expr<'t>>, Denial> {
        self.list(|parser| {
            let key = parser.expr()?;
            parser.take_any(&["ASC", "DESC"]);
            Ok(key)
        })
    }

    fn over(&mut self) -> Result<Over<'t>, Denial> {
        if self.is_symbol("(") { self.window().map(Over::Window) } else { self.name().map(Over::Named) }
    }

    /// Reads `(base PARTITION BY … ORDER BY … ROWS …)`.
    pub(super) fn window(&mut self) -> Result<Window<'t>, Denial> {
        self.need_symbol("(")?;
        let mut window = Window { base: self.base_window()?, parts: Vec::new() };
        if self.take_all(&["PARTITION", "BY"]) {
            window.parts = self.exprs()?;
        }
        window.parts.extend(self.order_by()?);
        if self.take_any(&["ROWS", "RANGE", "GROUPS"]) {
            self.frame(&mut window)?;
        }
        self.need_symbol(")")?;
        Ok(window)
    }

    fn base_window(&mut self) -> Result<Option<Name<'t>>, Denial> {
        let named = match self.kind() {
            Some(Kind::Word) => !self.is_any(&["PARTITION", "ORDER", "ROWS", "RANGE", "GROUPS"]),
            Some(Kind::Quoted) => true,
            _ => false,
        };
        if named { self.name().map(Some) } else { Ok(None) }
    }

    fn frame(&mut self, window: &mut Window<'t>) -> Result<(), Denial> {
        if self.take("BETWEEN") {
            self.bound(window)?;
            self.need("AND")?;
        }
        self.bound(window)?;
        if self.take("EXCLUDE") {
            while self.take_any(&["NO", "OTHERS", "CURRENT", "ROW", "GROUP", "TIES"]) {}
        }
        Ok(())
    }

    fn bound(&mut self, window: &mut Window<'t>) -> Result<(), Denial> {
        if self.take_all(&["CURRENT", "ROW"]) {
            return Ok(());
        }
        if !self.take("UNBOUNDED") {
            let bound = self.operand()?;
            window.parts.push(bound);
        }
        if self.take_any(&["PRECEDING", "FOLLOWING"]) { Ok(()) } else { Err(self.error()) }
    }
}
