//! Queries: which columns they give, and whether what they read may be read.

use std::cell::RefCell;

use postern_protocol::gate::{Privilege, Star};

use super::{
    catalog::{INFORMATION_SCHEMA, Kind},
    from::nothing,
    scope::{From, Item, Scope, Shape, covers},
    told::{no_table, refuse, unknown_column},
    tree::{Expr, Lock, Output, Path, Query, Select, Term},
    walk::{Columns, Ctes, Place, Walk, quoted, split},
};
use crate::enforce::Denial;

/// Servers give no more columns.
const MOST_COLUMNS: usize = 4096;

/// What a query gives.
pub(super) struct Outcome<'a> {
    pub(super) columns: Columns<'a>,
    /// Of a single `SELECT` what its FROM clause gives.
    pub(super) from: From<'a>,
}

/// What stands behind a query's last term.
#[derive(Clone, Copy)]
struct Tail<'q, 'a> {
    order: &'a [Expr<'a>],
    locks: &'q [Lock<'a>],
}

impl<'a> Walk<'a> {
    /// A query.
    pub(super) fn query(
        &mut self,
        query: &'a Query<'a>,
        place: Place<'_, 'a>,
    ) -> Result<Outcome<'a>, Denial> {
        let ctes = Ctes { outer: place.ctes, here: RefCell::default(), sealed: false };
        let place = Place { ctes: Some(&ctes), ..place };
        self.with(query.with.as_ref(), &ctes, place)?;
        self.exprs(&query.limit, Place { scope: None, ..place })?;
        if let [Term::Select(select)] = query.terms.as_slice() {
            let tail = Tail { order: &query.order, locks: &query.locks };
            return self.select(select, tail, place);
        }
        if query.locks.iter().any(|lock| lock.exclusive) {
            return Err(refuse("FOR UPDATE behind this query"));
        }
        self.claim_all(query.locks.iter().flat_map(|lock| lock.of.iter().flatten()));
        let mut columns = None;
        for term in &query.terms {
            let of_term = self.term(term, place)?;
            columns.get_or_insert(of_term);
        }
        let columns = columns.unwrap_or_else(nothing);
        self.order_of_columns(&query.order, &columns, place)?;
        Ok(Outcome { columns, from: From::default() })
    }

    fn term(&mut self, term: &'a Term<'a>, place: Place<'_, 'a>) -> Result<Columns<'a>, Denial> {
        match term {
            Term::Select(select) => Ok(self.select(select, Tail { order: &[], locks: &[] }, place)?.columns),
            Term::Query(query) => Ok(self.query(query, place)?.columns),
            Term::Values(rows) => {
                self.mixed = true;
                rows.iter().try_for_each(|row| self.exprs(row, place))?;
                let width = rows.first().map_or(0, Vec::len);
                Ok(vec![None; width].into())
            }
            Term::Table(path) => self.whole_table(path, place),
        }
    }

    /// `TABLE name`
    fn whole_table(&mut self, path: &'a Path<'a>, place: Place<'_, 'a>) -> Result<Columns<'a>, Denial> {
        let (qualifier, name) = split(path);
        self.claim_all(path);
        if qualifier.is_empty()
            && let Some(cte) = place.cte(self.ground, name)?
        {
            return Ok(cte.columns);
        }
        if self.ground.schema_of(qualifier)?.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
            return Err(refuse("TABLE with a table of information_schema"));
        }
        let base = self.ground.base(path, "SELECT", self.notes)?;
        if !base.reads_all() || !base.limits.select.any() {
            return Err(no_table("SELECT", &self.ground.user, name));
        }
        base.note(Privilege::Select, None);
        base.note_star();
        (self.mixed, self.tables) = (true, true);
        self.views |= base.table.kind == Kind::View;
        let names = base.table.columns.iter().filter(|column| !column.invisible);
        Ok(names.map(|column| Some(&*column.name)).collect::<Vec<_>>().into())
    }

    /// What orders a union is one of its columns; servers differ in what else it could be.
    fn order_of_columns(
        &mut self,
        order: &'a [Expr<'a>],
        columns: &Columns<'a>,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        let shape = Shape::Derived(columns.clone());
        let from = From::one(Item { name: "", schema: None, shape, unsure: false });
        let scope = Scope { outer: None, from: &from, aliases: &[], aliases_first: false };
        self.exprs(order, Place { scope: Some(&scope), ..place })
    }

    fn select(
        &mut self,
        select: &'a Select<'a>,
        tail: Tail<'_, 'a>,
        place: Place<'_, 'a>,
    ) -> Result<Outcome<'a>, Denial> {
        let from = self.from(&select.from, place)?;
        self.locks(tail.locks, &from)?;
        let mut columns = Vec::new();
        for item in &select.items {
            if !self.system.is_empty() {
                self.called_as_in_view(item, &from)?;
            }
            self.names_of(item, &from, &mut columns)?;
            if columns.len() > MOST_COLUMNS {
                return Err(refuse("a result of so many columns"));
            }
        }
        let outer = place.scope;
        let aliases: Vec<Option<&'a str>> = select.items.iter().map(alias_of).collect();
        let plain = Scope { outer, from: &from, aliases: &[], aliases_first: false };
        let behind = Scope { aliases: &aliases, ..plain };
        let ordered = Scope { aliases: &columns, ..plain };
        let having = Scope { aliases_first: true, ..ordered };
        for item in &select.items {
            if let Output::Value(value, _) = item {
                self.expr(value, place.within(&behind))?;
            }
        }
        self.exprs(&select.filter, place.within(&plain))?;
        self.exprs(&select.group, place.within(&behind))?;
        self.exprs(&select.having, place.within(&having))?;
        for (name, window) in &select.windows {
            self.claim(name);
            self.window(window, place.within(&behind))?;
        }
        self.order(tail.order, place.within(&ordered))?;
        Ok(Outcome { columns: columns.into(), from })
    }

    /// What orders rows. A bare name is the select list's first of all.
    pub(super) fn order(&mut self, order: &'a [Expr<'a>], place: Place<'_, 'a>) -> Result<(), Denial> {
        for key in order {
            match (key, place.scope) {
                (Expr::Column(path), Some(scope)) if scope.is_alias(path) => self.claim_all(path),
                _ => self.expr(key, place)?,
            }
        }
        Ok(())
    }

    /// The items of a list behind `RETURNING`.
    pub(super) fn returning(&mut self, items: &'a [Output<'a>], from: &From<'a>) -> Result<(), Denial> {
        let mut columns = Vec::new();
        let scope = Scope { outer: None, from, aliases: &[], aliases_first: false };
        for item in items {
            self.names_of(item, from, &mut columns)?;
            if columns.len() > MOST_COLUMNS {
                return Err(refuse("a result of so many columns"));
            }
            if let Output::Value(value, _) = item {
                self.expr(value, Place::NOWHERE.within(&scope))?;
            }
        }
        Ok(())
    }

    /// What an item of a select list is called; of a star all that it stands for.
    fn names_of(
        &mut self,
        item: &'a Output<'a>,
        from: &From<'a>,
        columns: &mut Vec<Option<&'a str>>,
    ) -> Result<(), Denial> {
        match item {
            Output::Value(_, alias) => {
                self.claim_all(alias);
                columns.push(item.name());
            }
            Output::Star(path, at) => {
                self.claim_all(path);
                columns.extend(self.star(path, *at, from)?);
            }
        }
        Ok(())
    }

    /// `*`, `t.*`
    fn star(&mut self, path: &Path<'a>, at: usize, from: &From<'a>) -> Result<Vec<Option<&'a str>>, Denial> {
        let items: Vec<&Item<'a>> =
            from.items.iter().filter(|item| item.is_called(path, self.ground)).collect();
        if items.is_empty() {
            return Err(unknown_column("*"));
        }
        let closed = items.iter().find_map(|item| match &item.shape {
            Shape::Base(base) if !base.reads_all() => Some(base),
            Shape::Base(_) | Shape::Derived(_) => None,
        });
        let Some(closed) = closed else {
            for item in &items {
                item.note_star();
            }
            return Ok(items.iter().flat_map(|item| visible(item)).collect());
        };
        if self.ground.limits.terms.star == Star::Deny {
            return Err(no_table("SELECT", &self.ground.user, &closed.table.name)
                .about(&closed.table.schema, &closed.table.name));
        }
        if !from.merged.is_empty() {
            return Err(refuse("a star over a join by name"));
        }
        self.expand(&items, (at - path.len() * 2, at + 1))
    }

    /// Puts the columns that may be read in the place of a star.
    fn expand(
        &mut self,
        items: &[&Item<'a>],
        tokens: (usize, usize),
    ) -> Result<Vec<Option<&'a str>>, Denial> {
        let (mut names, mut texts) = (Vec::new(), Vec::new());
        for item in items {
            for name in visible(item) {
                let name = name.ok_or_else(|| refuse("a star over columns whose names cannot be told"))?;
                let readable = match &item.shape {
                    Shape::Base(base) => covers(&base.limits.select, name),
                    Shape::Derived(_) => true,
                };
                if readable {
                    item.note(name);
                    names.push(Some(name));
                    texts.push(format!("{}.{}", quoted(item.name), quoted(name)));
                }
            }
        }
        self.edit(tokens, texts.join(", "))?;
        Ok(names)
    }

    /// What is locked against writing must be one's own to write.
    fn locks(&mut self, locks: &[Lock<'a>], from: &From<'a>) -> Result<(), Denial> {
        for lock in locks {
            self.claim_all(lock.of.iter().flatten());
            for item in &from.items {
                let named =
                    lock.of.is_empty() || lock.of.iter().any(|path| item.is_called(path, self.ground));
                if !named || !lock.exclusive {
                    continue;
                }
                let Shape::Base(base) = &item.shape else {
                    return Err(refuse("FOR UPDATE over a sub-select"));
                };
                if !base.limits.of(Privilege::Update).any() && !base.limits.delete {
                    return Err(no_table("SELECT with locking clause", &self.ground.user, &base.table.name)
                        .about(&base.table.schema, &base.table.name));
                }
                let privilege = if base.limits.update.any() { Privilege::Update } else { Privilege::Delete };
                base.note(privilege, None);
            }
        }
        Ok(())
    }
}

/// The columns of an item that a star stands for.
fn visible<'a>(item: &Item<'a>) -> Vec<Option<&'a str>> {
    match &item.shape {
        Shape::Base(base) => {
            let columns = base.table.columns.iter().filter(|column| !column.invisible);
            columns.map(|column| Some(&*column.name)).collect()
        }
        Shape::Derived(names) => names.to_vec(),
    }
}

/// What an item is called by its own alias.
fn alias_of<'a>(item: &'a Output<'a>) -> Option<&'a str> {
    match item {
        Output::Value(_, alias) => alias.as_ref().map(|alias| &*alias.text),
        Output::Star(..) => None,
    }
}
