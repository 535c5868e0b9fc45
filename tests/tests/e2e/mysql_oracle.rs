//! MySQL and MariaDB themselves say what a limited session may do: random statements as a native account with the grant's
//! privileges, and through the gate. A number of statements by hand: `POSTERN_TEST_STATEMENTS=100000`;
//! `POSTERN_TEST_SEED` goes on from a seed.

use std::ops::Range;

use futures_util::future::join_all;
use postern_tests::{
    limits::{number, tally::Tally},
    mysql::{
        limits::{
            NATIVE, data,
            generate::{innocent, mutated, respelled, statement},
            let_native_account_in, limited,
            oracle::{ORDINARY, Oracle},
            talk::Door,
        },
        server::Version,
        stage::Stage,
    },
};
use serde_json::Value;

/// Modes that change how a text is read, which a session may set.
const MODES: [&str; 6] = [
    ORDINARY,
    "",
    "ANSI_QUOTES,STRICT_TRANS_TABLES",
    "PIPES_AS_CONCAT,IGNORE_SPACE",
    "NO_BACKSLASH_ESCAPES",
    "ONLY_FULL_GROUP_BY,HIGH_NOT_PRECEDENCE",
];
/// So many statements in a row under one mode.
const AT_ONCE: usize = 10;
/// So many sessions side by side.
const LANES: usize = 8;

fn native(port: u16) -> Door {
    Door { port, user: NATIVE.to_owned(), password: String::new() }
}

/// Where statements are played: a limited session beside a native one, several times over.
struct Court {
    stage: Stage,
    doors: Doors,
}

/// The two ways in.
#[derive(Clone)]
struct Doors {
    native: Door,
    gate: Door,
    maria: bool,
}

impl Doors {
    async fn oracle(&self) -> Oracle {
        Oracle::open(&self.native, &self.gate, self.maria).await
    }

    /// What comes of all seeds, some at a time: a name that nobody knows makes the gate look at the catalog and wait.
    async fn play(&self, seeds: Range<u64>, judge: impl AsyncFn(&mut Oracle, u64)) -> Tally {
        let lane = async |lane: usize| {
            let mut oracle = self.oracle().await;
            let mine = seeds.clone().enumerate().filter(|(at, _)| at % LANES == lane);
            for (at, (_, seed)) in mine.enumerate() {
                if at % AT_ONCE == 0 {
                    oracle.renew(MODES[at / AT_ONCE % MODES.len()]).await;
                }
                judge(&mut oracle, seed).await;
            }
            (oracle.tally, oracle.suspects)
        };
        let mut last = self.oracle().await;
        for (tally, suspects) in join_all((0..LANES).map(lane)).await {
            last.tally = std::mem::take(&mut last.tally).and(tally);
            for (mode, sql) in suspects {
                last.settle(&mode, &sql).await;
            }
        }
        last.tally
    }
}

impl Court {
    async fn on(version: Version) -> Option<Self> {
        let (stage, access) = limited(version).await?;
        let_native_account_in(&stage.mysql).await;
        let gate = Door { port: stage.sidecar.port(), user: access.account, password: access.token };
        let native = native(stage.mysql.port());
        Some(Self { stage, doors: Doors { native, gate, maria: version.is_mariadb() } })
    }

    /// Some valid statements are the death of a server, whoever sends them: it is started again then.
    async fn play(&mut self, seeds: Range<u64>, judge: impl AsyncFn(&mut Oracle, u64)) -> Tally {
        tokio::select! {
            tally = self.doors.play(seeds, judge) => tally,
            () = self.stage.mysql.keep_alive() => Tally::default(),
        }
    }
}

fn seeds(ordinary: u64) -> Range<u64> {
    let (seed, count) = (number("POSTERN_TEST_SEED", 1), number("POSTERN_TEST_STATEMENTS", ordinary));
    eprintln!("seeds {seed} to {}", seed + count - 1);
    seed..seed + count
}

fn one_of(list: &[String], seed: u64) -> &str {
    &list[usize::try_from(seed).expect("a seed") % list.len()]
}

async fn random_statements_get_what_the_native_account_gets(version: Version) {
    let Some(mut court) = Court::on(version).await else { return };
    let maria = court.doors.maria;
    let random = async |oracle: &mut Oracle, seed: u64| {
        oracle.compare(&statement(seed, maria)).await;
    };
    court.play(seeds(600), random).await.hold(50);
}

#[tokio::test]
async fn random_statements_get_what_the_native_account_gets_on_mariadb_11() {
    random_statements_get_what_the_native_account_gets(Version::MariaDb11).await;
}

async fn a_changed_piece_gets_what_the_native_account_gets(version: Version) {
    let Some(mut court) = Court::on(version).await else { return };
    let mut oracle = court.doors.oracle().await;
    let mut allowed = Vec::new();
    let seeds = seeds(400);
    let pieces = usize::try_from(seeds.end - seeds.start).expect("a number") / 60;
    for seed in seeds.clone().take(pieces.max(150)) {
        let sql = innocent(seed, court.doors.maria);
        if oracle.compare(&sql).await {
            allowed.push(sql);
        }
    }
    let changed = async |oracle: &mut Oracle, seed: u64| {
        oracle.compare(&mutated(one_of(&allowed, seed), seed)).await;
    };
    let tally = court.play(seeds, changed).await;
    eprintln!("{}", tally.report());
    assert!(tally.wrong.is_empty(), "{}", tally.report());
}

/// Every statement of the cases that writes no secret itself.
fn of_the_cases() -> Vec<String> {
    let text = std::fs::read_to_string(data("mysql_cases.jsonl")).expect("it is part of the tests");
    let cases = text.lines().map(|line| serde_json::from_str(line).expect("a case in each line"));
    let texts = cases.flat_map(|case: Value| case["session"].as_array().cloned().unwrap_or_default());
    let texts = texts.filter_map(|sql| sql.as_str().map(str::to_owned));
    texts.filter(|sql| !["SECRET", "77770", "88880"].iter().any(|mark| sql.contains(mark))).collect()
}

/// Known ways past limits, changed a little, in front of an account that may do everything.
async fn changed_cases_tell_nothing_hidden(version: Version) {
    let Some(mut court) = Court::on(version).await else { return };
    let cases = of_the_cases();
    let changed = async |oracle: &mut Oracle, seed: u64| {
        let case = one_of(&cases, seed);
        oracle.probe(&if seed.is_multiple_of(7) { respelled(case, seed) } else { mutated(case, seed) }).await;
    };
    let tally = court.play(seeds(800), changed).await;
    eprintln!("{}", tally.report());
    assert!(tally.wrong.is_empty() && tally.allowed > 0, "{}", tally.report());
}

on_both! {
    random_statements_get_what_the_native_account_gets
    a_changed_piece_gets_what_the_native_account_gets
    changed_cases_tell_nothing_hidden
}

/// The comparison proves itself without a gate: the account itself in the gate's place is caught.
#[tokio::test]
async fn an_open_gate_would_be_noticed() {
    let Some((stage, _)) = limited(Version::MariaDb10).await else { return };
    let_native_account_in(&stage.mysql).await;
    let open = Door { user: "root".to_owned(), ..native(stage.mysql.port()) };
    let mut oracle = Oracle::open(&native(stage.mysql.port()), &open, true).await;
    for seed in seeds(300) {
        oracle.compare(&statement(seed, true)).await;
    }
    assert!(oracle.tally.wrong.len() > 30, "{}", oracle.tally.report());
    assert!(oracle.tally.strict.is_empty(), "{}", oracle.tally.report());
}
