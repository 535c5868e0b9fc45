//! Nothing to notice: through a whole grant every byte, tool and gesture is as on a direct connection.

use std::{
    env,
    process::{Command, Output},
    sync::Arc,
};

use futures_util::{SinkExt, StreamExt, TryStreamExt, pin_mut};
use postern_tests::{
    folder::Folder,
    postgres::{DATABASE, Version},
    process::{Process, bound},
    stage::{Access, REPO, Stage, Wish, connect},
    wait::{patiently, until},
    wire::{Message, Raw, extended, frame, query, sync, zero_terminated},
};
use rustix::process::Signal;
use tokio_postgres::{Client, Config, NoTls, error::SqlState};

/// A way to the database: past the gate or through it.
struct Way {
    port: u16,
    user: String,
    password: String,
    database: &'static str,
}

impl Way {
    fn both(stage: &Stage, access: &Access) -> [Self; 2] {
        let password = postern_tests::postgres::password(&access.account).to_owned();
        let user = access.account.clone();
        let direct = Self { port: stage.postgres.port(), user: user.clone(), password, database: DATABASE };
        [direct, Self { port: stage.sidecar.port(), user, password: access.token.clone(), database: REPO }]
    }

    fn command(&self, stage: &Stage, program: &str, arguments: &[&str]) -> Command {
        let mut command = bound(stage.postgres.program(program), "KILL");
        command.args(arguments).env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        command.env("PGUSER", &self.user).env("PGPASSWORD", &self.password).env("PGDATABASE", self.database);
        command
    }

