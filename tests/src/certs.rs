//! Certificates made for the occasion.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    date_time_ymd,
};

use crate::{folder::Folder, process::give_to_server};

/// A certificate authority of this test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both PEM.
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// The private key.
    pub key: String,
    serial: u64,
}

static SERIAL: AtomicU64 = AtomicU64::new(1_000_000);

impl Authority {
    /// Makes one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Postern test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("keys can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority signs itself"))
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A list of those that are revoked, PEM.
    pub fn revoking(&self, revoked: &[&Pair]) -> String {
        self.revoking_until(revoked, 2096)
    }

    /// A list of those that are revoked which is out of date from the beginning of a year on, PEM.
    pub fn revoking_until(&self, revoked: &[&Pair], year: i32) -> String {
        let (made, next) = (date_time_ymd(2025, 1, 1), date_time_ymd(year, 1, 1));
        let one = |pair: &&Pair| RevokedCertParams {
            serial_number: pair.serial.into(),
            revocation_time: made,
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: made,
            next_update: next,
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(one).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).expect("the authority signs").pem().expect("a list is written")
    }

    fn issue(&self, mut params: CertificateParams) -> Pair {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        params.serial_number = Some(serial.into());
        let key = KeyPair::generate().expect("keys can be made");
        let cert = params.signed_by(&key, &self.0).expect("the authority signs");
        Pair { cert: cert.pem(), key: key.serialize_pem(), serial }
    }

    /// A server's certificate for these host names and addresses.
    pub fn server(&self, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("the names are valid");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    /// A client's certificate with this common name.
    pub fn client(&self, name: &str) -> Pair {
        self.client_with(name, |_| {})
    }

    /// A client's certificate with this common name, and whatever else is done to it.
    pub fn client_with(&self, name: &str, shape: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        if name.contains('@') {
            params.subject_alt_names =
                vec![SanType::Rfc822Name(name.try_into().expect("an address is ASCII"))];
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        shape(&mut params);
        self.issue(params)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// Writes both into `folder` as `NAME.pem` and `NAME.key`.
    pub fn write(&self, folder: &Folder, name: &str) -> (PathBuf, PathBuf) {
        let cert = folder.write(&format!("{name}.pem"), &self.cert);
        let key = folder.write(&format!("{name}.key"), &self.key);
        // libpq takes no key that others can read.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the owner");
        (cert, key)
    }
}

/// Gives a database server, in its data folder, a certificate for 127.0.0.1 and `localhost`, a client's for `by_cert`,
/// and the authority of both.
pub fn write_for_server(data: &Path) {
    let authority = Authority::new();
    let server = authority.server(&["localhost", "127.0.0.1"]);
    let client = authority.client("by_cert");
    let files = [
        ("server.crt", server.cert),
        ("server.key", server.key),
        ("ca.crt", authority.pem()),
        ("client.crt", client.cert),
        ("client.key", client.key),
    ];
    for (name, text) in files {
        let path = data.join(name);
        fs::write(&path, text).expect("root or owner");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("root or owner");
        give_to_server(&path);
    }
}
