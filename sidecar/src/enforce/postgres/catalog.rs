//! What a database's catalog says, at one moment: the names that statements may use, and what they stand for.
//!
//! A snapshot never changes. Whoever keeps it fresh makes a new one with a higher [`Catalog::version`]; verdicts are
//! kept by that number.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::enforce::Denial;

/// OIDs below this one belong to the server itself.
pub(crate) const FIRST_USER_OID: u32 = 16_384;

/// The schema that is searched first, unless the search path says otherwise.
pub(crate) const PG_CATALOG: &str = "pg_catalog";

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: Box<str>,
    /// `attnum`; positive.
    pub(crate) number: i16,
    /// `atttypid`
    pub(crate) type_oid: u32,
}

/// A table, view, materialised view, foreign table, partition, sequence or composite type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: Arc<str>,
    pub(crate) name: Box<str>,
    /// `relkind`
    pub(crate) kind: u8,
    /// Those that were not dropped, in order.
    pub(crate) columns: Box<[Column]>,
    /// The numbers of those columns of which a value, wherever it is used, may run somebody's function: a cast, a comparison;
    /// 0 stands for the row as one value.
    pub(crate) lively: Box<[i16]>,
}

impl Relation {
    /// The denial that is about this relation as a whole.
    pub(crate) fn deny(&self) -> Denial {
        Denial::table(&self.name).about(&self.schema, &self.name)
    }

    /// The denial that is about one of its columns, which the statement itself has named.
    pub(crate) fn deny_column(&self, column: &str) -> Denial {
        Denial::column(column, &self.name).about(&self.schema, &self.name)
    }

    /// A column by its name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| &*column.name == name)
    }
}

/// A type as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) oid: u32,
    pub(crate) schema: Arc<str>,
    pub(crate) name: Box<str>,
    /// Whether making a value of it runs nobody's code but the server's: a type of `pg_catalog` that is no row and no
    /// pseudo type, one of a known extension, an enum, or an array, range or unchecked domain of one.
    pub(crate) harmless: bool,
}

/// A name in a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) schema: Arc<str>,
    pub(crate) name: Box<str>,
}

/// Everything that a snapshot is made of, as it is read from the server.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// `server_version_num`, such as 150020.
    pub(crate) server_version: u32,
    /// `pg_conf_load_time()`
    pub(crate) loaded: Box<str>,
    /// Every schema's name.
    pub(crate) schemas: Vec<Arc<str>>,
    /// Relations of every schema, `pg_catalog` and `information_schema` included, `pg_toast` not.
    pub(crate) relations: Vec<Relation>,
    /// Every type that is no relation's row type.
    pub(crate) types: Vec<Type>,
    /// The names of the functions that the server itself has in `pg_catalog`.
    pub(crate) server_functions: Vec<Box<str>>,
    /// Functions, procedures and aggregates outside `pg_catalog` that may do anything, and may be called instead of one of
    /// the server's.
    pub(crate) functions: Vec<Named>,
    /// The names of all functions outside `pg_catalog`, those of extensions that stand in nobody's way included.
    pub(crate) function_names: Vec<Box<str>>,
    /// Those that may be called so unless `pg_catalog` is searched first.
    pub(crate) functions_behind: Vec<Named>,
    /// Functions of extensions of which it is known that they compute from what they are given.
    pub(crate) open_functions: Vec<Named>,
    /// Operators outside `pg_catalog`.
    pub(crate) operators: Vec<Named>,
    /// The OIDs of types that a user-defined cast with a function makes, and of their arrays.
    pub(crate) cast_targets: Vec<u32>,
    /// Whether somebody's function turns values of the server's own types into others, or compares them, without being
    /// asked for.
    pub(crate) implicit_casts: bool,
    /// Whether it turns them into others where they are written to a column.
    pub(crate) assignment_casts: bool,
    /// Sequences, and the tables of the columns that they belong to, by OID.
    pub(crate) sequences: Vec<(u32, u32)>,
    /// Views that read with the rights of whoever reads them (`security_invoker`), by OID, and their queries with every
    /// name in full; an empty one where it is not known, and then nothing may be read by the view.
    pub(crate) invokers: Vec<(u32, Box<str>)>,
    /// Other views, and tables with rules, by OID, and each of [`Self::invokers`] that they use: what such a one reads it
    /// reads with the rights of whoever reads the other.
    pub(crate) users_of_invokers: Vec<(u32, u32)>,
}

