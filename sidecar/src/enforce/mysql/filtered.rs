//! The server's own views on its catalog, held to what the grant covers.
//!
//! The account behind a session may see everything; a limited session sees the structure of what its grant names. A view
//! of `information_schema` is replaced by a derived table that holds these rows only. Its LIMIT keeps servers from
//! working out the rest of the statement on rows that it leaves out, where an error could tell of them.

use std::fmt::Write as _;

use super::{
    Ground,
    catalog::{INFORMATION_SCHEMA, Table},
    from::columns,
    lexer::Kind,
    same,
    scope::{From, Item, Shape, covers},
    told::{no_table, refuse},
    tree::{Expr, Output, Path, TableRef},
    walk::{Walk, quoted, split},
};
use crate::enforce::{Columns, Denial, TableLimits};

const ALL_ROWS: &str = "LIMIT 18446744073709551615";

/// Views that say nothing of anybody's data.
const OPEN: [&str; 9] = [
    "character_sets",
    "collation_character_set_applicability",
    "collations",
    "engines",
    "keywords",
    "spatial_ref_sys",
    "sql_functions",
    "st_spatial_reference_systems",
    "st_units_of_measure",
];

/// Views of which a limited account without more rights sees no rows.
const EMPTY: [&str; 18] = [
    "administrable_role_authorizations",
    "applicable_roles",
    "column_privileges",
    "enabled_roles",
    "events",
    "optimizer_trace",
    "parameters",
    "plugins",
    "role_column_grants",
    "role_routine_grants",
    "role_table_grants",
    "routines",
    "schema_privileges",
    "table_privileges",
    "triggers",
    "user_privileges",
    "view_routine_usage",
    "view_table_usage",
];

/// Columns that hold counts, sizes and times of use, or what may name other columns or tell of their values: for whole
/// tables only.
const FIGURES: [&str; 15] = [
    "AUTO_INCREMENT",
    "AVG_ROW_LENGTH",
    "CARDINALITY",
    "CHECKSUM",
    "CHECK_CLAUSE",
    "CHECK_TIME",
    "DATA_FREE",
    "DATA_LENGTH",
    "GENERATION_EXPRESSION",
    "INDEX_LENGTH",
    "PARTITION_DESCRIPTION",
    "PARTITION_EXPRESSION",
    "SUBPARTITION_EXPRESSION",
    "TABLE_ROWS",
    "UPDATE_TIME",
];

/// Columns that hold the text of other people's code.
const SOURCES: [&str; 2] = ["VIEW_DEFINITION", "DEFINER"];

/// The columns by which a view's rows are told apart: database, table, and perhaps column.
struct Key {
    schema: &'static str,
    table: Option<&'static str>,
    column: Option<&'static str>,
}

fn key(view: &str, maria: bool) -> Option<Key> {
    let by = |schema, table, column| Some(Key { schema, table, column });
    match view {
        "schemata" => by("SCHEMA_NAME", None, None),
        "tables" | "views" | "table_constraints" | "partitions" => {
            by("TABLE_SCHEMA", Some("TABLE_NAME"), None)
        }
        "columns" | "statistics" | "key_column_usage" | "st_geometry_columns" => {
            by("TABLE_SCHEMA", Some("TABLE_NAME"), Some("COLUMN_NAME"))
        }
        "geometry_columns" => by("F_TABLE_SCHEMA", Some("F_TABLE_NAME"), Some("F_GEOMETRY_COLUMN")),
        "referential_constraints" => by("CONSTRAINT_SCHEMA", Some("TABLE_NAME"), None),
        "check_constraints" if maria => by("CONSTRAINT_SCHEMA", Some("TABLE_NAME"), None),
        _ => None,
    }
}

/// A string that means the same in every mode.
pub(super) fn literal(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_ .-@".contains(letter);
    if text.chars().all(plain) {
        return format!("'{text}'");
    }
    let hex = text.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("CONVERT(x'{hex}' USING utf8mb4)")
}

/// `CAST(a AS BINARY) IN (…)`: letter by letter, whatever the column's collation.
pub(super) fn is_one_of<'n>(column: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let list: Vec<String> = names.into_iter().map(literal).collect();
    if list.is_empty() {
        return "FALSE".to_owned();
    }
    format!("CAST({} AS BINARY) IN ({})", quoted(column), list.join(", "))
}

/// A table of the grant.
pub(super) struct Granted<'a> {
    pub(super) table: &'a Table,
    limits: &'a TableLimits,
}

