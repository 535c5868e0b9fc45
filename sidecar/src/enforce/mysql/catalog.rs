//! What a server's catalog says, at one moment: databases, tables, columns, and the names of stored functions.
//!
//! A snapshot never changes. Whoever keeps it fresh makes a new one with a higher [`Catalog::version`]; verdicts are
//! kept by that number. It is read with these queries, by an account that sees everything:
//!
//! * `SELECT VERSION(), @@lower_case_table_names` for [`Server::new`];
//! * `SELECT SCHEMA_NAME FROM information_schema.SCHEMATA` for [`Parts::schemas`];
//! * `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES` and
//!   `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, EXTRA FROM information_schema.COLUMNS ORDER BY TABLE_SCHEMA,
//!   TABLE_NAME, ORDINAL_POSITION` for [`Parts::tables`]; `information_schema` itself included, for queries of it are
//!   rewritten, and that takes its columns; and `information_schema.VIEWS` for [`Kind::Invoker`];
//! * `SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_TYPE = 'FUNCTION'`, `SELECT name FROM
//!   mysql.func`, and on MySQL `SELECT UDF_NAME FROM performance_schema.user_defined_functions` for
//!   [`Parts::functions`].

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{fold, letters::is_uncertain};

/// The database of the server's own views on its catalog. Its names know no case.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// Whose server it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Oracle's MySQL, and Percona's.
    #[default]
    MySql,
    /// MariaDB.
    MariaDb,
}

/// What decides how a server reads a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) flavour: Flavour,
    /// As in executable comments: 90704 is 9.7.4.
    pub(crate) version: u32,
    /// Whether names of databases and tables know no case: `lower_case_table_names` is not 0.
    pub(crate) folds: bool,
}

impl Server {
    /// By what `VERSION()` and `@@lower_case_table_names` say. None where the version cannot be read.
    pub(crate) fn new(version: &str, lower_case_table_names: u8) -> Option<Self> {
        let maria = version.contains("MariaDB");
        let flavour = if maria { Flavour::MariaDb } else { Flavour::MySql };
        let plain = version.strip_prefix("5.5.5-").filter(|_| maria).unwrap_or(version);
        let number = plain.split(|letter: char| !letter.is_ascii_digit() && letter != '.').next()?;
        let mut parts = number.split('.').map(str::parse::<u32>);
        let (major, minor, patch) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        let version = major.checked_mul(10_000)?.checked_add(minor * 100)?.checked_add(patch)?;
        Some(Self { flavour, version, folds: lower_case_table_names != 0 })
    }

    /// Whether it is a MariaDB.
    pub(crate) const fn is_maria(self) -> bool {
        matches!(self.flavour, Flavour::MariaDb)
    }

    /// The name of a database or table, as it is compared.
    pub(crate) fn table_name(self, name: &str) -> Cow<'_, str> {
        if self.folds { fold(name) } else { name.into() }
    }

    /// Whether two names of databases, tables or their aliases are the same.
    pub(crate) fn same_table(self, one: &str, other: &str) -> bool {
        one == other || self.folds && fold(one) == fold(other)
    }
}

/// What kind of table it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `BASE TABLE`, `SYSTEM VERSIONED`
    Table,
    /// `VIEW`
    View,
    /// A view that reads and writes with the rights of whoever uses it: `SQL SECURITY INVOKER`.
    Invoker,
    /// `SYSTEM VIEW`
    System,
    /// Sequences and whatever else there may be: nothing for limited sessions.
    Other,
}

impl Kind {
    /// What `information_schema.TABLES.TABLE_TYPE` says.
    pub(crate) fn named(table_type: &str) -> Self {
        match table_type {
            "BASE TABLE" | "SYSTEM VERSIONED" => Self::Table,
            "VIEW" => Self::View,
            "SYSTEM VIEW" => Self::System,
            _ => Self::Other,
        }
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: Box<str>,
    /// Whether a star passes it by: `EXTRA` holds `INVISIBLE`.
    pub(crate) invisible: bool,
    /// Whether the server computes it from others: `EXTRA` holds `GENERATED`.
    pub(crate) computed: bool,
}

/// A table or view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) schema: Arc<str>,
    pub(crate) name: Box<str>,
    pub(crate) kind: Kind,
    /// In order.
    pub(crate) columns: Box<[Column]>,
}

