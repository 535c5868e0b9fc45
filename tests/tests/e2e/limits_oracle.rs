//! The database itself says what a limited session may do: random statements as a role with the grant's privileges, and
//! through the gate. A number of statements by hand: `POSTERN_TEST_STATEMENTS=100000`; `POSTERN_TEST_SEED` goes on from
//! a seed. The role that sqlsmith's are compared with may call the functions that a limited session may: sqlsmith calls
//! each as often as any other.

use std::collections::BTreeSet;

use postern_tests::{
    folder::fetched,
    limits::{
        ACCOUNT, NATIVE,
        case::{Case, Expected},
        functions::{keep_native_role_from_them, native_role_may_call},
        generate::{
            innocent,
            items::{item, missing},
            mutated, statement,
        },
        ground::{COMMON, Ground},
        number,
        oracle::Oracle,
        talk::Door,
        tally::Tally,
        views::{self, KINDS},
    },
    postgres::{Postgres, Version},
    process::bound,
    stage::{Stage, Wish},
};
use tokio_postgres::Client;

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

/// What stands in FROM is asked for each name that it might be thought to have and has not. A hidden column further out has
/// that name, or a table that is not granted whole.
async fn names_that_are_not_there(version: Version) {
    let Some((_stage, mut oracle)) = court(version).await else { return };
    let (seed, count) = (number("POSTERN_TEST_SEED", 1), number("POSTERN_TEST_STATEMENTS", 2_000));
    for seed in seed..seed + count {
        let from = item(seed, version.major());
        let Some(columns) = oracle.columns(&from).await else { continue };
        for name in missing(&from, &columns) {
            let inner = format!("select \"{name}\"::text from {from} limit 1");
            oracle.compare(&format!("select ({inner}) from sales as o(a1, a2, a3, \"{name}\")")).await;
            oracle.compare(&format!("select ({inner}) from sales as \"{name}\"")).await;
        }
        let sum: Vec<String> = columns.iter().map(|name| format!("\"{name}\"::text")).collect();
        oracle.compare(&format!("select {} from {from}", sum.join(", "))).await;
    }
    oracle.tally.hold(20);
}

#[tokio::test]
async fn names_that_are_not_there_are_not_found_there_on_15() {
    names_that_are_not_there(Version::Fifteen).await;
}

#[tokio::test]
async fn names_that_are_not_there_are_not_found_there_on_18() {
    names_that_are_not_there(Version::Eighteen).await;
}

/// The part of the schema that the grant covers, for statements that hardly reach beyond it.
const COVERED: &str = "
create table sales (id int primary key, prod_name text, sku text);
create table orders (id int primary key, sale_id int, qty int);
create schema desk;
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

/// Of the reasons for which the gate refused what the native role may run: those that name what that role may not read
/// or call. The server has let it through because it never came to that part.
async fn never_come_to(oracle: &mut Oracle, admin: &Client) -> BTreeSet<String> {
    let reasons: Vec<String> = oracle.tally.strict.keys().cloned().collect();
    let mut all = BTreeSet::new();
    for reason in reasons {
        let why = reason.trim_start_matches("42501 ");
        let function = why.strip_prefix("what function ").and_then(|rest| rest.split(' ').next());
        let column =
            why.strip_prefix("permission denied for column ").and_then(|rest| rest.split_once(" of table "));
        let table = why.strip_prefix("permission denied for table ").map(|table| ("", table));
        let denied = match (function, column.or(table)) {
            (Some(name), _) => !native_role_may_call(admin, name).await,
            (None, Some((column, table))) => {
                let read =
                    ["public", "hr", "desk"].map(|schema| format!("select {column} from {schema}.{table}"));
                oracle.denies(&read).await
            }
            (None, None) => false,
        };
        if denied {
            all.insert(reason);
        }
    }
    all
}

async fn queries_of_sqlsmith(version: Version) {
    let Some((stage, mut oracle)) = court(version).await else { return };
    let admin = stage.postgres.admin().await;
    admin.batch_execute("create database covered").await.expect("it is new");
    let covered = stage.postgres.admin_of("covered").await;
    covered.batch_execute(&format!("{COVERED}{KINDS}")).await.expect("it is empty");
    let common = stage.postgres.admin_of(COMMON).await;
    keep_native_role_from_them(&common).await;
    let (seed, count) = (number("POSTERN_TEST_SEED", 1), number("POSTERN_TEST_STATEMENTS", 600));
    for database in ["covered", COMMON] {
        let Some(queries) = sqlsmith(&stage.postgres, database, seed, count) else { return };
        for sql in queries {
            oracle.compare(&sql).await;
        }
    }
    let apart = never_come_to(&mut oracle, &common).await;
    oracle.tally.hold_without(&apart, 100);
}

#[tokio::test]
async fn queries_of_sqlsmith_get_what_the_native_role_gets_on_15() {
    queries_of_sqlsmith(Version::Fifteen).await;
}

#[tokio::test]
async fn queries_of_sqlsmith_get_what_the_native_role_gets_on_18() {
    queries_of_sqlsmith(Version::Eighteen).await;
}