    fn run(&self, stage: &Stage, program: &str, arguments: &[&str]) -> Output {
        let output = self.command(stage, program, arguments).output().expect("the program runs");
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    async fn raw(&self, more: &[(&str, &str)]) -> (Raw, Vec<Message>) {
        let mut raw = Raw::connect(self.port).await;
        let mut parameters = vec![("user", self.user.as_str()), ("database", self.database)];
        parameters.extend(more);
        let greeting = raw.log_in(&parameters, &self.password).await.expect("let in");
        (raw, greeting)
    }
}

async fn on(version: Version) -> Option<(Stage, Access)> {
    let stage = Stage::on(version, Wish::default()).await?;
    let access = stage.access("by_trust", "1h").await;
    let grant = "grant all on schema public to by_trust";
    stage.postgres.admin().await.batch_execute(grant).await.unwrap();
    Some((stage, access))
}

/// Everything but the keys and numbers that differ from one connection to the next.
fn comparable(messages: Vec<Message>) -> Vec<Message> {
    messages.into_iter().filter(|message| message.kind != b'K').collect()
}

/// What is said to these bytes, sent at once, up to `syncs` times `ReadyForQuery` or the end.
async fn said(way: &Way, bytes: &[u8], syncs: usize) -> Vec<Message> {
    let (mut raw, _) = way.raw(&[("application_name", "same")]).await;
    raw.send(bytes).await;
    let mut all = Vec::new();
    for _ in 0..syncs {
        all.extend(raw.until(b'Z').await);
    }
    comparable(all)
}

fn conversations() -> Vec<(Vec<u8>, usize)> {
    let broken =
        frame(b'P', &[b"\0", &zero_terminated("select nonsense from nowhere")[..], &[0, 0]].concat());
    vec![
        (query("select 1, null, 'ü', array[1,2], 1.5::numeric"), 1),
        (query(""), 1),
        (query("select 1; select 2; begin; select 1/0; select 3; commit"), 1),
        (
            query("do $$ begin raise notice 'n1'; raise warning 'w1' using hint = 'h', detail = 'd'; end $$"),
            1,
        ),
        (query("set application_name = 'other'; set client_encoding = 'latin1'; select 'é'"), 1),
        ([query("select 1"), query("select pg_typeof(2)"), query("select 3")].concat(), 3),
        ([extended("select 5"), extended("select 6"), sync()].concat(), 1),
        (
            [
                extended("select 7"),
                broken.clone(),
                extended("select 8"),
                sync(),
                extended("select 9"),
                sync(),
            ]
            .concat(),
            2,
        ),
        ([extended("begin"), broken, sync(), extended("select 10"), sync(), query("rollback")].concat(), 3),
        (query("copy (select n from generate_series(1, 5) n) to stdout"), 1),
        (
            [
                query("create temp table t (a int)"),
                query("copy t from stdin"),
                frame(b'd', b"1\n2\n"),
                frame(b'c', &[]),
                query("select sum(a) from t"),
            ]
            .concat(),
            3,
        ),
        (
            [
                query("create temp table t (a int)"),
                query("copy t from stdin"),
                frame(b'd', b"1\nx\n"),
                frame(b'c', &[]),
                query("select 1"),
            ]
            .concat(),
            3,
        ),
        (
            [
                query("create temp table t (a int)"),
                query("copy t from stdin"),
                frame(b'f', b"no\0"),
                query("select 1"),
            ]
            .concat(),
            3,
        ),
        ([query("listen tide; notify tide, 'in'"), query("select 1")].concat(), 2),
        // FunctionCall of int4pl(20, 22), binary.
        (frame(b'F', b"\0\0\0\xb1\0\x01\0\x01\0\x02\0\0\0\x04\0\0\0\x14\0\0\0\x04\0\0\0\x16\0\x01"), 1),
        (query("select repeat('x', 3000000)"), 1),
        (query(&format!("select length('{}')", "y".repeat(3_000_000))), 1),
    ]
}

async fn every_byte_is_the_same(version: Version) {
    let Some((stage, access)) = on(version).await else { return };
    let [direct, through] = Way::both(&stage, &access);
    let process_id = |message: &Message| message.kind == b'A';
    for (bytes, syncs) in conversations() {
        let strip = |messages: Vec<Message>| -> Vec<Message> {
            // A notification begins with the backend's number.
            let cut = |mut message: Message| {
                if process_id(&message) {
                    message.body.drain(..4);
                }
                message
            };
            messages.into_iter().map(cut).collect()
        };
        let expected = strip(said(&direct, &bytes, syncs).await);
        let got = strip(said(&through, &bytes, syncs).await);
        assert!(
            expected == got,
            "to {:?}\n{expected:?}\n{got:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(200)])
        );
    }
}

#[tokio::test]
async fn every_byte_of_a_conversation_with_15_is_the_same() {
    every_byte_is_the_same(Version::Fifteen).await;
}

#[tokio::test]
async fn every_byte_of_a_conversation_with_18_is_the_same() {
    every_byte_is_the_same(Version::Eighteen).await;
}

async fn the_greeting_is_the_same(version: Version) {
    let Some((stage, access)) = on(version).await else { return };
    let [direct, through] = Way::both(&stage, &access);
    let choices: [&[(&str, &str)]; 5] = [
        &[],
        &[("application_name", "a b"), ("client_encoding", "latin1")],
        &[("options", "-c search_path=pg_catalog -c work_mem=1MB")],
        &[("DateStyle", "German"), ("TimeZone", "Asia/Tokyo"), ("extra_float_digits", "3")],
        &[("replication", "false")],
    ];
    for choice in choices {
        let mut greetings = Vec::new();
        for way in [&direct, &through] {
            let (mut raw, greeting) = way.raw(choice).await;
            let mut parameters: Vec<_> =
                greeting.into_iter().filter(|message| message.kind == b'S').collect();
            parameters.sort_by(|a, b| a.body.cmp(&b.body));
            parameters.extend(
                raw.ask("show search_path; show work_mem; reset application_name; show application_name")
                    .await,
            );
            greetings.push(parameters);
        }
        assert_eq!(greetings[0], greetings[1], "{choice:?}");
    }
}

#[tokio::test]
async fn the_greeting_of_15_is_the_same() {
    the_greeting_is_the_same(Version::Fifteen).await;
}

#[tokio::test]
async fn the_greeting_of_18_is_the_same() {
    the_greeting_is_the_same(Version::Eighteen).await;
}

#[tokio::test]
async fn what_the_database_refuses_at_start_up_is_refused_alike() {
    let (stage, access) = on(Version::Fifteen).await.unwrap();
    for setting in
        [("work_mem", "much"), ("replication", "database"), ("no_such_setting", "1"), ("options", "-c")]
    {
        let mut refused = Vec::new();
        for way in Way::both(&stage, &access) {
            let mut raw = Raw::connect(way.port).await;
            let parameters = [("user", way.user.as_str()), ("database", way.database), setting];
            let error = raw.log_in(&parameters, &way.password).await.unwrap_err();
            refused.push((error.code().to_owned(), error.message().to_owned()));
        }
        assert_eq!(refused[0], refused[1], "{setting:?}");
    }
}

const SAMPLE: &str = "
create schema stock;
create type stock.mood as enum ('fine', 'so so');
create table stock.item (id serial primary key, name text not null, mood stock.mood, photo bytea, at timestamptz);
insert into stock.item (name, mood, photo, at)
  select 'item ' || n, case when n % 2 = 0 then 'fine' else 'so so' end::stock.mood,
         decode(md5(n::text), 'hex'), timestamptz '2020-01-01' + n * interval '1 hour' from generate_series(1, 5000) n;
create view stock.fine as select * from stock.item where mood = 'fine';
create function stock.total() returns bigint language sql as 'select count(*) from stock.item';
create index on stock.item (name);
";

#[tokio::test]
async fn a_database_dumped_and_restored_through_the_gate_is_the_same() {
    for version in [Version::Fifteen, Version::Eighteen] {
        let Some(stage) = Stage::on(version, Wish::default()).await else { continue };
        let access = stage.access("app_rw", "1h").await;
        let [direct, through] = Way::both(&stage, &access);
        connect(&stage.postgres.direct("app_rw")).await.batch_execute(SAMPLE).await.unwrap();
        let folder = Folder::new();
        let archive = folder.path().join("archive");
        let archive = archive.to_str().unwrap();
        let plain = |way: &Way| {
            let text = String::from_utf8(way.run(&stage, "pg_dump", &["-n", "stock"]).stdout).unwrap();
            let lines = text
                .lines()
                .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
            lines.collect::<Vec<_>>().join("\n")
        };
        let before = plain(&direct);
        assert_eq!(before, plain(&through));
        through.run(&stage, "pg_dump", &["-Fd", "-j", "3", "-n", "stock", "-f", archive]);
        connect(&stage.through(&access)).await.batch_execute("drop schema stock cascade").await.unwrap();
        through.run(&stage, "pg_restore", &["-d", REPO, "-j", "3", "--exit-on-error", archive]);
        assert_eq!(before, plain(&direct));
    }
}

#[tokio::test]
async fn pgbench_runs_in_every_mode() {
    let stage = Stage::new().await;
    let access = stage.access("app_rw", "1h").await;
    let [_, through] = Way::both(&stage, &access);
    through.run(&stage, "pgbench", &["-i", "-q", "-s", "1"]);
    for mode in ["simple", "extended", "prepared"] {
        let output = through.run(&stage, "pgbench", &["-n", "-M", mode, "-c", "4", "-j", "2", "-t", "100"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("actually processed: 400/400"), "{mode}: {text}");
    }
    let client = stage.connect(&access).await;
    let row = client.query_one("select count(*) from pgbench_history", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1200);
}

/// Writes and reads `mib` MiB through the gate by COPY and returns how much the sidecar has grown at most, in KiB.
async fn copy_both_ways(stage: &mut Stage, client: &Client, mib: usize) -> u64 {
    client.batch_execute("create table bulk (line text)").await.unwrap();
    let before = stage.sidecar.process().resident_kib();
    let mut most = before;
    let sink = client.copy_in("copy bulk from stdin").await.unwrap();
    pin_mut!(sink);
    let line = format!("{}\n", "x".repeat(1023));
    let chunk = bytes::Bytes::from(line.repeat(1024));
    for _ in 0..mib {
        sink.send(chunk.clone()).await.unwrap();
        most = most.max(stage.sidecar.process().resident_kib());
    }
    assert_eq!(sink.finish().await.unwrap(), mib as u64 * 1024);
    let stream = client.copy_out("copy bulk to stdout").await.unwrap();
    pin_mut!(stream);
    let mut received = 0;
    while let Some(chunk) = stream.try_next().await.unwrap() {
        received += chunk.len();
        most = most.max(stage.sidecar.process().resident_kib());
    }
    assert_eq!(received, mib * 1024 * 1024);
    most - before
}

#[tokio::test]
async fn copy_of_hundreds_of_megabytes_both_ways_takes_no_memory() {
    let mib = env::var("POSTERN_TEST_FULL").map_or(100, |_| 500);
    let mut stage = Stage::new().await;
    let access = stage.access("app_rw", "1h").await;
    let client = stage.connect(&access).await;
    let grown = copy_both_ways(&mut stage, &client, mib).await;
    assert!(grown < 16 * 1024, "the sidecar grew by {grown} KiB");
}

#[tokio::test]
async fn a_row_of_a_hundred_megabytes_passes_without_being_held() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_rw", "1h").await;
    let client = stage.connect(&access).await;
    let before = stage.sidecar.process().resident_kib();
    let row = client.query_one("select repeat('x', 100000000)", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0).len(), 100_000_000);
    let text = "y".repeat(50_000_000);
    let row = client.query_one("select length($1)", &[&text]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 50_000_000);
    let grown = stage.sidecar.process().resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "the sidecar grew by {grown} KiB");
}

