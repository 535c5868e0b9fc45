//! Queries: `SELECT`, `VALUES`, `TABLE`, what joins them, and what stands around them.

use super::{
    super::{
        lexer::Kind,
        told::refuse,
        tree::{Cte, Expr, Lock, Output, Query, Select, Term, With},
    },
    Parser,
};
use crate::enforce::Denial;

const OPTIONS: [&str; 10] = [
    "ALL",
    "DISTINCT",
    "DISTINCTROW",
    "HIGH_PRIORITY",
    "STRAIGHT_JOIN",
    "SQL_SMALL_RESULT",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_NO_CACHE",
    "SQL_CALC_FOUND_ROWS",
];

/// More common table expressions than anybody writes in one `WITH`.
const MOST_CTES: u32 = 256;

impl<'t> Parser<'t> {
    /// Reads a query.
    pub(in super::super) fn query(&mut self) -> Result<Query<'t>, Denial> {
        let with = self.with()?;
        self.query_behind(with)
    }

    /// Reads a query from behind its `WITH` on.
    pub(super) fn query_behind(&mut self, with: Option<With<'t>>) -> Result<Query<'t>, Denial> {
        let mut query = Query { with, terms: vec![], order: vec![], limit: vec![], locks: vec![] };
        query.terms.push(self.term()?);
        while self.take_any(&["UNION", "EXCEPT", "INTERSECT"]) {
            self.take_any(&["ALL", "DISTINCT"]);
            query.terms.push(self.term()?);
        }
        query.order = self.order_by()?;
        query.limit = self.limit()?;
        self.variables_behind_into()?;
        while let Some(lock) = self.lock()? {
            query.locks.push(lock);
            self.variables_behind_into()?;
        }
        Ok(query)
    }

    /// Reads `INTO @a, @b`, if that stands here. What goes there has been read like any other.
    fn variables_behind_into(&mut self) -> Result<(), Denial> {
        if self.take("INTO") {
            self.list(|parser| if parser.plain_variable() { Ok(()) } else { Err(parser.error()) })?;
        }
        Ok(())
    }

    /// Reads `WITH …`, if that stands here.
    pub(super) fn with(&mut self) -> Result<Option<With<'t>>, Denial> {
        if !self.take("WITH") {
            return Ok(None);
        }
        let recursive = self.take("RECURSIVE");
        let mut known = 0;
        let ctes = self.list(|parser| {
            known += 1;
            if known > MOST_CTES {
                return Err(refuse("so many common table expressions"));
            }
            let name = parser.name()?;
            let columns = parser.names_in_parentheses()?;
            parser.need("AS")?;
            parser.need_symbol("(")?;
            let from = parser.at;
            let query = parser.deeper(Self::query)?;
            let body = (from, parser.at);
            parser.need_symbol(")")?;
            Ok(Cte { name, columns, query, body })
        })?;
        Ok(Some(With { recursive, ctes }))
    }

    fn term(&mut self) -> Result<Term<'t>, Denial> {
        if self.symbol("(") {
            let query = self.deeper(Self::query)?;
            self.need_symbol(")")?;
            return Ok(Term::Query(Box::new(query)));
        }
        if self.take("SELECT") {
            return self.deeper(Self::select).map(|select| Term::Select(Box::new(select)));
        }
        if self.take("TABLE") {
            return self.path().map(Term::Table);
        }
        self.need("VALUES")?;
        self.list(Self::row).map(Term::Values)
    }

    /// Reads `(a, b)`, `ROW(a, b)`, `()`.
    pub(super) fn row(&mut self) -> Result<Vec<Expr<'t>>, Denial> {
        self.take("ROW");
        self.need_symbol("(")?;
        let row = if self.is_symbol(")") { Vec::new() } else { self.exprs()? };
        self.need_symbol(")")?;
        Ok(row)
    }

    fn select(&mut self) -> Result<Select<'t>, Denial> {
        // To MySQL `sql_cache` is a name like any other.
        while self.take_any(&OPTIONS) || self.server.is_maria() && self.take("SQL_CACHE") {}
        let items = self.outputs()?;
        self.variables_behind_into()?;
        let from = if self.take("FROM") { self.sources()? } else { Vec::new() };
        let filter = self.filter()?;
        let group = if self.take_all(&["GROUP", "BY"]) { self.ordered()? } else { Vec::new() };
        self.take_all(&["WITH", "ROLLUP"]);
        let having = if self.take("HAVING") { Some(self.expr()?) } else { None };
        let windows = if self.take("WINDOW") {
            self.list(|parser| {
                let name = parser.name()?;
                parser.need("AS")?;
                Ok((name, parser.window()?))
            })?
        } else {
            Vec::new()
        };
        Ok(Select { items, from, filter, group, having, windows })
    }

    /// Reads `WHERE …`, if that stands here.
    pub(super) fn filter(&mut self) -> Result<Option<Expr<'t>>, Denial> {
        if self.take("WHERE") { self.expr().map(Some) } else { Ok(None) }
    }

    /// Reads a select list.
    pub(super) fn outputs(&mut self) -> Result<Vec<Output<'t>>, Denial> {
        self.list(Self::output)
    }

    fn output(&mut self) -> Result<Output<'t>, Denial> {
        if self.symbol("*") {
            return Ok(Output::Star(Vec::new(), self.at - 1));
        }
        if let Some(parts) = self.parts_before_star() {
            let path = if parts == 0 { Vec::new() } else { self.path()? };
            self.need_symbol(".")?;
            self.need_symbol("*")?;
            return Ok(Output::Star(path, self.at - 1));
        }
        Ok(Output::Value(self.expr()?, self.alias(true)?))
    }

    /// How many names stand before `.*`, if that stands here.
    fn parts_before_star(&self) -> Option<usize> {
        let name =
            |ahead: usize| matches!(self.tokens.kind(self.at + ahead), Some(Kind::Word | Kind::Quoted));
        let star = |ahead: usize| self.symbol_at(ahead, ".") && self.symbol_at(ahead + 1, "*");
        if name(0) && star(1) {
            return Some(1);
        }
        (name(0) && self.symbol_at(1, ".") && name(2) && star(3)).then_some(2)
    }

    /// Reads `LIMIT a, b`, `LIMIT a OFFSET b`, if that stands here.
    pub(super) fn limit(&mut self) -> Result<Vec<Expr<'t>>, Denial> {
        let mut limit = Vec::new();
        if self.take("LIMIT") {
            limit = self.exprs()?;
            if self.take("OFFSET") {
                limit.push(self.expr()?);
            }
        } else if self.take("OFFSET") {
            limit.push(self.expr()?);
            self.take_any(&["ROW", "ROWS"]);
        }
        if self.take("FETCH") {
            self.take_any(&["FIRST", "NEXT"]);
            if !self.is_any(&["ROW", "ROWS"]) {
                limit.push(self.expr()?);
            }
            self.take_any(&["ROW", "ROWS"]);
            if !self.take("ONLY") && !self.take_all(&["WITH", "TIES"]) {
                return Err(self.error());
            }
        }
        Ok(limit)
    }

    fn lock(&mut self) -> Result<Option<Lock<'t>>, Denial> {
        let exclusive = self.take_all(&["FOR", "UPDATE"]);
        let there =
            exclusive || self.take_all(&["FOR", "SHARE"]) || self.take_all(&["LOCK", "IN", "SHARE", "MODE"]);
        if !there {
            return Ok(None);
        }
        let of = if self.take("OF") { self.list(Self::path)? } else { Vec::new() };
        if self.take("WAIT") && !self.constant() {
            return Err(self.error());
        }
        if !self.take("NOWAIT") {
            self.take_all(&["SKIP", "LOCKED"]);
        }
        Ok(Some(Lock { exclusive, of }))
    }
}
