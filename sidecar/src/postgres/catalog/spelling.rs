//! How the types of tables' columns are written for people: `character varying(20)` rather than 1043.
//!
//! A snapshot needs no more of a type than its OID. What it takes to spell it lies beside the snapshot, and only
//! for the tables that people can ask for.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use super::snapshot::is_resource;
use crate::{
    enforce::postgres::catalog::{Column, Relation},
    postgres::{back::BackError, simple::Connection},
};

/// Types that are asked for by one statement.
const BATCH: usize = 1_000;

/// What a column has where its type takes no modifier.
const NONE: i32 = -1;

/// Spells types.
#[derive(Debug, Default)]
pub(crate) struct Spelling {
    /// Type and modifier.
    names: HashMap<(u32, i32), Arc<str>>,
    /// By relation and number; those of most columns are [`NONE`] and not here.
    modifiers: HashMap<(u32, i16), i32>,
}

impl Spelling {
    /// A column's type.
    pub(crate) fn of(&self, relation: &Relation, column: &Column) -> &str {
        let modifier = self.modifiers.get(&(relation.oid, column.number)).copied().unwrap_or(NONE);
        self.names.get(&(column.type_oid, modifier)).map_or("???", |name| name)
    }

    /// A column was read.
    pub(super) fn note(&mut self, relation: &Relation, column: &Column, modifier: i32) {
        if is_resource(relation) {
            self.names.entry((column.type_oid, modifier)).or_default();
            if modifier != NONE {
                self.modifiers.insert((relation.oid, column.number), modifier);
            }
        }
    }

    /// Asks the database for the names of the types that were noted.
    pub(super) async fn learn(&mut self, connection: &mut Connection) -> Result<(), BackError> {
        let wanted: Vec<(u32, i32)> = self.names.keys().copied().collect();
        for batch in wanted.chunks(BATCH) {
            connection.ask(&statement(batch)).await?;
            while let Some(row) = connection.row().await? {
                let [oid, modifier, name] = row.fields()?;
                self.names.insert((oid.parse()?, modifier.parse()?), name.text().into());
            }
        }
        Ok(())
    }
}

fn statement(types: &[(u32, i32)]) -> String {
    let mut list = String::new();
    for (oid, modifier) in types {
        let comma = if list.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(list, "{comma}({oid}::oid, {modifier})");
    }
    format!("SELECT oid, modifier, format_type(oid, modifier) FROM (VALUES {list}) AS wanted(oid, modifier)")
}
