//! `INSERT`, `REPLACE`, `UPDATE`, `DELETE`: column by column what is written, and what is read for it.

use std::cell::RefCell;

use postern_protocol::gate::Privilege;

use super::{
    catalog::Kind,
    from::nothing,
    scope::{Base, From, Item, Scope, Shape, covers},
    told::{no_column, no_table, refuse, unknown_column},
    tree::{Assignment, Delete, Insert, Path, Rows, Rowwise, Update},
    walk::{Columns, Ctes, Place, Walk, split},
};
use crate::enforce::Denial;

const fn verb(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::Select => "SELECT",
        Privilege::Insert => "INSERT",
        Privilege::Update => "UPDATE",
        Privilege::Delete => "DELETE",
    }
}

impl<'a> Walk<'a> {
    /// A statement that reads or writes rows.
    pub(super) fn rowwise(&mut self, statement: &'a Rowwise<'a>) -> Result<(), Denial> {
        match statement {
            Rowwise::Query(query) => self.query(query, Place::NOWHERE).map(drop),
            Rowwise::Insert(insert) => self.insert(insert),
            Rowwise::Update(update) => self.update(update),
            Rowwise::Delete(delete) => self.delete(delete),
        }
    }

    /// Leave to write a column.
    fn writes(&self, base: Base<'_>, privilege: Privilege, column: &str) -> Result<(), Denial> {
        let known = base.table.column(column).ok_or_else(|| unknown_column(column))?;
        if covers(base.limits.of(privilege), &known.name) {
            base.note(privilege, Some(&known.name));
            return Ok(());
        }
        Err(no_column(verb(privilege), &self.ground.user, column, &base.table.name)
            .about(&base.table.schema, &base.table.name))
    }

    /// Leave to do something with a table at all.
    fn may(&self, base: Base<'_>, privilege: Privilege) -> Result<(), Denial> {
        if base.limits.of(privilege).any() {
            base.note(privilege, None);
            return Ok(());
        }
        Err(no_table(verb(privilege), &self.ground.user, &base.table.name)
            .about(&base.table.schema, &base.table.name))
    }

    fn insert(&mut self, insert: &'a Insert<'a>) -> Result<(), Denial> {
        let path = &insert.target.path;
        self.claim_all(path.iter().chain(&insert.target.hints));
        let base = self.ground.base(path, "INSERT", self.notes)?;
        if base.table.kind == Kind::View {
            (self.views, self.mixed) = (true, true);
        }
        self.may(base, Privilege::Insert)?;
        if insert.replaces {
            self.may(base, Privilege::Delete)?;
        }
        let target = item_of(base, split(path).1);
        let names = self.insert_columns(insert, base, &target)?;
        let from = self.insert_rows(insert, base, &target)?;
        self.on_duplicate(insert, base, from.and(From::one(target.clone())), names)?;
        self.inserting = None;
        if !insert.returning.is_empty() {
            self.may(base, Privilege::Select)?;
        }
        self.returning(&insert.returning, &From::one(target))
    }

