//! Several statements in one message of which one is refused: a limited session beside a role of the database with the
//! same privileges, which is told the same and leaves the same behind.

use std::fmt::Write;

use postern_tests::{
    limits::{
        ACCOUNT, NATIVE,
        ground::{COMMON, Ground},
        number, resources,
        talk::{Answer, Door, Talk},
    },
    postgres::{Postgres, Version},
    stage::{Stage, Wish},
    wire::{Message, Raw, query},
};
use tokio_postgres::Client;

/// What a `COPY` of the scripts gets, where answers are waited for.
const COPY: &str = "COPY orders(id, qty) FROM STDIN";
const DATA: &str = "1900\t1\n1901\t2\n";

/// A limited session and a native one find the same here, one after the other.
struct Court {
    native: Door,
    gate: Door,
    admin: Client,
    _stage: Stage,
}

/// What is seen of a script: all that came back, and what is stored behind it.
type Seen = (Vec<String>, Vec<String>);

impl Court {
    async fn open(version: Version) -> Option<Self> {
        let postgres = Postgres::start(version).await?;
        Ground::lay(&postgres, &[]).await;
        let stage = Stage::around(postgres, Wish { more: vec![COMMON.to_owned()], ..Wish::default() }).await;
        let access = stage.limited(COMMON, ACCOUNT, &resources()).await;
        let native = Door { port: stage.postgres.port(), user: NATIVE.to_owned(), password: String::new() };
        let gate = Door { port: stage.sidecar.port(), user: access.account, password: access.token };
        let admin = stage.postgres.admin_of(COMMON).await;
        Some(Self { native, gate, admin, _stage: stage })
    }

    /// Plays a script at one door. `ahead`: without waiting for answers.
    async fn play(&self, door: &Door, script: &[String], ahead: bool) -> Seen {
        let told = if ahead { all_at_once(door, script).await } else { one_by_one(door, script).await };
        let stored = self.admin.query("select id, qty from orders where id >= 1000 order by id", &[]).await;
        let row = |row: &tokio_postgres::Row| format!("{} {}", row.get::<_, i32>(0), row.get::<_, i32>(1));
        let stored = stored.unwrap().iter().map(row).collect();
        self.admin.batch_execute("delete from orders where id >= 1000").await.unwrap();
        (told, stored)
    }

    /// What the database itself makes of a script, and what it does through the gate.
    async fn both(&self, script: &[String], ahead: bool) -> (Seen, Seen) {
        (self.play(&self.native, script, ahead).await, self.play(&self.gate, script, ahead).await)
    }
}

/// What counts of a message. What the server says unasked, and how it words an error, does not.
fn seen(message: &Message) -> Option<String> {
    let text = || String::from_utf8_lossy(&message.body).replace('\0', " ");
    match message.kind {
        b'N' | b'S' => None,
        b'E' => Some(message.fields().code().to_owned()),
        b'C' | b'D' | b'Z' => Some(format!("{}{}", char::from(message.kind), text().trim_end())),
        kind => Some(char::from(kind).to_string()),
    }
}

async fn one_by_one(door: &Door, script: &[String]) -> Vec<String> {
    let mut talk = Talk::open(door, COMMON).await.unwrap();
    let mut told = Vec::new();
    for text in script {
        let Answer { messages, broken } = talk.say(text, Some(DATA)).await;
        assert!(!broken, "{text}");
        told.extend(messages.iter().filter_map(seen));
    }
    talk.close().await;
    told
}

async fn all_at_once(door: &Door, script: &[String]) -> Vec<String> {
    let mut raw = Raw::connect(door.port).await;
    raw.log_in(&[("user", &door.user), ("database", COMMON)], &door.password).await.unwrap();
    raw.send(&script.iter().map(|text| query(text)).collect::<Vec<_>>().concat()).await;
    let mut told = Vec::new();
    for _ in script {
        told.extend(raw.until(b'Z').await.iter().filter_map(seen));
    }
    told
}

