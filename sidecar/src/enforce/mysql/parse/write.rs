//! Statements that write rows.

use super::{
    super::tree::{Assignment, Delete, Insert, Path, Rows, Rowwise, Source, Update, With},
    Parser, begins_query,
};
use crate::enforce::Denial;

/// Elsewhere than behind `DELETE` a table may be called `quick`.
const INSERTING: [&str; 4] = ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE"];
const UPDATING: [&str; 2] = ["LOW_PRIORITY", "IGNORE"];
const DELETING: [&str; 3] = ["LOW_PRIORITY", "QUICK", "IGNORE"];

impl<'t> Parser<'t> {
    /// Reads a statement that reads or writes rows. None if another one stands here.
    pub(in super::super) fn rowwise(&mut self) -> Result<Option<Rowwise<'t>>, Denial> {
        let begins = begins_query(self.tokens, self.at) || self.is_symbol("(");
        if begins {
            let with = self.with()?;
            if !self.is("UPDATE") && !self.is("DELETE") {
                return self.query_behind(with).map(|query| Some(Rowwise::Query(query)));
            }
            return self.writing(with);
        }
        self.writing(None)
    }

    fn writing(&mut self, with: Option<With<'t>>) -> Result<Option<Rowwise<'t>>, Denial> {
        let statement = if self.take("UPDATE") {
            Rowwise::Update(Box::new(self.update(with)?))
        } else if self.take("DELETE") {
            Rowwise::Delete(Box::new(self.delete(with)?))
        } else if self.is("INSERT") || self.is("REPLACE") {
            Rowwise::Insert(Box::new(self.insert()?))
        } else {
            return Ok(None);
        };
        Ok(Some(statement))
    }

    fn insert(&mut self) -> Result<Insert<'t>, Denial> {
        let replaces = !self.take("INSERT") && self.take("REPLACE");
        while self.take_any(&INSERTING) {}
        self.take("INTO");
        let target = self.table(false)?;
        let columns = self.insert_columns()?;
        let rows = self.insert_rows()?;
        let row = if self.take("AS") { Some((self.name()?, self.names_in_parentheses()?)) } else { None };
        let mut duplicate = Vec::new();
        if self.take_all(&["ON", "DUPLICATE", "KEY", "UPDATE"]) {
            duplicate = self.list(Self::assignment)?;
        }
        let returning = if self.take("RETURNING") { self.outputs()? } else { Vec::new() };
        Ok(Insert { replaces, target, columns, rows, row, duplicate, returning })
    }

    fn insert_columns(&mut self) -> Result<Option<Vec<Path<'t>>>, Denial> {
        if !self.is_symbol("(") || self.query_in_parentheses() {
            return Ok(None);
        }
        self.at += 1;
        let columns = if self.is_symbol(")") { Vec::new() } else { self.list(Self::path)? };
        self.need_symbol(")")?;
        Ok(Some(columns))
    }

    fn insert_rows(&mut self) -> Result<Rows<'t>, Denial> {
        if self.take("SET") {
            return self.list(Self::assignment).map(Rows::Set);
        }
        if self.take_any(&["VALUES", "VALUE"]) {
            return self.list(Self::row).map(Rows::Values);
        }
        self.query().map(Rows::Query)
    }

    fn assignment(&mut self) -> Result<Assignment<'t>, Denial> {
        let column = self.path()?;
        if !self.symbol("=") && !self.symbol(":=") {
            return Err(self.error());
        }
        Ok((column, self.expr()?))
    }

    fn update(&mut self, with: Option<With<'t>>) -> Result<Update<'t>, Denial> {
        while self.take_any(&UPDATING) {}
        let sources = self.sources()?;
        self.need("SET")?;
        let set = self.list(Self::assignment)?;
        let (filter, order, limit) = (self.filter()?, self.order_by()?, self.limit()?);
        Ok(Update { with, sources, set, filter, order, limit })
    }

    fn delete(&mut self, with: Option<With<'t>>) -> Result<Delete<'t>, Denial> {
        while self.take_any(&DELETING) {}
        let (targets, sources) = self.delete_from()?;
        let (filter, order, limit) = (self.filter()?, self.order_by()?, self.limit()?);
        let returning = if self.take("RETURNING") { self.outputs()? } else { Vec::new() };
        Ok(Delete { with, targets, sources, filter, order, limit, returning })
    }

    /// What loses rows, and what is looked at for it.
    fn delete_from(&mut self) -> Result<(Vec<Path<'t>>, Vec<Source<'t>>), Denial> {
        if !self.take("FROM") {
            let targets = self.list(Self::target)?;
            self.need("FROM")?;
            return Ok((targets, self.sources()?));
        }
        let from = self.at;
        let targets = self.list(Self::target)?;
        if self.take("USING") {
            return Ok((targets, self.sources()?));
        }
        self.at = from;
        Ok((Vec::new(), vec![Source::Table(self.table(true)?)]))
    }

    /// `t`, `t.*`
    fn target(&mut self) -> Result<Path<'t>, Denial> {
        let path = self.path()?;
        if self.symbol(".") {
            self.need_symbol("*")?;
        }
        Ok(path)
    }
}
