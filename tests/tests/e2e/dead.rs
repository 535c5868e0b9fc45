//! Dead means dead: when a grant ends, whatever its sessions are doing, the client is told, its connection closes,
//! the database's backend goes and what it had begun never happened.
//!
//! The sidecar keeps no connections ready here (`warm = 0`), so that every backend of an account is a session's,
//! except those with which it ends others, which call themselves `postern`.

use std::{env, sync::Arc};

use postern_tests::{
    directory::Directory,
    stage::{ALICE, Access, REPO, Stage, Wish},
    wait::{patiently, until, until_some},
    wire::{Fields, Raw, extended, frame, query, sync},
};
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};
use tokio_postgres::Client;

const TABLES: &str = "
create table ledger (id int primary key, amount int);
insert into ledger select n, 0 from generate_series(1, 20000) n;
create table intake (line text);
create table trace (n int);
grant all on all tables in schema public to app_rw;
";

/// What a session is busy with when its grant ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    HoldingALock,
    Sleeping,
    Updating,
    CopyingIn,
    CopyingOutUnread,
    NothingYet,
    Pipelining,
}

const EVERYTHING: [Doing; 8] = [
    Doing::Nothing,
    Doing::HoldingALock,
    Doing::Sleeping,
    Doing::Updating,
    Doing::CopyingIn,
    Doing::CopyingOutUnread,
    Doing::NothingYet,
    Doing::Pipelining,
];

/// A session in the middle of something.
struct Victim {
    doing: Doing,
    name: String,
    end: JoinHandle<Option<Fields>>,
    read_on: Arc<tokio::sync::Notify>,
}

