//! Names and what they stand for, level by level, as the server resolves them.
//!
//! A level of a query has items: tables, sub-selects, functions, joins. A name that an item does not know is looked for
//! in the next one, and then further out; wherever more than one thing could be meant, all of them must be allowed.

use std::rc::Rc;

use postern_protocol::gate::Privilege;

use super::{
    catalog::{Column, Relation},
    closed::Shown,
};
use crate::enforce::{Denial, Notes, Reason, TableLimits};

/// How reading from a relation is decided.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read<'a> {
    /// By the grant.
    Granted(&'a TableLimits),
    /// It is a table of the server's own that says nothing about data; so much of it is shown.
    Open(Shown),
}

impl Read<'_> {
    fn covers(&self, column: &str) -> bool {
        match self {
            Self::Granted(limits) => limits.select.covers(column),
            Self::Open(shown) => shown.covers(column),
        }
    }
}

/// A relation as it stands in a FROM clause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base<'a> {
    pub(super) relation: &'a Relation,
    pub(super) read: Read<'a>,
    /// Where it is noted what is read of it.
    pub(super) notes: &'a Notes,
}

impl Base<'_> {
    fn covers(&self, column: &str) -> bool {
        let covers = self.read.covers(column);
        if covers {
            self.note(Privilege::Select, Some(column));
        }
        covers
    }

    /// It is used, or one column of it. What the server's own tables say is nobody's.
    pub(super) fn note(&self, privilege: Privilege, column: Option<&str>) {
        if let Read::Granted(_) = self.read {
            let name = (&*self.relation.schema, &*self.relation.name);
            self.notes.note(self.relation, name, privilege, column);
        }
    }

    /// Whether a query that asks for this column gets NULL in its place.
    pub(super) fn withholds(&self, column: &str) -> bool {
        matches!(self.read, Read::Open(shown) if shown.withholds(column))
    }

    /// Leave to read a column.
    pub(super) fn column(&self, column: &str) -> Result<(), Denial> {
        if self.covers(column) { Ok(()) } else { Err(self.relation.deny_column(column)) }
    }

    /// The same for a statement that did not call the column by its name, and shall not learn it.
    fn unnamed_column(&self, column: &str) -> Result<(), Denial> {
        if self.covers(column) { Ok(()) } else { Err(self.relation.deny()) }
    }

    /// Leave to read a whole row as one value: every column there is.
    pub(super) fn row(&self) -> Result<(), Denial> {
        self.whole()?;
        self.is_still(0)
    }

    /// Leave to read each column, for a star.
    fn each(&self) -> Result<(), Denial> {
        self.whole()?;
        self.relation
            .lively
            .iter()
            .filter(|number| **number > 0)
            .try_for_each(|number| self.is_still(*number))
    }

    /// Leave to read each column as it is, which runs nothing.
    pub(super) fn whole(&self) -> Result<(), Denial> {
        let mut columns = self.relation.columns.iter();
        if columns.all(|column| self.covers(&column.name)) { Ok(()) } else { Err(self.relation.deny()) }
    }

    /// Leave to use the values of this column, or rows as values.
    fn is_still(&self, number: i16) -> Result<(), Denial> {
        if !self.relation.lively.contains(&number) {
            return Ok(());
        }
        let why = "somebody's function casts, compares or checks values of its type: what a statement runs cannot be established";
        Err(Denial::unclear(Reason::Type, &self.relation.name, why))
    }
}

/// Whether a column of a derived table is there as it is thought to be. What the server does not find here it looks for
/// further out, so of whatever is not sure both must be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    /// The text itself gives it its name.
    Sure,
    /// It is there; its name is what the server should call it.
    Guessed,
    /// It may not be there at all, and then those behind it come earlier.
    Doubtful,
}

/// A column of a derived table or a join.
#[derive(Clone, Copy, Debug)]
pub(super) struct Derived<'a> {
    /// None where it cannot be told what the server calls it.
    pub(super) name: Option<&'a str>,
    pub(super) certainty: Certainty,
    /// The item that it may be called by; none where it is called without.
    pub(super) by: Option<&'a str>,
    /// The column that it stands for; none when whatever it reads has been allowed already.
    pub(super) of: Option<(Base<'a>, &'a Column)>,
}

impl<'a> Derived<'a> {
    /// A column that may be read.
    pub(super) const fn free(name: Option<&'a str>, certainty: Certainty) -> Self {
        Self { name, certainty, by: None, of: None }
    }

    /// One that the text gives this name.
    pub(super) const fn sure(name: Option<&'a str>) -> Self {
        Self::free(name, Certainty::Sure)
    }

    /// One that the server should call so.
    pub(super) const fn guessed(name: Option<&'a str>) -> Self {
        Self::free(name, Certainty::Guessed)
    }

