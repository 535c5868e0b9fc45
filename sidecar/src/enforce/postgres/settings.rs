//! Settings: which a limited session may read, and which it may set.
//!
//! Nothing may be set that changes what a statement means, what the database checks, or what others see of it. The search
//! path is part of the ground that statements are judged on: it may be set to what it is, and to nothing else.

use pg_raw_parse::{
    ConstValue, Node,
    list::NodeList,
    nodes::{TypeName, VariableSetStmt, VariableShowStmt},
    raw::VariableSetKind,
};

use postern_protocol::postgres::bind_values;

use super::{
    Ground, Step, UNSAID, account, path,
    walk::{Edit, Walk},
};
use crate::enforce::{Denial, Reason};

const SEARCH_PATH: &str = "search_path";
pub(super) const SESSION_AUTHORIZATION: &str = "session_authorization";

/// Settings that begin like this and a dot are an application's own: no module of the server or of an extension is called
/// so, and a role may set them to anything. Sorted.
const CUSTOM: &[&str] = &[
    "app",
    "application",
    "context",
    "ctx",
    "current",
    "custom",
    "jwt",
    "my",
    "myapp",
    "request",
    "session",
    "tenant",
    "user",
    "var",
    "vars",
];

/// May be set to anything. Sorted.
#[rustfmt::skip]
const FREE: &[&str] = &[
    "application_name", "array_nulls", "bytea_output", "client_min_messages", "constraint_exclusion",
    "cpu_index_tuple_cost", "cpu_operator_cost", "cpu_tuple_cost", "cursor_tuple_fraction", "datestyle",
    "default_transaction_deferrable", "default_transaction_isolation", "effective_cache_size",
    "effective_io_concurrency", "enable_async_append", "enable_bitmapscan", "enable_distinct_reordering",
    "enable_gathermerge", "enable_group_by_reordering", "enable_hashagg", "enable_hashjoin", "enable_incremental_sort",
    "enable_indexonlyscan", "enable_indexscan", "enable_material", "enable_memoize", "enable_mergejoin",
    "enable_nestloop", "enable_parallel_append", "enable_parallel_hash", "enable_partition_pruning",
    "enable_partitionwise_aggregate", "enable_partitionwise_join", "enable_presorted_aggregate",
    "enable_self_join_elimination", "enable_seqscan", "enable_sort", "enable_tidscan", "escape_string_warning",
    "extra_float_digits", "from_collapse_limit", "geqo", "geqo_effort", "geqo_generations", "geqo_pool_size",
    "geqo_seed", "geqo_selection_bias", "geqo_threshold", "hash_mem_multiplier", "idle_in_transaction_session_timeout",
    "idle_session_timeout", "intervalstyle", "jit", "jit_above_cost", "jit_inline_above_cost",
    "jit_optimize_above_cost", "join_collapse_limit", "lc_monetary", "lc_numeric", "lc_time", "lock_timeout",
    "max_parallel_workers_per_gather", "min_parallel_index_scan_size", "min_parallel_table_scan_size",
    "parallel_leader_participation", "parallel_setup_cost", "parallel_tuple_cost", "plan_cache_mode",
    "random_page_cost", "recursive_worktable_factor", "seq_page_cost", "statement_timeout", "synchronous_commit",
    "tcp_keepalives_count", "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_user_timeout", "timezone",
    "transaction_deferrable", "transaction_isolation", "transaction_timeout", "work_mem", "xmlbinary", "xmloption",
];

/// May be set to one of these and nothing else.
const PINNED: &[(&str, &[&str])] = &[
    ("client_encoding", &["utf8", "utf-8", "unicode"]),
    ("default_transaction_read_only", &["on", "true", "1", "yes"]),
    ("row_security", &["on", "true", "1", "yes"]),
    ("standard_conforming_strings", &["on", "true", "1", "yes"]),
    ("transaction_read_only", &["on", "true", "1", "yes"]),
];

