//! The database as the judge of the gate: one statement as the native role and through a limited session.
//!
//! Both run it in a transaction that is rolled back, against the same data.

use super::{
    markers::leaks,
    talk::{Answer, Door, Talk},
    tally::Tally,
};
use crate::wire::{Fields, Message};

/// Errors that come before a statement is executed.
const BEFORE: [&str; 4] = ["42", "0A", "34", "26"];
/// What the server checks only when it comes to execute it. The gate refuses it at once, by choice.
const LATE: [&str; 3] = ["query_to_xml", "table_to_xml", "pg_read_file"];
/// What makes two answers differ that are alike.
const UNSTABLE: [&str; 17] = [
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
    "getpgusername",
    "txid_",
    "mxid_age",
    "default",
];
/// No statement may take longer.
const LIMIT: &str = "set statement_timeout = '400ms'";

/// One of the two.
struct Side {
    door: Door,
    database: String,
    talk: Talk,
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
        count(&mut self.tally, sql, &native, &gate);
        native.error().is_none()
    }

    /// What the server calls the columns of something that stands in FROM; nothing if that is wrong in itself.
    pub async fn columns(&mut self, item: &str) -> Option<Vec<String>> {
        let answer = self.native.run(&format!("select * from {item} limit 0")).await;
        let columns = answer.messages.iter().find(|message| message.kind == b'T');
        columns.filter(|_| answer.error().is_none()).map(Message::columns)
    }

    /// Whether the native role is refused each of these, of which one at least is there.
    pub async fn denies(&mut self, statements: &[String]) -> bool {
        let mut denied = false;
        for sql in statements {
            match self.native.run(sql).await.error() {
                None => return false,
                Some(error) => denied |= error.code() == "42501",
            }
        }
        denied
    }
}

fn count(tally: &mut Tally, sql: &str, native: &Answer, gate: &Answer) {
    let mut note = |what: &str| tally.note(what, sql, &native.brief(), &gate.brief());
    if gate.broken || !leaks(sql, &gate.text()).is_empty() {
        note("the session ended, or a secret was told");
        return;
    }
    match (native.error(), gate.error()) {
        // It took too long, here or there: nobody knows.
        (Some(error), _) | (_, Some(error)) if error.code() == "57014" => tally.fail(reason(&error), sql),
        (None, None) if alike(sql, native, gate) => tally.allowed += 1,
        (None, None) => note("other rows"),
        // What was read, here and there, was not the same.
        (Some(error), None) if error.code() != "42501" && is_chance(sql) => {
            tally.fail(reason(&error), sql);
        }
        (None, Some(_)) if LATE.iter().any(|name| sql.to_lowercase().contains(name)) => tally.refused += 1,
        (None, Some(error)) => tally.forbid(reason(&error), sql),
        (Some(error), None) => note(&format!("{} natively, but it ran", error.code())),
        (Some(error), Some(here)) if error.code() == "42501" => {
            let before = BEFORE.iter().any(|class| here.code().starts_with(class));
            if before && went_no_further(native, gate) {
                tally.refused += 1;
            } else {
                note("refused natively, but executed");
            }
        }
        (Some(error), Some(_)) => tally.fail(reason(&error), sql),
    }
}

fn reason(error: &Fields) -> String {
    let why = if error.get('D').is_empty() { error.message() } else { error.get('D') };
    format!("{} {why}", error.code())
}

/// Whether of a text with several statements none was executed that the native role was not let run.
fn went_no_further(native: &Answer, gate: &Answer) -> bool {
    native.tags().starts_with(&gate.tags()) && gate.rows().len() <= native.rows().len()
}

/// Whether what a statement reads is left to chance.
fn is_chance(sql: &str) -> bool {
    let sql = sql.to_lowercase();
    sql.contains("random")
        || sql.contains("uuidv")
        || (sql.contains("tablesample") && !sql.contains("repeatable"))
}

/// Whether both were told the same. The server may choose another order, and numbers of sequences and rows differ.
fn alike(sql: &str, native: &Answer, gate: &Answer) -> bool {
    if is_chance(sql) {
        return true;
    }
    let sql = sql.to_lowercase();
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
