//! What is kept of a database's catalog.

use std::sync::Arc;

use postern_protocol::gate::{FoundColumn, FoundTable, Resource, TableKind};

use super::spelling::Spelling;
use crate::{
    catalog,
    enforce::postgres::catalog::{Catalog, Column, PG_CATALOG, Relation},
};

/// A snapshot, and how the types of its columns are written.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) spelling: Spelling,
}

impl catalog::Snapshot for Snapshot {
    type Catalog = Catalog;
    type Table = Arc<Relation>;

    fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn version(&self) -> u64 {
        self.catalog.version()
    }

    fn relations(&self) -> usize {
        self.catalog.relations().count()
    }

    fn resources(&self) -> impl Iterator<Item = &Arc<Relation>> + Send {
        self.catalog.relations().filter(|relation| is_resource(relation))
    }

    fn resource(&self, relation: &Arc<Relation>) -> Resource {
        Resource { schema: (*relation.schema).into(), table: relation.name.clone(), column: None }
    }

    fn found(&self, relation: &Arc<Relation>) -> FoundTable {
        let column = |column: &Column| FoundColumn {
            name: column.name.to_string(),
            type_name: self.spelling.of(relation, column).to_owned(),
        };
        FoundTable {
            schema: relation.schema.to_string(),
            table: relation.name.to_string(),
            kind: kind(relation.kind),
            columns: relation.columns.iter().map(column).collect(),
        }
    }
}

/// Whether people may ask for it: a table, view, materialised view, foreign or partitioned table of a user's.
pub(super) fn is_resource(relation: &Relation) -> bool {
    matches!(relation.kind, b'r' | b'p' | b'v' | b'm' | b'f')
        && !matches!(&*relation.schema, PG_CATALOG | "information_schema" | "pg_toast")
}

/// What [`is_resource`] lets through, in the control plane's words.
const fn kind(relkind: u8) -> TableKind {
    match relkind {
        b'p' => TableKind::PartitionedTable,
        b'v' => TableKind::View,
        b'm' => TableKind::MaterializedView,
        b'f' => TableKind::ForeignTable,
        _ => TableKind::Table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::Snapshot as _, enforce::postgres::catalog::Parts};

    #[test]
    fn the_servers_own_tables_and_what_is_no_table_are_nobodys_to_ask_for() {
        let relation = |oid, schema: &str, name: &str, kind| Relation {
            oid,
            schema: schema.into(),
            name: name.into(),
            kind,
            columns: Box::new([Column { name: "id".into(), number: 1, type_oid: 23 }]),
            lively: Box::default(),
        };
        let relations = vec![
            relation(1, PG_CATALOG, "pg_class", b'r'),
            relation(2, "information_schema", "tables", b'v'),
            relation(3, "public", "sales", b'r'),
            relation(4, "public", "counter", b'S'),
            relation(5, "public", "parts", b'p'),
        ];
        let catalog = Arc::new(Catalog::new(1, Parts { relations, ..Parts::default() }));
        let snapshot = Snapshot { catalog, spelling: Spelling::default() };
        let tables = snapshot.resources().map(|relation| snapshot.found(relation));
        let mut tables: Vec<_> = tables.map(|table| (table.table, table.kind, table.columns.len())).collect();
        tables.sort_by(|one, other| one.0.cmp(&other.0));
        let expected = [("parts", TableKind::PartitionedTable, 1), ("sales", TableKind::Table, 1)];
        assert_eq!(tables, expected.map(|(name, kind, columns)| (name.to_owned(), kind, columns)));
    }
}
