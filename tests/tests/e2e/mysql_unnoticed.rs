//! Nothing to notice at MySQL: through a whole grant every packet and gesture is as on a direct connection.

use std::{collections::BTreeSet, env};

use postern_tests::{
    folder::Folder,
    mysql::{
        accounts::DATABASE,
        login::{DEPRECATE_EOF, Greeting, LOCAL_FILES, LogIn, MULTI_STATEMENTS, ORDINARY, SESSION_TRACK},
        prepared::{CURSOR, execute, fetch},
        server::Version,
        stage::{Stage, Wish},
        wire::{
            FIELD_LIST, INIT_DB, PING, Packet, RESET_CONNECTION, Raw, SET_OPTION, STMT_CLOSE, STMT_EXECUTE,
            STMT_FETCH, STMT_PREPARE, STMT_RESET, STMT_SEND_LONG_DATA, command, query,
        },
    },
    process::Process,
    stage::Access,
    wait::{PATIENCE, until},
};
use rustix::process::Signal;
use tokio::task::JoinSet;

on_both! {
    every_packet_of_a_conversation_is_the_same
    the_greeting_is_the_same
    an_upload_goes_the_same_way
    what_the_client_asked_for_at_the_login_holds
    commands_sent_at_once_are_answered_in_order
    a_row_of_a_hundred_megabytes_passes_without_being_held
    an_upload_of_a_hundred_megabytes_takes_no_memory
    a_statement_is_killed_by_the_number_of_its_connection
    nobody_kills_the_session_of_another_account
    an_interrupt_at_the_stock_client_cancels_its_query
    a_client_that_goes_away_leaves_no_connection_behind
    a_fresh_connection_never_shows_what_an_earlier_one_left
    twenty_clients_at_once_each_get_their_own_answers
}

const ACCOUNT: &str = "app_rw";

async fn set(version: Version) -> Option<(Stage, Access)> {
    let stage = Stage::on(version, Wish { tls: true, ..Wish::default() }).await?;
    let access = stage.access(ACCOUNT, "1h").await;
    Some((stage, access))
}

/// A command and how its answer is read.
enum Step {
    /// Results, up to the last one.
    Results(Vec<u8>),
    /// One packet.
    Packet(Vec<u8>),
    /// A fixed number of packets.
    Packets(Vec<u8>, usize),
    /// Rows of a cursor.
    Rows(Vec<u8>),
    /// No answer at all.
    Silence(Vec<u8>),
}

impl Step {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Results(bytes)
            | Self::Packet(bytes)
            | Self::Packets(bytes, _)
            | Self::Rows(bytes)
            | Self::Silence(bytes) => bytes,
        }
    }
}

