//! What a limited grant covers, ready to be asked.

use std::collections::{BTreeSet, HashMap};

use postern_protocol::gate::{Privilege, ResourceGrant, Terms};

/// Columns of one table, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Columns {
    /// None.
    #[default]
    None,
    /// These.
    Some(BTreeSet<Box<str>>),
    /// All there are and will be: the privilege is the table's.
    All,
}

impl Columns {
    /// Whether this column is among them.
    pub(crate) fn covers(&self, column: &str) -> bool {
        match self {
            Self::None => false,
            Self::Some(names) => names.contains(column),
            Self::All => true,
        }
    }

    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        !matches!(self, Self::None)
    }

    fn add(&mut self, column: Option<&str>) {
        match (&mut *self, column) {
            (Self::All, _) => {}
            (_, None) => *self = Self::All,
            (Self::None, Some(column)) => *self = Self::Some(BTreeSet::from([column.into()])),
            (Self::Some(names), Some(column)) => drop(names.insert(column.into())),
        }
    }
}

/// What may be done with one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableLimits {
    pub(crate) select: Columns,
    pub(crate) insert: Columns,
    pub(crate) update: Columns,
    pub(crate) delete: bool,
}

impl TableLimits {
    /// The columns that a privilege covers. `DELETE` is the table's or nobody's.
    pub(crate) fn of(&self, privilege: Privilege) -> &Columns {
        match privilege {
            Privilege::Select => &self.select,
            Privilege::Insert => &self.insert,
            Privilege::Update => &self.update,
            Privilege::Delete if self.delete => &Columns::All,
            Privilege::Delete => &Columns::None,
        }
    }

    fn add(&mut self, privilege: Privilege, column: Option<&str>) {
        match privilege {
            Privilege::Select => self.select.add(column),
            Privilege::Insert => self.insert.add(column),
            Privilege::Update => self.update.add(column),
            Privilege::Delete => self.delete |= column.is_none(),
        }
    }
}

/// What a grant covers, by schema and table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    tables: HashMap<Box<str>, HashMap<Box<str>, TableLimits>>,
    /// What else its sessions are held to.
    pub(crate) terms: Terms,
}

impl Limits {
    /// Reads a grant's list and terms.
    pub(crate) fn new(resources: &[ResourceGrant], terms: Terms) -> Self {
        let mut limits = Self { terms, ..Self::default() };
        for ResourceGrant { resource, privileges } in resources {
            let schema = limits.tables.entry(resource.schema.clone()).or_default();
            let table = schema.entry(resource.table.clone()).or_default();
            for privilege in privileges {
                table.add(*privilege, resource.column.as_deref());
            }
        }
        limits
    }

    /// What may be done with this table; nothing at all if it is not there.
    pub(crate) fn table(&self, schema: &str, table: &str) -> Option<&TableLimits> {
        self.tables.get(schema)?.get(table)
    }

    /// Every table that is named, as `schema`, `table`.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&str, &str, &TableLimits)> {
        self.tables.iter().flat_map(|(schema, tables)| {
            tables.iter().map(move |(table, limits)| (&**schema, &**table, limits))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(list: &[(&str, &[Privilege])]) -> Limits {
        let resource = |(name, privileges): &(&str, &[Privilege])| ResourceGrant {
            resource: name.parse().unwrap(),
            privileges: privileges.to_vec(),
        };
        Limits::new(&list.iter().map(resource).collect::<Vec<_>>(), Terms::default())
    }

    #[test]
    fn a_table_covers_its_columns_and_a_column_only_itself() {
        let limits = limits(&[
            ("public.sales.id", &[Privilege::Select]),
            ("public.orders", &[Privilege::Select, Privilege::Delete]),
        ]);
        let sales = limits.table("public", "sales").unwrap();
        assert!(sales.select.covers("id") && !sales.select.covers("price") && !sales.update.any());
        let orders = limits.table("public", "orders").unwrap();
        assert!(orders.select.covers("anything") && orders.delete);
        assert!(limits.table("hr", "sales").is_none());
    }

    #[test]
    fn nobody_deletes_a_column() {
        let limits = limits(&[("public.sales.id", &[Privilege::Delete])]);
        assert_eq!(limits.table("public", "sales").unwrap().of(Privilege::Delete), &Columns::None);
    }
}