/// May be read, besides those that may be set.
#[rustfmt::skip]
const READABLE: &[&str] = &[
    "block_size", "default_table_access_method", "default_text_search_config", "default_with_oids", "in_hot_standby",
    "integer_datetimes", "is_superuser", "lc_collate", "lc_ctype", "lc_messages", "max_connections",
    "max_identifier_length", "max_index_keys", "search_path", "server_encoding", "server_version", "server_version_num",
    "session_authorization", "role", "quote_all_identifiers", "backslash_quote", "transform_null_equals", "port",
    "superuser_reserved_connections", "password_encryption", "wal_level", "time_zone", "max_prepared_transactions",
];

/// Whether a session may set this to whatever it likes, from its beginning on. The name is in lower case.
pub(crate) fn is_free(name: &str) -> bool {
    FREE.binary_search(&name).is_ok() || is_custom(name)
}

/// Whether this is an application's own. Nobody is told what it is set to: an owner may keep secrets there.
fn is_custom(name: &str) -> bool {
    name.split_once('.').is_some_and(|(prefix, _)| CUSTOM.binary_search(&prefix).is_ok())
}

/// A string constant.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Where a constant begins; negative where that is not known.
fn place_of(node: Node<'_>) -> i32 {
    if let Node::A_Const(constant) = node { constant.location } else { -1 }
}

fn place(location: i32) -> usize {
    usize::try_from(location).unwrap_or(usize::MAX)
}

/// The denial of a change to this setting.
pub(super) fn deny(name: &str) -> Denial {
    let why = format!("setting {name} is not a limited session's to change");
    Denial::unclear(Reason::Setting, name, why)
}

impl Ground {
    /// Leave to set a setting to this value; `None` for a return to its default.
    pub(crate) fn set(&self, name: &str, value: Option<&[&str]>) -> Result<(), Denial> {
        let name = name.to_ascii_lowercase();
        if is_free(&name) {
            return Ok(());
        }
        if let Some((_, values)) = PINNED.iter().find(|(pinned, _)| *pinned == name) {
            let harmless = |value: &[&str]| matches!(value, [value] if values.iter().any(|known| known.eq_ignore_ascii_case(value)));
            return if value.is_none_or(harmless) { Ok(()) } else { Err(deny(&name)) };
        }
        match value {
            Some(schemas) if name == SEARCH_PATH && self.same_path(schemas) => Ok(()),
            _ => Err(deny(&name)),
        }
    }

    /// Leave to return everything to its default. What that is may have changed, and then it is not known what names
    /// would mean.
    pub(super) fn reset_all(&self) -> Result<(), Denial> {
        if *self.catalog.loaded() == *self.start.loaded {
            return Ok(());
        }
        let why = "the server has read its configuration again since the session began: connect anew";
        Err(Denial::unclear(Reason::Setting, SEARCH_PATH, why))
    }

    /// Leave to return to the account that logged in: statements run as nobody else than before.
    pub(super) fn return_to_account(&self) -> Result<(), Denial> {
        let stays = *self.user == *self.start.account || self.catalog.keeps_role();
        if stays { Ok(()) } else { Err(deny("role")) }
    }

    /// Whether these are the names of the search path that the session began with. Others may mean the same today and
    /// something else when somebody makes a schema, or a temporary table, of such a name.
    fn is_start_path(&self, names: &[&str]) -> bool {
        path::names(&self.start.search_path).iter().eq(names)
    }

    /// That search path as `SET` takes it.
    fn start_path_list(&self) -> String {
        path::names(&self.start.search_path).iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ")
    }

    /// Whether a search path means what the present one means.
    pub(super) fn same_path(&self, wanted: &[&str]) -> bool {
        // The server cuts longer names.
        if wanted.iter().any(|schema| schema.len() > 63) {
            return false;
        }
        let meant = wanted.iter().map(|schema| if *schema == "$user" { &*self.user } else { schema });
        let mut path: Vec<&str> = Vec::new();
        for schema in meant.filter(|schema| self.catalog.has_schema(schema)) {
            if !path.contains(&schema) {
                path.push(schema);
            }
        }
        if !path.contains(&super::catalog::PG_CATALOG) {
            path.insert(0, super::catalog::PG_CATALOG);
        }
        path.iter().copied().eq(self.path.iter().map(AsRef::as_ref))
    }
}

