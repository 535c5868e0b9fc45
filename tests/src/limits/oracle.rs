//! The database as the judge of the gate: one statement as the native role and through a limited session.
//!
//! Both run it in a transaction that is rolled back, against the same data.

use std::{collections::BTreeMap, env, fmt::Write};

use super::{
    markers::leaks,
    talk::{Answer, Door, Talk},
};
use crate::wire::Fields;

/// Errors that come before a statement is executed.
const BEFORE: [&str; 4] = ["42", "0A", "34", "26"];
/// What the server checks only when it comes to execute it. The gate refuses it at once, by choice.
const LATE: [&str; 3] = ["query_to_xml", "table_to_xml", "pg_read_file"];
/// What makes two answers differ that are alike.
const UNSTABLE: [&str; 13] = [
    "insert",
    "merge",
    "ctid",
    "xmin",
    "xmax",
    "explain",
    "current_",
    "now(",
    "localtime",
    "inet_",
    "pg_",
    "timestamp",
    "timeofday",
];
/// No statement may take longer.
const LIMIT: &str = "set statement_timeout = '400ms'";

/// One of the two.
struct Side {
    door: Door,
    database: String,
    talk: Talk,
}

/// What came of many statements.
#[derive(Debug, Default)]
pub struct Tally {
    /// Both ran it, with the same rows.
    pub allowed: usize,
    /// Both refused it.
    pub refused: usize,
    /// It was wrong in itself, or took too long: how often, and one example, by reason.
    pub failed: BTreeMap<String, (usize, String)>,
    /// The gate ran what the role may not, or told something else. Nothing of this is ever right.
    pub wrong: Vec<String>,
    /// The gate refused what the role may do: how often, and one example, by reason.
    pub strict: BTreeMap<String, (usize, String)>,
}

/// Both sides.
pub struct Oracle {
    native: Side,
    gate: Side,
    /// What has come so far.
    pub tally: Tally,
}

impl Side {
    async fn open(door: Door, database: &str) -> Self {
        let mut talk = Talk::open(&door, database).await.unwrap_or_else(|error| panic!("{error:?}"));
        let set = talk.say(LIMIT, None).await;
        assert!(set.error().is_none(), "{}", set.brief());
        Self { door, database: database.to_owned(), talk }
    }

    async fn run(&mut self, sql: &str) -> Answer {
        let answer = self.talk.attempt(sql).await;
        if answer.broken {
            *self = Self::open(self.door.clone(), &self.database).await;
        }
        answer
    }
}

impl Oracle {
    /// Opens a session at each.
    pub async fn open(native: Door, gate: Door, database: &str) -> Self {
        let (native, gate) = (Side::open(native, database).await, Side::open(gate, database).await);
        Self { native, gate, tally: Tally::default() }
    }

    /// Runs a statement on both sides. Whether the native role may run it.
    pub async fn compare(&mut self, sql: &str) -> bool {
        let native = self.native.run(sql).await;
        let gate = self.gate.run(sql).await;
        self.tally.count(sql, &native, &gate);
        native.error().is_none()
    }
}

impl Tally {
    fn count(&mut self, sql: &str, native: &Answer, gate: &Answer) {
        let leaked = leaks(sql, &gate.text());
        if gate.broken || !leaked.is_empty() {
            self.note("the session ended, or a secret was told", sql, native, gate);
            return;
        }
        match (native.error(), gate.error()) {
            // It took too long, here or there: nobody knows.
            (Some(error), _) | (_, Some(error)) if error.code() == "57014" => {
                add(&mut self.failed, &error, sql);
            }
            (None, None) if alike(sql, native, gate) => self.allowed += 1,
            (None, None) => self.note("other rows", sql, native, gate),
            (None, Some(_)) if LATE.iter().any(|name| sql.to_lowercase().contains(name)) => self.refused += 1,
            (None, Some(error)) => {
                add(&mut self.strict, &error, sql);
            }
            (Some(error), None) => {
                self.note(&format!("{} natively, but it ran", error.code()), sql, native, gate);
            }
            (Some(error), Some(here)) if error.code() == "42501" => {
                let before = BEFORE.iter().any(|class| here.code().starts_with(class));
                if before && gate.rows().is_empty() {
                    self.refused += 1;
                } else {
                    self.note("refused natively, but executed", sql, native, gate);
                }
            }
            (Some(error), Some(_)) => add(&mut self.failed, &error, sql),
        }
    }

    fn note(&mut self, what: &str, sql: &str, native: &Answer, gate: &Answer) {
        self.wrong.push(format!(
            "{what}\n    {sql}\n    native: {}\n    gate:   {}\n",
            native.brief(),
            gate.brief()
        ));
    }

    /// How many the native role may run.
    pub fn rightful(&self) -> usize {
        self.allowed + self.strictly()
    }

    /// How many of these the gate refused.
    pub fn strictly(&self) -> usize {
        self.strict.values().map(|(count, _)| count).sum()
    }

    /// All of it in words, the commonest reasons first.
    pub fn report(&self) -> String {
        let mut text = format!(
            "{} allowed, {} refused, {} wrong in themselves; {} refused though the role may; {} findings\n",
            self.allowed,
            self.refused,
            self.failed.values().map(|(count, _)| count).sum::<usize>(),
            self.strictly(),
            self.wrong.len()
        );
        text += &list(&self.strict, 40);
        if env::var_os("POSTERN_TEST_FAILURES").is_some() {
            text += &list(&self.failed, 40);
        }
        for finding in self.wrong.iter().take(40) {
            let _ = writeln!(text, "{finding}");
        }
        text
    }
}

fn add(reasons: &mut BTreeMap<String, (usize, String)>, error: &Fields, sql: &str) {
    let why = if error.get('D').is_empty() { error.message() } else { error.get('D') };
    let reason = format!("{} {why}", error.code());
    reasons.entry(reason).or_insert_with(|| (0, sql.to_owned())).0 += 1;
}

fn list(reasons: &BTreeMap<String, (usize, String)>, most: usize) -> String {
    let mut reasons: Vec<_> = reasons.iter().collect();
    reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let line = |(reason, (count, example)): (&String, &(usize, String))| {
        format!("{count:6} × {reason}\n         e.g. {example}\n")
    };
    reasons.into_iter().take(most).map(line).collect()
}

/// Whether both were told the same. The server may choose another order, and numbers of sequences and rows differ.
fn alike(sql: &str, native: &Answer, gate: &Answer) -> bool {
    let sql = sql.to_lowercase();
    if sql.contains("random") || (sql.contains("tablesample") && !sql.contains("repeatable")) {
        return true;
    }
    if native.tags() != gate.tags() {
        return false;
    }
    if UNSTABLE.iter().any(|word| sql.contains(word)) {
        return native.rows().len() == gate.rows().len();
    }
    let (mut here, mut there) = (native.rows(), gate.rows());
    here.sort_unstable();
    there.sort_unstable();
    here == there
}
