//! One statement after the other at a server or at the gate, each in a transaction that is rolled back.

use tokio::net::TcpStream;

use super::super::{
    answer::{Answer, Refusal},
    login::LogIn,
    wire::{Packet, Raw, query},
};
use crate::wait::until_some;

/// Where a session is opened, and as whom.
#[derive(Clone, Debug)]
pub struct Door {
    /// A port of 127.0.0.1.
    pub port: u16,
    /// The user name.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// Everything that came back to one statement.
#[derive(Clone, Debug, Default)]
pub struct Told {
    packets: Vec<Packet>,
    capabilities: u32,
}

/// A session at a door, opened again when it breaks.
pub struct Talk {
    door: Door,
    raw: Raw,
}

impl Told {
    /// The first error; one without a number is the end of the connection.
    pub fn error(&self) -> Option<Refusal> {
        if self.packets.is_empty() {
            return Some(Refusal::default());
        }
        self.packets.iter().find_map(Packet::refusal)
    }

    /// Whether the connection ended.
    pub fn broken(&self) -> bool {
        self.packets.is_empty()
    }

    /// Everything that was told, as far as it is text.
    pub fn text(&self) -> String {
        let texts = self.packets.iter().map(|packet| String::from_utf8_lossy(&packet.body));
        texts.collect::<Vec<_>>().join("\n")
    }

    /// The first result.
    pub fn result(&self) -> Option<Answer> {
        Answer::of(&self.packets, self.capabilities)
    }

    /// In a few words.
    pub fn brief(&self) -> String {
        match (self.error(), self.result()) {
            (Some(error), _) if self.broken() => format!("the end of the connection {}", error.message),
            (Some(error), _) => format!("{} {}", error.code, error.message),
            (None, Some(result)) => {
                let some: Vec<_> = result.rows.iter().take(6).collect();
                format!(
                    "{} rows, {} changed: {:?} {some:?}",
                    result.rows.len(),
                    result.affected,
                    result.columns
                )
            }
            (None, None) => format!("{} packets", self.packets.len()),
        }
    }
}

impl Talk {
    /// Logs in, as soon as that can be done: the server may be starting again.
    pub async fn open(door: &Door) -> Self {
        let login = LogIn { database: "shop", ..LogIn::new(&door.user, &door.password) };
        let raw = until_some("a session", async || {
            let stream = TcpStream::connect(("127.0.0.1", door.port)).await.ok()?;
            let mut raw = Raw::over(stream);
            raw.log_in(&login).await.ok()?;
            Some(raw)
        })
        .await;
        Self { door: door.clone(), raw }
    }

    /// Sends a statement as it is.
    pub async fn say(&mut self, sql: &str) -> Told {
        self.raw.send(&query(sql)).await;
        let packets = self.raw.response().await;
        Told { packets, capabilities: self.raw.capabilities }
    }

    /// Runs a statement in a transaction that is rolled back.
    pub async fn attempt(&mut self, sql: &str) -> Told {
        let begun = self.say("begin").await;
        let told = if begun.broken() { begun } else { self.say(sql).await };
        if told.broken() || self.say("rollback").await.broken() {
            self.reopen().await;
        }
        told
    }

    /// A new session in the place of this one.
    pub async fn reopen(&mut self) {
        *self = Self::open(&self.door).await;
    }
}
