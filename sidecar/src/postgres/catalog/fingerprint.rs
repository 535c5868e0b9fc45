//! One text that is another one whenever a catalog says something else.
//!
//! Every version of a catalog's row carries the number of the transaction that wrote it (`xmin`), so a sum over the
//! hashes of those tells two states apart without reading what the rows say. Temporary tables are left out: some
//! programs make and drop them all the time, and no snapshot holds them.

/// Begins a transaction that sees one moment, and says which. The moment is named by the transactions that are over,
/// and by when the configuration was read; where two are the same nothing can have changed. On a standby they do not tell, and the moment is NULL.
///
/// The search path is pinned once more, because a login trigger comes after the start-up options.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SET LOCAL search_path = pg_catalog; \
     SELECT CASE WHEN NOT pg_is_in_recovery() THEN concat(pg_current_snapshot(), ' ', pg_conf_load_time()) END";

/// Catalogs of which every row counts.
const WHOLE: [&str; 4] = ["pg_proc", "pg_operator", "pg_cast", "pg_extension"];

/// Catalogs of which those rows count that did not come with the server.
const OF_OTHERS: [&str; 3] = ["pg_opclass", "pg_amproc", "pg_amop"];

const TEMPORARY: &str = "SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_'";

/// The statement that gives the fingerprint, to be run behind [`BEGIN`].
pub(super) fn statement() -> String {
    let sum = |hash: &str, rest: &str| {
        format!("(SELECT concat(count(*), ':', sum({hash})) FROM pg_catalog.{rest})")
    };
    let row = "hashtextextended(xmin::text, oid::int8)";
    let mut sums: Vec<String> = WHOLE.iter().map(|catalog| sum(row, catalog)).collect();
    sums.extend(OF_OTHERS.iter().map(|catalog| sum(row, &format!("{catalog} WHERE oid >= 16384"))));
    sums.push(sum(row, "pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'"));
    sums.push(sum(row, &format!("pg_type WHERE typnamespace NOT IN ({TEMPORARY})")));
    sums.push(sum(row, "pg_constraint WHERE contypid > 0"));
    // What a relation is, and not that its rows moved: TRUNCATE and REFRESH write here as well.
    sums.push(sum(
        "hashtextextended(relname::text, (oid::int8 << 32) + (relnamespace::int8 << 8) + ascii(relkind::text))",
        "pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND relpersistence <> 't'",
    ));
    sums.push(sum(
        "hashtextextended(xmin::text, (attrelid::int8 << 16) + attnum)",
        "pg_attribute WHERE attnum > 0 AND attrelid NOT IN \
         (SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't')",
    ));
    sums.push(sum(
        "hashtextextended(concat(w.xmin, v.reloptions), v.oid::int8)",
        "pg_rewrite w JOIN pg_catalog.pg_class v ON v.oid = w.ev_class \
         WHERE w.oid >= 16384 AND v.relpersistence <> 't'",
    ));
    sums.push(sum("hashtextextended(xmin::text, (inhrelid::int8 << 16) + inhseqno)", "pg_inherits"));
    sums.push(sum(
        "hashtextextended(xmin::text, (objid::int8 << 32) + refobjid::int8)",
        "pg_depend WHERE refclassid = 'pg_catalog.pg_extension'::regclass AND deptype = 'e' \
         OR classid = 'pg_catalog.pg_class'::regclass AND refclassid = 'pg_catalog.pg_class'::regclass \
         AND refobjsubid > 0 AND deptype IN ('a', 'i') \
         AND objid IN (SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'S' AND relpersistence <> 't')",
    ));
    format!(
        "SELECT concat_ws(' ', current_database(), current_setting('server_version_num'), pg_conf_load_time(), {})",
        sums.join(", ")
    )
}