/// Leave to read a setting.
pub(super) fn show(name: &str) -> Result<(), Denial> {
    let name = name.to_ascii_lowercase();
    let known = FREE.binary_search(&&*name).is_ok()
        || READABLE.contains(&&*name)
        || PINNED.iter().any(|(pinned, _)| *pinned == name);
    if known { Ok(()) } else { Err(deny_reading(&name)) }
}

/// One identifier of a list; nothing if it is quoted in an odd way.
fn identifier(part: &str) -> Option<String> {
    let part = part.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    if !part.contains('"') {
        let plain = part.is_ascii() && !part.contains(|letter: char| letter.is_ascii_whitespace());
        return plain.then(|| part.to_ascii_lowercase());
    }
    let inside = part.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains('"')).then(|| inside.to_owned())
}

fn deny_reading(name: &str) -> Denial {
    let why = format!("setting {name} is not a limited session's to read");
    Denial::unclear(Reason::Setting, name, why)
}

impl<'a> Walk<'a> {
    /// `SET` and `RESET`
    pub(super) fn set_statement(&mut self, set: &'a VariableSetStmt) -> Result<(), Denial> {
        let name = set.name().unwrap_or_default();
        self.claims.extend(name.split('.'));
        let mut values = Vec::new();
        for arg in set.args() {
            values.push(self.setting_value(arg)?);
        }
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        let is_path = name.eq_ignore_ascii_case(SEARCH_PATH);
        match set.kind {
            VariableSetKind::VAR_SET_VALUE => {
                self.ground.set(name, Some(&texts))?;
                if is_path && !self.ground.is_start_path(&texts) {
                    self.set_start_path(set.is_local);
                }
                Ok(())
            }
            VariableSetKind::VAR_SET_DEFAULT | VariableSetKind::VAR_RESET if is_path => {
                self.set_start_path(set.is_local);
                Ok(())
            }
            VariableSetKind::VAR_SET_DEFAULT if name == SESSION_AUTHORIZATION && !set.is_local => {
                self.returns = true;
                self.ground.return_to_account()
            }
            VariableSetKind::VAR_SET_DEFAULT | VariableSetKind::VAR_RESET => self.ground.set(name, None),
            VariableSetKind::VAR_RESET_ALL => self.ground.reset_all(),
            VariableSetKind::VAR_SET_MULTI if matches!(name, "TRANSACTION" | "SESSION CHARACTERISTICS") => {
                Ok(())
            }
            _ => Err(deny(name)),
        }
    }

    /// Puts the search path that the session began with in the place of the one that the statement at hand sets.
    fn set_start_path(&mut self, local: bool) {
        let local = if local { "LOCAL " } else { "" };
        let list = self.ground.start_path_list();
        self.edits.push((self.begin, Edit::Rest(format!("SET {local}{SEARCH_PATH} = {list}"))));
    }

    /// A value as text. A transaction's modes are words of the grammar.
    fn setting_value(&mut self, node: Node<'a>) -> Result<String, Denial> {
        match node {
            Node::A_Const(constant) => Ok(match constant.val() {
                Some(ConstValue::String(text)) => {
                    self.claims.push(text);
                    text.to_owned()
                }
                Some(ConstValue::Integer(number)) => number.to_string(),
                Some(ConstValue::Float(number)) => number.to_owned(),
                _ => String::new(),
            }),
            // `SET TIME ZONE INTERVAL '1' HOUR`
            Node::TypeCast(cast) => self.setting_value(cast.arg()),
            Node::DefElem(element) => {
                self.claim(element.defname());
                self.setting_value(element.arg())
            }
            Node::None => Ok(String::new()),
            _ => Err(deny("")),
        }
    }

    /// `SHOW`
    pub(super) fn show_statement(&mut self, statement: &'a VariableShowStmt) -> Result<(), Denial> {
        let name = statement.name().unwrap_or_default();
        self.claims.extend(name.split('.'));
        show(name)
    }

