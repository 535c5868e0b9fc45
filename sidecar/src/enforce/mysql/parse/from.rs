//! FROM clauses.

use super::{
    super::{
        lexer::Kind,
        told::refuse,
        tree::{By, Derived, Join, Json, Name, Source, TableRef},
    },
    Parser,
};
use crate::enforce::Denial;

/// Servers join no more than 61 tables.
const MOST_JOINS: u32 = 64;

/// How a join begins.
enum Kindred {
    /// With a condition, or perhaps none.
    Inner,
    /// With a condition.
    Outer,
    Natural,
}

impl<'t> Parser<'t> {
    /// Reads `a, b JOIN c …`.
    pub(super) fn sources(&mut self) -> Result<Vec<Source<'t>>, Denial> {
        self.list(Self::joined)
    }

    fn joined(&mut self) -> Result<Source<'t>, Denial> {
        let mut left = self.source()?;
        let (mut joins, mut open) = (0, Vec::new());
        while let Some(kindred) = self.join()? {
            joins += 1;
            if joins > MOST_JOINS {
                return Err(refuse("a join of so many tables"));
            }
            let right = self.source()?;
            let by = match kindred {
                Kindred::Natural => By::Natural,
                Kindred::Inner | Kindred::Outer => self.condition()?,
            };
            if matches!(by, By::Nothing) {
                open.push(kindred);
            }
            left = self.late_conditions(Source::Join(Box::new(Join { left, right, by })), &mut open)?;
        }
        if open.iter().any(|kindred| matches!(kindred, Kindred::Outer)) {
            Err(self.error())
        } else {
            Ok(left)
        }
    }

    /// `a JOIN b JOIN c ON … ON …`: the last condition is that of the first join, over all three.
    fn late_conditions(
        &mut self,
        mut left: Source<'t>,
        open: &mut Vec<Kindred>,
    ) -> Result<Source<'t>, Denial> {
        while !open.is_empty() && self.is("ON") && !self.is_at(1, "DUPLICATE") {
            open.pop();
            let by = self.condition()?;
            left = Source::Join(Box::new(Join { left, right: Source::Nothing, by }));
        }
        Ok(left)
    }

    fn join(&mut self) -> Result<Option<Kindred>, Denial> {
        if self.take("STRAIGHT_JOIN") || self.take("JOIN") {
            return Ok(Some(Kindred::Inner));
        }
        let kindred = if self.take("NATURAL") {
            if !self.take("INNER") && self.take_any(&["LEFT", "RIGHT"]) {
                self.take("OUTER");
            }
            Kindred::Natural
        } else if self.take_any(&["INNER", "CROSS"]) {
            Kindred::Inner
        } else if self.take_any(&["LEFT", "RIGHT"]) {
            self.take("OUTER");
            Kindred::Outer
        } else {
            return Ok(None);
        };
        self.need("JOIN")?;
        Ok(Some(kindred))
    }

    fn condition(&mut self) -> Result<By<'t>, Denial> {
        if self.is("ON") && !self.is_at(1, "DUPLICATE") {
            self.take("ON");
            return self.expr().map(By::On);
        }
        if self.take("USING") {
            return match self.names_in_parentheses()? {
                names if names.is_empty() => Err(self.error()),
                names => Ok(By::Using(names)),
            };
        }
        Ok(By::Nothing)
    }

    fn source(&mut self) -> Result<Source<'t>, Denial> {
        if self.is_symbol("(") {
            return self.deeper(Self::source_in_parentheses);
        }
        if self.symbol("{") {
            self.need("OJ")?;
            let inside = self.deeper(Self::joined)?;
            self.need_symbol("}")?;
            return Ok(Source::Several(vec![inside]));
        }
        if self.is("LATERAL") && self.symbol_at(1, "(") {
            self.take("LATERAL");
            return self.deeper(|parser| parser.derived(true));
        }
        if self.is("JSON_TABLE") && self.symbol_at(1, "(") {
            return self.deeper(Self::json_table);
        }
        if self.take("DUAL") {
            return Ok(Source::Nothing);
        }
        self.table(true).map(Source::Table)
    }

    fn source_in_parentheses(&mut self) -> Result<Source<'t>, Denial> {
        if self.query_in_parentheses() {
            return self.derived(false);
        }
        self.need_symbol("(")?;
        let inside = self.sources()?;
        self.need_symbol(")")?;
        Ok(Source::Several(inside))
    }

    fn derived(&mut self, lateral: bool) -> Result<Source<'t>, Denial> {
        self.need_symbol("(")?;
        let query = self.query()?;
        self.need_symbol(")")?;
        let alias = self.alias(false)?.ok_or_else(|| self.error())?;
        let columns = self.names_in_parentheses()?;
        Ok(Source::Derived(Derived { lateral, query, alias, columns }))
    }

    /// Reads `JSON_TABLE(value, 'path' COLUMNS (…)) AS name`.
    fn json_table(&mut self) -> Result<Source<'t>, Denial> {
        self.step();
        self.need_symbol("(")?;
        let value = self.expr()?;
        self.need_symbol(",")?;
        self.json_path()?;
        let mut columns = Vec::new();
        self.json_columns(&mut columns)?;
        self.need_symbol(")")?;
        let alias = self.alias(false)?.ok_or_else(|| self.error())?;
        Ok(Source::Json(Json { value, columns, alias }))
    }

    fn json_path(&mut self) -> Result<(), Denial> {
        if self.kind() == Some(Kind::Text) && self.constant() { Ok(()) } else { Err(self.error()) }
    }

    fn json_columns(&mut self, columns: &mut Vec<Name<'t>>) -> Result<(), Denial> {
        self.need("COLUMNS")?;
        self.need_symbol("(")?;
        self.list(|parser| parser.json_column(columns))?;
        self.need_symbol(")")
    }

    /// `a FOR ORDINALITY`, `a INT PATH '$.a' NULL ON EMPTY`, `NESTED PATH '$.b' COLUMNS (…)`
    fn json_column(&mut self, columns: &mut Vec<Name<'t>>) -> Result<(), Denial> {
        let path = |parser: &Self, ahead: usize| parser.tokens.kind(parser.at + ahead) == Some(Kind::Text);
        if self.is("NESTED") && (path(self, 1) || self.is_at(1, "PATH") && path(self, 2)) {
            self.step();
            self.take("PATH");
            self.json_path()?;
            return self.deeper(|parser| parser.json_columns(columns));
        }
        columns.push(self.name()?);
        if self.take_all(&["FOR", "ORDINALITY"]) {
            return Ok(());
        }
        self.type_name()?;
        if self.take("COLLATE") {
            self.word_or_string()?;
        }
        self.take("EXISTS");
        self.need("PATH")?;
        self.json_path()?;
        while self.is_any(&["NULL", "ERROR", "DEFAULT"]) {
            if self.take("DEFAULT") {
                self.json_path()?;
            } else {
                self.step();
            }
            self.need("ON")?;
            if !self.take_any(&["EMPTY", "ERROR"]) {
                return Err(self.error());
            }
        }
        Ok(())
    }

    /// Reads a table's name, with what may stand behind it.
    pub(super) fn table(&mut self, aliased: bool) -> Result<TableRef<'t>, Denial> {
        let path = self.path()?;
        if self.is_symbol("(") && aliased {
            return Err(refuse("a function in a FROM clause"));
        }
        let mut hints = Vec::new();
        let parted = self.is("PARTITION") && self.symbol_at(1, "(");
        if parted {
            self.take("PARTITION");
            hints = self.names_in_parentheses()?;
        }
        let alias = if aliased { self.alias(false)? } else { None };
        while aliased && self.take_any(&["USE", "FORCE", "IGNORE"]) {
            self.index_hint(&mut hints)?;
        }
        Ok(TableRef { path, alias, parted, hints })
    }

    fn index_hint(&mut self, hints: &mut Vec<Name<'t>>) -> Result<(), Denial> {
        if !self.take_any(&["INDEX", "KEY"]) {
            return Err(self.error());
        }
        if self.take("FOR")
            && !self.take("JOIN")
            && !self.take_all(&["ORDER", "BY"])
            && !self.take_all(&["GROUP", "BY"])
        {
            return Err(self.error());
        }
        self.need_symbol("(")?;
        while !self.symbol(")") {
            if matches!(self.kind(), Some(Kind::Word)) && self.take("PRIMARY") {
                self.symbol(",");
                continue;
            }
            hints.push(self.name()?);
            self.symbol(",");
        }
        Ok(())
    }
}
