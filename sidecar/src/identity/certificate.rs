//! A client certificate: whom it names.
//!
//! The TLS handshake has verified it against `[tls] client_ca` and `client_crl`; here it is only read. Its e-mail
//! addresses count, or where it has none its URIs, or where it has neither its common name.

use std::time::Duration;

use postern_protocol::gate::{Identity, InvalidName};
use tokio::time::Instant;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

use super::Known;

/// The end of a certificate that never ends, and more than a session lasts.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// What a certificate says of whoever holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certified {
    names: Vec<String>,
    until: Instant,
}

/// Why a certificate proves nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoName {
    /// Not to be read.
    #[error("the client's certificate cannot be read")]
    Unreadable,
    /// It is over, though its TLS session goes on.
    #[error("the client's certificate has expired")]
    Expired,
    /// Neither e-mail address nor URI nor common name.
    #[error("the client's certificate names nobody")]
    Nobody,
    /// Several names, and the user name does not say which.
    #[error("the client's certificate has several names: write `identity:account` as the user name")]
    Several,
    /// The user name gives none of its names.
    #[error("the client's certificate is somebody else's")]
    SomebodyElse,
    /// Its name cannot be an identity's.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

impl Certified {
    /// Reads a certificate in DER.
    pub(super) fn read(der: &[u8]) -> Result<Self, NoName> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| NoName::Unreadable)?;
        if !rest.is_empty() {
            return Err(NoName::Unreadable);
        }
        let not_after = certificate.validity().not_after.timestamp();
        let left = not_after.saturating_sub(jiff::Timestamp::now().as_second());
        let left = u64::try_from(left).map_err(|_| NoName::Expired)?;
        let until = Instant::now() + Duration::from_secs(left).min(LONGEST);
        Ok(Self { names: names(&certificate)?, until })
    }

    /// Who holds it. `claimed` says which of its names is meant.
    pub(super) fn known(&self, claimed: Option<&str>) -> Result<Known, NoName> {
        let name = match (claimed, &self.names[..]) {
            (_, []) => return Err(NoName::Nobody),
            (None, [name]) => name,
            (None, [_, _, ..]) => return Err(NoName::Several),
            (Some(claimed), names) => {
                let own = names.iter().find(|name| name.eq_ignore_ascii_case(claimed));
                own.ok_or(NoName::SomebodyElse)?
            }
        };
        Ok(Known::until(Identity::named(name)?, self.until))
    }
}

fn names(certificate: &X509Certificate<'_>) -> Result<Vec<String>, NoName> {
    let alternative = certificate.subject_alternative_name().map_err(|_| NoName::Unreadable)?;
    let general = alternative.map(|extension| &extension.value.general_names[..]).unwrap_or_default();
    let mails: Vec<String> = general.iter().filter_map(mail).collect();
    if !mails.is_empty() {
        return Ok(mails);
    }
    let uris: Vec<String> = general.iter().filter_map(uri).collect();
    if !uris.is_empty() {
        return Ok(uris);
    }
    let common = certificate.subject().iter_common_name();
    common.map(|name| name.as_str().map(str::to_owned).map_err(|_| NoName::Unreadable)).collect()
}

fn mail(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::RFC822Name(mail) = name { Some((*mail).to_owned()) } else { None }
}

fn uri(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::URI(uri) = name { Some((*uri).to_owned()) } else { None }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certified(common: &str, alternative: Vec<SanType>) -> Certified {
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        if !common.is_empty() {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        params.subject_alt_names = alternative;
        let key = KeyPair::generate().unwrap();
        Certified::read(params.self_signed(&key).unwrap().der()).unwrap()
    }

    fn mail(text: &str) -> SanType {
        SanType::Rfc822Name(text.try_into().unwrap())
    }

    fn identity(certified: &Certified, claimed: Option<&str>) -> Result<String, NoName> {
        certified.known(claimed).map(|known| known.identity.to_string())
    }

    #[test]
    fn an_address_goes_before_a_uri_and_that_before_the_common_name() {
        let uri = || SanType::URI("spiffe://example/app".try_into().unwrap());
        for (certified, name) in [
            (certified("alice", vec![uri(), mail("Alice@Example.com")]), "alice@example.com"),
            (certified("alice", vec![uri()]), "spiffe://example/app"),
            (certified("alice", vec![SanType::DnsName("db.example".try_into().unwrap())]), "alice"),
        ] {
            assert_eq!(identity(&certified, None).as_deref(), Ok(name));
        }
    }

    #[test]
    fn of_several_names_the_user_name_says_which() {
        let certified = certified("", vec![mail("a@example.com"), mail("b@example.com")]);
        assert_eq!(identity(&certified, None), Err(NoName::Several));
        assert_eq!(identity(&certified, Some("B@example.com")).as_deref(), Ok("b@example.com"));
        assert_eq!(identity(&certified, Some("c@example.com")), Err(NoName::SomebodyElse));
    }

    #[test]
    fn a_certificate_without_a_name_that_could_be_an_identitys_proves_nobody() {
        assert_eq!(identity(&certified("", Vec::new()), None), Err(NoName::Nobody));
        assert!(matches!(identity(&certified("group:dba", Vec::new()), None), Err(NoName::Name(_))));
        assert_eq!(Certified::read(b"no certificate"), Err(NoName::Unreadable));
    }
}