type Names = HashMap<Box<str>, Vec<Arc<str>>>;

/// A snapshot.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    version: u64,
    server_version: u32,
    loaded: Box<str>,
    schemas: HashSet<Arc<str>>,
    relations: HashMap<Arc<str>, HashMap<Box<str>, Arc<Relation>>>,
    by_oid: HashMap<u32, Arc<Relation>>,
    types: HashMap<Box<str>, Vec<Type>>,
    harmless_types: HashSet<u32>,
    server_types: HashMap<u32, Type>,
    server_functions: HashSet<Box<str>>,
    functions: Names,
    function_names: HashSet<Box<str>>,
    functions_behind: Names,
    open_functions: Names,
    operators: Names,
    cast_targets: HashSet<u32>,
    implicit_casts: bool,
    assignment_casts: bool,
    sequences: HashMap<u32, u32>,
    invokers: HashMap<u32, Box<str>>,
    users_of_invokers: HashMap<u32, Vec<u32>>,
}

fn names(list: Vec<Named>) -> Names {
    let mut names = Names::new();
    for Named { schema, name } in list {
        let schemas = names.entry(name).or_default();
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    names
}

impl Catalog {
    /// Puts a snapshot together.
    pub(crate) fn new(version: u64, parts: Parts) -> Self {
        let mut catalog = Self {
            version,
            server_version: parts.server_version,
            loaded: parts.loaded,
            schemas: parts.schemas.into_iter().collect(),
            server_functions: parts.server_functions.into_iter().collect(),
            functions: names(parts.functions),
            function_names: parts.function_names.into_iter().collect(),
            functions_behind: names(parts.functions_behind),
            open_functions: names(parts.open_functions),
            operators: names(parts.operators),
            cast_targets: parts.cast_targets.into_iter().collect(),
            implicit_casts: parts.implicit_casts,
            assignment_casts: parts.assignment_casts,
            sequences: parts.sequences.into_iter().collect(),
            invokers: parts.invokers.into_iter().collect(),
            ..Self::default()
        };
        for (user, invoker) in parts.users_of_invokers {
            catalog.users_of_invokers.entry(user).or_default().push(invoker);
        }
        for relation in parts.relations {
            let relation = Arc::new(relation);
            catalog.by_oid.insert(relation.oid, Arc::clone(&relation));
            let schema = catalog.relations.entry(Arc::clone(&relation.schema)).or_default();
            schema.insert(relation.name.clone(), relation);
        }
        for kind in parts.types {
            if kind.harmless {
                catalog.harmless_types.insert(kind.oid);
            }
            if kind.oid < FIRST_USER_OID {
                catalog.server_types.insert(kind.oid, kind.clone());
            }
            catalog.types.entry(kind.name.clone()).or_default().push(kind);
        }
        catalog
    }

    /// Grows with every snapshot of a repo.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// `server_version_num / 10000`
    pub(crate) const fn major(&self) -> u32 {
        self.server_version / 10_000
    }

    /// Whether a session that returns to the account that logged in has again the role that the account's own settings
    /// give it (`ALTER ROLE … SET role`). Older releases leave it without.
    pub(crate) const fn keeps_role(&self) -> bool {
        match self.major() {
            14 => self.server_version >= 140_015,
            15 => self.server_version >= 150_010,
            16 => self.server_version >= 160_006,
            17 => self.server_version >= 170_002,
            major => major > 17,
        }
    }

    /// When the server had read its configuration, as it says so.
    pub(crate) fn loaded(&self) -> &str {
        &self.loaded
    }

    /// Whether there is such a schema.
    pub(crate) fn has_schema(&self, name: &str) -> bool {
        self.schemas.contains(name)
    }

    /// A relation by its full name.
    pub(crate) fn relation(&self, schema: &str, name: &str) -> Option<&Arc<Relation>> {
        self.relations.get(schema)?.get(name)
    }

    /// A relation by its OID.
    pub(crate) fn relation_of(&self, oid: u32) -> Option<&Arc<Relation>> {
        self.by_oid.get(&oid)
    }

    /// All relations.
    pub(crate) fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.by_oid.values()
    }

    /// A type by its full name; row types are no types here.
    pub(crate) fn type_named(&self, schema: &str, name: &str) -> Option<&Type> {
        self.types.get(name)?.iter().find(|kind| &*kind.schema == schema)
    }

    /// A type of the server's own.
    pub(crate) fn server_type(&self, oid: u32) -> Option<&Type> {
        self.server_types.get(&oid)
    }

    /// Whether values of this type may be made by a limited session.
    pub(crate) fn type_is_harmless(&self, oid: u32) -> bool {
        self.harmless_types.contains(&oid)
    }

    /// Whether a cast to this type may run somebody's function.
    pub(crate) fn casts_to(&self, oid: u32) -> bool {
        self.cast_targets.contains(&oid)
    }

    /// Whether any value of the server's own types may run somebody's function, wherever it stands.
    pub(crate) const fn has_implicit_casts(&self) -> bool {
        self.implicit_casts
    }

    /// Whether one that is written may.
    pub(crate) const fn has_assignment_casts(&self) -> bool {
        self.assignment_casts
    }

    /// The table of the column that a sequence belongs to.
    pub(crate) fn table_of_sequence(&self, oid: u32) -> Option<&Arc<Relation>> {
        self.relation_of(*self.sequences.get(&oid)?)
    }

    /// The views that read with the rights of whoever reads this relation, which may be one of them, and their queries.
    pub(crate) fn invokers(&self, relation: u32) -> impl Iterator<Item = (u32, &str)> {
        let used = self.users_of_invokers.get(&relation).into_iter().flatten();
        let query = |view: &u32| Some((*view, &**self.invokers.get(view)?));
        std::iter::once(relation).chain(used.copied()).filter_map(move |view| query(&view))
    }

    /// Whether using this relation does something with the rights of whoever uses it.
    pub(crate) fn has_invokers(&self, relation: u32) -> bool {
        self.invokers.contains_key(&relation) || self.users_of_invokers.contains_key(&relation)
    }

    /// Whether the server has a function of this name.
    pub(crate) fn server_has_function(&self, name: &str) -> bool {
        self.server_functions.contains(name)
    }

    /// Whether anybody else has one, in whatever schema.
    pub(crate) fn somebody_has_function(&self, name: &str) -> bool {
        self.function_names.contains(name) || self.functions.contains_key(name)
    }

    /// The schemas that hold a function of this name which may do anything.
    pub(crate) fn function_schemas(&self, name: &str) -> &[Arc<str>] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    /// The schemas that hold one with the arguments of the server's own, which is found first where `pg_catalog` is
    /// searched first.
    pub(crate) fn schemas_of_functions_behind(&self, name: &str) -> &[Arc<str>] {
        self.functions_behind.get(name).map_or(&[], Vec::as_slice)
    }

    /// The schemas that hold an extension's function of this name that may be called, and none that may not.
    pub(crate) fn schemas_of_open_functions(&self, name: &str) -> &[Arc<str>] {
        self.open_functions.get(name).map_or(&[], Vec::as_slice)
    }

    /// The schemas, other than `pg_catalog`, that hold an operator of this name.
    pub(crate) fn operator_schemas(&self, name: &str) -> &[Arc<str>] {
        self.operators.get(name).map_or(&[], Vec::as_slice)
    }
}