    /// The column in whose place a query gets NULL, if it stands for such a one.
    pub(super) fn withheld(&self) -> Option<&'a Column> {
        self.of.and_then(|(base, column)| base.withholds(&column.name).then_some(column))
    }

    /// Leave to read it, for a statement that does not name it.
    pub(super) fn read(&self) -> Result<(), Denial> {
        self.of.map_or(Ok(()), |(base, column)| {
            base.unnamed_column(&column.name)?;
            base.is_still(column.number)
        })
    }
}

/// The columns of an item.
#[derive(Clone, Debug)]
pub(super) enum Columns<'a> {
    /// Those of a relation, the first of them perhaps under other names.
    Base(Base<'a>, Rc<[&'a str]>),
    /// A list; and whether there may be more that are not known.
    List(Rc<[Derived<'a>]>, bool),
}

/// One item of a FROM clause.
#[allow(clippy::struct_excessive_bools)] // they are independent of one another
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    /// What it is called; a relation without an alias by its own name.
    pub(super) name: Option<&'a str>,
    /// Whether it may be called by `schema.name` as well.
    pub(super) by_schema: bool,
    /// Whether it may be called at all: what stands inside a join with an alias may not.
    pub(super) named: bool,
    /// Whether its columns may be called without saying whose they are.
    pub(super) open: bool,
    /// Whether it is a join; without an alias its parts are items of their own beside it.
    pub(super) join: bool,
    pub(super) columns: Columns<'a>,
}

/// What a column's name stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    /// Something that may be read.
    Free,
    /// A column of a relation.
    Column(Base<'a>, &'a Column),
    /// A column that every table has; only who may read all of the table may read it.
    System(Base<'a>),
}

impl Found<'_> {
    /// Leave to read it, for a statement that calls it so.
    pub(super) fn read(&self, called: &str) -> Result<(), Denial> {
        match self {
            Self::Free | Self::System(Base { read: Read::Open(_), .. }) => Ok(()),
            Self::Column(base, column) => {
                if *column.name == *called {
                    base.column(called)?;
                } else {
                    base.unnamed_column(&column.name)?;
                }
                base.is_still(column.number)
            }
            Self::System(base) => base.row(),
        }
    }
}

/// How often an item knows a name.
pub(super) enum Known<'a> {
    /// Not at all.
    No,
    /// Perhaps: not all of its columns are known.
    Perhaps,
    /// Once.
    Once(Found<'a>),
    /// Once, if it is there.
    Unsure(Found<'a>),
    /// More than once.
    Often,
}

const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];

impl<'a> Item<'a> {
    /// The item of a relation.
    pub(super) fn base(base: Base<'a>, alias: Option<&'a str>, renamed: Rc<[&'a str]>) -> Self {
        Self {
            name: Some(alias.unwrap_or(&base.relation.name)),
            by_schema: alias.is_none(),
            named: true,
            open: true,
            join: false,
            columns: Columns::Base(base, renamed),
        }
    }

    /// The item of anything else.
    pub(super) fn derived(name: Option<&'a str>, columns: Rc<[Derived<'a>]>, vague: bool) -> Self {
        let columns = Columns::List(columns, vague);
        Self { name, by_schema: false, named: name.is_some(), open: true, join: false, columns }
    }

    /// How many columns it is known to have.
    pub(super) fn width(&self) -> usize {
        match &self.columns {
            Columns::Base(base, _) => base.relation.columns.len(),
            Columns::List(list, _) => list.len(),
        }
    }

    /// All columns, for a join or a star; and whether there may be more.
    pub(super) fn all(&self) -> (Vec<Derived<'a>>, bool) {
        match &self.columns {
            Columns::Base(base, renamed) => {
                let column = |(at, column): (usize, &'a Column)| Derived {
                    name: Some(renamed.get(at).copied().unwrap_or(&column.name)),
                    certainty: Certainty::Sure,
                    by: self.name,
                    of: Some((*base, column)),
                };
                (base.relation.columns.iter().enumerate().map(column).collect(), false)
            }
            // What stands inside a join without an alias is called as it was before.
            Columns::List(list, vague) if self.join && self.name.is_none() => (list.to_vec(), *vague),
            Columns::List(list, vague) => {
                let called = |column: &Derived<'a>| Derived { by: self.name, ..*column };
                (list.iter().map(called).collect(), *vague)
            }
        }
    }

