//! TLS towards Slack, by the system's certificate authorities.

use std::sync::Arc;

use postern_service::tls::provider;
use rustls::{ClientConfig, RootCertStore};

/// What a connection is made with; a failure says that this machine's libraries do not fit together.
pub(super) fn client() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
