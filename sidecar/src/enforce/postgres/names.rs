//! What the names of relations, types, functions and operators stand for, and whether a limited session may use them.

use std::sync::Arc;

use pg_raw_parse::{
    Node,
    list::NodeList,
    nodes::{FuncCall, RangeVar, TypeName},
};
use postern_protocol::gate::Privilege;
use smallvec::SmallVec;

use super::{
    Ground,
    builtin::{FUNCTIONS, INTROSPECTION, OF_INFORMATION_SCHEMA, OF_SERVER, ON_SESSION},
    catalog::{FIRST_USER_OID, PG_CATALOG, Relation, Type},
    closed::open_catalog,
    scope::{Base, Read},
};
use crate::enforce::{Denial, Notes, Reason};

pub(super) const INFORMATION_SCHEMA: &str = "information_schema";

/// A function that may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// Whatever its arguments are.
    Harmless,
    /// If the objects that its arguments name are the session's to see.
    Introspection,
    /// `set_config` and `current_setting`
    Setting,
}

/// Whether a relation of the server's own schemas is meant.
pub(super) fn is_system(relation: &Relation) -> bool {
    is_of_server(&relation.schema)
}

fn is_of_server(schema: &str) -> bool {
    matches!(schema, PG_CATALOG | INFORMATION_SCHEMA)
}