    /// What this name means here.
    pub(super) fn column(&self, name: &str) -> Known<'a> {
        match &self.columns {
            Columns::Base(base, renamed) => {
                let mut found = base.relation.columns.iter().enumerate().filter(|(at, column)| {
                    renamed.get(*at).map_or(&*column.name == name, |renamed| *renamed == name)
                });
                match (found.next(), found.next()) {
                    (Some((_, column)), None) => Known::Once(Found::Column(*base, column)),
                    (Some(_), Some(_)) => Known::Often,
                    (None, _) if base.relation.kind != b'v' && SYSTEM_COLUMNS.contains(&name) => {
                        Known::Once(Found::System(*base))
                    }
                    (None, _) => Known::No,
                }
            }
            Columns::List(list, vague) => {
                let mut found = list.iter().filter(|column| column.name == Some(name));
                match (found.next(), found.next()) {
                    (Some(Derived { of, certainty, .. }), None) => {
                        let found = of.map_or(Found::Free, |(base, column)| Found::Column(base, column));
                        if *certainty == Certainty::Sure { Known::Once(found) } else { Known::Unsure(found) }
                    }
                    (Some(_), Some(_)) => Known::Often,
                    (None, _) if *vague || list.iter().any(|column| column.name.is_none()) => Known::Perhaps,
                    (None, _) => Known::No,
                }
            }
        }
    }

    /// Leave to read the whole row.
    pub(super) fn row(&self) -> Result<(), Denial> {
        match &self.columns {
            Columns::Base(base, _) => base.row(),
            Columns::List(list, _) => list.iter().try_for_each(Derived::read),
        }
    }

    /// Leave to read each column, for a star.
    pub(super) fn each(&self) -> Result<(), Denial> {
        match &self.columns {
            Columns::Base(base, _) => base.each(),
            Columns::List(list, _) => list.iter().try_for_each(Derived::read),
        }
    }

    /// The same but for columns in whose place a query gets NULL.
    pub(super) fn each_but_withheld(&self) -> Result<(), Denial> {
        self.all().0.iter().filter(|column| column.withheld().is_none()).try_for_each(Derived::read)
    }

    fn is_called(&self, schema: Option<&str>, name: &str) -> bool {
        let Some(schema) = schema else { return self.named && self.name == Some(name) };
        let Columns::Base(base, _) = &self.columns else { return false };
        self.named && self.by_schema && *base.relation.name == *name && *base.relation.schema == *schema
    }
}

/// A level of a query, and the levels around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'s, 'a> {
    pub(super) outer: Option<&'s Scope<'s, 'a>>,
    pub(super) items: &'s [Item<'a>],
}

/// What an unqualified name may mean.
pub(super) struct Meaning<'a> {
    /// The column that is found first, if any.
    pub(super) column: Option<Found<'a>>,
    /// Those further out that it is if the ones before are not there.
    pub(super) or_else: Vec<Found<'a>>,
    /// Whether it may be something else still.
    pub(super) perhaps: bool,
}

impl<'s, 'a> Scope<'s, 'a> {
    /// The levels, from here outwards.
    fn levels(&'s self) -> impl Iterator<Item = &'s [Item<'a>]> {
        std::iter::successors(Some(self), |scope| scope.outer).map(|scope| scope.items)
    }

    /// A column by its bare name. Counts what was looked at.
    pub(super) fn column(&'s self, name: &str, looks: &mut usize) -> Result<Meaning<'a>, Denial> {
        let mut meaning = Meaning { column: None, or_else: Vec::new(), perhaps: false };
        for items in self.levels() {
            let (mut here, mut sure) = (None, true);
            *looks += items.len();
            for item in items.iter().filter(|item| item.open) {
                *looks += item.width();
                let known = item.column(name);
                sure &= !matches!(known, Known::Unsure(_));
                match known {
                    Known::No => {}
                    Known::Perhaps => meaning.perhaps = true,
                    Known::Once(found) | Known::Unsure(found) if here.is_none() => here = Some(found),
                    Known::Once(_) | Known::Unsure(_) | Known::Often => return Err(Denial::ambiguous(name)),
                }
            }
            let Some(found) = here else { continue };
            match meaning.column {
                None => meaning.column = Some(found),
                Some(_) => meaning.or_else.push(found),
            }
            if sure {
                return Ok(meaning);
            }
            meaning.perhaps = true;
        }
        Ok(meaning)
    }

    /// Whether this level itself has a column of this name. Counts what was looked at.
    pub(super) fn has_here(&self, name: &str, looks: &mut usize) -> bool {
        *looks += self.items.iter().map(|item| 1 + item.width()).sum::<usize>();
        self.items.iter().filter(|item| item.open).any(|item| !matches!(item.column(name), Known::No))
    }

    /// An item by its name. Counts what was looked at.
    pub(super) fn item(
        &'s self,
        schema: Option<&str>,
        name: &str,
        looks: &mut usize,
    ) -> Result<Option<&'s Item<'a>>, Denial> {
        for items in self.levels() {
            *looks += items.len();
            let mut found = items.iter().filter(|item| item.is_called(schema, name));
            match (found.next(), found.next()) {
                (Some(item), None) => return Ok(Some(item)),
                (Some(_), Some(_)) => return Err(Denial::ambiguous(name)),
                (None, _) => {}
            }
        }
        Ok(None)
    }
}