#[tokio::test]
async fn a_notification_reaches_a_listener_that_is_idle() {
    let stage = Stage::new().await;
    let access = stage.access("app_rw", "1h").await;
    let mut listener = stage.raw(&access).await.unwrap();
    listener.ask("listen tide").await;
    stage.connect(&access).await.batch_execute("notify tide, 'is in'").await.unwrap();
    let message = listener.next().await.unwrap();
    assert_eq!(message.kind, b'A');
    assert_eq!(&message.body[4..], b"tide\0is in\0");
}

#[tokio::test]
async fn a_server_side_cursor_is_read_bit_by_bit() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let mut client = stage.connect(&access).await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("select n from generate_series(1, 1000) n", &[]).await.unwrap();
    let mut read = 0;
    loop {
        let rows = transaction.query_portal(&portal, 64).await.unwrap();
        if rows.is_empty() {
            break;
        }
        read += rows.len();
    }
    assert_eq!(read, 1000);
    transaction.batch_execute("declare c cursor for select 1 union all select 2; fetch all c").await.unwrap();
}

#[tokio::test]
async fn queries_in_a_pipeline_are_answered_in_order() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let client = Arc::new(stage.connect(&access).await);
    let answers = futures_util::stream::iter(0..500_i32).map(|n| {
        let client = Arc::clone(&client);
        async move { client.query_one("select $1::int", &[&n]).await.unwrap().get::<_, i32>(0) }
    });
    let answers: Vec<i32> = answers.buffered(100).collect().await;
    assert_eq!(answers, (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_driver_cancels_its_own_query_and_no_other() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let (one, other) = (stage.connect(&access).await, stage.connect(&access).await);
    let cancel = one.cancel_token();
    let sleeping = tokio::spawn(async move { (one.batch_execute("select pg_sleep(600)").await, one) });
    let spared = tokio::spawn(async move { other.batch_execute("select pg_sleep(3)").await });
    let asleep = "usename = 'app_ro' and wait_event = 'PgSleep'";
    until("both to sleep", async || stage.postgres.backends(asleep).await == 2).await;
    cancel.cancel_query(NoTls).await.unwrap();
    let (error, one) = patiently("the query to end", sleeping).await.unwrap();
    assert_eq!(error.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    one.batch_execute("select 1").await.unwrap();
    spared.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_cancel_request_with_a_wrong_key_does_nothing() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let [_, through] = Way::both(&stage, &access);
    let (mut raw, greeting) = through.raw(&[]).await;
    let key = greeting.iter().find(|message| message.kind == b'K').unwrap().body.clone();
    raw.send(&query("select pg_sleep(2), 'slept'")).await;
    let asleep = "usename = 'app_ro' and wait_event = 'PgSleep'";
    until("it to sleep", async || stage.postgres.backends(asleep).await == 1).await;
    let mut flipped = key.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let request = |key: &[u8]| {
        let length = u32::try_from(key.len() + 8).unwrap().to_be_bytes();
        [&length[..], &[4, 210, 22, 46], key].concat()
    };
    for wrong in [request(&flipped), request(&[0; 8]), request(&key[..4]), request(&[0; 300])] {
        let mut stranger = Raw::connect(stage.sidecar.port()).await;
        stranger.send(&wrong).await;
        assert!(
            stranger.rest().await.iter().all(|message| message.kind == b'E'),
            "a cancel request got an answer"
        );
    }
    let answer = raw.until(b'Z').await;
    assert!(answer.iter().all(|message| message.kind != b'E'), "{answer:?}");
    let mut owner = Raw::connect(stage.sidecar.port()).await;
    raw.send(&query("select pg_sleep(600)")).await;
    until("it to sleep", async || stage.postgres.backends(asleep).await == 1).await;
    owner.send(&request(&key)).await;
    let error = raw.until(b'Z').await.into_iter().find(|message| message.kind == b'E').unwrap();
    assert_eq!(error.fields().code(), "57014");
}

#[tokio::test]
async fn an_interrupt_at_psql_cancels_its_query() {
    for version in [Version::Fifteen, Version::Eighteen] {
        let Some(stage) = Stage::on(version, Wish::default()).await else { continue };
        let access = stage.access("app_ro", "1h").await;
        let [_, through] = Way::both(&stage, &access);
        let folder = Folder::new();
        let script = folder.write("script.sql", "select pg_sleep(600);\nselect 'still ' || 'here';\n");
        let command = through.command(&stage, "psql", &["-XAt", "-f", script.to_str().unwrap()]);
        let mut psql = Process::start(command, &folder.path().join("psql.log"), Signal::KILL);
        let asleep = "usename = 'app_ro' and wait_event = 'PgSleep'";
        until("it to sleep", async || stage.postgres.backends(asleep).await == 1).await;
        psql.signal(Signal::INT);
        until("the statement to end", async || stage.postgres.backends(asleep).await == 0).await;
        psql.wait(postern_tests::wait::PATIENCE).expect("psql ends");
        let said = psql.said();
        assert!(said.contains("canceling statement due to user request"), "{said}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_backend_behind() {
    let stage = Stage::with(Wish { repo: "tls = \"disable\"\nwarm = 0".to_owned(), ..Wish::default() }).await;
    let access = stage.access("app_rw", "1h").await;
    let mut raw = stage.raw(&access).await.unwrap();
    raw.send(&query("begin; select pg_sleep(1)")).await;
    drop(raw);
    until("the backend to go", async || stage.postgres.backends("usename = 'app_rw'").await == 0).await;
}

#[tokio::test]
async fn a_fresh_connection_never_shows_what_an_earlier_one_left() {
    let stage = Stage::new().await;
    let access = stage.access("app_rw", "1h").await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let client = stage.connect(&access).await;
        let left = "select to_regclass('pg_temp.left_over')::text";
        assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, Option<&str>>(0), None);
        let row =
            client.query_one("select pg_backend_pid(), current_setting('work_mem')", &[]).await.unwrap();
        assert!(seen.insert(row.get::<_, i32>(0)), "a backend served two sessions");
        assert_eq!(row.get::<_, &str>(1), "4MB");
        client.batch_execute("create temp table left_over (); set work_mem = '1MB'").await.unwrap();
    }
}

#[tokio::test]
async fn twenty_clients_at_once_each_get_their_own_answers() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let config: Config = stage.through(&access);
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..20_i32 {
        let config = config.clone();
        clients.spawn(async move {
            let client = connect(&config).await;
            for round in 0..50_i32 {
                let row = client.query_one("select $1::int * 1000 + $2::int", &[&n, &round]).await.unwrap();
                assert_eq!(row.get::<_, i32>(0), n * 1000 + round);
            }
        });
    }
    clients.join_all().await;
}
