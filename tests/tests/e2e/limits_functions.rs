//! Each function of the server's own can be called in a limited session, or is kept back for a reason that is told.

use std::collections::BTreeSet;

use postern_tests::{
    limits::{
        ACCOUNT,
        functions::{Function, callable, kept_back},
        resources,
    },
    postgres::{Postgres, Version},
    stage::{REPO, Stage, Wish},
};

/// Compares what the gate refuses with what is written down. No function is executed.
async fn functions_are_allowed_or_listed(version: Version) {
    let Some(postgres) = Postgres::start(version).await else { return };
    let admin = postgres.admin().await;
    admin.batch_execute(include_str!("../../data/pg_schema.sql")).await.expect("the schema runs");
    let all = callable(&admin).await;
    let stage = Stage::around(postgres, Wish::default()).await;
    let access = stage.limited(REPO, ACCOUNT, &resources()).await;
    let client = stage.connect(&access).await;
    let mut refused = BTreeSet::new();
    for Function { name, call, .. } in &all {
        let Err(error) = client.prepare(call).await else { continue };
        let detail = error.as_db_error().and_then(|error| error.detail()).unwrap_or_default();
        if detail.starts_with("what function ") {
            refused.insert(&**name);
        }
    }
    let names: BTreeSet<&str> = all.iter().map(|function| &*function.name).collect();
    let listed: BTreeSet<&str> =
        kept_back().into_values().flatten().filter(|name| names.contains(name)).collect();
    let (new, gone): (Vec<_>, Vec<_>) =
        (refused.difference(&listed).collect(), listed.difference(&refused).collect());
    assert!(names.len() > 2000, "{}", names.len());
    // A minor release may bring a few more. What nobody has looked at is refused, as it should be.
    assert!(new.len() < 4, "refused, but not listed: {new:?}");
    assert!(gone.is_empty(), "listed, but not refused: {gone:?}");
}

#[tokio::test]
async fn each_function_of_the_server_is_allowed_or_kept_back_for_a_reason_on_15() {
    functions_are_allowed_or_listed(Version::Fifteen).await;
}

#[tokio::test]
async fn each_function_of_the_server_is_allowed_or_kept_back_for_a_reason_on_18() {
    functions_are_allowed_or_listed(Version::Eighteen).await;
}

#[test]
fn each_reason_to_keep_functions_back_is_told() {
    let text = include_str!("../../../ARCHITECTURE.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for (reason, names) in kept_back() {
        assert!(text.contains(reason) && !names.is_empty(), "{reason}: {names:?}");
    }
}
