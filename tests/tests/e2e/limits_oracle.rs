//! The database itself says what a limited session may do: random statements as a role with the grant's privileges, and
//! through the gate. A number of statements by hand: `POSTERN_TEST_STATEMENTS=100000`; `POSTERN_TEST_SEED` goes on from
//! a seed.

use postern_tests::{
    folder::fetched,
    limits::{
        ACCOUNT, NATIVE,
        case::{Case, Expected},
        generate::{innocent, mutated, statement},
        ground::{COMMON, Ground},
        number,
        oracle::Oracle,
        talk::Door,
        tally::Tally,
        views,
    },
    postgres::{Postgres, Version},
    process::bound,
    stage::{Stage, Wish},
};

fn native(postgres: &Postgres) -> Door {
    Door { port: postgres.port(), user: NATIVE.to_owned(), password: String::new() }
}

/// A limited session beside a native one, both in the same database.
async fn court(version: Version) -> Option<(Stage, Oracle)> {
    let postgres = Postgres::start(version).await?;
    Ground::lay(&postgres, &[]).await;
    views::lay(&postgres).await;
    let stage = Stage::around(postgres, Wish { more: vec![COMMON.to_owned()], ..Wish::default() }).await;
    let access = stage.limited(COMMON, ACCOUNT, &views::resources_with_views()).await;
    let gate = Door { port: stage.sidecar.port(), user: access.account, password: access.token };
    let oracle = Oracle::open(native(&stage.postgres), gate, COMMON).await;
    Some((stage, oracle))
}

async fn random_statements(version: Version) {
    let Some((_stage, mut oracle)) = court(version).await else { return };
    let (seed, count) = (number("POSTERN_TEST_SEED", 1), number("POSTERN_TEST_STATEMENTS", 600));
    eprintln!("seeds {seed} to {} on {version:?}", seed + count - 1);
    for seed in seed..seed + count {
        oracle.compare(&statement(seed)).await;
    }
    oracle.tally.hold(100);
}

#[tokio::test]
async fn random_statements_get_what_the_native_role_gets_on_15() {
    random_statements(Version::Fifteen).await;
}

#[tokio::test]
async fn random_statements_get_what_the_native_role_gets_on_18() {
    random_statements(Version::Eighteen).await;
}

/// Allowed statements to start from: the cases' and the generator's own.
fn beginnings(seed: u64, count: u64) -> Vec<String> {
    let cases = Case::all().into_iter().filter(|case| case.expect == Expected::Allow && !case.captured);
    let cases = cases.filter(|case| case.session.len() == 1 && case.class.starts_with(['r', 'w', 's', 'j']));
    let plain = |sql: &String| !["--", "/*", "pg_", "$t$", "&"].iter().any(|odd| sql.contains(odd));
    cases
        .map(|case| case.session[0].clone())
        .filter(plain)
        .chain((seed..seed + count).map(innocent))
        .collect()
}

#[tokio::test]
async fn a_changed_token_gets_what_the_native_role_gets() {
    let Some((_stage, mut oracle)) = court(Version::Fifteen).await else { return };
    let (seed, count) = (number("POSTERN_TEST_SEED", 1), number("POSTERN_TEST_STATEMENTS", 1200));
    eprintln!("seeds {seed} to {} on 15", seed + count - 1);
    let mut allowed = Vec::new();
    for sql in beginnings(seed, count / 4) {
        if oracle.compare(&sql).await {
            allowed.push(sql);
        }
    }
    oracle.tally = Tally::default();
    for seed in seed..seed + count {
        let from = &allowed[usize::try_from(seed).expect("a seed") % allowed.len()];
        oracle.compare(&mutated(from, seed)).await;
    }
    oracle.tally.hold(100);
}

/// The comparison proves itself without a gate: the account itself in the gate's place is caught.
#[tokio::test]
async fn an_open_gate_would_be_noticed() {
    let postgres = Postgres::start(Version::Fifteen).await.expect("PostgreSQL 15 is installed");
    Ground::lay(&postgres, &[]).await;
    views::lay(&postgres).await;
    let open = Door { user: ACCOUNT.to_owned(), ..native(&postgres) };
    let mut oracle = Oracle::open(native(&postgres), open, COMMON).await;
    for seed in 1..=number("POSTERN_TEST_STATEMENTS", 300) {
        oracle.compare(&statement(seed)).await;
    }
    assert!(oracle.tally.wrong.len() > 30, "{}", oracle.tally.report());
    assert!(oracle.tally.strict.is_empty(), "{}", oracle.tally.report());
}