fn script(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

async fn parts(version: Version) {
    let Some(court) = Court::open(version).await else { return };
    for (texts, stored) in [
        (
            &[
                "BEGIN; INSERT INTO orders(id, qty) VALUES (1000, 1); SELECT nosuch FROM orders",
                "INSERT INTO orders(id, qty) VALUES (1001, 2)",
                "COMMIT",
            ][..],
            &[][..],
        ),
        (
            &[
                "BEGIN",
                "INSERT INTO orders(id, qty) VALUES (1000, 1)",
                "COMMIT; SELECT card_number FROM sales",
            ],
            &["1000 1"],
        ),
        (
            &[
                "BEGIN",
                "SELECT 1/0",
                "ROLLBACK; TABLE employees",
                "INSERT INTO orders(id, qty) VALUES (1000, 1)",
            ],
            &["1000 1"],
        ),
        (&["INSERT INTO orders(id, qty) VALUES (1000, 1); SELECT 1/0; SELECT card_number FROM sales"], &[]),
        (
            &[
                "INSERT INTO orders(id, qty) VALUES (1000, 1); COMMIT; SELECT 1/0; DROP TABLE sales",
                "SELECT 2",
            ],
            &["1000 1"],
        ),
        (
            &[
                "BEGIN; INSERT INTO orders(id, qty) VALUES (1000, 1); COMMIT; SELECT nosuch FROM orders; SELEC",
            ],
            &[],
        ),
        (&["BEGIN; COPY orders(id, qty) FROM STDIN; COMMIT; EXECUTE nothing"], &["1900 1", "1901 2"]),
        (&["COPY orders(id, qty) FROM STDIN; TABLE employees; COMMIT", "SELECT 3"], &[]),
        (&["PREPARE p AS SELECT 4; FETCH nothing; DEALLOCATE p", "EXECUTE p"], &[]),
        (&["DISCARD ALL; TABLE employees", "/* ä */ SELECT 5 -- ;\n; TABLE employees"], &[]),
    ] {
        let (native, gate) = court.both(&script(texts), false).await;
        assert_eq!(native, gate, "{texts:?}");
        assert_eq!(gate.1, stored, "{texts:?}");
    }
}

#[tokio::test]
async fn statements_before_a_refused_one_are_executed_as_for_a_native_role_on_15() {
    parts(Version::Fifteen).await;
}

#[tokio::test]
async fn statements_before_a_refused_one_are_executed_as_for_a_native_role_on_18() {
    parts(Version::Eighteen).await;
}

/// What the texts of random scripts are made of. The last ones are refused.
const STATEMENTS: &[&str] = &[
    "BEGIN",
    "BEGIN",
    "COMMIT",
    "COMMIT",
    "ROLLBACK",
    "COMMIT AND CHAIN",
    "START TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE s",
    "INSERT INTO orders(id, qty) VALUES (#, 7)",
    "INSERT INTO orders(id, qty) VALUES (#, 7)",
    "INSERT INTO orders(id, qty) SELECT #, count(*) FROM orders RETURNING qty",
    "UPDATE orders SET qty = qty + 1 WHERE id >= 1000",
    COPY,
    "SELECT sku FROM sales ORDER BY id LIMIT 2",
    "SELECT count(*) FROM orders",
    "SELECT 'ä;' /* ; */ -- ;\n",
    "",
    "PREPARE p AS SELECT # % 7",
    "EXECUTE p",
    "DEALLOCATE p",
    "DEALLOCATE ALL",
    "DECLARE c CURSOR FOR SELECT id FROM sales ORDER BY id",
    "DECLARE h CURSOR WITH HOLD FOR SELECT id FROM orders WHERE id < 1000 ORDER BY id",
    "FETCH c",
    "FETCH 2 FROM h",
    "UPDATE orders SET qty = 0 WHERE CURRENT OF c",
    "CLOSE c",
    "CLOSE ALL",
    "SET LOCAL statement_timeout = '10s'",
    "DISCARD ALL",
    "SELECT 1 / (# - #)",
    "INSERT INTO orders(id, qty) VALUES (#, 'x'::text::int)",
    "TABLE sales",
    "SELECT card_number FROM sales",
    "SELECT nosuch FROM orders",
    "TABLE nosuch",
    "DELETE FROM orders",
    "DROP TABLE sales",
    "EXECUTE nothing",
    "CLOSE nothing",
];

/// Numbers that look random, each from the one before.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn random_script(seed: u64, ahead: bool) -> Vec<String> {
    let mut dice = Dice(seed);
    for _ in 0..3 {
        dice.below(1);
    }
    let text = |_| {
        let mut text = String::new();
        for _ in 0..=dice.below(5) {
            let number = (1000 + dice.below(40)).to_string();
            let statement = STATEMENTS[dice.below(STATEMENTS.len())].replace('#', &number);
            let statement = if ahead { statement.replace(COPY, "SELECT") } else { statement };
            write!(text, "{statement};").unwrap();
        }
        text
    };
    (0..6).map(text).collect()
}

async fn random_scripts(version: Version) {
    let Some(court) = Court::open(version).await else { return };
    let (seed, count) = (number("POSTERN_TEST_SEED", 1), number("POSTERN_TEST_STATEMENTS", 300) / 6);
    let (mut stored, mut different) = (0, Vec::new());
    for seed in seed..seed + count {
        let ahead = seed % 2 == 0;
        let script = random_script(seed, ahead);
        let (native, gate) = court.both(&script, ahead).await;
        stored += usize::from(!native.1.is_empty());
        if native != gate {
            different.push((seed, script, native, gate));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {count}: {:#?}",
        different.len(),
        &different[..different.len().min(5)]
    );
    assert!(stored > 0, "the scripts do something");
}

#[tokio::test]
async fn random_scripts_leave_what_a_native_role_leaves_on_15() {
    random_scripts(Version::Fifteen).await;
}

#[tokio::test]
async fn random_scripts_leave_what_a_native_role_leaves_on_18() {
    random_scripts(Version::Eighteen).await;
}
