//! TLS towards clients.

use std::sync::Arc;

use arc_swap::ArcSwap;
use postern_service::tls::{Certificate, ServerTls, TlsError, client_verifier};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsConfig;

/// The certificate, whose client certificates are taken, and the one configuration of both ways to begin: after an
/// `SSLRequest`, and from the first byte.
#[derive(Debug)]
pub(crate) struct ClientTls {
    files: TlsConfig,
    certificate: Arc<Certificate>,
    server: ArcSwap<ServerConfig>,
}

impl ClientTls {
    /// Reads the files.
    pub(crate) fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let files = ServerTls { cert: config.cert.clone(), key: config.key.clone() };
        let certificate = Certificate::load(files)?;
        let server = ArcSwap::from_pointee(server(config, &certificate)?);
        Ok(Self { files: config.clone(), certificate, server })
    }

    /// Reads the files again; connections from now on see the new ones. None of them resumes an older TLS session, whose
    /// client certificate may have been revoked.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let server = server(&self.files, &self.certificate)?;
        self.certificate.reload()?;
        self.server.store(Arc::new(server));
        Ok(())
    }

    /// Accepts connections with what was read last.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.server.load_full())
    }
}

fn server(config: &TlsConfig, certificate: &Arc<Certificate>) -> Result<ServerConfig, TlsError> {
    const PROTOCOLS: &[&[u8]] = &[b"postgresql"];
    match &config.client_ca {
        None => certificate.server_config(PROTOCOLS),
        Some(ca) => {
            let crl = config.client_crl.as_ref().map(AsRef::as_ref);
            certificate.server_config_with(PROTOCOLS, client_verifier(ca.as_path(), crl)?)
        }
    }
}
