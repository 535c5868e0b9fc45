//! Clients of web servers that are trusted with secrets.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, redirect::Policy};
use rustls::pki_types::CertificateDer;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A client that goes where it is sent and nowhere else: it follows no redirects and asks no proxy. It trusts the
/// `authorities`, or else those of the machine.
pub fn client(authorities: Option<&[CertificateDer<'_>]>) -> reqwest::Result<ClientBuilder> {
    let builder = Client::builder().redirect(Policy::none()).no_proxy().connect_timeout(CONNECT_WITHIN);
    let Some(authorities) = authorities else { return Ok(builder) };
    let anchors = authorities.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
    Ok(builder.tls_certs_only(anchors))
}
