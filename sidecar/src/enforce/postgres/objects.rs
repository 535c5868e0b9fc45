//! Constants that name an object: a limited session learns of those that it may see.

use pg_raw_parse::{
    ConstValue, Node,
    list::NodeList,
    nodes::{TypeCast, TypeName},
};

use super::{
    Ground,
    catalog::Relation,
    walk::{DEPTH, Walk, too_deep},
};
use crate::enforce::{Denial, Reason};

/// Functions that tell how much there is of something.
const SIZES: [&str; 5] = [
    "pg_indexes_size",
    "pg_relation_size",
    "pg_stat_get_numscans",
    "pg_table_size",
    "pg_total_relation_size",
];

/// Functions whose first argument names a role, and the second the object.
const ROLE_FIRST: [&str; 2] = ["has_table_privilege", "has_any_column_privilege"];

impl<'a> Walk<'a> {
    /// A type that is named: its words are accounted for, and values of it may be made.
    pub(super) fn type_name(&mut self, name: &'a TypeName) -> Result<(), Denial> {
        self.claims.extend(name.names().iter().filter_map(|part| part.sval()));
        self.ground.type_name(name)
    }

    /// The same where the value is this one. A string, or NULL, becomes one of any type by itself.
    pub(super) fn type_of(&mut self, value: Node<'a>, name: &'a TypeName) -> Result<(), Denial> {
        let Node::A_Const(constant) = value else { return self.type_name(name) };
        let (Some(ConstValue::String(_)) | None) = constant.val() else { return self.type_name(name) };
        self.claims.extend(name.names().iter().filter_map(|part| part.sval()));
        self.ground.type_of_constants(name).map(drop)
    }

    /// The arguments of a function that tells about objects.
    pub(super) fn about_objects(&mut self, name: &str, args: &'a NodeList) -> Result<(), Denial> {
        if matches!(
            name,
            "pg_has_role" | "format_type" | "pg_get_userbyid" | "pg_char_to_encoding" | "pg_encoding_to_char"
        ) {
            return Ok(());
        }
        let at = usize::from(ROLE_FIRST.contains(&name) && args.len() == 3);
        let numbers = SIZES.contains(&name);
        if numbers {
            self.numbers = None;
        }
        args.get(at).map_or(Ok(()), |arg| self.ground.object(arg, numbers))
    }

    /// A constant that is cast to `regclass`.
    pub(super) fn object_cast(&self, cast: &'a TypeCast, name: &'a TypeName) -> Result<(), Denial> {
        let last = name.names().iter().filter_map(|part| part.sval()).next_back();
        if last == Some("regclass") { self.ground.object(cast.arg(), false) } else { Ok(()) }
    }
}

/// What a text calls an object by.
enum Called {
    Name,
    Number(u32),
    /// A number that servers read in different ways: it begins with a zero, a sign or a blank.
    Unclear,
}

fn called(text: &str) -> Called {
    // A sign alone may begin the name of an operator.
    let digits = text.trim_start();
    let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if !digits.starts_with(|letter: char| letter.is_ascii_digit()) {
        return Called::Name;
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).map_or(Called::Unclear, Called::Number)
}

