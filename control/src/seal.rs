//! What proves that something comes from here: marks under a key that all control planes on one store share.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use postern_service::random::{self, NoRandomness};
use subtle::ConstantTimeEq;

use crate::store::{Store, StoreError};

const SETTING: &str = "web_key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// None could be made.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The store holds something else.
    #[error("the key of cookies and forms in the store cannot be used")]
    Key,
}

/// The key.
pub(crate) struct Seal(hmac::Key);

impl Seal {
    /// The store's key; the first call makes it.
    pub(crate) async fn load(store: &dyn Store) -> Result<Self, SealError> {
        let mut tx = store.write().await?;
        if let Some(text) = tx.setting(SETTING).await? {
            let key = STANDARD.decode(text).map_err(|_| SealError::Key)?;
            return Ok(Self::new(&key));
        }
        let key = random::bytes::<32>()?;
        tx.set(SETTING, &STANDARD.encode(key)).await?;
        tx.commit().await?;
        Ok(Self::new(&key))
    }

    /// With this key.
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The mark of a text for one purpose: 43 characters of base64url.
    pub(crate) fn mark(&self, purpose: &str, text: &str) -> String {
        // No purpose has a line break in it, so no two of them meet.
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, format!("{purpose}\n{text}").as_bytes()))
    }

    /// Whether this is that mark, compared in constant time.
    pub(crate) fn is_mark(&self, purpose: &str, text: &str, mark: &str) -> bool {
        self.mark(purpose, text).as_bytes().ct_eq(mark.as_bytes()).into()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Seal(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_for_one_text_one_purpose_and_one_key() {
        let seal = Seal::new(&[1; 32]);
        let mark = seal.mark("form", "alice");
        assert!(seal.is_mark("form", "alice", &mark));
        assert!(!seal.is_mark("form", "bob", &mark) && !seal.is_mark("state", "alice", &mark));
        assert!(!Seal::new(&[2; 32]).is_mark("form", "alice", &mark) && !seal.is_mark("form", "alice", ""));
    }
}