    /// `set_config(name, value, …)` and `current_setting(name, …)`: with constants only, so that it is known what is set.
    pub(super) fn setting_call(&mut self, function: &str, args: &'a NodeList) -> Result<(), Denial> {
        let constant = |at: usize| match args.get(at) {
            Some(Node::A_Const(constant)) => match constant.val() {
                Some(ConstValue::String(text)) => Some(text),
                _ => None,
            },
            _ => None,
        };
        let unclear = || unnamed(function);
        if function == "current_setting"
            && let Some(number) = args.first().and_then(|name| self.parameter(name))
        {
            self.settings.push(number);
            return Ok(());
        }
        let name = constant(0).ok_or_else(unclear)?;
        if function == "current_setting" {
            return show(name);
        }
        if is_free(&name.to_ascii_lowercase()) {
            return Ok(());
        }
        let value = constant(1).ok_or_else(unclear)?;
        let schemas: Option<Vec<String>> = value.split(',').map(identifier).collect();
        let schemas = schemas.ok_or_else(|| deny(name))?;
        let schemas: Vec<&str> = schemas.iter().map(String::as_str).collect();
        self.ground.set(name, Some(&schemas))?;
        if name.eq_ignore_ascii_case(SEARCH_PATH) && !self.ground.is_start_path(&schemas) {
            let at = args.get(1).map_or(-1, place_of);
            self.edits.push((place(at), Edit::Constant(literal(&self.ground.start.search_path))));
        }
        Ok(())
    }

    /// The number of a parameter that is a text as it is bound.
    fn parameter(&self, node: Node<'a>) -> Option<u16> {
        let (inner, is_text) = match node {
            Node::TypeCast(cast) => {
                let plain = |name: &&TypeName| name.typmods().is_empty() && name.array_bounds().is_empty();
                let kind = cast.type_name().filter(plain);
                let kind = kind.and_then(|name| self.ground.type_of_constants(name).ok());
                (cast.arg(), kind.is_some_and(|kind| TEXTS.contains(&kind.oid)))
            }
            other => (other, true),
        };
        let Node::ParamRef(parameter) = inner else { return None };
        u16::try_from(parameter.number).ok().filter(|number| *number > 0 && is_text)
    }
}

/// Types whose values are the same bytes, however they are sent: `text`, `varchar`.
const TEXTS: [u32; 2] = [25, 1043];

/// Leave to declare parameters of these types where settings are named by them.
pub(super) fn named_by(steps: &[Step], types: impl Iterator<Item = u32>) -> Result<(), Denial> {
    let texts = |oid: &u32| UNSAID.contains(oid) || TEXTS.contains(oid);
    let types: Vec<bool> = types.map(|oid| texts(&oid)).collect();
    let is_text = |number: u16| types.get(usize::from(number) - 1).is_none_or(|is_text| *is_text);
    let all_text = steps.iter().all(|step| !matches!(step, Step::Reads(number) if !is_text(*number)));
    if all_text { Ok(()) } else { Err(unnamed("current_setting")) }
}

/// Leave to bind these values.
pub(super) fn named_in(steps: &[Step], bind: &[u8]) -> Result<(), Denial> {
    if !reads(steps) {
        return Ok(());
    }
    let values = bind_values(bind).unwrap_or_default();
    for step in steps {
        let Step::Reads(number) = step else { continue };
        let value = values.get(usize::from(*number) - 1).copied().flatten();
        let name = value.and_then(|name| std::str::from_utf8(name).ok());
        show(name.ok_or_else(|| unnamed("current_setting"))?)?;
    }
    Ok(())
}

/// A parameter that names a setting must be used for nothing else: that could make its type another one.
pub(super) fn named_once(text: &str, steps: &[Step]) -> Result<(), Denial> {
    if !reads(steps) {
        return Ok(());
    }
    let uses = account::parameters(text).unwrap_or_default();
    let once = |step: &Step| !matches!(step, Step::Reads(number) if uses.get(number) != Some(&1));
    if steps.iter().all(once) { Ok(()) } else { Err(unnamed("current_setting")) }
}

/// Whether a parameter names a setting.
fn reads(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Reads(_)))
}

/// The denial of a call that names a setting in a way that is not known.
pub(super) fn unnamed(function: &str) -> Denial {
    let why = format!("{function} needs the setting's name as a constant");
    Denial::unclear(Reason::Setting, function, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(FREE.is_sorted() && CUSTOM.is_sorted());
    }
}
