//! What is kept of a server's catalog.

use std::sync::Arc;

use postern_protocol::gate::{FoundColumn, FoundTable, Resource, TableKind};

use crate::{
    catalog,
    enforce::mysql::{Catalog, Parts},
};

/// A table that people may ask for.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(super) schema: Arc<str>,
    pub(super) name: Box<str>,
    pub(super) kind: TableKind,
    /// How the types of its columns are written, in order.
    pub(super) types: Box<[Arc<str>]>,
}

/// A snapshot, and what people are told of it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    catalog: Arc<Catalog>,
    listed: Vec<Listed>,
    relations: usize,
}

impl Snapshot {
    pub(super) fn new(version: u64, parts: Parts, listed: Vec<Listed>) -> Self {
        let relations = parts.tables.len();
        Self { catalog: Arc::new(Catalog::new(version, parts)), listed, relations }
    }
}

impl catalog::Snapshot for Snapshot {
    type Catalog = Catalog;
    type Table = Listed;

    fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn version(&self) -> u64 {
        self.catalog.version()
    }

    fn relations(&self) -> usize {
        self.relations
    }

    fn resources(&self) -> impl Iterator<Item = &Listed> + Send {
        self.listed.iter()
    }

    fn resource(&self, listed: &Listed) -> Resource {
        Resource { schema: (*listed.schema).into(), table: listed.name.clone(), column: None }
    }

    fn found(&self, listed: &Listed) -> FoundTable {
        let table = self.catalog.table(&listed.schema, &listed.name);
        let columns = table.map(|table| &*table.columns).unwrap_or_default();
        let column = |name: &str, type_name: &Arc<str>| FoundColumn {
            name: name.to_owned(),
            type_name: type_name.to_string(),
        };
        FoundTable {
            schema: listed.schema.to_string(),
            table: listed.name.to_string(),
            kind: listed.kind,
            columns: columns
                .iter()
                .zip(&listed.types)
                .map(|(known, kind)| column(&known.name, kind))
                .collect(),
        }
    }
}
