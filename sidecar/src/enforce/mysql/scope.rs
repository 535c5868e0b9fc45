//! Names of columns and what they stand for, level by level, as the server resolves them.
//!
//! A level of a query has items: tables and derived tables. A name that no item has is looked for further out. Wherever
//! more than one thing could be meant, all of them must be allowed.

use postern_protocol::gate::Privilege;

use super::{
    Ground,
    catalog::Table,
    same,
    told::{ambiguous, no_column, unknown_column},
    tree::{Name, Path},
    walk::{Columns, split},
};
use crate::enforce::{self, Denial, Notes, TableLimits};

/// A table of the grant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base<'a> {
    pub(super) table: &'a Table,
    pub(super) limits: &'a TableLimits,
    /// Where it is noted what is used of it.
    pub(super) notes: &'a Notes,
}

/// Columns that tables have without being asked, and that no catalog names: `_rowid` is another name of the primary key,
/// `row_start` and `row_end` are those of versioned tables, `my_row_id` is a key that the server made.
pub(super) const UNNAMED: [&str; 4] = ["_rowid", "row_start", "row_end", "my_row_id"];

/// Whether this column is among them, in whatever case the grant writes it.
pub(super) fn covers(columns: &enforce::Columns, name: &str) -> bool {
    match columns {
        enforce::Columns::None => false,
        enforce::Columns::Some(names) => names.contains(name) || names.iter().any(|one| same(one, name)),
        enforce::Columns::All => true,
    }
}

impl Base<'_> {
    /// It is used, or one column of it, by the catalog's own spelling.
    pub(super) fn note(&self, privilege: Privilege, column: Option<&str>) {
        self.notes.note(self.table, (&self.table.schema, &self.table.name), privilege, column);
    }

    /// All columns that a star stands for are read.
    pub(super) fn note_star(&self) {
        let columns = self.table.columns.iter().filter(|column| !column.invisible);
        columns.for_each(|column| self.note(Privilege::Select, Some(&column.name)));
    }

    /// Whether a column may be read.
    pub(super) fn reads(&self, column: &str) -> bool {
        covers(&self.limits.select, column)
    }

    /// Whether a star may.
    pub(super) fn reads_all(&self) -> bool {
        self.table.columns.iter().all(|column| column.invisible || self.reads(&column.name))
    }
}

/// Where an item's columns come from.
#[derive(Clone, Debug)]
pub(super) enum Shape<'a> {
    Base(Base<'a>),
    /// Whatever they read has been judged.
    Derived(Columns<'a>),
}

/// One table or derived table of a FROM clause.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub(super) name: &'a str,
    /// A table's database.
    pub(super) schema: Option<&'a str>,
    pub(super) shape: Shape<'a>,
    /// Whether it may not be seen from where the name stands.
    pub(super) unsure: bool,
}

impl<'a> Item<'a> {
    /// Whether it has a column of this name.
    fn has(&self, column: &str) -> bool {
        match &self.shape {
            Shape::Base(base) => base.table.column(column).is_some(),
            Shape::Derived(names) => names.iter().flatten().any(|name| same(name, column)),
        }
    }

    /// The names of its columns.
    pub(super) fn names(&self) -> Vec<Option<&'a str>> {
        match &self.shape {
            Shape::Base(base) => base.table.columns.iter().map(|column| Some(&*column.name)).collect(),
            Shape::Derived(names) => names.to_vec(),
        }
    }

    /// Leave to read a column that it has.
    pub(super) fn read(&self, column: &str, ground: &Ground) -> Result<(), Denial> {
        match &self.shape {
            Shape::Base(base) if !base.reads(column) => {
                Err(no_column("SELECT", &ground.user, column, &base.table.name)
                    .about(&base.table.schema, &base.table.name))
            }
            Shape::Base(base) => {
                let known = base.table.column(column);
                base.note(Privilege::Select, known.map(|known| &*known.name));
                Ok(())
            }
            Shape::Derived(_) => Ok(()),
        }
    }

    /// All columns that a star stands for are read.
    pub(super) fn note_star(&self) {
        if let Shape::Base(base) = &self.shape {
            base.note_star();
        }
    }

    /// A column is read.
    pub(super) fn note(&self, column: &str) {
        if let Shape::Base(base) = &self.shape {
            base.note(Privilege::Select, Some(column));
        }
    }

    /// Whether this is how it is called.
    pub(super) fn is_called(&self, qualifier: &[Name<'_>], ground: &Ground) -> bool {
        let server = ground.catalog.server();
        let is_schema = |name: &str| self.schema.is_some_and(|schema| server.same_table(schema, name));
        match qualifier {
            [] => true,
            [table] => server.same_table(self.name, &table.text),
            [schema, table] => server.same_table(self.name, &table.text) && is_schema(&schema.text),
            _ => false,
        }
    }
}

