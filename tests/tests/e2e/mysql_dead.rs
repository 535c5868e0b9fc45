//! Dead means dead at MySQL too: when a grant ends, whatever its sessions are doing, the client is told, its connection
//! closes, the server's thread goes and what it had begun never happened.
//!
//! The sidecar keeps no connections ready here (`warm = 0`), so that every connection of an account is a session's,
//! except those with which it ends others.

use std::{
    env,
    io::{Read, Write},
    process::{Command, Stdio},
    sync::Arc,
};

use postern_tests::{
    directory::Directory,
    mysql::{
        accounts::DATABASE,
        answer::Refusal,
        login::LogIn,
        prepared::{CURSOR, execute},
        server::Version,
        stage::{Stage, Wish},
        wire::{Raw, query},
    },
    stage::{ALICE, Access},
    wait::{PATIENCE, patiently, until, until_some},
};
use serde_json::json;
use tokio::{
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

on_both! {
    a_revoked_grant_ends_an_idle_session
    a_revoked_grant_frees_the_row_lock_of_an_open_transaction
    a_revoked_grant_ends_a_sleeping_statement
    a_revoked_grant_rolls_a_long_update_back
    a_revoked_grant_ends_an_upload_in_midstream
    a_revoked_grant_ends_a_session_that_is_not_reading
    a_revoked_grant_ends_a_session_in_the_middle_of_a_result
    a_revoked_grant_ends_a_session_with_an_open_cursor
    a_revoked_grant_ends_a_session_before_its_first_query
    a_revoked_grant_ends_a_session_that_keeps_sending
    a_revoked_grant_ends_all_of_its_sessions_whatever_they_do
    an_idle_client_is_told_upon_its_next_command
    a_server_that_no_longer_answers_keeps_nobody_in
    a_revoked_grant_ends_its_sessions_at_a_server_behind_a_relay
    a_revoked_grant_ends_hundreds_of_sessions_at_once
    a_client_that_waits_for_a_slow_server_is_turned_away_by_a_revocation
    an_expired_grant_ends_its_sessions_without_the_control_plane
    a_lost_control_plane_ends_every_session_when_the_lease_runs_out
    a_disabled_repo_ends_its_sessions_and_lets_nobody_in
    whoever_the_directory_shuts_out_loses_every_session
    a_killed_session_ends_alone
    a_sidecar_whose_token_is_withdrawn_ends_its_sessions_and_lets_nobody_in
    a_grant_that_shrinks_ends_the_sessions_that_need_more
    an_extended_grant_lets_its_sessions_live_on
    what_was_switched_off_can_be_switched_on_again
    a_stopped_sidecar_ends_its_sessions_with_a_word
}

const ACCOUNT: &str = "app_rw";
/// How many rows there are to lose.
const ROWS: u64 = 20_000;
const TABLES: &str = "
create table shop.digit (n int);
insert into shop.digit values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
create table shop.ledger (id int primary key auto_increment, amount int not null);
insert into shop.ledger (amount)
  select 0 from shop.digit a, shop.digit b, shop.digit c, shop.digit d, (select 1 union all select 2) e;
create table shop.intake (line text);
create table shop.trace (n int)
";
const ENDLESS: &str = "select repeat('x', 1000), a.id from ledger a, ledger b";

/// What a session is busy with when its grant ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    HoldingALock,
    Sleeping,
    Updating,
    Uploading,
    NotReading,
    Reading,
    WithACursor,
    NothingYet,
    Sending,
}

const EVERYTHING: [Doing; 10] = [
    Doing::Nothing,
    Doing::HoldingALock,
    Doing::Sleeping,
    Doing::Updating,
    Doing::Uploading,
    Doing::NotReading,
    Doing::Reading,
    Doing::WithACursor,
    Doing::NothingYet,
    Doing::Sending,
];

/// A session in the middle of something.
struct Victim {
    doing: Doing,
    /// The number of its connection at the server, if it has asked for that.
    id: Option<String>,
    end: JoinHandle<Option<Refusal>>,
    read_on: Arc<Notify>,
}

