//! Functions and types that are nowhere, in the server's own words.
//!
//! Programs ask for what they can do without and go by the error's code. What is there and refused must not be called
//! missing, so nothing is where anybody has something of that name.

use pg_raw_parse::nodes::{FuncCall, TypeName};

use super::{
    Ground,
    catalog::PG_CATALOG,
    expr::Place,
    names::{INFORMATION_SCHEMA, texts},
    walk::Walk,
};
use crate::enforce::Denial;

impl<'a> Walk<'a> {
    /// What the server says of a call, if it is certain that there is no function of that name.
    pub(super) fn missing_function(
        &mut self,
        call: &'a FuncCall,
        place: Place<'_, 'a>,
    ) -> Result<Option<Denial>, Denial> {
        // With one argument it may be a field of a row.
        if let (Some(argument), 1) = (call.args().first(), call.args().len())
            && !self.is_plain(argument, place)?
        {
            return Ok(None);
        }
        Ok(self.ground.missing_function(&texts(call.funcname())))
    }
}

impl Ground {
    fn missing_function(&self, parts: &[&str]) -> Option<Denial> {
        let (schema, name) = match parts {
            [name] => (None, *name),
            [schema, name] => (Some(*schema), *name),
            _ => return None,
        };
        let type_is_there = match schema {
            Some(schema) => self.has_type(schema, name),
            None => self.path.iter().any(|schema| self.has_type(schema, name)),
        };
        if type_is_there || self.catalog.somebody_has_function(name) {
            return None;
        }
        match schema {
            Some(INFORMATION_SCHEMA) => None,
            Some(PG_CATALOG) | None if self.catalog.server_has_function(name) => None,
            Some(schema) if !self.catalog.has_schema(schema) => missing_schema(schema),
            Some(_) | None => {
                let message = format!("function {} does not exist", parts.join("."));
                let hint = "No function matches the given name and argument types. You might need to add explicit type casts.";
                Some(Denial::missing("42883", message, name).with_hint(hint))
            }
        }
    }

    /// What the server says of a type, if it is certain that there is none of that name.
    pub(super) fn missing_type(&self, name: &TypeName) -> Option<Denial> {
        let parts: Vec<&str> = name.names().iter().filter_map(|part| part.sval()).collect();
        let (is_there, schema, last) = match parts.as_slice() {
            [last] => (self.path.iter().any(|schema| self.has_type(schema, last)), None, last),
            [schema, last] => (self.has_type(schema, last), Some(*schema), last),
            _ => return None,
        };
        if is_there {
            return None;
        }
        if let Some(schema) = schema.filter(|schema| !self.catalog.has_schema(schema)) {
            return missing_schema(schema);
        }
        let message = format!("type \"{}\" does not exist", parts.join("."));
        Some(Denial::missing("42704", message, last))
    }

    /// Whether there may be a type of this name: arrays of rows, which begin with a line, are not known.
    fn has_type(&self, schema: &str, name: &str) -> bool {
        name.starts_with('_')
            || self.catalog.type_named(schema, name).is_some()
            || self.catalog.relation(schema, name).is_some()
    }
}

/// What the server says of a schema. Those of temporary objects have names that no snapshot holds.
fn missing_schema(schema: &str) -> Option<Denial> {
    let message = format!("schema \"{schema}\" does not exist");
    (!schema.starts_with("pg_")).then(|| Denial::missing("3F000", message, schema))
}