impl<'a> Granted<'a> {
    /// Whether something may be done with a column, and so its structure may be seen.
    pub(super) fn shows(&self, column: &str) -> bool {
        let TableLimits { select, insert, update, delete: _ } = self.limits;
        [select, insert, update].iter().any(|columns| covers(columns, column))
    }

    /// Whether all of it may be seen.
    pub(super) fn shows_all(&self) -> bool {
        self.table.columns.iter().all(|column| self.shows(&column.name))
    }

    /// The columns that may be seen.
    pub(super) fn shown(&self) -> impl Iterator<Item = &'a str> {
        self.table.columns.iter().map(|column| &*column.name).filter(|column| self.shows(column))
    }

    /// Whether all of it may be read, and so be counted.
    fn is_read(&self) -> bool {
        self.limits.select == Columns::All
            || self.table.columns.iter().all(|column| covers(&self.limits.select, &column.name))
    }
}

impl Ground {
    /// The tables of the grant that there are, by name.
    pub(super) fn granted(&self) -> Vec<Granted<'_>> {
        let named = self.limits.tables().filter_map(|(schema, table, limits)| {
            Some(Granted { table: self.catalog.table(schema, table)?, limits })
        });
        let mut granted: Vec<_> = named.collect();
        granted.sort_by(|one, other| {
            (&one.table.schema, &one.table.name).cmp(&(&other.table.schema, &other.table.name))
        });
        granted
    }

    /// The databases that hold tables of the grant.
    pub(super) fn granted_schemas(&self) -> Vec<&str> {
        let mut schemas: Vec<&str> = self.granted().iter().map(|granted| &*granted.table.schema).collect();
        schemas.dedup();
        schemas
    }

    /// A table of the grant by its name, for those who ask for its structure.
    pub(super) fn shown<'g>(&'g self, schema: &str, name: &str) -> Result<Granted<'g>, Denial> {
        let table = self.catalog.table(schema, name);
        let table = table.ok_or_else(|| no_table("SELECT", &self.user, name).stale())?;
        let limits = self.rights(table).ok_or_else(|| no_table("SELECT", &self.user, name))?;
        Ok(Granted { table, limits })
    }

    /// The condition that a row is about something of the grant.
    fn condition(&self, key: &Key) -> String {
        let granted = self.granted();
        let mut parts = Vec::new();
        for schema in self.granted_schemas() {
            let of_schema = || granted.iter().filter(move |granted| *granted.table.schema == *schema);
            let mut condition = format!(
                "{} = {} AND {}",
                quoted(key.schema),
                literal(schema),
                is_one_of(key.schema, [schema])
            );
            if let Some(table) = key.table {
                let _ = write!(condition, " AND ({})", of_tables(table, key.column, of_schema()));
            }
            parts.push(format!("({condition})"));
        }
        if key.table.is_none() {
            parts.push(is_one_of(key.schema, [INFORMATION_SCHEMA]));
        }
        if parts.is_empty() { "FALSE".to_owned() } else { parts.join(" OR ") }
    }

    /// The condition that a row is about a table that may be read as a whole.
    fn condition_to_count(&self, key: &Key) -> String {
        let granted = self.granted();
        let Some(table) = key.table else { return "FALSE".to_owned() };
        let mut parts = Vec::new();
        for schema in self.granted_schemas() {
            let read = granted.iter().filter(|one| *one.table.schema == *schema && one.is_read());
            let read: Vec<&str> = read.map(|one| &*one.table.name).collect();
            if !read.is_empty() {
                parts.push(format!("{} AND {}", is_one_of(key.schema, [schema]), is_one_of(table, read)));
            }
        }
        if parts.is_empty() { "FALSE".to_owned() } else { parts.join(" OR ") }
    }

    /// A query of one of the server's views that gives the rows of the grant only, with these columns of it, each under
    /// a name.
    pub(super) fn rows_of(
        &self,
        view: &Table,
        columns: &[(&str, &str)],
        more: &str,
    ) -> Result<String, Denial> {
        let name = view.name.to_ascii_lowercase();
        let key =
            key(&name, self.catalog.server().is_maria()).ok_or_else(|| refuse("this view of the server"))?;
        let counted = self.condition_to_count(&key);
        let of_column = |(column, called): &(&str, &str)| {
            let (value, called) = (quoted(column), quoted(called));
            let upper = column.to_ascii_uppercase();
            if SOURCES.contains(&upper.as_str()) {
                format!("'' AS {called}")
            } else if FIGURES.contains(&upper.as_str()) {
                format!("IF({counted}, {value}, NULL) AS {called}")
            } else {
                format!("{value} AS {called}")
            }
        };
        let columns: Vec<String> = columns.iter().map(of_column).collect();
        Ok(format!(
            "(SELECT {} FROM {INFORMATION_SCHEMA}.{} WHERE ({}){more} {ALL_ROWS})",
            columns.join(", "),
            quoted(&view.name),
            self.condition(&key),
        ))
    }
}

