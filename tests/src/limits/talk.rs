//! A session of a case: Query after Query, whatever comes back.

use std::time::Duration;

use tokio::time::timeout;

use crate::wire::{Fields, Message, Raw, frame, query};

/// A statement that is not answered for this long is a finding.
const UNANSWERED: Duration = Duration::from_secs(30);

/// Where a session is opened, and as whom.
#[derive(Clone, Debug)]
pub struct Door {
    /// A port of 127.0.0.1.
    pub port: u16,
    /// The user name.
    pub user: String,
    /// Its password, if it is asked for.
    pub password: String,
}

/// Everything that came back to one Query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// In order, up to `ReadyForQuery`.
    pub messages: Vec<Message>,
    /// Whether the connection was closed, or nothing came, before that.
    pub broken: bool,
}

impl Answer {
    /// The first error.
    pub fn error(&self) -> Option<Fields> {
        self.messages.iter().find(|message| message.kind == b'E').map(Message::fields)
    }

    /// Everything that was told, as far as it is text.
    pub fn text(&self) -> String {
        let told = self.messages.iter().filter(|message| message.kind != b'Z');
        told.map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect::<Vec<_>>().join("\n")
    }

    /// The bodies of rows and `COPY` data.
    pub fn rows(&self) -> Vec<&[u8]> {
        let rows = self.messages.iter().filter(|message| matches!(message.kind, b'D' | b'd'));
        rows.map(|message| &message.body[..]).collect()
    }

    /// The command tags.
    pub fn tags(&self) -> Vec<String> {
        let tags = self.messages.iter().filter(|message| message.kind == b'C');
        tags.map(|message| String::from_utf8_lossy(&message.body).trim_end_matches('\0').to_owned()).collect()
    }

    /// In a few words.
    pub fn brief(&self) -> String {
        let how = if self.broken { " and then the end of the connection" } else { "" };
        match self.error() {
            Some(error) => {
                format!("{} {} [{}] [{}]{how}", error.code(), error.message(), error.get('D'), error.get('H'))
            }
            None => format!("{} rows, {:?}{how}", self.rows().len(), self.tags()),
        }
    }
}

/// An open session.
pub struct Talk {
    raw: Raw,
}

impl Talk {
    /// Logs in; the refusal's fields otherwise.
    pub async fn open(door: &Door, database: &str) -> Result<Self, Fields> {
        let mut raw = Raw::connect(door.port).await;
        raw.log_in(&[("user", &door.user), ("database", database)], &door.password).await?;
        Ok(Self { raw })
    }

    /// Sends a Query; `data` is what a `COPY … FROM STDIN` gets, which fails without any.
    pub async fn say(&mut self, sql: &str, data: Option<&str>) -> Answer {
        self.raw.send(&query(sql)).await;
        self.hear(data).await
    }

    async fn hear(&mut self, data: Option<&str>) -> Answer {
        let mut answer = Answer::default();
        while let Ok(Some(message)) = timeout(UNANSWERED, self.raw.next()).await {
            let kind = message.kind;
            answer.messages.push(message);
            match kind {
                b'G' => self.raw.send(&copied(data)).await,
                b'Z' => return answer,
                _ => {}
            }
        }
        answer.broken = true;
        answer
    }

    /// Runs a statement in a transaction that is rolled back.
    pub async fn attempt(&mut self, sql: &str) -> Answer {
        self.raw.send(&[query("begin"), query(sql), query("rollback")].concat()).await;
        let begun = self.hear(None).await;
        let answer = if begun.broken { begun } else { self.hear(None).await };
        if answer.broken {
            return answer;
        }
        Answer { broken: self.hear(None).await.broken, ..answer }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        self.raw.send(&frame(b'X', &[])).await;
    }
}

fn copied(data: Option<&str>) -> Vec<u8> {
    match data {
        Some(data) => [frame(b'd', data.as_bytes()), frame(b'c', &[])].concat(),
        None => frame(b'f', b"nothing to copy\0"),
    }
}
