//! Known ways past limits, and what limits must let through: every session of `tests/data/pg_cases.jsonl` through the
//! gate, on both versions.

use postern_tests::{
    limits::{
        ACCOUNT, NATIVE,
        case::{Case, Expected},
        ground::Ground,
        resources,
        talk::Door,
        trial::{Finding, Trial},
    },
    postgres::{Postgres, Version},
    stage::{Stage, Wish},
};

const VERSIONS: [Version; 2] = [Version::Fifteen, Version::Eighteen];

/// Let through by choice, though they tell a little: a table's estimated rows and its size, which every tool that lists
/// tables asks for in joins that cannot be told apart from these.
const CHOSEN: [&str; 2] = ["pg-catalog-042", "pg-catalog-043"];

/// Findings with the version before each.
fn labelled(version: Version, findings: Vec<Finding>) -> Vec<String> {
    findings.into_iter().map(|finding| format!("{version:?} {}", finding.text)).collect()
}

async fn through_the_gate(version: Version, cases: &[Case]) -> Vec<String> {
    let Some(postgres) = Postgres::start(version).await else { return Vec::new() };
    let ground = Ground::lay(&postgres, cases).await;
    let stage = Stage::around(postgres, Wish { more: ground.databases(), ..Wish::default() }).await;
    let mut findings = Vec::new();
    for database in ground.databases() {
        let access = stage.limited(&database, ACCOUNT, &resources()).await;
        let door = Door { port: stage.sidecar.port(), user: access.account, password: access.token };
        let here: Vec<Case> = cases.iter().filter(|case| ground.home(case) == database).cloned().collect();
        findings.extend(Trial::new(&stage.postgres, &ground, door).play(&here).await);
    }
    labelled(version, findings)
}

async fn hold(classes: &[&str]) {
    let cases: Vec<Case> =
        Case::of(classes).into_iter().filter(|case| !CHOSEN.contains(&case.id.as_str())).collect();
    let mut findings = Vec::new();
    for version in VERSIONS {
        findings.extend(through_the_gate(version, &cases).await);
    }
    assert!(
        findings.is_empty(),
        "{} findings in {} cases\n\n{}",
        findings.len(),
        cases.len(),
        findings.join("\n")
    );
}

async fn directly(version: Version, user: &str, cases: &[Case]) -> Option<Vec<Finding>> {
    let postgres = Postgres::start(version).await?;
    let ground = Ground::lay(&postgres, cases).await;
    let door = Door { port: postgres.port(), user: user.to_owned(), password: String::new() };
    Some(Trial::new(&postgres, &ground, door).play(cases).await)
}

/// The checks prove themselves without a gate: what is known to leak is found.
#[tokio::test]
async fn every_known_leak_is_found_where_nothing_stops_it() {
    let leaks = |case: &Case| case.verified.get("pg15.20").is_some_and(|seen| seen.powerful == "LEAK");
    let cases: Vec<Case> = Case::all().into_iter().filter(leaks).collect();
    let findings = directly(Version::Fifteen, ACCOUNT, &cases).await.expect("PostgreSQL 15 is installed");
    for case in &cases {
        let found = findings.iter().find(|finding| finding.id == case.id);
        let found = found.unwrap_or_else(|| panic!("nobody noticed {}: {:?}", case.id, case.session));
        let echo = case.session.iter().any(|sql| sql.contains("SECRET"));
        assert!(echo || found.text.contains("LEAK"), "{}", found.text);
    }
}

/// The checks prove themselves without a gate: a role with the grant's privileges passes what must be allowed.
#[tokio::test]
async fn what_must_be_allowed_is_what_a_native_role_may_do() {
    for version in VERSIONS {
        let cases: Vec<Case> =
            Case::all().into_iter().filter(|case| case.expect == Expected::Allow).collect();
        let Some(findings) = directly(version, NATIVE, &cases).await else { return };
        // `currval` natively needs USAGE on the sequence, which no grant of a table gives.
        let odd: Vec<_> =
            findings.iter().filter(|finding| finding.id != "pg-introspection-tools-036").collect();
        assert!(
            odd.is_empty(),
            "{}",
            odd.iter().map(|finding| &*finding.text).collect::<Vec<_>>().join("\n")
        );
    }
}

macro_rules! held {
    ($($name:ident: $($class:literal)+;)+) => {
        const HELD: &[&str] = &[$($($class),+),+];
        $(
            #[tokio::test]
            async fn $name() {
                hold(&[$($class),+]).await;
            }
        )+
    };
}

held! {
    cases_of_references_and_scopes: "direct-column" "direct-star" "direct-table" "system-column" "join" "scope-alias";
    cases_of_inference: "infer-aggregate" "infer-case" "infer-distinct" "infer-group-by" "infer-having"
        "infer-limit" "infer-order-by" "infer-select-expr" "infer-tablesample" "infer-where" "infer-window";
    cases_of_whole_row: "whole-row";
    cases_of_dml_and_copy: "dml" "dml-pg17" "dml-pg18" "copy" "write";
    cases_of_view_and_ddl_admin: "view" "ddl-admin";
    cases_of_function_and_operator: "builtin" "function" "overload" "operator" "extension";
    cases_of_session_and_prepared: "session-guc" "session" "session-more" "prepared" "cursor" "multi" "async";
    cases_of_catalog_and_explain: "catalog" "introspection-deny" "explain";
    cases_of_lexer_and_grammar: "lexer" "lexer-allow" "grammar-drift";
    cases_of_read_and_introspection: "read" "read-more" "introspection-asyncpg" "introspection-django"
        "introspection-node" "introspection-pgjdbc" "introspection-psql" "introspection-psycopg2"
        "introspection-psycopg3" "introspection-sqlalchemy" "introspection-tools";
}

#[test]
fn every_class_of_cases_is_held() {
    let missing: Vec<String> =
        Case::all().into_iter().map(|case| case.class).filter(|class| !HELD.contains(&&**class)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
