//! The server as the judge of the gate: one statement as the native account and through a limited session.
//!
//! These servers' own column privileges have holes (a column may be told in places where it may not be read), so the gate
//! may refuse what the account gets through; what the account may not do, the gate must never do.

use super::{
    super::answer::Refusal,
    talk::{Door, Talk, Told},
};
use crate::limits::{markers::leaks, tally::Tally};

/// Errors by which a server says that something is not allowed.
const DENIALS: [u16; 7] = [1044, 1142, 1143, 1227, 1345, 1356, 1370];
/// Errors that come when a statement is read, before anything of it is executed.
const BEFORE: [u16; 28] = [
    1044, 1046, 1047, 1051, 1052, 1054, 1055, 1056, 1060, 1064, 1066, 1109, 1110, 1111, 1136, 1140, 1142,
    1143, 1146, 1149, 1166, 1222, 1227, 1235, 1241, 1305, 1370, 1630,
];
/// Errors of a statement that took too long, or met another one.
const LATE: [u16; 5] = [1205, 1213, 1317, 1969, 3024];
/// What makes two answers differ that are alike.
const UNSTABLE: [&str; 14] = [
    "explain",
    "describe",
    "show",
    "now(",
    "current_",
    "rand",
    "uuid",
    "connection_id",
    "user",
    "timestamp",
    "sysdate",
    "last_insert_id",
    "returning",
    "over",
];

/// What servers come with, of what matters here.
pub const ORDINARY: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES";

/// Where several rows are the first ones, a server may give others the next time.
const TRIES: usize = 6;

/// Both sides.
pub struct Oracle {
    native: Talk,
    gate: Talk,
    maria: bool,
    mode: String,
    /// What has come so far.
    pub tally: Tally,
    /// Statements during which a connection ended, and the `sql_mode` of then: [`Oracle::settle`].
    pub suspects: Vec<(String, String)>,
}

impl Oracle {
    /// Opens a session at each.
    pub async fn open(native: &Door, gate: &Door, maria: bool) -> Self {
        let (native, gate) = (Talk::open(native).await, Talk::open(gate).await);
        let (mode, suspects) = (String::new(), Vec::new());
        let mut oracle = Self { native, gate, maria, mode, tally: Tally::default(), suspects };
        oracle.under(ORDINARY).await;
        oracle
    }

    /// The session at the gate begins anew, under this mode.
    pub async fn renew(&mut self, mode: &str) {
        self.gate.reopen().await;
        self.under(mode).await;
    }

    /// Both go on under another `sql_mode`.
    pub async fn under(&mut self, mode: &str) {
        let limit = if self.maria { "max_statement_time = 0.4" } else { "max_execution_time = 400" };
        let sql = format!("set {limit}, innodb_lock_wait_timeout = 1, sql_mode = '{mode}'");
        mode.clone_into(&mut self.mode);
        for talk in [&mut self.native, &mut self.gate] {
            let mut told = talk.say(&sql).await;
            while told.broken() {
                talk.reopen().await;
                told = talk.say(&sql).await;
            }
            assert!(told.error().is_none(), "{sql}: {}", told.brief());
        }
    }

    /// Runs a statement on both sides. Whether the native account may run it.
    pub async fn compare(&mut self, sql: &str) -> bool {
        let mut native = self.native.attempt(sql).await;
        let mut gate = self.gate.attempt(sql).await;
        if native.broken() || gate.broken() {
            // The server may have died, of this statement or of another one's.
            let mode = self.mode.clone();
            self.suspects.push((mode.clone(), sql.to_owned()));
            self.under(&mode).await;
            return false;
        }
        for _ in 0..TRIES {
            let both_ran = native.error().is_none() && gate.error().is_none();
            if !both_ran || alike(sql, &native, &gate) || !leaks(sql, &gate.text()).is_empty() {
                break;
            }
            native = self.native.attempt(sql).await;
            gate = self.gate.attempt(sql).await;
        }
        count(&mut self.tally, sql, &native, &gate);
        native.error().is_none()
    }