/// Sends statements without ever waiting for an answer, and reads the answers beside.
async fn keep_sending(raw: Raw) -> Option<Refusal> {
    let (mut writer, mut reader) = raw.split();
    let sending = tokio::spawn(async move {
        let statement = query("insert into trace values (1)");
        while writer.try_send(&statement).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    let error = reader.last_error().await;
    sending.abort();
    error
}

/// Reads to the end. The error must stand where a packet of the result was due, with the number that was due.
async fn keep_reading(mut raw: Raw) -> Option<Refusal> {
    let mut due = 1;
    while let Some(packet) = raw.next().await {
        assert_eq!(packet.sequence, due, "a packet out of order");
        due = packet.sequence.wrapping_add(1);
        if packet.kind() == 0xff {
            return packet.refusal();
        }
    }
    None
}

async fn start(raw: &mut Raw, doing: Doing) {
    match doing {
        Doing::NothingYet | Doing::Nothing | Doing::Sending => {}
        Doing::HoldingALock => raw.run("begin; update ledger set amount = 1 where id = 1").await,
        Doing::Sleeping => raw.send(&query("select sleep(600)")).await,
        Doing::Updating => {
            raw.send(&query("update ledger set amount = 2 where id > 1 and sleep(0.01) = 0")).await;
        }
        Doing::Uploading => {
            raw.send(&query("load data local infile 'lines' into table intake")).await;
            assert_eq!(raw.next().await.unwrap().kind(), 0xfb);
            raw.reply("a line\n".repeat(1000).as_bytes()).await;
        }
        Doing::NotReading | Doing::Reading => raw.send(&query(ENDLESS)).await,
        Doing::WithACursor => {
            let (prepared, _) = raw.prepare("select * from ledger").await.unwrap();
            raw.send(&execute(prepared.id, CURSOR, &[])).await;
            assert!(raw.response().await.len() > 2);
            assert!(raw.fetch(prepared.id, 10).await.len() >= 10);
        }
    }
}

async fn play_out(mut raw: Raw, doing: Doing, read_on: Arc<Notify>) -> Option<Refusal> {
    if doing == Doing::Sending {
        return keep_sending(raw).await;
    }
    if doing == Doing::Reading {
        return keep_reading(raw).await;
    }
    if doing == Doing::NotReading {
        read_on.notified().await;
    }
    raw.last_error().await
}

async fn begin(stage: &Stage, access: &Access, doing: Doing) -> Victim {
    let name = format!("victim {doing:?}");
    let attributes = [("program_name", name.as_str())];
    let mut raw = stage.raw_as(&LogIn { attributes: &attributes, ..stage.login(access) }).await.unwrap();
    let id = if doing == Doing::NothingYet { None } else { Some(raw.value("select connection_id()").await) };
    start(&mut raw, doing).await;
    let read_on = Arc::new(Notify::new());
    let end = tokio::spawn(play_out(raw, doing, Arc::clone(&read_on)));
    let victim = Victim { doing, id, end, read_on };
    if let Some(condition) = busy(&victim) {
        until(&format!("the session to be busy with {doing:?}"), async || {
            stage.mysql.connections(&condition).await == 1
        })
        .await;
    }
    victim
}

/// The condition on `information_schema.processlist` under which a victim is where it is meant to be.
fn busy(victim: &Victim) -> Option<String> {
    let id = victim.id.as_ref()?;
    let state = match victim.doing {
        Doing::Nothing | Doing::NothingYet | Doing::WithACursor | Doing::HoldingALock => "command = 'Sleep'",
        Doing::Sleeping => "state = 'User sleep'",
        // By then it has changed a row or two.
        Doing::Updating => "state = 'User sleep' and time >= 1",
        Doing::Uploading => "info like 'load data%'",
        Doing::NotReading => "state in ('Sending to client', 'Writing to net')",
        Doing::Reading => "info like 'select repeat%'",
        Doing::Sending => "time < 60",
    };
    Some(format!("id = {id} and {state}"))
}

/// The condition on `information_schema.processlist` for connections of sessions.
const OF_SESSIONS: &str = "user = 'app_rw'";

async fn prepared(version: Version, wish: Wish) -> Option<Stage> {
    let stage = Stage::on(version, Wish { repo: "tls = \"disable\"\nwarm = 0".to_owned(), ..wish }).await?;
    stage.mysql.admin().await.run(TABLES).await;
    Some(stage)
}

async fn number(admin: &mut Raw, sql: &str) -> u64 {
    admin.value(sql).await.parse().expect("a number")
}

/// Fails unless the server is as if none of the victims had ever been there. Asks once and waits for nothing.
async fn nothing_is_left(admin: &mut Raw, victims: &[Victim]) {
    let ids: Vec<&str> = victims.iter().filter_map(|victim| victim.id.as_deref()).collect();
    let sql = "select coalesce(group_concat(id, ': ', coalesce(info, command)), '') from information_schema.processlist";
    let left =
        admin.value(&format!("{sql} where id in (0, {})", [&ids[..], &["0"]].concat().join(", "))).await;
    assert_eq!(left, "", "connections are left");
    nothing_happened(admin).await;
}

/// Fails if a row is locked or changed.
async fn nothing_happened(admin: &mut Raw) {
    let unchanged = admin.ask("select id from shop.ledger where amount = 0 for update nowait").await;
    assert_eq!(unchanged.expect("no row is locked").rows.len() as u64, ROWS);
    assert_eq!(number(admin, "select count(*) from shop.intake").await, 0);
}

/// Fails unless the client of each victim was told, in words that hold all of `words`, and cut off.
async fn all_were_told(victims: Vec<Victim>, words: &[&str]) {
    for victim in victims {
        victim.read_on.notify_one();
        let doing = victim.doing;
        let error = patiently("the connection to close", victim.end).await.unwrap();
        if doing == Doing::NotReading && error.is_none() {
            continue; // It was not reading: there may have been no room to tell it.
        }
        let error = error.unwrap_or_else(|| panic!("{doing:?}: closed without a word"));
        assert_eq!((error.code, error.state.as_str()), (3169, "HY000"), "{doing:?}: {error:?}");
        for word in words {
            assert!(error.message.contains(word), "{doing:?}: no {word:?} in {:?}", error.message);
        }
    }
}

async fn first_sessions_gone(stage: &Stage) {
    // What the sidecar still knows would be counted among those that the revocation ends.
    until("the first sessions to go", async || {
        stage.mysql.connections(OF_SESSIONS).await == 0 && stage.sidecar.sessions().await < 1.0
    })
    .await;
}

async fn revoked_while(version: Version, doing: &[Doing]) {
    let Some(stage) = prepared(version, Wish::default()).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    first_sessions_gone(&stage).await;
    let mut admin = stage.mysql.admin().await;
    let mut victims = Vec::new();
    for &doing in doing {
        victims.push(begin(&stage, &access, doing).await);
    }
    let answer = stage.revoke(&access).await;
    nothing_is_left(&mut admin, &victims).await;
    let written = number(&mut admin, "select count(*) from shop.trace").await;
    assert_eq!(answer["sidecars"][0]["name"], "edge-1", "{answer}");
    assert_eq!(answer["sidecars"][0]["acknowledged"], true, "{answer}");
    assert_eq!(answer["sidecars"][0]["sessions_ended"], doing.len(), "{answer}");
    assert_eq!(answer["grant"]["state"], "REVOKED", "{answer}");
    all_were_told(victims, &["revoked", "client:admin", "the ticket is closed", &access.grant]).await;
    let later = number(&mut admin, "select count(*) from shop.trace").await;
    assert_eq!(later, written, "a queued statement took effect after the revocation");
    assert_eq!(stage.raw(&access).await.err().unwrap().code, 1045);
}

async fn a_revoked_grant_ends_an_idle_session(version: Version) {
    revoked_while(version, &[Doing::Nothing]).await;
}

async fn a_revoked_grant_frees_the_row_lock_of_an_open_transaction(version: Version) {
    revoked_while(version, &[Doing::HoldingALock]).await;
}

async fn a_revoked_grant_ends_a_sleeping_statement(version: Version) {
    revoked_while(version, &[Doing::Sleeping]).await;
}

async fn a_revoked_grant_rolls_a_long_update_back(version: Version) {
    revoked_while(version, &[Doing::Updating]).await;
}

async fn a_revoked_grant_ends_an_upload_in_midstream(version: Version) {
    revoked_while(version, &[Doing::Uploading]).await;
}

async fn a_revoked_grant_ends_a_session_that_is_not_reading(version: Version) {
    revoked_while(version, &[Doing::NotReading]).await;
}

async fn a_revoked_grant_ends_a_session_in_the_middle_of_a_result(version: Version) {
    revoked_while(version, &[Doing::Reading]).await;
}

async fn a_revoked_grant_ends_a_session_with_an_open_cursor(version: Version) {
    revoked_while(version, &[Doing::WithACursor]).await;
}

async fn a_revoked_grant_ends_a_session_before_its_first_query(version: Version) {
    revoked_while(version, &[Doing::NothingYet]).await;
}

async fn a_revoked_grant_ends_a_session_that_keeps_sending(version: Version) {
    revoked_while(version, &[Doing::Sending]).await;
}

async fn a_revoked_grant_ends_all_of_its_sessions_whatever_they_do(version: Version) {
    revoked_while(version, &EVERYTHING).await;
}

/// The stock client, idle between two statements.
fn idle_client(stage: &Stage, access: &Access) -> Command {
    let [_, through] = stage.ways(access);
    let mut command = through.command(&stage.mysql, stage.mysql.client());
    command.args(["--batch", "--unbuffered", "--skip-reconnect", "--skip-column-names", DATABASE]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn an_idle_client_is_told_upon_its_next_command(version: Version) {
    let Some(stage) = prepared(version, Wish::default()).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    let mut raw = stage.raw(&access).await.unwrap();
    let mut client = idle_client(&stage, &access).spawn().unwrap();
    client.stdin.as_mut().unwrap().write_all(b"select 'in';\n").unwrap();
    let mut first = [0; 3];
    client.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"in\n");
    stage.revoke(&access).await;
    let told = raw.ask("select 1").await.unwrap_err();
    assert_eq!((told.code, told.state.as_str()), (3169, "HY000"), "{told:?}");
    let _ = client.stdin.take().unwrap().write_all(b"select 'still in';\n");
    let output = client.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("ERROR 3169 (HY000)") && said.contains("the ticket is closed"), "{output:?}");
}

async fn a_server_that_no_longer_answers_keeps_nobody_in(version: Version) {
    let wish = Wish { database_wire: true, ..Wish::default() };
    let Some(stage) = prepared(version, wish).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    let mut victims = Vec::new();
    for doing in EVERYTHING {
        victims.push(begin(&stage, &access, doing).await);
    }
    stage.database_wire.freeze();
    let answer = stage.revoke(&access).await;
    all_were_told(victims, &["revoked", &access.grant]).await;
    assert_eq!(answer["grant"]["state"], "REVOKED");
    assert_eq!(stage.raw(&access).await.err().unwrap().code, 1045);
    stage.database_wire.heal();
    first_sessions_gone(&stage).await;
    nothing_happened(&mut stage.mysql.admin().await).await;
}

/// A relay hides from the server which connection is the sidecar's, so one may outlive the call by a moment.
async fn a_revoked_grant_ends_its_sessions_at_a_server_behind_a_relay(version: Version) {
    let wish = Wish { database_wire: true, ..Wish::default() };
    let Some(stage) = prepared(version, wish).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    let mut victims = Vec::new();
    for doing in EVERYTHING {
        victims.push(begin(&stage, &access, doing).await);
    }
    stage.revoke(&access).await;
    first_sessions_gone(&stage).await;
    nothing_is_left(&mut stage.mysql.admin().await, &victims).await;
    all_were_told(victims, &["revoked", &access.grant]).await;
}

async fn a_revoked_grant_ends_hundreds_of_sessions_at_once(version: Version) {
    let count = env::var("POSTERN_TEST_SESSIONS").map_or(200, |count| count.parse().unwrap());
    let Some(stage) = prepared(version, Wish::default()).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    first_sessions_gone(&stage).await;
    let mut sessions = Vec::new();
    for n in 0..count {
        let mut raw = stage.raw(&access).await.unwrap();
        raw.run(if n % 2 == 0 {
            "select 1"
        } else {
            "begin; select * from ledger where id < 10 lock in share mode"
        })
        .await;
        sessions.push(raw);
    }
    let mut ends = JoinSet::new();
    for mut raw in sessions {
        ends.spawn(async move { raw.last_error().await });
    }
    let answer = stage.revoke(&access).await;
    assert_eq!(answer["sidecars"][0]["acknowledged"], true, "{answer}");
    assert_eq!(answer["sidecars"][0]["sessions_ended"], count, "{answer}");
    for error in patiently("all to close", ends.join_all()).await {
        assert_eq!(error.expect("each is told").code, 3169);
    }
    first_sessions_gone(&stage).await;
    nothing_happened(&mut stage.mysql.admin().await).await;
}

async fn a_client_that_waits_for_a_slow_server_is_turned_away_by_a_revocation(version: Version) {
    let wish = Wish { database_wire: true, ..Wish::default() };
    let Some(stage) = prepared(version, wish).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    first_sessions_gone(&stage).await;
    stage.database_wire.freeze();
    let before = stage.database_wire.connections();
    let (port, token) = (stage.sidecar.port(), access.token.clone());
    let waiting = tokio::spawn(async move {
        Raw::connect(port)
            .await
            .log_in(&LogIn { database: DATABASE, ..LogIn::new(ACCOUNT, &token) })
            .await
            .err()
    });
    until("the sidecar to call the server", async || stage.database_wire.connections() > before).await;
    let answer = stage.revoke(&access).await;
    assert_eq!(answer["sidecars"][0]["acknowledged"], true, "{answer}");
    let refused = patiently("the refusal", waiting).await.unwrap().expect("a revoked grant was let in");
    assert!([3169, 1045].contains(&refused.code), "{refused:?}");
    stage.database_wire.heal();
    first_sessions_gone(&stage).await;
}

/// Stands for the grant's id among the words that a client is told.
const GRANT: &str = "{grant}";

/// Ends every kind of session by what `end` does, which need not have taken effect when it returns.
async fn ended_by(
    version: Version,
    (wish, duration): (Wish, u32),
    words: &[&str],
    end: impl AsyncFnOnce(&mut Stage, &Access),
) -> Option<(Stage, Access)> {
    let mut stage = prepared(version, wish).await?;
    let access = stage.access(ACCOUNT, duration).await;
    let mut victims = Vec::new();
    for doing in EVERYTHING {
        victims.push(begin(&stage, &access, doing).await);
    }
    end(&mut stage, &access).await;
    let words: Vec<&str> =
        words.iter().map(|word| if *word == GRANT { &access.grant } else { *word }).collect();
    all_were_told(victims, &words).await;
    first_sessions_gone(&stage).await;
    nothing_happened(&mut stage.mysql.admin().await).await;
    Some((stage, access))
}

fn ordinary() -> (Wish, u32) {
    (Wish::default(), 3600)
}

async fn an_expired_grant_ends_its_sessions_without_the_control_plane(version: Version) {
    let end = async |stage: &mut Stage, _: &Access| stage.control.kill();
    ended_by(version, (Wish::default(), 20), &["expired", GRANT], end).await;
}

async fn a_lost_control_plane_ends_every_session_when_the_lease_runs_out(version: Version) {
    let wish = Wish { lease: "3s".to_owned(), ..Wish::default() };
    let end = async |stage: &mut Stage, _: &Access| stage.control_wire.freeze();
    let ended = ended_by(version, (wish, 3600), &["lease", GRANT], end).await;
    let Some((stage, access)) = ended else { return };
    let fresh = Access { token: stage.api.token_for(ALICE).await, ..access.clone() };
    for access in [&access, &fresh] {
        let refused = stage.raw(access).await.err().unwrap();
        assert!([1130, 1040].contains(&refused.code), "{refused:?}");
    }
    stage.control_wire.heal();
    until("the sidecar to come back", async || stage.raw(&fresh).await.is_ok()).await;
}

async fn a_disabled_repo_ends_its_sessions_and_lets_nobody_in(version: Version) {
    let end = async |stage: &mut Stage, _: &Access| {
        stage.api.patch("/v1/repos/sales", json!({"ephemeral_access": false})).await.ok();
    };
    let ended = ended_by(version, ordinary(), &["client:admin", GRANT], end).await;
    let Some((stage, access)) = ended else { return };
    assert!(stage.raw(&access).await.is_err());
}

async fn whoever_the_directory_shuts_out_loses_every_session(version: Version) {
    let end = async |stage: &mut Stage, access: &Access| {
        let okta = Directory::of(&stage.api, &stage.control.url(), "okta").await;
        let alice = okta.provision(ALICE).await;
        okta.set_active(&alice, false).await;
        until("the refusal", async || stage.raw(access).await.is_err()).await;
    };
    ended_by(version, ordinary(), &["identity deactivated", "client:okta", GRANT], end).await;
}

async fn a_killed_session_ends_alone(version: Version) {
    let Some(stage) = prepared(version, Wish::default()).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    let mut spared = stage.raw(&access).await.unwrap();
    let victim = begin(&stage, &access, Doing::Sleeping).await;
    let id = until_some("the session to be reported", async || {
        let sessions = stage.api.get("/v1/sessions").await.ok();
        let items = sessions["items"].as_array().unwrap();
        let found = items.iter().find(|session| session["application"] == "victim Sleeping");
        found.map(|session| session["id"].as_str().unwrap().to_owned())
    })
    .await;
    stage.api.post(&format!("/v1/sessions/{id}/kill"), json!({"reason": "runaway"})).await.ok();
    all_were_told(vec![victim], &["killed", "client:admin", "runaway", &access.grant]).await;
    spared.run("select 1").await;
    stage.raw(&access).await.unwrap();
}

async fn a_sidecar_whose_token_is_withdrawn_ends_its_sessions_and_lets_nobody_in(version: Version) {
    let end = async |stage: &mut Stage, _: &Access| {
        stage.api.delete("/v1/sidecars/edge-1").await.ok();
    };
    let ended = ended_by(version, ordinary(), &["client:admin"], end).await;
    let Some((stage, access)) = ended else { return };
    assert!(stage.raw(&access).await.is_err());
}

async fn a_grant_that_shrinks_ends_the_sessions_that_need_more(version: Version) {
    let end = async |stage: &mut Stage, access: &Access| {
        stage.shrink(access, json!([{"resource": "shop.ledger", "privileges": ["SELECT"]}])).await;
    };
    let Some((stage, access)) = ended_by(version, ordinary(), &[GRANT], end).await else { return };
    // Whoever comes now gets what is left.
    let mut raw = stage.raw(&access).await.unwrap();
    assert_eq!(raw.ask("select count(*) from shop.trace").await.unwrap_err().code, 1142);
    assert_eq!(raw.value("select count(*) from shop.ledger").await, ROWS.to_string());
}

async fn an_extended_grant_lets_its_sessions_live_on(version: Version) {
    let Some(stage) = prepared(version, Wish::default()).await else { return };
    let access = stage.access(ACCOUNT, 8).await;
    let mut raw = stage.raw(&access).await.unwrap();
    let more = json!({"duration": "1h", "reason": "not done yet"});
    stage.api.post(&format!("/v1/grants/{}/extend", access.grant), more).await.ok();
    raw.run("select sleep(9)").await;
    stage.revoke(&access).await;
    assert!(raw.ask("select 1").await.is_err());
}

async fn what_was_switched_off_can_be_switched_on_again(version: Version) {
    let Some(stage) = prepared(version, Wish::default()).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    let refused = async || stage.raw(&access).await.is_err();
    let admitted = async || stage.raw(&access).await.is_ok();
    for on in [false, true] {
        stage.api.patch("/v1/repos/sales", json!({"ephemeral_access": on})).await.ok();
        if on { until("access", admitted).await } else { until("refusal", refused).await }
    }
}

async fn a_stopped_sidecar_ends_its_sessions_with_a_word(version: Version) {
    let wish = Wish { top: "shutdown_grace = \"1s\"".to_owned(), ..Wish::default() };
    let end = async |stage: &mut Stage, _: &Access| {
        stage.sidecar.terminate();
    };
    let Some((mut stage, _)) = ended_by(version, (wish, 3600), &[], end).await else { return };
    let status = stage.sidecar.process().wait(PATIENCE).expect("it ends");
    assert!(status.success(), "{status:?}");
}
