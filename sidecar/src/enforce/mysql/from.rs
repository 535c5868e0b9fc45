//! What FROM clauses give: tables by the grant, derived tables, joins.

use std::rc::Rc;

use postern_protocol::gate::Privilege;

use super::{
    Ground,
    catalog::{INFORMATION_SCHEMA, Kind, Table},
    same,
    scope::{Base, From, Item, Merged, Scope, Shape},
    told::{no_database, no_table, refuse},
    tree::{By, Derived, Join, Json, Name, Path, Source, TableRef},
    walk::{Columns, Place, Walk, split},
};
use crate::enforce::{Denial, Notes, TableLimits};

/// So many pairs of names are compared for one join by name.
const MOST_COMPARED: usize = 250_000;

/// What stands before an item in its FROM clause.
#[derive(Clone, Copy, Debug)]
struct Before<'b, 'a> {
    earlier: Option<&'b Before<'b, 'a>>,
    from: &'b From<'a>,
}

impl Ground {
    /// What the grant says of a table.
    pub(super) fn rights(&self, table: &Table) -> Option<&TableLimits> {
        let server = self.catalog.server();
        self.limits.table(&table.schema, &table.name).or_else(|| {
            let same = |schema: &str, name: &str| {
                server.same_table(schema, &table.schema) && server.same_table(name, &table.name)
            };
            let mut tables = self.limits.tables().filter(|_| server.folds);
            tables.find(|(schema, name, _)| same(schema, name)).map(|(_, _, limits)| limits)
        })
    }

    /// The database that a table is looked for in.
    pub(super) fn schema_of<'p>(&'p self, qualifier: &'p [Name<'_>]) -> Result<&'p str, Denial> {
        match qualifier {
            [] => self.database.as_deref().ok_or_else(no_database),
            [schema] => Ok(&schema.text),
            _ => Err(refuse("a table's name of three parts")),
        }
    }

    /// The table of the grant that is named. Fails if nothing at all may be done with it.
    pub(super) fn base<'a>(
        &'a self,
        path: &Path<'_>,
        privilege: &str,
        notes: &'a Notes,
    ) -> Result<Base<'a>, Denial> {
        let (qualifier, name) = split(path);
        let schema = self.schema_of(qualifier)?;
        let denied = || no_table(privilege, &self.user, name);
        let table = self.catalog.table(schema, name).ok_or_else(|| denied().stale())?;
        let limits = self.rights(table).ok_or_else(denied)?;
        match table.kind {
            Kind::Table | Kind::View => Ok(Base { table, limits, notes }),
            // A native account would need what it reads and writes as well.
            Kind::Invoker => Err(refuse("a view that runs with the rights of whoever uses it")),
            Kind::System | Kind::Other => Err(denied()),
        }
    }
}

