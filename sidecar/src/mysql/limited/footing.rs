//! What a limited session stands on: asked of the very connection that it gets, before it gets it.

use std::{sync::Arc, time::Duration};

use postern_protocol::mysql::{Capabilities, Conversation, ErrorPacket, Event, Malformed, packet, query};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::{
    enforce::mysql::Modes,
    mysql::{
        back::{BackError, Backend, Refused},
        packets,
        simple::Row,
    },
};

/// How long the database may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
const LIMIT: usize = 64 * 1024;

const QUESTION: &str = "SELECT @@sql_mode, @@character_set_client, DATABASE(), CURRENT_USER()";

/// What a connection says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Footing {
    pub(crate) modes: Modes,
    pub(crate) database: Option<Arc<str>>,
    /// `'app_ro'@'%'`
    pub(crate) user: Arc<str>,
    /// Texts agree with UTF-8 in ASCII only.
    pub(crate) ascii_only: bool,
}

/// Why a limited session does not begin like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsuitable {
    /// Statements would be read in another way than they are judged.
    #[error("sql_mode \"{0}\" is not available in a session that is limited to some tables")]
    Mode(String),
    /// The same of their letters.
    #[error(
        "character set \"{0}\" is not available in a session that is limited to some tables: use utf8mb4"
    )]
    Charset(String),
    /// The grant covers nothing in the database that the client wants to begin in.
    #[error("{0}")]
    Database(String),
}

/// Why there is no footing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoFooting {
    /// The database did not answer.
    #[error(transparent)]
    Back(#[from] BackError),
    /// It did, but a limited session cannot begin there.
    #[error(transparent)]
    Unsuitable(#[from] Unsuitable),
}

impl Footing {
    /// Asks the connection, which must not have been used yet.
    pub(crate) async fn ask(backend: &mut Backend, capabilities: Capabilities) -> Result<Self, NoFooting> {
        let asking = answer(backend, capabilities);
        let row = timeout(ANSWER, asking).await.map_err(|_| BackError::Timeout)??;
        let fields = Row::new(&row).fields::<4>().map_err(BackError::Invalid)?;
        let [mode, charset, database, user] = fields.map(|field| field.text().into_owned());
        let charset = charset.to_ascii_lowercase();
        let ascii_only = match charset.as_str() {
            "utf8mb4" | "utf8mb3" | "utf8" => false,
            // In these every byte below 128 is the letter that it is in ASCII, and none of the others matters there.
            "latin1" | "ascii" => true,
            _ => return Err(Unsuitable::Charset(charset).into()),
        };
        let (name, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
        Ok(Self {
            modes: Modes::parse(&mode).ok_or(Unsuitable::Mode(mode))?,
            database: (!database.is_empty()).then(|| database.into()),
            user: format!("'{name}'@'{host}'").into(),
            ascii_only,
        })
    }
}

/// The one row.
async fn answer(backend: &mut Backend, capabilities: Capabilities) -> Result<Vec<u8>, BackError> {
    let question = query(QUESTION, capabilities);
    backend.stream.write_all(&question).await.map_err(BackError::Unreachable)?;
    backend.stream.flush().await.map_err(BackError::Unreachable)?;
    let mut conversation = Conversation::new(capabilities);
    conversation.sending(&question);
    let (mut row, mut sequence) = (Vec::new(), 1);
    while conversation.in_flight() {
        let number = sequence;
        let payload = packets::read(&mut backend.stream, &mut sequence, LIMIT).await?;
        let (before, mut refused) = (conversation.rows(), None);
        conversation.returning(&packet(number, &payload), &mut |_, event| {
            if let Event::Error(error) = event {
                refused = Some(refusal(error));
            }
        });
        if let Some(refused) = refused {
            return Err(refused);
        }
        if conversation.is_lost() {
            return Err(Malformed("answer").into());
        }
        if conversation.rows() > before {
            row = payload.to_vec();
        }
    }
    Ok(row)
}

fn refusal(error: ErrorPacket<'_>) -> BackError {
    BackError::Refused(Refused::new(error))
}
