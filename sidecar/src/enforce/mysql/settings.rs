//! Settings and figures of the server: which may be read, and which of its own a session may set.

/// Settings that say nothing of files, other sessions or secrets. Sorted.
#[rustfmt::skip]
const READABLE: &[&str] = &[
    "auto_increment_increment", "auto_increment_offset", "autocommit", "big_tables", "bulk_insert_buffer_size",
    "character_set_client", "character_set_connection", "character_set_database", "character_set_results",
    "character_set_server", "character_set_system", "collation_connection", "collation_database",
    "collation_server", "completion_type", "connect_timeout", "cte_max_recursion_depth",
    "default_collation_for_utf8mb4", "default_storage_engine", "default_tmp_storage_engine",
    "default_week_format", "div_precision_increment", "error_count", "explicit_defaults_for_timestamp",
    "foreign_key_checks", "group_concat_max_len", "have_compress", "have_dynamic_loading", "have_geometry",
    "have_openssl", "have_profiling", "have_query_cache", "have_ssl", "have_statement_timeout", "have_symlink",
    "identity", "idle_transaction_timeout", "in_transaction", "information_schema_stats_expiry", "init_connect",
    "innodb_lock_wait_timeout", "innodb_page_size", "innodb_strict_mode", "innodb_version",
    "interactive_timeout", "last_insert_id", "lc_messages", "lc_time_names", "license", "local_infile",
    "lock_wait_timeout", "lower_case_file_system", "lower_case_table_names", "max_allowed_packet",
    "max_connections", "max_execution_time", "max_heap_table_size", "max_join_size", "max_recursive_iterations",
    "max_statement_time", "max_user_connections", "net_buffer_length", "net_read_timeout", "net_write_timeout",
    "optimizer_switch", "performance_schema", "profiling", "protocol_version", "pseudo_thread_id",
    "query_cache_size", "query_cache_type", "read_only", "session_track_gtids", "session_track_schema",
    "session_track_state_change", "session_track_system_variables", "session_track_transaction_info",
    "sql_auto_is_null", "sql_big_selects", "sql_low_priority_updates", "sql_mode", "sql_notes",
    "sql_quote_show_create", "sql_require_primary_key", "sql_safe_updates", "sql_select_limit", "sql_warnings",
    "storage_engine", "super_read_only", "system_time_zone", "table_open_cache", "thread_stack", "time_zone",
    "timestamp", "tmp_table_size", "transaction_isolation", "transaction_read_only", "tx_isolation",
    "tx_read_only", "unique_checks", "version", "version_comment", "version_compile_machine",
    "version_compile_os", "version_ssl_library", "wait_timeout", "warning_count",
    "windowing_use_high_precision",
];

/// Settings that change nothing but how the session itself is served. Sorted.
#[rustfmt::skip]
const WRITABLE: &[&str] = &[
    "autocommit", "cte_max_recursion_depth", "default_week_format", "div_precision_increment",
    "group_concat_max_len", "idle_transaction_timeout", "information_schema_stats_expiry",
    "innodb_lock_wait_timeout", "interactive_timeout", "lc_messages", "lc_time_names", "lock_wait_timeout",
    "max_execution_time", "max_join_size", "max_recursive_iterations", "max_statement_time",
    "net_buffer_length", "net_read_timeout", "net_write_timeout", "query_cache_type", "sql_auto_is_null",
    "sql_big_selects", "sql_notes", "sql_quote_show_create", "sql_select_limit", "sql_warnings", "time_zone",
    "transaction_isolation", "tx_isolation", "wait_timeout", "windowing_use_high_precision",
];

/// Settings that may be switched on, not off.
const ONLY_ON: [&str; 6] = [
    "foreign_key_checks",
    "session_track_schema",
    "sql_safe_updates",
    "transaction_read_only",
    "tx_read_only",
    "unique_checks",
];

/// Figures that `SHOW STATUS` may tell. Sorted.
#[rustfmt::skip]
const FIGURES: &[&str] = &[
    "aborted_clients", "aborted_connects", "bytes_received", "bytes_sent", "compression",
    "compression_algorithm", "connections", "current_tls_version", "last_query_cost", "max_used_connections",
    "open_tables", "opened_tables", "queries", "questions", "ssl_cipher", "ssl_server_not_after",
    "ssl_server_not_before", "ssl_version", "threads_cached", "threads_connected", "threads_created",
    "threads_running", "uptime", "uptime_since_flush_status",
];

fn is_in(list: &[&str], name: &str) -> bool {
    let name = || name.bytes().map(|byte| byte.to_ascii_lowercase());
    list.binary_search_by(|one| one.bytes().cmp(name())).is_ok()
}

/// Whether a setting may be read.
pub(super) fn is_readable(name: &str) -> bool {
    is_in(READABLE, name)
}

/// Whether a session may set it for itself.
pub(super) fn is_writable(name: &str) -> bool {
    is_in(WRITABLE, name)
}

/// Whether it may be switched on only.
pub(super) fn is_only_switched_on(name: &str) -> bool {
    is_in(&ONLY_ON, name)
}

/// All that may be read, for `SHOW VARIABLES`.
pub(super) const fn readable() -> &'static [&'static str] {
    READABLE
}

/// All that may be told, for `SHOW STATUS`.
pub(super) const fn figures() -> &'static [&'static str] {
    FIGURES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted() {
        assert!(READABLE.is_sorted() && WRITABLE.is_sorted() && ONLY_ON.is_sorted() && FIGURES.is_sorted());
        assert!(is_readable("SQL_MODE") && !is_readable("basedir") && !is_writable("sql_log_bin"));
    }
}