/// Why functions of the server's own are refused though a native role may call them, in the words of ARCHITECTURE.md, and
/// how the names of those begin that are. sqlsmith calls each function as often as any other.
#[rustfmt::skip]
const REASONS: &[(&str, &[&str])] = &[
    ("they change something outside the session", &[
        "pg_export_snapshot", "pg_current_xact_id", "txid_current", "pg_advisory_", "pg_try_advisory_", "pg_logical_",
        "pg_notify", "lo_", "loread", "lowrite", "nextval", "setval", "pg_cancel_backend", "pg_terminate_backend",
        "pg_sleep", "binary_upgrade_", "brin_", "gin_clean_", "pg_nextoid", "pg_stop_making_pinned", "pg_replication_",
        "pg_create_", "pg_drop_", "pg_copy_", "pg_import_", "pg_extension_config_", "pg_clear_", "pg_restore_",
        "pg_sync_",
    ]),
    ("they tell where the write-ahead log stands", &[
        "pg_current_wal_", "pg_last_wal_", "pg_walfile_name", "pg_last_committed",
        "pg_available_wal_", "pg_wal_summary_", "pg_split_walfile_",
    ]),
    ("they concern the server as a whole", &[
        "pg_control_", "pg_rotate_logfile", "pg_current_logfile", "pg_reload_conf", "pg_switch_wal", "pg_read_", "pg_ls_",
        "pg_stat_file", "pg_promote", "pg_create_restore_point", "pg_backup_", "pg_wal_replay_", "pg_log_", "pg_xact_",
        "txid_status", "pg_hba_", "pg_ident_", "pg_show_", "pg_config", "pg_tablespace_size", "pg_database_size",
    ]),
    ("they count what is done with a table", &["pg_stat_get_", "pg_stat_reset", "pg_stat_have_stats"]),
    ("they tell of objects in ways that no tool was seen to need", &[
        "has_", "_pg_", "pg_identify_", "pg_get_", "pg_relation_", "pg_filenode_", "pg_column_is_", "pg_column_toast_",
        "regclass", "pg_index_has_", "pg_sequence_",
        "pg_collation_actual", "pg_database_collation", "row_security_active", "currtid", "amvalidate", "pg_settings_get_",
        "pg_extension_update_", "pg_event_trigger_", "pg_timezone_", "pg_cursor", "pg_prepared_", "pg_lock_status",
        "ts_debug", "ts_parse", "ts_token_type", "pg_basetype", "pg_mcv_list_items", "pg_input_", "pg_indexam_progress",
        "pg_tablespace_databases", "to_reg", "satisfies_hash_", "pg_blocking_", "pg_safe_snapshot_", "pg_isolation_",
    ]),
    ("they are the server's own machinery, or make values of whatever type a number names", &[
        "array_in", "enum_in", "domain_in", "record_in", "range_in", "multirange_in", "any", "shell_", "trigger_out",
        "event_trigger_out", "language_handler_", "fdw_handler_", "index_am_", "table_am_", "tsm_", "plpgsql_", "fmgr_",
        "postgresql_fdw_", "aclinsert", "aclremove", "pg_ddl_command_",
    ]),
    ("they run a text", &[
        "query_to_xml", "table_to_xml", "schema_to_xml", "database_to_xml", "cursor_to_xml", "ts_stat", "ts_rewrite",
    ]),
];

/// Whether ARCHITECTURE.md has this reason for refusing what the account may do.
fn is_told(reason: &str) -> bool {
    let text = include_str!("../../../ARCHITECTURE.md").split_whitespace().collect::<Vec<_>>().join(" ");
    // The native role may not read that either; the server never came to it.
    if reason.starts_with("42501 permission denied for ") {
        return text.contains("a read outside the grant in a place that the server would never execute");
    }
    let Some((_, rest)) = reason.split_once("42501 what function ") else { return false };
    let begins = |(_, names): &&(&str, &[&str])| names.iter().any(|name| rest.starts_with(name));
    REASONS.iter().find(begins).is_some_and(|(why, _)| text.contains(why))
}

/// The part of the schema that the grant covers, for statements that hardly reach beyond it.
const COVERED: &str = "
create table sales (id int primary key, prod_name text, sku text);
create table orders (id int primary key, sale_id int, qty int);
";

/// The queries that sqlsmith writes for what it finds in a database: an independent hand.
fn sqlsmith(postgres: &Postgres, database: &str, seed: u64, count: u64) -> Option<Vec<String>> {
    let program = fetched("sqlsmith")?.join("root/usr/bin/sqlsmith");
    let target = format!("host=127.0.0.1 port={} user=postgres dbname={database}", postgres.port());
    let mut command = bound(program, "KILL");
    command.args(["--dry-run", "--exclude-catalog", &format!("--target={target}")]);
    command.args([format!("--seed={seed}"), format!("--max-queries={count}")]);
    let output = command.output().expect("sqlsmith runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let queries: Vec<String> =
        text.split(";\n").map(|sql| sql.trim().to_owned()).filter(|sql| !sql.is_empty()).collect();
    assert!(!queries.is_empty(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Some(queries)
}

async fn queries_of_sqlsmith(version: Version) {
    let Some((stage, mut oracle)) = court(version).await else { return };
    let admin = stage.postgres.admin().await;
    admin.batch_execute("create database covered").await.expect("it is new");
    stage.postgres.admin_of("covered").await.batch_execute(COVERED).await.expect("it is empty");
    let (seed, count) = (number("POSTERN_TEST_SEED", 1), number("POSTERN_TEST_STATEMENTS", 600));
    for database in ["covered", COMMON] {
        let Some(queries) = sqlsmith(&stage.postgres, database, seed, count) else { return };
        for sql in queries {
            oracle.compare(&sql).await;
        }
    }
    oracle.tally.hold_but(is_told, 100);
}

#[tokio::test]
async fn queries_of_sqlsmith_get_what_the_native_role_gets_on_15() {
    queries_of_sqlsmith(Version::Fifteen).await;
}

#[tokio::test]
async fn queries_of_sqlsmith_get_what_the_native_role_gets_on_18() {
    queries_of_sqlsmith(Version::Eighteen).await;
}