impl Ground {
    /// The relation that a FROM clause or a statement names.
    pub(super) fn relation<'a>(&'a self, range: &RangeVar) -> Result<&'a Relation, Denial> {
        let name = range.relname().unwrap_or_default();
        if range.catalogname().is_some() {
            return Err(Denial::unclear(Reason::Name, name, "name tables without the database's name"));
        }
        self.relation_named(range.schemaname(), name)
    }

    /// The relation of this name.
    pub(super) fn relation_named<'a>(
        &'a self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<&'a Relation, Denial> {
        let found = match schema {
            Some(schema) => self.catalog.relation(schema, name),
            None => self.path.iter().find_map(|schema| self.catalog.relation(schema, name)),
        };
        found.map(AsRef::as_ref).ok_or_else(|| {
            let full = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
            Denial::missing("42P01", format!("relation \"{full}\" does not exist"), name)
        })
    }

    /// How a relation is read. Fails if nothing of it may be.
    pub(super) fn reading<'a>(
        &'a self,
        relation: &'a Relation,
        notes: &'a Notes,
    ) -> Result<Base<'a>, Denial> {
        let deny = || relation.deny();
        if !matches!(relation.kind, b'r' | b'p' | b'v' | b'm' | b'f') {
            return Err(deny());
        }
        if is_system(relation) {
            let shown = open_catalog(&relation.schema, &relation.name).ok_or_else(deny)?;
            return Ok(Base { relation, read: Read::Open(shown), notes });
        }
        let limits = self.limits.table(&relation.schema, &relation.name).ok_or_else(deny)?;
        if !limits.select.any() {
            return Err(deny());
        }
        let base = Base { relation, read: Read::Granted(limits), notes };
        base.note(Privilege::Select, None);
        Ok(base)
    }

    /// Whether a table's existence and shape are the session's to ask about.
    pub(super) fn is_visible(&self, relation: &Relation) -> bool {
        let of = self.catalog.table_of_sequence(relation.oid).map_or(relation, AsRef::as_ref);
        is_system(of) || self.limits.table(&of.schema, &of.name).is_some()
    }

    /// Leave to call a function.
    pub(super) fn function(&self, call: &FuncCall) -> Result<Function, Denial> {
        let parts = texts(call.funcname());
        let (schema, name) = match parts.as_slice() {
            [name] => (None, *name),
            // A server before version 16 has no grammar for this one, and looks it up.
            [PG_CATALOG, name @ "json_object"] if self.catalog.major() < 16 => (None, *name),
            [schema, name] => (Some(*schema), *name),
            _ => return Err(deny_function("")),
        };
        let cast = call.args().len() == 1 && self.is_foreign_cast(schema, name);
        if cast || self.is_shadowed(schema, name) {
            return Err(deny_function(name));
        }
        let open = self.is_open(schema, name) && !self.catalog.server_has_function(name);
        match name {
            _ if open || schema.is_some_and(|schema| !is_of_server(schema)) => Ok(Function::Harmless),
            _ if schema == Some(INFORMATION_SCHEMA) => match OF_INFORMATION_SCHEMA.binary_search(&name) {
                Ok(_) => Ok(Function::Harmless),
                Err(_) => Err(deny_function(name)),
            },
            "set_config" | "current_setting" => Ok(Function::Setting),
            _ if FUNCTIONS.binary_search(&name).is_ok() => Ok(Function::Harmless),
            _ if ON_SESSION.contains(&name) || OF_SERVER.binary_search(&name).is_ok() => {
                Ok(Function::Harmless)
            }
            // The one with two arguments runs a query.
            "ts_rewrite" if call.args().len() == 3 => Ok(Function::Harmless),
            _ if INTROSPECTION.binary_search(&name).is_ok() => Ok(Function::Introspection),
            _ => Err(deny_function(name)),
        }
    }

    /// Whether what is called by this name may be somebody's function.
    fn is_shadowed(&self, schema: Option<&str>, name: &str) -> bool {
        let theirs = self.catalog.function_schemas(name);
        let behind = self.catalog.schemas_of_functions_behind(name);
        match schema {
            None => {
                let found = |schema: &Arc<str>| **schema == *PG_CATALOG || self.path.contains(schema);
                theirs.iter().any(found) || !self.searches_server_first() && behind.iter().any(found)
            }
            Some(own) if is_of_server(own) => theirs.iter().chain(behind).any(|schema| **schema == *own),
            Some(schema) => !self.is_open(Some(schema), name),
        }
    }

    /// Whether it is an extension's that may be called.
    fn is_open(&self, schema: Option<&str>, name: &str) -> bool {
        let open = self.catalog.schemas_of_open_functions(name);
        open.iter().any(|known| schema.map_or_else(|| self.path.contains(known), |schema| **known == *schema))
    }

    fn searches_server_first(&self) -> bool {
        self.path.first().is_some_and(|schema| **schema == *PG_CATALOG)
    }

    /// Whether somebody has a function of this name, in whatever schema, that may be called instead of the server's.
    pub(super) fn has_foreign_function(&self, name: &str) -> bool {
        let behind = self.catalog.schemas_of_functions_behind(name);
        !self.catalog.function_schemas(name).is_empty() || !behind.is_empty() && !self.searches_server_first()
    }

    /// Whether a call with one argument may be a cast to a type of this name that is not the server's own.
    fn is_foreign_cast(&self, schema: Option<&str>, name: &str) -> bool {
        let kind = match schema {
            None => self.type_in_path(name),
            Some(schema) => self.catalog.type_named(schema, name),
        };
        kind.is_some_and(|kind| !kind.harmless || self.catalog.casts_to(kind.oid))
    }

    /// Whether this is the server's own function about sequences of this name.
    pub(super) fn is_own(&self, call: &FuncCall, name: &str) -> bool {
        let parts = texts(call.funcname());
        matches!(parts.as_slice(), [only] | [PG_CATALOG, only] if *only == name)
            && !self.has_foreign_function(name)
    }

    /// Leave to select a field. `('a'::text).f` is a call of the function `f` where there is one, whatever the value is, or
    /// a cast to a type of that name.
    pub(super) fn attribute(&self, name: &str) -> Result<(), Denial> {
        let harmless = FUNCTIONS.binary_search(&name).is_ok() || !self.catalog.server_has_function(name);
        if harmless && !self.has_foreign_function(name) && !self.is_foreign_cast(None, name) {
            Ok(())
        } else {
            Err(deny_function(name))
        }
    }

    /// Leave to use an operator.
    pub(super) fn operator(&self, name: &NodeList) -> Result<(), Denial> {
        match texts(name).as_slice() {
            [name] => self.operator_named(name),
            [PG_CATALOG, name] if !self.is_foreign_operator(name, true) => Ok(()),
            other => Err(deny_operator(other.last().copied().unwrap_or_default())),
        }
    }

    /// The same by its bare name.
    pub(super) fn operator_named(&self, name: &str) -> Result<(), Denial> {
        if self.is_foreign_operator(name, false) { Err(deny_operator(name)) } else { Ok(()) }
    }

    fn is_foreign_operator(&self, name: &str, qualified: bool) -> bool {
        let theirs = self.catalog.operator_schemas(name);
        theirs.iter().any(|schema| **schema == *PG_CATALOG || !qualified && self.path.contains(schema))
    }

    /// Leave to make values of a type out of any others.
    pub(super) fn type_name(&self, name: &TypeName) -> Result<(), Denial> {
        let found = self.type_of_constants(name)?;
        if self.catalog.casts_to(found.oid) {
            let why = format!("type {} is made by a cast that is not the server's own", found.name);
            return Err(Denial::unclear(Reason::Type, &found.name, why));
        }
        Ok(())
    }

    /// Leave to make values of a type out of string constants: no cast has a part in that.
    pub(super) fn type_of_constants<'a>(&'a self, name: &TypeName) -> Result<&'a Type, Denial> {
        let parts: Vec<&str> = name.names().iter().filter_map(|part| part.sval()).collect();
        let last = parts.last().copied().unwrap_or_default();
        let deny = |why: &str| Denial::unclear(Reason::Type, last, format!("type {last} {why}"));
        if name.setof || name.pct_type {
            return Err(deny("is named in a way that is not for limited sessions"));
        }
        let found = match parts.as_slice() {
            // To a server before version 17 the word alone is a name like any other.
            [PG_CATALOG, name @ "json"] if self.catalog.major() < 17 => self.type_in_path(name),
            [name] => self.type_in_path(name),
            [schema, name] => self.catalog.type_named(schema, name),
            _ => None,
        };
        let found = found.ok_or_else(|| {
            self.missing_type(name).unwrap_or_else(|| deny("is not one of the server's own").stale())
        })?;
        if !found.harmless {
            return Err(deny("is not one of the server's own"));
        }
        constants(name.typmods()).then_some(found).ok_or_else(|| deny("has a modifier that is no constant"))
    }

    /// Whether this is one of the server's own pseudo types that a value of its kind may be cast to. It stays what it is:
    /// nobody's code runs, and every row is a `record`, every value `any` already.
    pub(super) fn is_pseudo_type(&self, name: &TypeName) -> bool {
        let parts: Vec<&str> = name.names().iter().filter_map(|part| part.sval()).collect();
        let found = match parts.as_slice() {
            [name] if is_pseudo(name) => self.type_in_path(name),
            [PG_CATALOG, name] if is_pseudo(name) => self.catalog.type_named(PG_CATALOG, name),
            _ => None,
        };
        let plain =
            !name.setof && !name.pct_type && name.array_bounds().is_empty() && name.typmods().is_empty();
        let own = |found: &Type| *found.schema == *PG_CATALOG && found.oid < FIRST_USER_OID;
        plain && found.is_some_and(|found| own(found) && !self.catalog.casts_to(found.oid))
    }

    /// The first of this name on the path; nothing if that is a row type.
    fn type_in_path(&self, name: &str) -> Option<&Type> {
        for schema in self.path.iter() {
            let (kind, row) = (self.catalog.type_named(schema, name), self.catalog.relation(schema, name));
            if kind.is_some() || row.is_some() {
                return kind.filter(|_| row.is_none_or(|row| matches!(row.kind, b'S' | b'i')));
            }
        }
        None
    }
}

fn deny_function(name: &str) -> Denial {
    let why = format!("what function {name} reads and does cannot be established");
    Denial::unclear(Reason::Function, name, why)
}

fn deny_operator(name: &str) -> Denial {
    Denial::unclear(Reason::Operator, name, format!("operator {name} is not the server's own"))
}

/// Whether a type of this name may be one that leaves a value what it is, a row for example, or that no table could hold.
pub(super) fn is_pseudo(name: &str) -> bool {
    matches!(name, "record" | "cstring" | "_cstring" | "void") || name.starts_with("any")
}

/// The strings of a list. A name has three at most, as a rule.
pub(super) fn texts(list: &NodeList) -> SmallVec<[&str; 4]> {
    list.iter().filter_map(Node::as_str).collect()
}

/// Whether a list holds nothing but numbers and words.
fn constants(list: &NodeList) -> bool {
    list.iter().all(|node| matches!(node, Node::A_Const(_)))
}