/// Sends statements without ever waiting for an answer, and reads the answers beside, as a pipelining driver does.
async fn pipeline(raw: Raw) -> Option<Fields> {
    let (mut writer, mut reader) = raw.split();
    let sending = tokio::spawn(async move {
        let statement = [extended("insert into trace values (1)"), sync()].concat();
        while writer.try_send(&statement).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    let error = reader.last_error().await;
    sending.abort();
    error
}

async fn begin(stage: &Stage, access: &Access, doing: Doing) -> Victim {
    let name = format!("victim {doing:?}");
    let parameters =
        [("user", access.account.as_str()), ("database", REPO), ("application_name", name.as_str())];
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    raw.log_in(&parameters, &access.token).await.unwrap();
    match doing {
        Doing::NothingYet | Doing::Pipelining => {}
        Doing::Nothing => drop(raw.ask("select 1").await),
        Doing::HoldingALock => drop(raw.ask("begin; update ledger set amount = 1 where id = 1").await),
        Doing::Sleeping => raw.send(&query("select pg_sleep(600)")).await,
        Doing::Updating => {
            raw.send(&query("update ledger set amount = 2 where id > 1 and pg_sleep(0.01) is not null"))
                .await;
        }
        Doing::CopyingIn => {
            raw.send(&query("copy intake from stdin")).await;
            assert_eq!(raw.until(b'G').await.last().unwrap().kind, b'G');
            raw.send(&frame(b'd', "a line\n".repeat(1000).as_bytes())).await;
        }
        Doing::CopyingOutUnread => {
            raw.send(&query("copy (select repeat('x', 1000), generate_series(1, 100000000)) to stdout"))
                .await;
        }
    }
    let read_on = Arc::new(tokio::sync::Notify::new());
    let waits = Arc::clone(&read_on);
    let end = tokio::spawn(async move {
        if doing == Doing::Pipelining {
            return pipeline(raw).await;
        }
        if doing == Doing::CopyingOutUnread {
            waits.notified().await;
        }
        raw.last_error().await
    });
    let victim = Victim { doing, name, end, read_on };
    until("the session to be busy", async || stage.postgres.backends(&busy(&victim)).await == 1).await;
    victim
}

/// The condition on `pg_stat_activity` under which a victim is where it is meant to be.
fn busy(victim: &Victim) -> String {
    let state = match victim.doing {
        Doing::Nothing | Doing::NothingYet => "state = 'idle'",
        Doing::HoldingALock => "state = 'idle in transaction'",
        Doing::Sleeping | Doing::Updating => "wait_event = 'PgSleep'",
        Doing::CopyingIn => "wait_event = 'ClientRead' and state = 'active'",
        Doing::CopyingOutUnread => "wait_event = 'ClientWrite'",
        Doing::Pipelining => "query like 'insert into trace%'",
    };
    format!("application_name = '{}' and {state}", victim.name)
}

/// The condition on `pg_stat_activity` for backends of sessions.
const OF_SESSIONS: &str = "usename = 'app_rw' and application_name <> 'postern'";

async fn prepared(wish: Wish) -> Stage {
    let stage = Stage::with(Wish { repo: "tls = \"disable\"\nwarm = 0".to_owned(), ..wish }).await;
    stage.postgres.admin().await.batch_execute(TABLES).await.unwrap();
    stage
}

async fn rows_of_trace(admin: &Client) -> i64 {
    admin.query_one("select count(*) from trace", &[]).await.unwrap().get(0)
}

/// Fails unless the database is as if none of the victims had ever been there. Asks once and waits for nothing.
async fn nothing_is_left(admin: &Client, account: &str) {
    let sql = "select coalesce(string_agg(application_name || ': ' || query, '; '), '')
               from pg_stat_activity where usename = $1 and application_name <> 'postern'";
    let left: String = admin.query_one(sql, &[&account]).await.unwrap().get(0);
    assert_eq!(left, "", "backends are left");
    let unchanged = "select count(*) from (select 1 from ledger where amount = 0 for update nowait) x";
    assert_eq!(admin.query_one(unchanged, &[]).await.unwrap().get::<_, i64>(0), 20_000);
    assert_eq!(admin.query_one("select count(*) from intake", &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// Fails unless the client of each victim was told, in words that hold all of `words`, and cut off.
async fn all_were_told(victims: Vec<Victim>, words: &[&str]) {
    for victim in victims {
        victim.read_on.notify_one();
        let error = patiently("the connection to close", victim.end).await.unwrap();
        if victim.doing == Doing::CopyingOutUnread && error.is_none() {
            continue; // It was not reading: there may have been no room to tell it.
        }
        let error = error.unwrap_or_else(|| panic!("{}: closed without a word", victim.name));
        assert_eq!((error.get('S'), error.code()), ("FATAL", "57P01"), "{}: {error:?}", victim.name);
        for word in words {
            assert!(error.message().contains(word), "{}: no {word:?} in {:?}", victim.name, error.message());
        }
    }
}

async fn revoked_while(doing: &[Doing]) {
    let stage = prepared(Wish::default()).await;
    let access = stage.access("app_rw", "1h").await;
    // What the sidecar still knows would be counted among those that the revocation ends.
    until("the first sessions to go", async || {
        stage.postgres.backends(OF_SESSIONS).await == 0 && stage.sidecar.sessions().await < 1.0
    })
    .await;
    let admin = stage.postgres.admin().await;
    let mut victims = Vec::new();
    for &doing in doing {
        victims.push(begin(&stage, &access, doing).await);
    }
    let answer = stage.revoke(&access).await;
    nothing_is_left(&admin, "app_rw").await;
    let written = rows_of_trace(&admin).await;
    assert_eq!(answer["sidecars"][0]["name"], "edge-1", "{answer}");
    assert_eq!(answer["sidecars"][0]["acknowledged"], true, "{answer}");
    assert_eq!(answer["sidecars"][0]["sessions_ended"], doing.len(), "{answer}");
    assert_eq!(answer["grant"]["state"], "REVOKED", "{answer}");
    all_were_told(victims, &["revoked", "client:admin", "the ticket is closed", &access.grant]).await;
    assert_eq!(rows_of_trace(&admin).await, written, "a queued statement took effect after the revocation");
    assert_eq!(stage.raw(&access).await.err().unwrap().code(), "28000");
}

#[tokio::test]
async fn a_revoked_grant_ends_an_idle_session() {
    revoked_while(&[Doing::Nothing]).await;
}

#[tokio::test]
async fn a_revoked_grant_frees_the_row_lock_of_an_open_transaction() {
    revoked_while(&[Doing::HoldingALock]).await;
}

#[tokio::test]
async fn a_revoked_grant_ends_a_sleeping_statement() {
    revoked_while(&[Doing::Sleeping]).await;
}

#[tokio::test]
async fn a_revoked_grant_rolls_a_long_update_back() {
    revoked_while(&[Doing::Updating]).await;
}

#[tokio::test]
async fn a_revoked_grant_ends_a_copy_in_midstream() {
    revoked_while(&[Doing::CopyingIn]).await;
}

#[tokio::test]
async fn a_revoked_grant_ends_a_session_that_is_not_reading() {
    revoked_while(&[Doing::CopyingOutUnread]).await;
}

#[tokio::test]
async fn a_revoked_grant_ends_a_session_before_its_first_query() {
    revoked_while(&[Doing::NothingYet]).await;
}

#[tokio::test]
async fn a_revoked_grant_ends_a_session_that_keeps_pipelining() {
    revoked_while(&[Doing::Pipelining]).await;
}

#[tokio::test]
async fn a_revoked_grant_ends_all_of_its_sessions_whatever_they_do() {
    revoked_while(&EVERYTHING).await;
}

#[tokio::test]
async fn a_database_that_no_longer_answers_keeps_nobody_in() {
    let stage = prepared(Wish { database_wire: true, ..Wish::default() }).await;
    let access = stage.access("app_rw", "1h").await;
    let mut victims = Vec::new();
    for doing in EVERYTHING {
        victims.push(begin(&stage, &access, doing).await);
    }
    stage.database_wire.freeze();
    let answer = stage.revoke(&access).await;
    all_were_told(victims, &["revoked", &access.grant]).await;
    assert_eq!(answer["grant"]["state"], "REVOKED");
    assert_eq!(stage.raw(&access).await.err().unwrap().code(), "28000");
    stage.database_wire.heal();
    until("the backends to go", async || stage.postgres.backends(OF_SESSIONS).await == 0).await;
    nothing_is_left(&stage.postgres.admin().await, "app_rw").await;
}

/// A relay hides from the database which connection is the sidecar's, so a backend may outlive the call by a moment.
#[tokio::test]
async fn a_revoked_grant_ends_its_sessions_at_a_database_behind_a_relay() {
    let stage = prepared(Wish { database_wire: true, ..Wish::default() }).await;
    let access = stage.access("app_rw", "1h").await;
    let mut victims = Vec::new();
    for doing in EVERYTHING {
        victims.push(begin(&stage, &access, doing).await);
    }
    stage.revoke(&access).await;
    let returned = std::time::Instant::now();
    until("the backends to go", async || stage.postgres.backends(OF_SESSIONS).await == 0).await;
    eprintln!("the last backend went {:?} after the call returned", returned.elapsed());
    nothing_is_left(&stage.postgres.admin().await, "app_rw").await;
    all_were_told(victims, &["revoked", &access.grant]).await;
}

#[tokio::test]
async fn a_revoked_grant_ends_hundreds_of_sessions_at_once() {
    let count = env::var("POSTERN_TEST_SESSIONS").map_or(200, |count| count.parse().unwrap());
    let stage = prepared(Wish::default()).await;
    let access = stage.access("app_rw", "1h").await;
    until("the first sessions to go", async || stage.postgres.backends(OF_SESSIONS).await == 0).await;
    let admin = stage.postgres.admin().await;
    let mut sessions = Vec::new();
    for n in 0..count {
        let mut raw = stage.raw(&access).await.unwrap();
        let sql = if n % 2 == 0 { "select 1" } else { "begin; lock table intake in access share mode" };
        raw.ask(sql).await;
        sessions.push(raw);
    }
    let mut ends = JoinSet::new();
    for mut raw in sessions {
        ends.spawn(async move { raw.last_error().await });
    }
    let answer = stage.revoke(&access).await;
    nothing_is_left(&admin, "app_rw").await;
    assert_eq!(answer["sidecars"][0]["acknowledged"], true, "{answer}");
    assert_eq!(answer["sidecars"][0]["sessions_ended"], count, "{answer}");
    for error in patiently("all to close", ends.join_all()).await {
        assert_eq!(error.expect("each is told").code(), "57P01");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_a_slow_database_is_turned_away_by_a_revocation() {
    let stage = prepared(Wish { database_wire: true, ..Wish::default() }).await;
    let access = stage.access("app_rw", "1h").await;
    until("the first session to go", async || stage.postgres.backends(OF_SESSIONS).await == 0).await;
    stage.database_wire.freeze();
    let before = stage.database_wire.connections();
    let (port, token) = (stage.sidecar.port(), access.token.clone());
    let waiting = tokio::spawn(async move {
        let mut raw = Raw::connect(port).await;
        raw.log_in(&[("user", "app_rw"), ("database", REPO)], &token).await.err()
    });
    until("the sidecar to call the database", async || stage.database_wire.connections() > before).await;
    let answer = stage.revoke(&access).await;
    assert_eq!(answer["sidecars"][0]["acknowledged"], true, "{answer}");
    let refused = patiently("the refusal", waiting).await.unwrap().expect("a revoked grant was let in");
    assert!(["57P01", "28000"].contains(&refused.code()), "{refused:?}");
    stage.database_wire.heal();
    until("no backend", async || stage.postgres.backends(OF_SESSIONS).await == 0).await;
}

/// Stands for the grant's id among the words that a client is told.
const GRANT: &str = "{grant}";

/// Ends every kind of session by what `end` does, which need not have taken effect when it returns.
async fn ended_by(
    wish: Wish,
    duration: u32,
    words: &[&str],
    end: impl AsyncFnOnce(&mut Stage, &Access),
) -> (Stage, Access) {
    let mut stage = prepared(wish).await;
    let access = stage.access("app_rw", duration).await;
    let mut victims = Vec::new();
    for doing in EVERYTHING {
        victims.push(begin(&stage, &access, doing).await);
    }
    end(&mut stage, &access).await;
    let words: Vec<&str> =
        words.iter().map(|word| if *word == GRANT { &access.grant } else { *word }).collect();
    all_were_told(victims, &words).await;
    let admin = stage.postgres.admin().await;
    until("the backends to go", async || stage.postgres.backends(OF_SESSIONS).await == 0).await;
    nothing_is_left(&admin, "app_rw").await;
    (stage, access)
}

#[tokio::test]
async fn an_expired_grant_ends_its_sessions_without_the_control_plane() {
    let end = async |stage: &mut Stage, _: &Access| stage.control.kill();
    ended_by(Wish::default(), 20, &["expired", GRANT], end).await;
}

#[tokio::test]
async fn a_lost_control_plane_ends_every_session_when_the_lease_runs_out() {
    let wish = Wish { lease: "3s".to_owned(), ..Wish::default() };
    let end = async |stage: &mut Stage, _: &Access| stage.control_wire.freeze();
    let (stage, access) = ended_by(wish, 3600, &["lease", GRANT], end).await;
    let token = stage.token(ALICE).await;
    for token in [&access.token, &token] {
        let refused = stage.raw_as("app_rw", token).await.err().unwrap();
        assert!(["57P03", "08006"].contains(&refused.code()), "{refused:?}");
    }
    stage.control_wire.heal();
    until("the sidecar to come back", async || stage.raw_as("app_rw", &token).await.is_ok()).await;
}

#[tokio::test]
async fn a_disabled_repo_ends_its_sessions_and_lets_nobody_in() {
    let end = async |stage: &mut Stage, _: &Access| {
        stage.api.patch("/v1/repos/sales", json!({"ephemeral_access": false})).await.ok();
    };
    let (stage, access) = ended_by(Wish::default(), 3600, &["client:admin", GRANT], end).await;
    assert!(stage.raw(&access).await.is_err());
}

#[tokio::test]
async fn whoever_the_directory_shuts_out_loses_every_session_and_comes_back_to_nothing() {
    let end = async |stage: &mut Stage, access: &Access| {
        let okta = Directory::of(&stage.api, &stage.control.url(), "okta").await;
        let alice = okta.provision("Alice@Example.com").await;
        stage.raw(access).await.unwrap();
        okta.set_active(&alice, false).await;
        until("the refusal", async || stage.raw(access).await.is_err()).await;
        okta.set_active(&alice, true).await;
    };
    let told = ["identity deactivated", "client:okta", GRANT];
    let (stage, access) = ended_by(Wish::default(), 3600, &told, end).await;
    let fresh = stage.token(ALICE).await;
    until("the token to be known", async || {
        stage.raw_as("app_rw", &fresh).await.err().is_some_and(|refused| refused.code() == "28000")
    })
    .await;
    assert_eq!(stage.raw(&access).await.err().unwrap().code(), "28P01");
}

#[tokio::test]
async fn a_drained_sidecar_takes_nobody_in_and_ends_who_is_left_in_time() {
    let end = async |stage: &mut Stage, access: &Access| {
        let kept = stage.connect(access).await;
        stage.api.post("/v1/sidecars/edge-1/drain", json!({})).await.ok();
        assert_eq!(stage.raw(access).await.err().unwrap().code(), "57P03");
        assert!(!stage.sidecar.is_ready().await);
        kept.query_one("select 1", &[]).await.unwrap();
        let order = json!({"within": "1s", "reason": "new kernel"});
        stage.api.post("/v1/sidecars/edge-1/drain", order).await.ok();
    };
    let told = ["drained", "client:admin", "new kernel", GRANT];
    let (stage, access) = ended_by(Wish::default(), 3600, &told, end).await;
    stage.api.post("/v1/sidecars/edge-1/drain", json!({"undo": true})).await.ok();
    stage.raw(&access).await.unwrap();
    assert!(stage.sidecar.is_ready().await);
}

#[tokio::test]
async fn a_killed_session_ends_alone() {
    let stage = prepared(Wish::default()).await;
    let access = stage.access("app_rw", "1h").await;
    let spared = stage.connect(&access).await;
    let victim = begin(&stage, &access, Doing::Sleeping).await;
    let id = until_some("the session to be reported", async || {
        let sessions = stage.api.get("/v1/sessions").await.ok();
        let items = sessions["items"].as_array().unwrap();
        let found = items.iter().find(|session| session["application"] == victim.name.as_str());
        found.map(|session| session["id"].as_str().unwrap().to_owned())
    })
    .await;
    stage.api.post(&format!("/v1/sessions/{id}/kill"), json!({"reason": "runaway"})).await.ok();
    all_were_told(vec![victim], &["killed", "client:admin", "runaway", &access.grant]).await;
    spared.query_one("select 1", &[]).await.unwrap();
    stage.raw(&access).await.unwrap();
}

#[tokio::test]
async fn a_sidecar_whose_token_is_withdrawn_ends_its_sessions_and_lets_nobody_in() {
    let end = async |stage: &mut Stage, _: &Access| {
        stage.api.delete("/v1/sidecars/edge-1").await.ok();
    };
    let (stage, access) = ended_by(Wish::default(), 3600, &["client:admin"], end).await;
    assert!(stage.raw(&access).await.is_err());
}

#[tokio::test]
async fn a_grant_that_shrinks_ends_the_sessions_that_need_more() {
    let end = async |stage: &mut Stage, access: &Access| {
        let less = json!({"resources": [{"resource": "public.ledger", "privileges": ["SELECT"]}]});
        stage.api.patch(&format!("/v1/grants/{}", access.grant), less).await.ok();
    };
    let (stage, access) = ended_by(Wish::default(), 3600, &[GRANT], end).await;
    // Whoever comes now gets what is left.
    let mut raw = stage.raw(&access).await.unwrap();
    let refused = raw.ask("select pg_sleep(0)").await;
    let refused = refused.iter().find(|message| message.kind == b'E').unwrap();
    assert_eq!(refused.fields().code(), "42501");
}

#[tokio::test]
async fn an_extended_grant_lets_its_sessions_live_on() {
    let stage = prepared(Wish::default()).await;
    let access = stage.access("app_rw", 8).await;
    let client = stage.connect(&access).await;
    let more = json!({"duration": "1h", "reason": "not done yet"});
    stage.api.post(&format!("/v1/grants/{}/extend", access.grant), more).await.ok();
    client.batch_execute("select pg_sleep(9)").await.unwrap();
    stage.revoke(&access).await;
    assert!(client.batch_execute("select 1").await.is_err());
}

#[tokio::test]
async fn what_was_switched_off_can_be_switched_on_again() {
    let stage = prepared(Wish::default()).await;
    let access = stage.access("app_rw", "1h").await;
    let refused = async || stage.raw(&access).await.is_err();
    let admitted = async || stage.raw(&access).await.is_ok();
    for on in [false, true] {
        stage.api.patch("/v1/repos/sales", json!({"ephemeral_access": on})).await.ok();
        if on { until("access", admitted).await } else { until("refusal", refused).await }
    }
}

#[tokio::test]
async fn a_stopped_sidecar_ends_its_sessions_with_a_word() {
    let wish = Wish { top: "shutdown_grace = \"1s\"".to_owned(), ..Wish::default() };
    let end = async |stage: &mut Stage, _: &Access| {
        stage.sidecar.terminate();
    };
    let (mut stage, _) = ended_by(wish, 3600, &[], end).await;
    let status = stage.sidecar.process().wait(postern_tests::wait::PATIENCE).expect("it ends");
    assert!(status.success(), "{status:?}");
}