impl<'a> Walk<'a> {
    /// A FROM clause, whose tables are read.
    pub(super) fn from(
        &mut self,
        sources: &'a [Source<'a>],
        place: Place<'_, 'a>,
    ) -> Result<From<'a>, Denial> {
        let from = self.sources(sources, place, None)?.sure();
        from.items.iter().try_for_each(|item| self.is_read(item))?;
        Ok(from)
    }

    /// Leave to read from a table at all.
    pub(super) fn is_read(&self, item: &Item<'a>) -> Result<(), Denial> {
        match &item.shape {
            Shape::Base(base) if !base.limits.of(Privilege::Select).any() => {
                Err(no_table("SELECT", &self.ground.user, &base.table.name)
                    .about(&base.table.schema, &base.table.name))
            }
            Shape::Base(base) => {
                base.note(Privilege::Select, None);
                Ok(())
            }
            Shape::Derived(_) => Ok(()),
        }
    }

    /// The tables of a clause, whatever is done with them.
    pub(super) fn tables(
        &mut self,
        sources: &'a [Source<'a>],
        place: Place<'_, 'a>,
    ) -> Result<From<'a>, Denial> {
        Ok(self.sources(sources, place, None)?.sure())
    }

    fn sources(
        &mut self,
        sources: &'a [Source<'a>],
        place: Place<'_, 'a>,
        earlier: Option<&Before<'_, 'a>>,
    ) -> Result<From<'a>, Denial> {
        let mut from = From::default();
        for source in sources {
            let next = self.source(source, place, Some(&Before { earlier, from: &from }))?;
            from = from.and(next.sure());
        }
        Ok(from)
    }

    fn source(
        &mut self,
        source: &'a Source<'a>,
        place: Place<'_, 'a>,
        before: Option<&Before<'_, 'a>>,
    ) -> Result<From<'a>, Denial> {
        match source {
            Source::Nothing => Ok(From::default()),
            Source::Table(table) => self.table(table, place).map(From::one),
            Source::Derived(derived) => self.derived(derived, place, before).map(From::one),
            Source::Json(json) => self.json(json, place, before).map(From::one),
            Source::Several(sources) => self.sources(sources, place, before),
            Source::Join(join) => self.join(join, place, before),
        }
    }

    fn table(&mut self, table: &'a TableRef<'a>, place: Place<'_, 'a>) -> Result<Item<'a>, Denial> {
        self.claim_all(table.path.iter().chain(&table.alias).chain(&table.hints));
        let (qualifier, name) = split(&table.path);
        let alias = table.alias.as_ref().map(|alias| &*alias.text);
        let called = alias.unwrap_or(name);
        if qualifier.is_empty()
            && let Some(cte) = place.cte(self.ground, name)?
        {
            self.mixed = true;
            let shape = Shape::Derived(cte.columns);
            return Ok(Item { name: called, schema: None, shape, unsure: false });
        }
        if self.ground.schema_of(qualifier)?.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
            return self.system_view(table, alias);
        }
        let base = self.ground.base(&table.path, "SELECT", self.notes)?;
        if table.parted && !base.reads_all() {
            // Which rows are where tells what is in the columns that they are parted by.
            return Err(refuse("a partition of a table of which only some columns are granted"));
        }
        if base.table.kind == Kind::View {
            (self.views, self.mixed) = (true, true);
        }
        self.computed |= base.table.computes() && !base.reads_all();
        self.tables = true;
        let schema = Some(&*base.table.schema);
        Ok(Item { name: called, schema, shape: Shape::Base(base), unsure: false })
    }

    fn derived(
        &mut self,
        derived: &'a Derived<'a>,
        place: Place<'_, 'a>,
        before: Option<&Before<'_, 'a>>,
    ) -> Result<Item<'a>, Denial> {
        self.mixed = true;
        self.claim(&derived.alias);
        let columns = if derived.lateral {
            let from = beside(before);
            let scope = Scope { outer: place.scope, from: &from, aliases: &[], aliases_first: false };
            self.query(&derived.query, place.within(&scope))?.columns
        } else {
            self.query(&derived.query, place)?.columns
        };
        let columns = self.renamed(&derived.columns, columns)?;
        Ok(Item { name: &derived.alias.text, schema: None, shape: Shape::Derived(columns), unsure: false })
    }

    /// What is made of a value, which may be one of what stands before it.
    fn json(
        &mut self,
        json: &'a Json<'a>,
        place: Place<'_, 'a>,
        before: Option<&Before<'_, 'a>>,
    ) -> Result<Item<'a>, Denial> {
        self.mixed = true;
        self.claim(&json.alias);
        self.claim_all(&json.columns);
        let from = beside(before);
        let scope = Scope { outer: place.scope, from: &from, aliases: &[], aliases_first: false };
        self.expr(&json.value, place.within(&scope))?;
        let shape = Shape::Derived(columns(json.columns.iter().map(|name| &*name.text)));
        Ok(Item { name: &json.alias.text, schema: None, shape, unsure: false })
    }

    /// A list of columns under other names, if there are any.
    pub(super) fn renamed(
        &mut self,
        names: &'a [Name<'a>],
        columns: Columns<'a>,
    ) -> Result<Columns<'a>, Denial> {
        self.claim_all(names);
        if names.is_empty() {
            return Ok(columns);
        }
        if names.len() != columns.len() {
            return Err(refuse("a list of columns of another length"));
        }
        Ok(names.iter().map(|name| Some(&*name.text)).collect::<Vec<_>>().into())
    }

    fn join(
        &mut self,
        join: &'a Join<'a>,
        place: Place<'_, 'a>,
        before: Option<&Before<'_, 'a>>,
    ) -> Result<From<'a>, Denial> {
        let mut left = self.source(&join.left, place, before)?;
        let inside = Before { earlier: before, from: &left };
        let right = self.source(&join.right, place, Some(&inside))?;
        match &join.by {
            By::Nothing => {
                // A condition that comes later may belong to a join that this side is no part of.
                left.items.iter_mut().for_each(|item| item.unsure = true);
                Ok(left.and(right))
            }
            By::On(condition) => {
                let both = left.and(right);
                let scope = Scope { outer: place.scope, from: &both, aliases: &[], aliases_first: false };
                self.expr(condition, place.within(&scope))?;
                Ok(both)
            }
            By::Using(names) => {
                self.claim_all(names);
                let names = names.iter().map(|name| &*name.text).collect();
                self.merge(left, right, names)
            }
            By::Natural => {
                let names = common(&left, &right)?;
                self.merge(left, right, names)
            }
        }
    }

    /// Makes one column of two, which takes reading both.
    fn merge(&self, left: From<'a>, right: From<'a>, names: Vec<&'a str>) -> Result<From<'a>, Denial> {
        let offset = left.items.len();
        if names.len().saturating_mul(left.width() + right.width()) > MOST_COMPARED {
            return Err(refuse("a join by name of so many columns"));
        }
        let mut merged = Vec::new();
        for name in names {
            let (here, there) = (left.having(name, &[], self.ground)?, right.having(name, &[], self.ground)?);
            if here.is_empty() || there.is_empty() {
                return Err(super::told::unknown_column(name));
            }
            let items: Vec<usize> = here.iter().copied().chain(there.iter().map(|at| at + offset)).collect();
            merged.push(Merged { name, items });
        }
        let mut both = left.and(right);
        for Merged { name, items } in &merged {
            for item in items.iter().filter_map(|at| both.items.get(*at)) {
                self.is_merged(item, name)?;
            }
        }
        // The wider ones are asked first.
        merged.append(&mut both.merged);
        both.merged = merged;
        Ok(both)
    }

    /// Leave to read a column that the statement may not have named, and shall not learn of.
    fn is_merged(&self, item: &Item<'a>, name: &str) -> Result<(), Denial> {
        item.read(name, self.ground).map_err(|denial| match &item.shape {
            Shape::Base(base) => no_table("SELECT", &self.ground.user, &base.table.name)
                .about(&base.table.schema, &base.table.name),
            Shape::Derived(_) => denial,
        })
    }
}

