//! TLS towards clients.

use std::sync::Arc;

use postern_service::tls::{Certificate, ServerTls, TlsError};
use rustls::ServerConfig;

use crate::config::TlsConfig;

/// One certificate, two ways to begin.
#[derive(Debug)]
pub(crate) struct ClientTls {
    certificate: Arc<Certificate>,
    /// After an `SSLRequest`, where clients may or may not name a protocol.
    pub(crate) negotiated: Arc<ServerConfig>,
    /// From the first byte.
    pub(crate) direct: Arc<ServerConfig>,
}

impl ClientTls {
    /// Reads the files.
    pub(crate) fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let files = ServerTls { cert: config.cert.clone(), key: config.key.clone() };
        let certificate = Certificate::load(files)?;
        let server = Arc::new(certificate.server_config(&[b"postgresql"])?);
        Ok(Self { certificate, negotiated: Arc::clone(&server), direct: server })
    }

    /// Reads the files again; connections from now on see the new certificate.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        self.certificate.reload()
    }
}
