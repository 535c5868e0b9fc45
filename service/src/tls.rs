//! TLS files: certificates and keys that are read at the start and again on SIGHUP.

use std::{fmt, io, path::Path, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem, pem::PemObject},
    server::{
        ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};
use serde::Deserialize;

use crate::config::FilePath;

/// Where a server's certificate lies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// The chain, leaf first, PEM.
    pub cert: FilePath,
    /// The private key of the leaf, PEM.
    pub key: FilePath,
}

/// Why TLS files could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or no PEM.
    #[error("cannot read {file}: {source}")]
    File {
        /// The file.
        file: String,
        /// What went wrong.
        source: pem::Error,
    },
    /// The file holds nothing of the kind.
    #[error("{0} holds no certificate or revocation list")]
    Empty(String),
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("certificate and key do not fit: {0}")]
    Unusable(#[from] rustls::Error),
    /// Authorities or revocation lists of client certificates are of a kind that is not supported.
    #[error("client certificates cannot be verified: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        Self::other(error)
    }
}

/// The one cryptographic provider of every TLS connection.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of a PEM file, at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = || path.display().to_string();
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| TlsError::File { file: file(), source })?;
    if certificates.is_empty() { Err(TlsError::Empty(file())) } else { Ok(certificates) }
}

/// The certificates of a PEM file as trust anchors.
pub fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// Judges client certificates of these authorities: one that is shown must be good, and not on a revocation list if
/// there are any. Whoever shows none is let through to prove themselves otherwise. A list that is out of date is none.
pub fn client_verifier(ca: &Path, crl: Option<&Path>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider());
    if let Some(crl) = crl {
        let lists: Vec<_> = CertificateRevocationListDer::pem_file_iter(crl)
            .and_then(Iterator::collect)
            .map_err(|source| TlsError::File { file: crl.display().to_string(), source })?;
        if lists.is_empty() {
            return Err(TlsError::Empty(crl.display().to_string()));
        }
        verifier =
            verifier.with_crls(lists).only_check_end_entity_revocation().enforce_revocation_expiration();
    }
    Ok(verifier.allow_unauthenticated().build()?)
}

/// A private key in PEM.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|source| TlsError::File { file: path.display().to_string(), source })
}

/// A server certificate that can be exchanged while connections come in.
pub struct Certificate {
    files: ServerTls,
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// Reads the files.
    pub fn load(files: ServerTls) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(read(&files)?);
        Ok(Arc::new(Self { files, current }))
    }

    /// Reads the files again; on an error the old certificate stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    /// The leaf that is in use now.
    #[must_use]
    pub fn leaf(&self) -> Option<CertificateDer<'static>> {
        self.current.load().cert.first().cloned()
    }

    /// A server configuration that always shows the current certificate, for TLS 1.2 and 1.3, without client
    /// certificates, with the given application protocols.
    pub fn server_config(self: &Arc<Self>, protocols: &[&[u8]]) -> Result<ServerConfig, TlsError> {
        self.server_config_with(protocols, WebPkiClientVerifier::no_client_auth())
    }

    /// The same with client certificates that `clients` judges.
    pub fn server_config_with(
        self: &Arc<Self>,
        protocols: &[&[u8]],
        clients: Arc<dyn ClientCertVerifier>,
    ) -> Result<ServerConfig, TlsError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }
}

fn read(files: &ServerTls) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(files.cert.as_path())?;
    let key = private_key(files.key.as_path())?;
    Ok(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?)
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}
