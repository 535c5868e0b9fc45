//! The cases of `tests/data/pg_cases.jsonl`: what a limited client sends and what must become of it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What must become of a session.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// Every statement succeeds.
    Allow,
    /// One is refused, and nothing that the grant does not cover was told or changed.
    Deny,
}

/// What else is right where a refusal is expected.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Accepted {
    /// A refusal.
    Deny,
    /// An answer that discloses nothing.
    Filtered,
}

/// What was seen on a server without a gate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// By an account that may do everything: `ok`, `LEAK` or the error.
    pub powerful: String,
    /// By a role with the grant's privileges.
    pub native_limited: String,
}

/// One session.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// `pg-<class>-<number>`
    pub id: String,
    /// Always `postgres` here.
    pub engine: String,
    /// What it is about.
    pub class: String,
    /// What the owner runs beforehand.
    pub setup: Vec<String>,
    /// What the limited client sends, each as one Query message.
    pub session: Vec<String>,
    /// What must become of it.
    pub expect: Expected,
    /// Why.
    pub why: String,
    /// The statement that must be refused at the latest.
    #[serde(default)]
    pub deny_at: usize,
    /// Whether the refusal follows from the grant (`core`) or is a choice.
    #[serde(default)]
    pub policy: String,
    /// What is right besides a refusal.
    #[serde(default)]
    pub accept: Vec<Accepted>,
    /// Statements that may fail although the session is allowed.
    #[serde(default)]
    pub server_error_ok_at: Vec<usize>,
    /// The server refuses it of its own accord, with whatever error.
    #[serde(default)]
    pub server_rejects: bool,
    /// The first major version that knows the syntax.
    #[serde(default)]
    pub min_version: u32,
    /// The last major version that it is about.
    pub max_version: Option<u32>,
    /// The extension that it is about.
    pub needs_extension: Option<String>,
    /// What is sent when the server wants data.
    pub copy_in: Option<String>,
    /// Whether `shop` stands for the name of the current database.
    #[serde(default)]
    pub replace_shop_with_current_database: bool,
    /// Whether a client was seen to send it.
    #[serde(default)]
    pub captured: bool,
    /// What servers did without a gate, by version.
    pub verified: BTreeMap<String, Seen>,
}

impl Case {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let text = include_str!("../../data/pg_cases.jsonl");
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        text.lines().filter(|line| !line.is_empty()).map(parse).collect()
    }

    /// Those of these classes; a class that is none fails the test.
    pub fn of(classes: &[&str]) -> Vec<Self> {
        let all = Self::all();
        for class in classes {
            assert!(all.iter().any(|case| case.class == *class), "there is no class {class}");
        }
        all.into_iter().filter(|case| classes.contains(&case.class.as_str())).collect()
    }

    /// Whether it is about this major version.
    pub fn is_about(&self, major: u32) -> bool {
        self.min_version <= major && self.max_version.is_none_or(|last| major <= last)
    }

    /// What the client sends when it is in this database of the server at this port.
    pub fn statements(&self, database: &str, port: u16) -> Vec<String> {
        let itself = format!("port={port} user=postgres dbname={database}");
        let placed = |text: &String| {
            let text = text.replace("port=55431 user=postgres dbname=tpl_shop", &itself);
            if self.replace_shop_with_current_database {
                text.replace("shop.", &format!("{database}."))
            } else {
                text
            }
        };
        self.session.iter().map(placed).collect()
    }

    /// Whether an answer that discloses nothing is as right as a refusal.
    pub fn may_be_filtered(&self) -> bool {
        self.accept.contains(&Accepted::Filtered)
    }
}