/// All that stands before an item.
fn beside<'a>(before: Option<&Before<'_, 'a>>) -> From<'a> {
    let earlier: Vec<_> = std::iter::successors(before, |before| before.earlier).collect();
    earlier.iter().rev().fold(From::default(), |all, before| all.and(before.from.clone()))
}

/// The names that both sides of a natural join have.
fn common<'a>(left: &From<'a>, right: &From<'a>) -> Result<Vec<&'a str>, Denial> {
    let names = |from: &From<'a>| {
        let names = from.items.iter().flat_map(Item::names);
        names.collect::<Option<Vec<&'a str>>>().ok_or_else(|| refuse("a join by names that cannot be told"))
    };
    let (left, right) = (names(left)?, names(right)?);
    if left.len().saturating_mul(right.len()) > MOST_COMPARED {
        return Err(refuse("a join by name of so many columns"));
    }
    let mut both: Vec<&'a str> = Vec::new();
    for name in right {
        if left.iter().any(|other| same(other, name)) && !both.iter().any(|other| same(other, name)) {
            both.push(name);
        }
    }
    Ok(both)
}

/// A derived table's columns.
pub(super) fn columns<'a>(names: impl IntoIterator<Item = &'a str>) -> Columns<'a> {
    names.into_iter().map(Some).collect::<Vec<_>>().into()
}

/// No columns at all.
pub(super) fn nothing<'a>() -> Columns<'a> {
    Rc::new([])
}
