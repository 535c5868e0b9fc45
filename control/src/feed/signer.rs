//! The control plane's Ed25519 key, with which it signs every message of the feed.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use postern_protocol::gate::Envelope;

use crate::store::{Store, StoreError};

const SETTING: &str = "feed_key";

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store holds something else than a key, or the library made none.
    #[error("the feed's signing key in the store cannot be used")]
    Key,
}

/// Signs messages.
pub(crate) struct Signer {
    key: EncodingKey,
    public: String,
    header: Header,
}

impl Signer {
    /// The store's key; the first call makes it.
    pub(crate) async fn load(store: &dyn Store) -> Result<Self, SignerError> {
        let mut tx = store.write().await?;
        let stored = tx.setting(SETTING).await?;
        if let Some(text) = stored {
            return Self::from_pkcs8(&STANDARD.decode(text).map_err(|_| SignerError::Key)?);
        }
        let pair = Ed25519KeyPair::generate().map_err(|_| SignerError::Key)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| SignerError::Key)?;
        tx.set(SETTING, &STANDARD.encode(pkcs8.as_ref())).await?;
        tx.commit().await?;
        Self::from_pkcs8(pkcs8.as_ref())
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, SignerError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| SignerError::Key)?;
        Ok(Self {
            key: EncodingKey::from_ed_der(pkcs8),
            public: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
            header: Header::new(Algorithm::EdDSA),
        })
    }

    /// The public key, base64url without padding, as sidecar tokens carry it.
    pub(crate) fn public(&self) -> &str {
        &self.public
    }

    /// The message as a compact JWS.
    pub(crate) fn sign(&self, envelope: &Envelope) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::encode(&self.header, envelope, &self.key)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Signer").field("public", &self.public).finish_non_exhaustive()
    }
}