impl Table {
    /// A column by its name, in whatever case.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| super::same(&column.name, name))
    }

    /// Whether some of its columns are computed from others.
    pub(crate) fn computes(&self) -> bool {
        self.columns.iter().any(|column| column.computed)
    }
}

/// Everything that a snapshot is made of, as it is read from the server.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) server: Server,
    /// Every database's name.
    pub(crate) schemas: Vec<Arc<str>>,
    /// Tables and views of every database.
    pub(crate) tables: Vec<Table>,
    /// The names of stored and loadable functions, whatever their database.
    pub(crate) functions: Vec<Box<str>>,
}

/// A snapshot.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    version: u64,
    server: Server,
    schemas: HashMap<Box<str>, Arc<str>>,
    tables: HashMap<Box<str>, HashMap<Box<str>, Table>>,
    functions: HashSet<Box<str>>,
    uncertain: bool,
}

impl Catalog {
    /// Puts a snapshot together.
    pub(crate) fn new(version: u64, parts: Parts) -> Self {
        let mut catalog = Self { version, server: parts.server, ..Self::default() };
        for schema in parts.schemas {
            catalog.schemas.insert(catalog.key(&schema).into(), schema);
        }
        for table in parts.tables {
            catalog.uncertain |= table.columns.iter().any(|column| is_uncertain(&column.name));
            let (schema, name) = catalog.keys(&table.schema, &table.name);
            let (schema, name): (Box<str>, Box<str>) = (schema.into(), name.into());
            catalog.tables.entry(schema).or_default().insert(name, table);
        }
        catalog.functions = parts.functions.iter().map(|name| fold(name).into()).collect();
        catalog
    }

    /// Grows with every snapshot of a repo.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Whose snapshot it is.
    pub(crate) const fn server(&self) -> Server {
        self.server
    }

    fn key<'n>(&self, schema: &'n str) -> Cow<'n, str> {
        if schema.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
            return INFORMATION_SCHEMA.into();
        }
        self.server.table_name(schema)
    }

    fn keys<'n>(&self, schema: &'n str, table: &'n str) -> (Cow<'n, str>, Cow<'n, str>) {
        let schema = self.key(schema);
        let table = if schema == INFORMATION_SCHEMA { fold(table) } else { self.server.table_name(table) };
        (schema, table)
    }

    /// Whether a column has a name that servers may take for another one.
    pub(super) const fn has_uncertain_names(&self) -> bool {
        self.uncertain
    }

    /// A database, by the name that it has itself.
    pub(crate) fn schema(&self, name: &str) -> Option<&Arc<str>> {
        self.schemas.get(&*self.key(name))
    }

    /// A table or view by its full name.
    pub(crate) fn table(&self, schema: &str, name: &str) -> Option<&Table> {
        let (schema, name) = self.keys(schema, name);
        self.tables.get(&*schema)?.get(&*name)
    }

    /// Whether there is a stored or loadable function of this name, in whatever database.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.functions.contains(&*fold(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_says_whose_server_it_is() {
        let maria = Server::new("5.5.5-10.11.19-MariaDB-0+deb12u1", 0).unwrap();
        assert_eq!((maria.flavour, maria.version, maria.folds), (Flavour::MariaDb, 101_119, false));
        let mysql = Server::new("9.7.4", 1).unwrap();
        assert_eq!((mysql.flavour, mysql.version, mysql.folds), (Flavour::MySql, 90_704, true));
        assert_eq!(Server::new("newest", 0), None);
    }

    #[test]
    fn tables_are_found_by_the_server_s_rules_of_case() {
        let table = |schema: &str, name: &str| Table {
            schema: schema.into(),
            name: name.into(),
            kind: Kind::Table,
            columns: Box::default(),
        };
        let catalog = |folds| {
            let server = Server { folds, ..Server::default() };
            let tables = vec![table("shop", "Sales"), table("information_schema", "TABLES")];
            Catalog::new(1, Parts { server, tables, ..Parts::default() })
        };
        assert!(
            catalog(false).table("shop", "sales").is_none() && catalog(true).table("SHOP", "sales").is_some()
        );
        assert!(catalog(false).table("INFORMATION_SCHEMA", "tables").is_some());
    }
}