/// Past the gate and through it: the port, and how to log in there.
fn both<'a>(stage: &Stage, access: &'a Access) -> [(u16, LogIn<'a>); 2] {
    [(stage.mysql.port(), stage.direct(access)), (stage.sidecar.port(), stage.login(access))]
}

/// One side of a conversation. Which numbers a server gives its prepared statements is its own affair: the steps
/// count them from 1.
struct Side {
    raw: Raw,
    statements: Vec<[u8; 4]>,
}

impl Side {
    /// The bytes of a step, with the server's own number of the statement in it.
    fn numbered(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let names_one =
            [STMT_EXECUTE, STMT_SEND_LONG_DATA, STMT_CLOSE, STMT_RESET, STMT_FETCH].contains(&bytes[4]);
        if names_one {
            let ours = u32::from_le_bytes(bytes[5..9].try_into().unwrap());
            if let Some(theirs) = self.statements.get(ours as usize - 1) {
                bytes[5..9].copy_from_slice(theirs);
            }
        }
        bytes
    }

    /// Says a step's bytes and returns the answer, without the numbers of statements.
    async fn say(&mut self, step: &Step) -> Vec<Packet> {
        self.raw.send(&self.numbered(step.bytes())).await;
        let mut packets = self.hear(step).await;
        if step.bytes()[4] == STMT_PREPARE && packets[0].kind() == 0 {
            self.statements.push(packets[0].body[1..5].try_into().unwrap());
            packets[0].body[1..5].fill(0);
        }
        packets
    }

    async fn hear(&mut self, step: &Step) -> Vec<Packet> {
        let mut packets = Vec::new();
        match step {
            Step::Results(_) => packets = self.raw.response().await,
            Step::Packet(_) => packets.extend(self.raw.next().await),
            Step::Packets(_, count) => {
                for _ in 0..*count {
                    packets.extend(self.raw.next().await);
                }
            }
            Step::Rows(_) => drop(self.raw.rows(&mut packets).await),
            Step::Silence(_) => {}
        }
        packets
    }
}

fn queries() -> Vec<Step> {
    let statements = [
        "select 1, null, 'ü', 1.5, now() > '2020-01-01', x'00ff', b'101', cast(1 as char), 1e300",
        "",
        "select 1; select 2; set @a = 1; select broken; select 3",
        "do 1; do 2; select 3",
        "select 1/0, cast('12x' as signed)",
        "show warnings",
        "select nonsense from nowhere",
        "selec 1",
        "create table t (id int primary key auto_increment, a varchar(20), b json, c enum('x', 'y'), d datetime(3))",
        "insert into t (a, b, c) values ('ä', '{}', 'x'), ('b', '[1]', 'y')",
        "insert into t (id) values (1)",
        "update t set a = a",
        "update t set a = 'z'",
        "select * from t",
        "select * from t where id < 0",
        "begin",
        "delete from t",
        "rollback",
        "create procedure several() begin select 1; select * from t; signal sqlstate '01000' set message_text = 'w'; end",
        "call several()",
        "drop procedure several",
        "signal sqlstate '45000' set message_text = 'my own', mysql_errno = 31000",
        "set names latin1",
        "select 'é', @@character_set_results",
        "set names utf8mb4",
        "use hr",
        "use nowhere_at_all",
        "use shop",
        "explain select 1",
        "show create table t",
        "show full columns from t",
        "analyze table t",
        "lock tables t read",
        "insert into t (a) values ('locked')",
        "unlock tables",
        "handler t open",
        "handler t read first",
        "handler t close",
        "prepare p from 'select ? + 1'",
        "set @n = 41",
        "execute p using @n",
        "deallocate prepare p",
        "select repeat('x', 300000)",
        "select repeat('x', 17000000)",
        "drop table t",
        "/* only a comment */",
        "select /*! 1 + */ 1",
    ];
    statements.iter().map(|sql| Step::Results(query(sql))).collect()
}

fn prepared(deprecate_eof: bool) -> Vec<Step> {
    let ends = usize::from(!deprecate_eof);
    let (one, two, three) = (1_u32.to_le_bytes(), 2_u32.to_le_bytes(), 3_u32.to_le_bytes());
    vec![
        Step::Packets(command(STMT_PREPARE, b"select ?, ? + 0, repeat('x', 5)"), 1 + 2 + ends + 3 + ends),
        Step::Results(execute(1, 0, &["first", "2"])),
        Step::Silence(command(STMT_SEND_LONG_DATA, &[&one[..], &[0, 0], &[b'y'; 70_000]].concat())),
        Step::Silence(command(STMT_SEND_LONG_DATA, &[&one[..], &[0, 0], b"end"].concat())),
        Step::Results(execute(1, 0, &["ignored", "3"])),
        Step::Packet(command(STMT_RESET, &one)),
        Step::Packet(command(STMT_PREPARE, b"selec 1")),
        Step::Results(execute(999, 0, &[])),
        Step::Results(query("create table p (id int primary key)")),
        Step::Results(query("insert into p values (1), (2), (3), (4), (5)")),
        Step::Packets(command(STMT_PREPARE, b"select id from p order by id"), 2 + ends),
        Step::Results(execute(2, CURSOR, &[])),
        Step::Rows(fetch(2, 2)),
        Step::Rows(fetch(2, 2)),
        Step::Rows(fetch(2, 2)),
        Step::Packet(command(STMT_RESET, &two)),
        Step::Packet(command(STMT_PREPARE, b"insert into p values (6)")),
        Step::Results(execute(3, 0, &[])),
        Step::Results(execute(3, 0, &[])),
        Step::Silence(command(STMT_CLOSE, &three)),
        Step::Results(query("drop table p")),
    ]
}

fn others(deprecate_eof: bool) -> Vec<Step> {
    let ends = usize::from(!deprecate_eof);
    vec![
        Step::Packet(command(PING, &[])),
        Step::Packet(command(INIT_DB, b"hr")),
        Step::Results(query("select database()")),
        Step::Packet(command(INIT_DB, b"nowhere_at_all")),
        Step::Packets(command(SET_OPTION, &[1, 0]), 1),
        Step::Results(query("select 1; select 2")),
        Step::Packets(command(SET_OPTION, &[0, 0]), 1),
        Step::Results(query("select 1; select 2")),
        Step::Results(query("set @kept = 5")),
        Step::Packet(command(RESET_CONNECTION, &[])),
        Step::Results(query("select @kept, database()")),
        Step::Results(query("create table shop.f (a int, b varchar(5) default 'x')")),
        Step::Packet(command(INIT_DB, b"shop")),
        Step::Packets(command(FIELD_LIST, b"f\0%"), 2 + ends),
        Step::Packet(command(FIELD_LIST, b"nowhere_at_all\0%")),
        Step::Results(query("drop table shop.f")),
        Step::Packet(command(200, b"what")),
    ]
}

fn conversations(deprecate_eof: bool) -> [Vec<Step>; 3] {
    [queries(), prepared(deprecate_eof), others(deprecate_eof)]
}

async fn every_packet_of_a_conversation_is_the_same(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    for more in [0, DEPRECATE_EOF, DEPRECATE_EOF | SESSION_TRACK, SESSION_TRACK] {
        let capabilities = ORDINARY | MULTI_STATEMENTS | LOCAL_FILES | more;
        for steps in conversations(more & DEPRECATE_EOF != 0) {
            let mut said = Vec::new();
            for (port, login) in both(&stage, &access) {
                let mut raw = Raw::connect(port).await;
                raw.log_in(&LogIn { capabilities, ..login }).await.unwrap();
                let (mut side, mut packets) = (Side { raw, statements: Vec::new() }, Vec::new());
                for step in &steps {
                    packets.push(side.say(step).await);
                }
                said.push(packets);
            }
            for ((step, expected), got) in steps.iter().zip(&said[0]).zip(&said[1]) {
                let sent = String::from_utf8_lossy(step.bytes()).into_owned();
                let sent: String = sent.chars().take(120).collect();
                assert!(expected == got, "{more:x}, to {sent:?}\n{expected:?}\n{got:?}");
            }
        }
    }
}

/// What is the same for every connection of one kind.
fn comparable(greeting: &Greeting) -> (String, u32, u8, u16, usize) {
    let Greeting { version, extended, collation, status, challenge, .. } = greeting;
    (version.clone(), *extended, *collation, *status, challenge.len())
}

async fn the_greeting_is_the_same(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    let direct = Raw::connect(stage.mysql.port()).await.log_in(&stage.direct(&access)).await.unwrap();
    let through = Raw::connect(stage.sidecar.port()).await.log_in(&stage.login(&access)).await.unwrap();
    assert_eq!(comparable(&direct).0, comparable(&through).0);
    assert_eq!((direct.collation, direct.status), (through.collation, through.status));
    assert_eq!(comparable(&through).4, 20);
    assert_eq!(through.capabilities & !direct.capabilities, 0, "more than the server can do");
    for needed in
        [DEPRECATE_EOF, SESSION_TRACK, MULTI_STATEMENTS, LOCAL_FILES, ORDINARY & direct.capabilities]
    {
        assert_eq!(through.capabilities & needed, needed, "{needed:x} is missing");
    }
}

async fn an_upload_goes_the_same_way(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    let chunks: [&[&[u8]]; 4] = [&[b"1\n2\n", b"3\n"], &[], &[b"x\n"], &[&[b'7'; 100]]];
    let mut said = Vec::new();
    for (port, login) in both(&stage, &access) {
        stage.mysql.admin().await.run("create table shop.up (id int)").await;
        let mut raw = Raw::connect(port).await;
        raw.log_in(&login).await.unwrap();
        let mut answers = Vec::new();
        for chunks in chunks {
            raw.send(&query("load data local infile '/no/such/file' into table up")).await;
            assert_eq!(raw.next().await.unwrap().body, b"\xfb/no/such/file");
            for chunk in chunks {
                raw.reply(chunk).await;
                raw.sequence = raw.sequence.wrapping_add(1);
            }
            raw.reply(&[]).await;
            answers.push(raw.next().await.unwrap());
        }
        assert_eq!(raw.value("select group_concat(id order by id) from up").await, "0,1,2,3,2147483647");
        stage.mysql.admin().await.run("drop table shop.up").await;
        said.push(answers);
    }
    assert_eq!((said[0][0].sequence, said[0][1].sequence), (5, 3));
    assert_eq!(said[0], said[1]);
}

async fn what_the_client_asked_for_at_the_login_holds(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    let attributes = [("program_name", "an application"), ("_os", "CP/M")];
    let sql = "select concat_ws(' ', database(), @@collation_connection, @@character_set_client, @@interactive_timeout = @@wait_timeout)";
    for (collation, database, interactive) in
        [(8, DATABASE, 0), (45, "hr", 1 << 10), (33, "", 0), (63, DATABASE, 0)]
    {
        let mut said = Vec::new();
        for (port, login) in both(&stage, &access) {
            let capabilities = ORDINARY | interactive;
            let login = LogIn { collation, database, capabilities, attributes: &attributes, ..login };
            let mut raw = Raw::connect(port).await;
            raw.log_in(&login).await.unwrap();
            said.push(raw.value(sql).await);
        }
        assert_eq!(said[0], said[1]);
    }
    let nowhere = LogIn { database: "nowhere_at_all", ..stage.login(&access) };
    assert_eq!(stage.raw_as(&nowhere).await.err().map(|refusal| refusal.code), Some(1044));
}

async fn commands_sent_at_once_are_answered_in_order(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    let mut raw = stage.raw(&access).await.unwrap();
    let all: Vec<u8> = (0..200).flat_map(|n| query(&format!("select {n}"))).collect();
    raw.send(&all).await;
    for n in 0..200 {
        let answer = raw.response().await;
        let said = String::from_utf8_lossy(&answer[2].body[1..]).into_owned();
        assert_eq!(said, n.to_string());
    }
}

async fn a_row_of_a_hundred_megabytes_passes_without_being_held(version: Version) {
    let Some((mut stage, access)) = set(version).await else { return };
    let mut raw = stage.raw(&access).await.unwrap();
    let before = stage.sidecar.process().resident_kib();
    assert_eq!(raw.value("select repeat('x', 100000000)").await.len(), 100_000_000);
    let long = format!("select length('{}')", "y".repeat(50_000_000));
    assert_eq!(raw.value(&long).await, "50000000");
    let grown = stage.sidecar.process().resident_kib().saturating_sub(before);
    assert!(grown < 48 * 1024, "the sidecar grew by {grown} KiB");
}

async fn an_upload_of_a_hundred_megabytes_takes_no_memory(version: Version) {
    let mib = env::var("POSTERN_TEST_FULL").map_or(100, |_| 500);
    let Some((mut stage, access)) = set(version).await else { return };
    let mut raw = stage.raw(&access).await.unwrap();
    raw.run("create table bulk (line text)").await;
    let before = stage.sidecar.process().resident_kib();
    let mut most = before;
    raw.send(&query("load data local infile 'bulk' into table bulk")).await;
    assert_eq!(raw.next().await.unwrap().kind(), 0xfb);
    let chunk = format!("{}\n", "x".repeat(1023)).repeat(1024);
    for _ in 0..mib {
        raw.reply(chunk.as_bytes()).await;
        raw.sequence = raw.sequence.wrapping_add(1);
        most = most.max(stage.sidecar.process().resident_kib());
    }
    raw.reply(&[]).await;
    assert_eq!(raw.next().await.unwrap().kind(), 0);
    assert_eq!(raw.value("select count(*) from bulk").await, (mib * 1024).to_string());
    // What it learns of the catalog meanwhile takes some.
    assert!(most - before < 48 * 1024, "the sidecar grew by {} KiB", most - before);
}

const SLOW: &str = "select count(*) from information_schema.columns a, information_schema.columns b, \
                    information_schema.columns c, information_schema.columns d where a.table_name < d.column_name";
const RUNNING: &str = "user = 'app_rw' and info like 'select count(*) from information_schema.columns a%'";

async fn a_statement_is_killed_by_the_number_of_its_connection(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    for by_function in [false, true] {
        let mut one = Raw::connect(stage.sidecar.port()).await;
        let greeting = one.log_in(&stage.login(&access)).await.unwrap();
        let asked = one.value("select connection_id()").await;
        let number = if by_function { asked } else { greeting.connection.to_string() };
        one.send(&query(SLOW)).await;
        until("it to run", async || stage.mysql.connections(RUNNING).await == 1).await;
        stage.raw(&access).await.unwrap().run(&format!("kill query {number}")).await;
        let last = one.response().await.pop().unwrap().refusal().unwrap();
        assert_eq!((last.code, last.state.as_str()), (1317, "70100"), "{last:?}");
        assert_eq!(one.value("select 'still here'").await, "still here");
    }
}

async fn nobody_kills_the_session_of_another_account(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    let other = stage.access("app_ro", "1h").await;
    let mut victim = Raw::connect(stage.sidecar.port()).await;
    let greeting = victim.log_in(&stage.login(&access)).await.unwrap();
    let asked = victim.value("select connection_id()").await;
    for number in [greeting.connection.to_string(), asked] {
        for kill in ["kill", "kill query", "kill connection"] {
            let refused =
                stage.raw(&other).await.unwrap().ask(&format!("{kill} {number}")).await.unwrap_err();
            assert!([1094, 1095].contains(&refused.code), "{refused:?}");
        }
    }
    assert_eq!(victim.value("select 'alive'").await, "alive");
}

async fn an_interrupt_at_the_stock_client_cancels_its_query(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    let [_, through] = stage.ways(&access);
    let folder = Folder::new();
    let mut command = through.command(&stage.mysql, stage.mysql.client());
    command.args(["--batch", "--execute", SLOW]);
    let mut client = Process::start(command, &folder.path().join("client.log"), Signal::KILL);
    until("it to run", async || stage.mysql.connections(RUNNING).await == 1).await;
    client.signal(Signal::INT);
    until("the statement to end", async || stage.mysql.connections(RUNNING).await == 0).await;
    client.wait(PATIENCE).expect("the client ends");
}

async fn a_client_that_goes_away_leaves_no_connection_behind(version: Version) {
    let wish = Wish { repo: "tls = \"disable\"\nwarm = 0".to_owned(), ..Wish::default() };
    let Some(stage) = Stage::on(version, wish).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    let mut raw = stage.raw(&access).await.unwrap();
    raw.send(&query("select sleep(600)")).await;
    let sleeping = "user = 'app_rw' and state = 'User sleep'";
    until("it to sleep", async || stage.mysql.connections(sleeping).await == 1).await;
    drop(raw);
    until("the connection to go", async || stage.mysql.connections("user = 'app_rw'").await == 0).await;
}

async fn a_fresh_connection_never_shows_what_an_earlier_one_left(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let mut raw = stage.raw(&access).await.unwrap();
        assert!(seen.insert(raw.value("select connection_id()").await), "one connection served two sessions");
        assert_eq!(raw.ask("select * from left_over").await.unwrap_err().code, 1146);
        let state =
            "select concat_ws(' ', @left_over, if(@@sql_safe_updates, 1, 0), last_insert_id(), database())";
        assert_eq!(raw.value(state).await, format!("0 0 {DATABASE}"));
        raw.run("create temporary table left_over (id int primary key auto_increment); insert into left_over values ()").await;
        raw.run("set @left_over = 1, sql_safe_updates = 1; use hr").await;
    }
}

async fn twenty_clients_at_once_each_get_their_own_answers(version: Version) {
    let Some((stage, access)) = set(version).await else { return };
    let (port, tls) = (stage.sidecar.port(), stage.tls());
    let mut clients = JoinSet::new();
    for n in 0..20 {
        let (access, tls) = (access.clone(), tls.clone());
        clients.spawn(async move {
            let mut raw = Raw::connect(port).await;
            raw.log_in(&LogIn { tls, ..LogIn::new(ACCOUNT, &access.token) }).await.unwrap();
            for round in 0..50 {
                let said = raw.value(&format!("select {n} * 1000 + {round}")).await;
                assert_eq!(said, (n * 1000 + round).to_string());
            }
        });
    }
    clients.join_all().await;
}
