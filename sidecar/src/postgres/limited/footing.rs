//! What a limited session stands on: asked of the very connection that it gets, before it gets it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use postern_protocol::postgres::{self, InvalidMessage};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::Unsuitable;
use crate::{
    enforce::postgres::Pinned,
    postgres::{
        back::{BackError, Backend},
        frames::FrameReader,
        simple::Row,
    },
};

/// How long the database may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
const LIMIT: u32 = 1024 * 1024;
const ROOM: usize = 2048;
/// `ReadyForQuery`
const READY_LEN: usize = 6;

/// The search path is set to what it is: then it does not follow the server's configuration.
const QUESTION: &str = "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(true)), CURRENT_USER, \
     SESSION_USER, pg_catalog.current_setting('server_encoding'), \
     pg_catalog.set_config('search_path', pg_catalog.current_setting('search_path'), false)";

/// What a connection says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Footing {
    /// The schemas that names are looked up in.
    pub(crate) path: Arc<[Arc<str>]>,
    /// The role that statements run as.
    pub(crate) user: Arc<str>,
    /// What must not change.
    pub(crate) pinned: Pinned,
    /// What the server has said behind its answer.
    pub(crate) behind: Bytes,
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
    pub(crate) async fn ask(backend: &mut Backend) -> Result<Self, NoFooting> {
        let asking = answer(backend);
        let (row, behind) = timeout(ANSWER, asking).await.map_err(|_| BackError::Timeout)??;
        let fields = row.fields::<5>().map_err(BackError::Invalid)?;
        let [schemas, user, session_user, encoding, search_path] =
            fields.map(|field| field.text().into_owned());
        if encoding != "UTF8" {
            return Err(Unsuitable::Database(encoding).into());
        }
        let path: Vec<Arc<str>> =
            serde_json::from_str(&schemas).map_err(|_| BackError::Invalid(InvalidMessage(b'D')))?;
        if path.iter().any(|schema| schema.starts_with("pg_temp_")) {
            return Err(Unsuitable::Temporary.into());
        }
        Ok(Self {
            path: path.into(),
            user: user.into(),
            pinned: Pinned { search_path, session_user },
            behind,
        })
    }
}

/// The one row, and what came behind it all. What the server says of its settings meanwhile belongs to
/// its greeting.
async fn answer(backend: &mut Backend) -> Result<(Row, Bytes), BackError> {
    let Backend { stream, ready, greeting, .. } = backend;
    stream.write_all(&postgres::query(QUESTION)).await.map_err(BackError::Unreachable)?;
    stream.flush().await.map_err(BackError::Unreachable)?;
    let mut frames = FrameReader::beginning(ready.split_off(READY_LEN.min(ready.len())), ROOM);
    let (mut row, mut settings) = (None, greeting.to_vec());
    loop {
        let frame = frames.next(stream, LIMIT).await?;
        match frame.kind {
            b'D' => row = Some(Row::new(frame)),
            b'S' => settings.extend_from_slice(&frame.bytes),
            b'E' => return Err(BackError::Refused(frame.bytes)),
            b'Z' => {
                *greeting = settings.into();
                let row = row.ok_or(InvalidMessage(b'D'))?;
                return Ok((row, frames.into_rest().freeze()));
            }
            b'T' | b'C' | b'N' | b'A' => {}
            other => return Err(BackError::Unexpected(other)),
        }
    }
}