impl Ground {
    /// Leave to ask about what this constant names. What is no constant comes from the catalog, and so do numbers as a rule.
    fn object(&self, node: Node<'_>, numbers: bool) -> Result<(), Denial> {
        // No recursion: how deep it goes is not known yet.
        let mut node = node;
        for _ in 0..DEPTH {
            let Node::TypeCast(cast) = node else { break };
            node = cast.arg();
        }
        if matches!(node, Node::TypeCast(_)) {
            return Err(too_deep());
        }
        let Node::A_Const(constant) = node else { return Ok(()) };
        if let Some(ConstValue::String(text)) = constant.val() {
            return match called(text) {
                Called::Number(oid) if numbers => self.object_numbered(oid),
                Called::Number(_) => Ok(()),
                Called::Unclear => Err(hidden(text)),
                Called::Name => self.object_named(text),
            };
        }
        match constant.val() {
            Some(ConstValue::Integer(oid)) if numbers => {
                self.object_numbered(u32::try_from(oid).unwrap_or(0))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the argument is the sequence of a column, asked for by the table's name; or by its own, if the table may be
    /// inserted into.
    pub(super) fn is_serial(&self, args: &NodeList) -> bool {
        let inner = match args.first() {
            Some(Node::TypeCast(cast)) => cast.arg(),
            Some(other) => other,
            None => return false,
        };
        if let Node::FuncCall(call) = inner {
            return self.is_own(call, "pg_get_serial_sequence");
        }
        let sequence = self.constant_relation(inner).filter(|relation| relation.kind == b'S');
        let table = sequence.and_then(|sequence| self.catalog.table_of_sequence(sequence.oid));
        let limits = table.and_then(|table| self.limits.table(&table.schema, &table.name));
        limits.is_some_and(|limits| limits.insert.any())
    }

    /// Whether this names, or numbers, a view that may be read.
    pub(super) fn is_granted_view(&self, node: Node<'_>) -> bool {
        let inner = if let Node::TypeCast(cast) = node { cast.arg() } else { node };
        let number = match inner {
            Node::A_Const(constant) => match constant.val() {
                Some(ConstValue::Integer(oid)) => u32::try_from(oid).ok(),
                Some(ConstValue::String(text)) => match called(text) {
                    Called::Unclear => return false,
                    Called::Number(oid) => Some(oid),
                    Called::Name => None,
                },
                Some(_) | None => None,
            },
            _ => None,
        };
        let view = match number {
            Some(oid) => self.catalog.relation_of(oid).map(AsRef::as_ref),
            None => self.constant_relation(inner),
        };
        let view = view.filter(|relation| matches!(relation.kind, b'v' | b'm'));
        let limits = view.and_then(|view| self.limits.table(&view.schema, &view.name));
        limits.is_some_and(|limits| limits.select.any())
    }

    /// The relation that a constant names.
    fn constant_relation(&self, node: Node<'_>) -> Option<&Relation> {
        let Node::A_Const(constant) = node else { return None };
        let Some(ConstValue::String(text)) = constant.val() else { return None };
        match identifiers(text)?.as_slice() {
            [name] => self.relation_named(None, name).ok(),
            [schema, name] => self.relation_named(Some(schema), name).ok(),
            _ => None,
        }
    }

    fn object_numbered(&self, oid: u32) -> Result<(), Denial> {
        let visible = self.catalog.relation_of(oid).is_none_or(|relation| self.is_visible(relation));
        if visible { Ok(()) } else { Err(hidden(&oid.to_string())) }
    }

    fn object_named(&self, text: &str) -> Result<(), Denial> {
        let Some(parts) = identifiers(text) else { return Err(hidden(text)) };
        let (schema, name) = match parts.as_slice() {
            [name] => (None, name),
            [schema, name] => (Some(schema.as_str()), name),
            _ => return Err(hidden(text)),
        };
        match self.relation_named(schema, name) {
            Ok(relation) if !self.is_visible(relation) => Err(hidden(text)),
            // What is no relation is no secret.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

fn hidden(text: &str) -> Denial {
    Denial::unclear(Reason::Table, text, format!("the grant does not cover {text}"))
}

/// The parts of a name as `regclass` reads them.
fn identifiers(text: &str) -> Option<Vec<String>> {
    let (mut parts, mut rest) = (Vec::new(), text.trim());
    loop {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut letters = quoted.char_indices().peekable();
            let end = loop {
                match letters.next()? {
                    (_, '"') if letters.peek().is_some_and(|(_, next)| *next == '"') => {
                        letters.next();
                        part.push('"');
                    }
                    (at, '"') => break at + 1,
                    (_, letter) => part.push(letter),
                }
            };
            (part, quoted.get(end..)?)
        } else {
            let end = rest.find(['.', ' ']).unwrap_or(rest.len());
            (rest.get(..end)?.to_ascii_lowercase(), rest.get(end..)?)
        };
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        match after.trim_start() {
            "" => return Some(parts),
            more => rest = more.strip_prefix('.')?.trim_start(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_server_reads_them() {
        assert_eq!(identifiers("Sales"), Some(vec!["sales".to_owned()]));
        assert_eq!(
            identifiers("hr.\"Odd \"\"one\"\"\""),
            Some(vec!["hr".to_owned(), "Odd \"one\"".to_owned()])
        );
        assert_eq!(identifiers("a."), None);
        assert_eq!(identifiers("\"a"), None);
    }
}