    /// Runs a statement again while nobody else does anything: a server that dies of it by itself is none of the gate's
    /// affair, a session that ends otherwise is.
    pub async fn settle(&mut self, mode: &str, sql: &str) {
        self.renew(mode).await;
        let native = self.native.attempt(sql).await;
        if native.broken() {
            self.tally.fail("the server dies of it, without the gate".to_owned(), sql);
            return;
        }
        let gate = self.gate.attempt(sql).await;
        count(&mut self.tally, sql, &native, &gate);
    }

    /// Runs a statement through the gate alone, in the hope that it tells what it must not.
    pub async fn probe(&mut self, sql: &str) {
        let gate = self.gate.attempt(sql).await;
        let told = leaks(sql, &gate.text());
        if told.is_empty() {
            self.tally.refused += usize::from(gate.error().is_some());
            self.tally.allowed += usize::from(gate.error().is_none());
        } else {
            self.tally.note(&format!("a secret was told: {told:?}"), sql, "", &gate.brief());
        }
    }
}

/// What kind of error it is, whatever names it tells of.
fn reason(error: &Refusal) -> String {
    let message = error.message.split(" The grant").next().unwrap_or_default();
    let mut quoted = false;
    let unnamed = message.split('\'').map(|part| {
        quoted = !quoted;
        if quoted { part } else { "…" }
    });
    format!("{} {}", error.code, unnamed.collect::<Vec<_>>().join("'"))
}

fn count(tally: &mut Tally, sql: &str, native: &Told, gate: &Told) {
    let mut note = |what: &str| tally.note(what, sql, &native.brief(), &gate.brief());
    if gate.broken() || !leaks(sql, &gate.text()).is_empty() {
        note("the session ended, or a secret was told");
        return;
    }
    match (native.error(), gate.error()) {
        // It took too long, here or there: nobody knows.
        (Some(error), _) | (_, Some(error)) if LATE.contains(&error.code) => tally.fail(reason(&error), sql),
        (None, None) if alike(sql, native, gate) => tally.allowed += 1,
        // Which rows are the first ones may be anybody's choice.
        (None, None) if sql.to_lowercase().contains("limit") => tally.fail("other rows".to_owned(), sql),
        // The server's own views have rows about themselves, of which limited sessions are told none.
        (None, None) if sql.to_lowercase().contains("information_schema") && told_less(native, gate) => {
            tally.forbid("fewer rows".to_owned(), sql);
        }
        (None, None) => note("other rows"),
        (None, Some(error)) => tally.forbid(reason(&error), sql),
        // Of events nobody is told anything, in the way that tools like best.
        (Some(_), None) if sql.to_lowercase().contains("show events") && told_nothing(gate) => {
            tally.refused += 1;
        }
        (Some(error), None) => note(&format!("{} natively, but it ran", error.code)),
        (Some(error), Some(here)) if DENIALS.contains(&error.code) => {
            if BEFORE.contains(&here.code) {
                tally.refused += 1;
            } else {
                note("refused natively, but executed");
            }
        }
        (Some(error), Some(_)) => tally.fail(reason(&error), sql),
    }
}

fn told_nothing(told: &Told) -> bool {
    told.result().is_some_and(|result| result.rows.is_empty())
}

/// Whether the gate told a part of what the server did.
fn told_less(native: &Told, gate: &Told) -> bool {
    let (Some(all), Some(some)) = (native.result(), gate.result()) else { return false };
    all.columns == some.columns && some.rows.iter().all(|row| all.rows.contains(row))
}

/// Whether both were told the same. The server may choose another order.
fn alike(sql: &str, native: &Told, gate: &Told) -> bool {
    let sql = sql.to_lowercase();
    let (Some(mut here), Some(mut there)) = (native.result(), gate.result()) else {
        return native.result().is_none() && gate.result().is_none();
    };
    if UNSTABLE.iter().any(|word| sql.contains(word)) {
        return here.columns.len() == there.columns.len() && here.affected == there.affected;
    }
    here.rows.sort_unstable();
    there.rows.sort_unstable();
    (here.columns, here.rows, here.affected) == (there.columns, there.rows, there.affected)
}