fn of_tables<'g, 'a: 'g>(
    table: &str,
    column: Option<&str>,
    granted: impl Iterator<Item = &'g Granted<'a>>,
) -> String {
    let (whole, part): (Vec<_>, Vec<_>) = granted.partition(|one| column.is_none() || one.shows_all());
    let mut conditions = vec![is_one_of(table, whole.iter().map(|one| &*one.table.name))];
    for one in part {
        let columns = is_one_of(column.unwrap_or_default(), one.shown());
        conditions.push(format!("{} AND {columns}", is_one_of(table, [&*one.table.name])));
    }
    conditions.join(" OR ")
}

impl<'a> Walk<'a> {
    /// A view of `information_schema` in a FROM clause.
    pub(super) fn system_view(
        &mut self,
        table: &'a TableRef<'a>,
        alias: Option<&'a str>,
    ) -> Result<Item<'a>, Denial> {
        self.mixed = true;
        let (_, name) = split(&table.path);
        let ground = self.ground;
        let denied = || no_table("SELECT", &ground.user, name);
        let view = ground.catalog.table(INFORMATION_SCHEMA, name).ok_or_else(denied)?;
        let names: Vec<&'a str> = view.columns.iter().map(|column| &*column.name).collect();
        let lower = name.to_ascii_lowercase();
        if !OPEN.contains(&&*lower) {
            let pairs: Vec<_> = names.iter().map(|name| (*name, *name)).collect();
            let nameless = lower == "check_constraints" && !ground.catalog.server().is_maria();
            let mut text = if nameless || EMPTY.contains(&&*lower) {
                format!("(SELECT * FROM {INFORMATION_SCHEMA}.{} WHERE FALSE)", quoted(&view.name))
            } else {
                ground.rows_of(view, &pairs, "").map_err(|_| denied())?
            };
            if alias.is_none() {
                text.push_str(" AS ");
                text.push_str(&quoted(name));
            }
            let (Some(first), Some(last)) = (table.path.first(), table.path.last()) else {
                return Err(denied());
            };
            self.edit((first.at, last.at + 1), text)?;
        }
        let shape = Shape::Derived(columns(names));
        let called = alias.unwrap_or(name);
        self.system.push(called);
        Ok(Item { name: called, schema: None, shape, unsure: false })
    }

    /// MySQL calls what it gives of its own views as the view does, however the client has written it.
    pub(super) fn called_as_in_view(&mut self, item: &'a Output<'a>, from: &From<'a>) -> Result<(), Denial> {
        let Output::Value(value, None) = item else { return Ok(()) };
        let named = |path: &&Path<'_>| matches!(value, Expr::Column(_)) || self.is_bare(path);
        let Some(path) = value.column().filter(named) else { return Ok(()) };
        let (Some(last), false) = (path.last(), self.ground.catalog.server().is_maria()) else {
            return Ok(());
        };
        let system = from.items.iter().filter(|item| self.system.contains(&item.name));
        let names = system.flat_map(Item::names).flatten();
        match names.into_iter().find(|name| same(name, &last.text)) {
            Some(name) if name != last.text => self.edit((last.at, last.at + 1), quoted(name)),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether nothing stands around a column of a select list that would give it another name.
    fn is_bare(&self, path: &Path<'_>) -> bool {
        let (Some(first), Some(last)) = (path.first(), path.last()) else { return false };
        let (mut from, mut to) = (first.at, last.at + 1);
        loop {
            let before = |count: usize| from.checked_sub(count).and_then(|at| self.tokens.kind(at));
            (from, to) = match (before(2), before(1), self.tokens.kind(to)) {
                (_, Some(Kind::Symbol("+")), _) => (from - 1, to),
                (_, Some(Kind::Symbol("(")), Some(Kind::Symbol(")"))) => (from - 1, to + 1),
                (Some(Kind::Symbol("{")), Some(Kind::Word), Some(Kind::Symbol("}"))) => (from - 2, to + 1),
                (_, before, behind) => {
                    let begins = before == Some(Kind::Symbol(","))
                        || self.tokens.reads(from.saturating_sub(1), "SELECT");
                    return begins && (behind == Some(Kind::Symbol(",")) || self.tokens.reads(to, "FROM"));
                }
            };
        }
    }
}
