//! Texts that are others whenever a catalog says something else.
//!
//! A server has to be asked for every column to know that none has changed, which takes its time where there are very
//! many. MySQL keeps for each table in which second it was altered: a text of those is there at once. It does not tell
//! all, for clocks can be set, and tables that were made together can trade names; so it only spares some of the
//! questions for all columns.

use crate::enforce::mysql::Server;

/// As much of a column's type as is kept.
pub(super) const TYPE: &str = "LEFT(COLUMN_TYPE, 256)";

/// Whether the server reads its catalog from tables of its own, where it costs little to ask for any property.
const fn has_dictionary(server: Server) -> bool {
    !server.is_maria() && server.version >= 80_000
}

/// The kind of a table. Others than MySQL would have to open every table to know whether it has partitions.
pub(super) const fn table_type(server: Server) -> &'static str {
    if has_dictionary(server) {
        "IF(CREATE_OPTIONS LIKE '%partitioned%', 'PARTITIONED', TABLE_TYPE)"
    } else {
        "TABLE_TYPE"
    }
}

/// What more there is to know of a column. The columns that say since when and until when a row was valid are there for
/// every versioned table, but where the table does not name them itself they are not listed.
pub(super) const fn extra(server: Server) -> &'static str {
    if server.is_maria() {
        "CONCAT(EXTRA, IF(GENERATION_EXPRESSION = 'ROW START', ', ROW START', ''))"
    } else {
        "EXTRA"
    }
}

/// Number and sum over the hashes of rows, and another value over all of them. No name holds the letter that stands
/// between two fields.
fn sum_and(value: &str, fields: &str, rest: &str) -> String {
    format!(
        "(SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS(CHAR(0), {fields}), 256), 16), 16, 10) \
         AS UNSIGNED)), 0), {value}) FROM information_schema.{rest})"
    )
}

fn sum(fields: &str, rest: &str) -> String {
    sum_and("''", fields, rest)
}

fn columns(rest: &str) -> String {
    let fields = format!("c.TABLE_SCHEMA, c.TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, EXTRA, {TYPE}");
    sum(&fields, rest)
}

fn statement(sums: &[String]) -> String {
    let schemas = sum("SCHEMA_NAME", "SCHEMATA");
    let functions = sum("ROUTINE_SCHEMA, ROUTINE_NAME", "ROUTINES WHERE ROUTINE_TYPE = 'FUNCTION'");
    let views = sum("TABLE_SCHEMA, TABLE_NAME, SECURITY_TYPE", "VIEWS");
    format!(
        "SELECT CONCAT_WS(' ', VERSION(), @@lower_case_table_names, {schemas}, {functions}, {views}, {})",
        sums.join(", ")
    )
}

/// The statement that gives a text of everything that is in a snapshot, but for loadable functions.
pub(super) fn whole(server: Server) -> String {
    let tables = sum(&format!("TABLE_SCHEMA, TABLE_NAME, {}", table_type(server)), "TABLES");
    statement(&[tables, columns("COLUMNS c")])
}

/// The statement that gives a text of when tables were altered, where there is one; a text that never comes again while
/// the second in which one was altered is not over for sure. Views do not tell when.
pub(super) fn quick(server: Server) -> Option<String> {
    let settled = "IF(MAX(CREATE_TIME) > NOW() - INTERVAL 2 SECOND, UUID(), '')";
    let tables = sum_and(settled, "TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, CREATE_TIME", "TABLES");
    let views = columns(
        "TABLES t STRAIGHT_JOIN information_schema.COLUMNS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA \
         AND c.TABLE_NAME = t.TABLE_NAME WHERE t.TABLE_TYPE = 'VIEW'",
    );
    has_dictionary(server).then(|| statement(&["@@server_uuid".to_owned(), tables, views]))
}
