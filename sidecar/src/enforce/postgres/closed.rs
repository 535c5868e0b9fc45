//! The server's own tables and views that a limited session may read.
//!
//! Structure is as visible as it is to any role. Values, statistics, other sessions' doings, secrets and the text of other
//! people's code are not: what is not listed is closed, and so are the columns that are listed behind an open table. Tools
//! ask for these along with everything else, so a query that only shows them gets NULL in their place ([`super::withheld`]).

use super::catalog::PG_CATALOG;

/// What is shown of an open table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// All but these columns.
    But(&'static [&'static str]),
    /// These columns.
    Only(&'static [&'static str]),
}

impl Shown {
    /// Everything.
    pub(super) const ALL: Self = Self::But(&[]);

    /// Whether a column may be read.
    pub(super) fn covers(self, column: &str) -> bool {
        match self {
            Self::But(closed) => !closed.contains(&column),
            Self::Only(open) => open.contains(&column),
        }
    }

    /// Whether NULL says as much about a closed column as somebody may know. Instead of a number or of what a setting is set
    /// to it would be wrong.
    pub(super) fn withholds(self, column: &str) -> bool {
        matches!(self, Self::But(closed) if closed.contains(&column))
    }
}

/// Open, but for these columns. Sorted.
#[rustfmt::skip]
const PG_OPEN: &[(&str, &[&str])] = &[
    ("pg_aggregate", &["agginitval", "aggminitval"]), ("pg_am", &[]), ("pg_amop", &[]), ("pg_amproc", &[]),
    ("pg_attrdef", &[]), ("pg_attribute", &["attmissingval"]), ("pg_auth_members", &[]), ("pg_available_extension_versions", &[]),
    ("pg_available_extensions", &[]), ("pg_cast", &[]), ("pg_class", &[]), ("pg_collation", &[]),
    ("pg_constraint", &[]), ("pg_conversion", &[]), ("pg_cursors", &[]), ("pg_database", &[]), ("pg_default_acl", &[]),
    ("pg_depend", &[]), ("pg_description", &[]), ("pg_enum", &[]), ("pg_event_trigger", &[]), ("pg_extension", &[]),
    ("pg_foreign_data_wrapper", &["fdwoptions"]), ("pg_foreign_server", &["srvoptions"]),
    ("pg_foreign_table", &["ftoptions"]), ("pg_group", &[]), ("pg_index", &[]), ("pg_indexes", &[]), ("pg_inherits", &[]),
    ("pg_init_privs", &[]), ("pg_language", &[]), ("pg_matviews", &["definition"]), ("pg_namespace", &[]), ("pg_opclass", &[]),
    ("pg_operator", &[]), ("pg_opfamily", &[]), ("pg_parameter_acl", &[]), ("pg_partitioned_table", &[]),
    ("pg_policies", &[]), ("pg_policy", &[]), ("pg_prepared_statements", &[]),
    ("pg_proc", &["prosrc", "prosqlbody", "probin"]), ("pg_publication", &[]), ("pg_publication_namespace", &[]),
    ("pg_publication_rel", &[]), ("pg_publication_tables", &[]), ("pg_range", &[]),
    ("pg_rewrite", &["ev_action", "ev_qual"]), ("pg_roles", &[]), ("pg_rules", &["definition"]), ("pg_seclabel", &[]),
    ("pg_seclabels", &[]), ("pg_sequence", &[]), ("pg_sequences", &["last_value"]), ("pg_shdepend", &[]),
    ("pg_shdescription", &[]), ("pg_statistic_ext", &[]), ("pg_tables", &[]),
    ("pg_tablespace", &[]), ("pg_timezone_abbrevs", &[]), ("pg_timezone_names", &[]), ("pg_transform", &[]),
    ("pg_trigger", &["tgargs", "tgqual"]), ("pg_ts_config", &[]), ("pg_ts_config_map", &[]), ("pg_ts_dict", &[]),
    ("pg_ts_parser", &[]), ("pg_ts_template", &[]), ("pg_type", &[]), ("pg_user", &[]), ("pg_views", &["definition"]),
];

/// Open, but for all other columns. What settings are set to, passwords of replication and paths among it, is shown where
/// they are asked for by name; how often a table was used is nobody's to know. Sorted.
#[rustfmt::skip]
const PG_OPEN_IN_PART: &[(&str, &[&str])] = &[
    ("pg_settings", SETTINGS),
    ("pg_stat_all_tables", TABLES), ("pg_stat_sys_tables", TABLES), ("pg_stat_user_tables", TABLES),
    ("pg_statio_all_tables", TABLES), ("pg_statio_sys_tables", TABLES), ("pg_statio_user_tables", TABLES),
];

const SETTINGS: &[&str] = &[
    "category",
    "context",
    "enumvals",
    "extra_desc",
    "max_val",
    "min_val",
    "name",
    "pending_restart",
    "short_desc",
    "source",
    "unit",
    "vartype",
];

/// What statistics say that `pg_class` says as well.
const TABLES: &[&str] = &["relid", "relname", "schemaname"];

/// Closed in `information_schema`; everything else there is open. Sorted.
const INFORMATION_CLOSED: &[&str] = &[
    "_pg_foreign_data_wrappers",
    "_pg_foreign_servers",
    "_pg_foreign_table_columns",
    "_pg_foreign_tables",
    "_pg_user_mappings",
    "column_options",
    "foreign_data_wrapper_options",
    "foreign_server_options",
    "foreign_table_options",
    "sql_parts",
    "transforms",
    "user_mapping_options",
    "user_mappings",
];

/// Closed columns of open views there.
const INFORMATION_COLUMNS: &[(&str, &[&str])] = &[
    ("routines", &["routine_definition"]),
    ("triggers", &["action_statement", "action_condition"]),
    ("views", &["view_definition"]),
];

/// What is shown of an open table; nothing if the table is closed.
pub(super) fn open_catalog(schema: &str, name: &str) -> Option<Shown> {
    if schema == PG_CATALOG {
        let of = |list: &[(&str, &'static [&'static str])]| {
            let at = list.binary_search_by_key(&name, |(open, _)| open).ok()?;
            list.get(at).map(|(_, columns)| *columns)
        };
        return of(PG_OPEN).map(Shown::But).or_else(|| of(PG_OPEN_IN_PART).map(Shown::Only));
    }
    if INFORMATION_CLOSED.contains(&name) {
        return None;
    }
    let closed = INFORMATION_COLUMNS.iter().find(|(view, _)| *view == name);
    Some(closed.map_or(Shown::ALL, |(_, columns)| Shown::But(columns)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::builtin::{FUNCTIONS, INTROSPECTION, OF_INFORMATION_SCHEMA, OF_SERVER},
        *,
    };

    #[test]
    fn the_lists_are_sorted() {
        assert!(PG_OPEN.is_sorted_by_key(|(name, _)| name) && INFORMATION_CLOSED.is_sorted());
        assert!(PG_OPEN_IN_PART.is_sorted_by_key(|(name, _)| name));
        for list in [FUNCTIONS, INTROSPECTION, OF_SERVER, OF_INFORMATION_SCHEMA] {
            assert!(list.is_sorted());
        }
    }

    #[test]
    fn statistics_and_secrets_are_closed() {
        for name in
            ["pg_statistic", "pg_stats", "pg_authid", "pg_shadow", "pg_stat_activity", "pg_largeobject"]
        {
            assert_eq!(open_catalog(PG_CATALOG, name), None, "{name}");
        }
        assert_eq!(open_catalog("information_schema", "user_mapping_options"), None);
    }
}
