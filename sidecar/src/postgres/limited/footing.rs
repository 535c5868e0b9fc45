//! What a limited session stands on: asked of the very connection that it gets, before it gets it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use postern_protocol::postgres::{self, InvalidMessage};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{Defaults, Unsuitable};
use crate::{
    enforce::postgres::Pinned,
    postgres::{
        back::{BackError, Backend},
        frames::FrameReader,
    },
};

/// How long the database may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
const LIMIT: u32 = 1024 * 1024;
/// `ReadyForQuery`
const READY_LEN: usize = 6;

const QUESTION: &str = "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(true)), CURRENT_USER, \
     SESSION_USER, pg_catalog.current_setting('server_encoding'), pg_catalog.current_setting('search_path')";

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
    pub(crate) async fn ask(backend: &mut Backend, defaults: &Defaults) -> Result<Self, NoFooting> {
        let asking = answer(backend);
        let (columns, behind) = timeout(ANSWER, asking).await.map_err(|_| BackError::Timeout)??;
        let [schemas, user, session_user, encoding, search_path] =
            <[String; 5]>::try_from(columns).map_err(|_| BackError::Invalid(InvalidMessage(b'D')))?;
        if encoding != "UTF8" {
            return Err(Unsuitable::Database(encoding).into());
        }
        let path: Vec<Arc<str>> =
            serde_json::from_str(&schemas).map_err(|_| BackError::Invalid(InvalidMessage(b'D')))?;
        if path.iter().any(|schema| schema.starts_with("pg_temp_")) {
            return Err(Unsuitable::Temporary.into());
        }
        match &defaults.search_path {
            Some(asked) if elements(asked) != elements(&search_path) => {
                return Err(Unsuitable::SearchPath { asked: asked.clone(), is: search_path }.into());
            }
            Some(_) | None => {}
        }
        Ok(Self {
            path: path.into(),
            user: user.into(),
            pinned: Pinned { search_path, session_user },
            behind,
        })
    }
}

/// The columns of the one row, and what came behind it all. What the server says of its settings meanwhile belongs to
/// its greeting.
async fn answer(backend: &mut Backend) -> Result<(Vec<String>, Bytes), BackError> {
    let Backend { stream, ready, greeting, .. } = backend;
    stream.write_all(&postgres::query(QUESTION)).await.map_err(BackError::Unreachable)?;
    stream.flush().await.map_err(BackError::Unreachable)?;
    let mut frames = FrameReader::beginning(ready.split_off(READY_LEN.min(ready.len())), 2048);
    let (mut row, mut settings) = (Vec::new(), greeting.to_vec());
    loop {
        let frame = frames.next(stream, LIMIT).await?;
        match frame.kind {
            b'D' => row = postgres::text_columns(frame.body())?,
            b'S' => settings.extend_from_slice(&frame.bytes),
            b'E' => return Err(BackError::Refused(frame.bytes)),
            b'Z' => {
                *greeting = settings.into();
                return Ok((row, frames.into_rest().freeze()));
            }
            b'T' | b'C' | b'N' | b'A' => {}
            other => return Err(BackError::Unexpected(other)),
        }
    }
}

/// The names in a search path, without what only looks different.
fn elements(path: &str) -> Vec<String> {
    let plain = |name: &str| {
        let name = name.trim();
        let unquoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        unquoted.map_or_else(|| name.to_lowercase(), str::to_owned)
    };
    path.split(',').map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_path_is_compared_by_its_names() {
        assert_eq!(elements("\"$user\", public"), elements("\"$user\",PUBLIC"));
        assert_ne!(elements("public"), elements("hr, public"));
        assert_ne!(elements("\"Public\""), elements("public"));
    }
}