/// A column that a join by name has made one of several. All of them have been judged.
#[derive(Clone, Debug)]
pub(super) struct Merged<'a> {
    pub(super) name: &'a str,
    pub(super) items: Vec<usize>,
}

/// What a FROM clause gives.
#[derive(Clone, Debug, Default)]
pub(super) struct From<'a> {
    pub(super) items: Vec<Item<'a>>,
    pub(super) merged: Vec<Merged<'a>>,
}

impl<'a> From<'a> {
    /// One item.
    pub(super) fn one(item: Item<'a>) -> Self {
        Self { items: vec![item], merged: Vec::new() }
    }

    /// Both together.
    pub(super) fn and(mut self, other: Self) -> Self {
        let offset = self.items.len();
        self.items.extend(other.items);
        self.merged.extend(
            other.merged.into_iter().map(|merged| Merged {
                items: merged.items.iter().map(|at| at + offset).collect(),
                ..merged
            }),
        );
        self
    }

    /// How many columns it has.
    pub(super) fn width(&self) -> usize {
        let width = |item: &Item<'_>| match &item.shape {
            Shape::Base(base) => base.table.columns.len(),
            Shape::Derived(names) => names.len(),
        };
        self.items.iter().map(width).sum()
    }

    /// The same, where all of it can be seen.
    pub(super) fn sure(mut self) -> Self {
        self.items.iter_mut().for_each(|item| item.unsure = false);
        self
    }

    /// Which items have a column.
    fn knowing(&self, column: &str, qualifier: &[Name<'_>], ground: &Ground) -> Vec<usize> {
        let items = self.items.iter().enumerate();
        let found = items.filter(|(_, item)| item.is_called(qualifier, ground) && item.has(column));
        found.map(|(at, _)| at).collect()
    }

    /// Which items have a column; one, or several that a join has made one.
    pub(super) fn having(
        &self,
        column: &str,
        qualifier: &[Name<'_>],
        ground: &Ground,
    ) -> Result<Vec<usize>, Denial> {
        let found = self.knowing(column, qualifier, ground);
        let one = || {
            let by_name = |merged: &Merged<'_>| {
                same(merged.name, column) && found.iter().all(|at| merged.items.contains(at))
            };
            qualifier.is_empty() && self.merged.iter().any(by_name)
        };
        if found.len() < 2 || one() { Ok(found) } else { Err(ambiguous(column)) }
    }
}

/// A level of a query, and the levels around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'s, 'a> {
    pub(super) outer: Option<&'s Scope<'s, 'a>>,
    pub(super) from: &'s From<'a>,
    /// What the select list calls its items, where they can be called.
    pub(super) aliases: &'s [Option<&'a str>],
    /// Whether aliases come first, for names that stand at this very level.
    pub(super) aliases_first: bool,
}

impl<'s> Scope<'s, '_> {
    /// Whether a bare name is that of an item of the select list.
    pub(super) fn is_alias(&self, path: &Path<'_>) -> bool {
        let (before, column) = split(path);
        before.is_empty() && self.aliases.iter().flatten().any(|alias| same(alias, column))
    }

    /// Leave to read a column by its name.
    pub(super) fn read(&'s self, path: &Path<'_>, ground: &Ground) -> Result<(), Denial> {
        if self.aliases_first && self.is_alias(path) {
            return Ok(());
        }
        let (qualifier, column) = split(path);
        let unnamed = UNNAMED.iter().any(|name| same(name, column));
        if unnamed && self.from.knowing(column, qualifier, ground).is_empty() {
            return Err(unknown_column(column));
        }
        let mut known = false;
        for scope in std::iter::successors(Some(self), |scope| scope.outer) {
            // Of several, servers take one or none; all must be allowed.
            let found = scope.from.knowing(column, qualifier, ground);
            let mut items = found.iter().filter_map(|at| scope.from.items.get(*at)).peekable();
            if items.peek().is_none() {
                // The server may look no further.
                known |= scope.is_alias(path);
                continue;
            }
            let mut sure = true;
            for item in items {
                item.read(column, ground)?;
                sure &= !item.unsure;
            }
            known = true;
            if sure {
                return Ok(());
            }
        }
        if known { Ok(()) } else { Err(unknown_column(column)) }
    }
}