    /// The columns that are inserted into.
    fn insert_columns(
        &mut self,
        insert: &'a Insert<'a>,
        base: Base<'a>,
        target: &Item<'a>,
    ) -> Result<Columns<'a>, Denial> {
        let Some(columns) = &insert.columns else {
            if matches!(insert.rows, Rows::Set(_)) {
                return Ok(nothing());
            }
            let all = base.table.columns.iter().filter(|column| !column.invisible);
            let all: Vec<&'a str> = all.map(|column| &*column.name).collect();
            let closed = all.iter().any(|column| !covers(&base.limits.insert, column));
            if closed {
                return Err(no_table("INSERT", &self.ground.user, &base.table.name)
                    .about(&base.table.schema, &base.table.name));
            }
            for column in &all {
                base.note(Privilege::Insert, Some(column));
            }
            return Ok(super::from::columns(all));
        };
        columns.iter().try_for_each(|path| self.written(path, base, target, Privilege::Insert))?;
        Ok(super::from::columns(columns.iter().map(|path| split(path).1)))
    }

    /// A column of the table that is written.
    fn written(
        &mut self,
        path: &Path<'_>,
        base: Base<'a>,
        target: &Item<'a>,
        privilege: Privilege,
    ) -> Result<(), Denial> {
        self.claim_all(path);
        let (qualifier, column) = split(path);
        if !target.is_called(qualifier, self.ground) {
            return Err(unknown_column(column));
        }
        self.writes(base, privilege, column)
    }

    fn insert_rows(
        &mut self,
        insert: &'a Insert<'a>,
        base: Base<'a>,
        target: &Item<'a>,
    ) -> Result<From<'a>, Denial> {
        let from = From::one(target.clone());
        let scope = Scope { outer: None, from: &from, aliases: &[], aliases_first: false };
        let place = Place::NOWHERE.within(&scope);
        match &insert.rows {
            Rows::Values(rows) => rows.iter().try_for_each(|row| self.exprs(row, place))?,
            Rows::Set(list) => {
                for (column, value) in list {
                    self.written(column, base, target, Privilege::Insert)?;
                    self.expr(value, place)?;
                }
            }
            Rows::Query(query) => return Ok(self.query(query, Place::NOWHERE)?.from),
        }
        Ok(From::default())
    }

    fn on_duplicate(
        &mut self,
        insert: &'a Insert<'a>,
        base: Base<'a>,
        mut from: From<'a>,
        names: Columns<'a>,
    ) -> Result<(), Denial> {
        if let Some((name, columns)) = &insert.row {
            self.claim(name);
            let columns = self.renamed(columns, names)?;
            let row = Item { name: &name.text, schema: None, shape: Shape::Derived(columns), unsure: false };
            from = from.and(From::one(row));
        }
        if insert.duplicate.is_empty() {
            return Ok(());
        }
        self.may(base, Privilege::Update)?;
        self.inserting = Some(base);
        let target = item_of(base, split(&insert.target.path).1);
        let scope = Scope { outer: None, from: &from, aliases: &[], aliases_first: false };
        for (column, value) in &insert.duplicate {
            self.written(column, base, &target, Privilege::Update)?;
            self.expr(value, Place::NOWHERE.within(&scope))?;
        }
        Ok(())
    }

    fn update(&mut self, update: &'a Update<'a>) -> Result<(), Denial> {
        let ctes = Ctes { outer: None, here: RefCell::default(), sealed: false };
        let place = Place { scope: None, ctes: Some(&ctes) };
        self.with(update.with.as_ref(), &ctes, place)?;
        let from = self.tables(&update.sources, place)?;
        let scope = Scope { outer: None, from: &from, aliases: &[], aliases_first: false };
        let inside = place.within(&scope);
        let written = self.assigned(&update.set, &from, inside)?;
        for (at, item) in from.items.iter().enumerate() {
            if !written.contains(&at) {
                self.is_read(item)?;
            }
        }
        self.exprs(&update.filter, inside)?;
        self.exprs(&update.order, inside)?;
        self.exprs(&update.limit, Place::NOWHERE)
    }

    /// Which items are written.
    fn assigned(
        &mut self,
        set: &'a [Assignment<'a>],
        from: &From<'a>,
        place: Place<'_, 'a>,
    ) -> Result<Vec<usize>, Denial> {
        let mut written = Vec::new();
        for (path, value) in set {
            self.claim_all(path);
            let (qualifier, column) = split(path);
            let found = from.having(column, qualifier, self.ground)?;
            if found.is_empty() {
                return Err(unknown_column(column));
            }
            for at in found {
                let Some(Item { shape: Shape::Base(base), .. }) = from.items.get(at) else {
                    return Err(refuse("a sub-select that is written"));
                };
                self.may(*base, Privilege::Update)?;
                self.writes(*base, Privilege::Update, column)?;
                written.push(at);
            }
            self.expr(value, place)?;
        }
        Ok(written)
    }

    fn delete(&mut self, delete: &'a Delete<'a>) -> Result<(), Denial> {
        let ctes = Ctes { outer: None, here: RefCell::default(), sealed: false };
        let place = Place { scope: None, ctes: Some(&ctes) };
        self.with(delete.with.as_ref(), &ctes, place)?;
        let from = self.tables(&delete.sources, place)?;
        let targets = self.targets(delete, &from)?;
        for (at, item) in from.items.iter().enumerate() {
            match &item.shape {
                Shape::Base(base) if targets.contains(&at) => self.may(*base, Privilege::Delete)?,
                Shape::Derived(_) if targets.contains(&at) => {
                    return Err(refuse("a sub-select that is deleted from"));
                }
                Shape::Base(_) | Shape::Derived(_) => self.is_read(item)?,
            }
        }
        let scope = Scope { outer: None, from: &from, aliases: &[], aliases_first: false };
        let inside = place.within(&scope);
        self.exprs(&delete.filter, inside)?;
        self.exprs(&delete.order, inside)?;
        self.exprs(&delete.limit, Place::NOWHERE)?;
        if !delete.returning.is_empty() {
            from.items.iter().try_for_each(|item| self.is_read(item))?;
        }
        self.returning(&delete.returning, &from)
    }

    /// Which items lose rows.
    fn targets(&mut self, delete: &'a Delete<'a>, from: &From<'a>) -> Result<Vec<usize>, Denial> {
        if delete.targets.is_empty() {
            return Ok((0..from.items.len()).collect());
        }
        let mut targets = Vec::new();
        for path in &delete.targets {
            self.claim_all(path);
            let called = from.items.iter().enumerate().filter(|(_, item)| item.is_called(path, self.ground));
            let before = targets.len();
            targets.extend(called.map(|(at, _)| at));
            if targets.len() == before {
                return Err(no_table("DELETE", &self.ground.user, split(path).1));
            }
        }
        Ok(targets)
    }
}

/// A table that is written, as it is called.
fn item_of<'a>(base: Base<'a>, name: &'a str) -> Item<'a> {
    Item { name, schema: Some(&*base.table.schema), shape: Shape::Base(base), unsure: false }
}
