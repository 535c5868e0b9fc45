//! TLS towards clients.

use std::sync::Arc;

use postern_service::tls::{Certificate, ServerTls, TlsError};
use rustls::ServerConfig;

use crate::config::TlsConfig;

/// The certificate, and the one configuration of both ways to begin: after an `SSLRequest`, and from the first byte.
#[derive(Debug)]
pub(crate) struct ClientTls {
    certificate: Arc<Certificate>,
    pub(crate) server: Arc<ServerConfig>,
}

impl ClientTls {
    /// Reads the files.
    pub(crate) fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let files = ServerTls { cert: config.cert.clone(), key: config.key.clone() };
        let certificate = Certificate::load(files)?;
        let server = Arc::new(certificate.server_config(&[b"postgresql"])?);
        Ok(Self { certificate, server })
    }

    /// Reads the files again; connections from now on see the new certificate.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        self.certificate.reload()
    }
}
