//! Proving an account to its database, by the plugins of MySQL and MariaDB.
//!
//! No sockets here: in goes what the server asks, out comes what to answer.

use std::num::NonZeroU32;

use aws_lc_rs::{
    digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest},
    pbkdf2::{self, PBKDF2_HMAC_SHA512},
    rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey},
    signature::Ed25519KeyPair,
};
use ed25519_dalek::{
    VerifyingKey,
    hazmat::{ExpandedSecretKey, raw_sign},
};
use postern_protocol::mysql::{AuthResponse, SCRAMBLE_LEN, scramble};
use postern_service::{
    random::{self, NoRandomness},
    secret::Secret,
};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use zeroize::Zeroizing;

/// Length of what MariaDB's plugins sign.
const NONCE_LEN: usize = 32;

/// Why the database does not get what it asks for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// It wants a password and none is configured.
    #[error("the database asks for a password, and the account has none configured")]
    NoPassword,
    /// It wants the password itself, over a line that others may read or to somebody who has not proved who they are.
    #[error(
        "the database asks for the password in cleartext: that needs tls = \"verify-ca\" or \"verify-full\""
    )]
    Cleartext,
    /// A plugin that is not known here.
    #[error("the database asks for an authentication plugin that is not supported ({0})")]
    Unsupported(String),
    /// One proof is not enough for it.
    #[error("the database asks for a second factor")]
    SecondFactor,
    /// The exchange does not follow the plugin's protocol.
    #[error("the database does not follow the protocol of {0}")]
    Exchange(&'static str),
    /// No randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// The plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plugin {
    Native,
    CachingSha2,
    Sha256,
    Clear,
    Ed25519,
    Parsec,
}

impl Plugin {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "mysql_native_password" => Self::Native,
            "caching_sha2_password" => Self::CachingSha2,
            "sha256_password" => Self::Sha256,
            "mysql_clear_password" => Self::Clear,
            "client_ed25519" => Self::Ed25519,
            "parsec" => Self::Parsec,
            _ => return None,
        })
    }
}

/// What the plugin is waiting for.
#[derive(Debug, PartialEq, Eq)]
enum Awaiting {
    /// Nothing but the server's verdict.
    Verdict,
    /// `caching_sha2_password`: whether the hash was good.
    HashChecked([u8; SCRAMBLE_LEN]),
    /// The server's public key, to send the password under.
    PublicKey([u8; SCRAMBLE_LEN]),
    /// `parsec`: the salt that the account's key is derived with.
    Salt([u8; NONCE_LEN]),
}

/// One account's proof, step by step.
pub(crate) struct Proof<'a> {
    password: Option<&'a Secret>,
    encrypted: bool,
    /// Whether the line is one over which the password itself may go, to whoever asks for it.
    private: bool,
    awaiting: Awaiting,
}

impl<'a> Proof<'a> {
    /// Nothing asked yet.
    pub(crate) const fn new(password: Option<&'a Secret>, encrypted: bool, private: bool) -> Self {
        Self { password, encrypted, private, awaiting: Awaiting::Verdict }
    }

    /// Answers the greeting: by the plugin that it names if that begins with a scramble, or by one that any server
    /// switches away from.
    pub(crate) fn begin(
        &mut self,
        plugin: &str,
        scramble: &[u8; SCRAMBLE_LEN],
    ) -> Result<(String, AuthResponse), AuthError> {
        let plugin = match Plugin::named(plugin) {
            Some(Plugin::CachingSha2) => plugin,
            Some(Plugin::Native | Plugin::Sha256 | Plugin::Clear | Plugin::Ed25519 | Plugin::Parsec)
            | None => "mysql_native_password",
        };
        let response = self.switch(plugin, scramble)?;
        Ok((plugin.to_owned(), response))
    }

    /// Answers a plugin's first question.
    pub(crate) fn switch(&mut self, plugin: &str, data: &[u8]) -> Result<AuthResponse, AuthError> {
        self.awaiting = Awaiting::Verdict;
        let known =
            Plugin::named(plugin).ok_or_else(|| AuthError::Unsupported(plugin.escape_debug().to_string()))?;
        let Some(password) =
            self.password.map(|secret| secret.reveal().as_bytes()).filter(|text| !text.is_empty())
        else {
            // An account without a password says nothing, whatever it is asked.
            return Ok(AuthResponse::default());
        };
        let nonce = || scramble(data).ok_or(AuthError::Exchange("its plugin: there is no scramble"));
        match known {
            Plugin::Native => Ok(native(password, &nonce()?).as_slice().into()),
            Plugin::CachingSha2 => {
                let nonce = nonce()?;
                self.awaiting = Awaiting::HashChecked(nonce);
                Ok(sha2(password, &nonce).as_slice().into())
            }
            Plugin::Sha256 if self.encrypted => Ok(ended(password).as_slice().into()),
            Plugin::Sha256 => {
                self.awaiting = Awaiting::PublicKey(nonce()?);
                Ok([1_u8].as_slice().into())
            }
            Plugin::Clear if self.private => Ok(ended(password).as_slice().into()),
            Plugin::Clear => Err(AuthError::Cleartext),
            Plugin::Ed25519 => Ok(ed25519(password, &signed(data, "client_ed25519")?).as_slice().into()),
            Plugin::Parsec => {
                self.awaiting = Awaiting::Salt(signed(data, "parsec")?);
                Ok(AuthResponse::default())
            }
        }
    }

    /// Answers a further question of the plugin; nothing where only the verdict is to come.
    pub(crate) fn go_on(&mut self, data: &[u8]) -> Result<Option<AuthResponse>, AuthError> {
        const GOOD: u8 = 3;
        const IN_FULL: u8 = 4;
        let password = self.password.ok_or(AuthError::NoPassword)?.reveal().as_bytes();
        match (std::mem::replace(&mut self.awaiting, Awaiting::Verdict), data) {
            (Awaiting::HashChecked(_), [GOOD]) => Ok(None),
            (Awaiting::HashChecked(_), [IN_FULL]) if self.encrypted => {
                Ok(Some(ended(password).as_slice().into()))
            }
            (Awaiting::HashChecked(nonce), [IN_FULL]) => {
                self.awaiting = Awaiting::PublicKey(nonce);
                Ok(Some([2_u8].as_slice().into()))
            }
            (Awaiting::HashChecked(_), _) => Err(AuthError::Exchange("caching_sha2_password")),
            (Awaiting::PublicKey(nonce), key) => sealed(password, &nonce, key).map(Some),
            (Awaiting::Salt(nonce), salt) => parsec(password, &nonce, salt).map(Some),
            (Awaiting::Verdict, _) => Err(AuthError::Exchange("its plugin: it asks too much")),
        }
    }
}

/// What is to be signed. Nothing but a nonce is: a server could have anything signed otherwise.
fn signed(data: &[u8], plugin: &'static str) -> Result<[u8; NONCE_LEN], AuthError> {
    data.try_into().map_err(|_| AuthError::Exchange(plugin))
}

/// A text and the NUL that ends it.
fn ended(password: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([password, &[0]].concat())
}

fn hash(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut context = digest::Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    Zeroizing::new(context.finish().as_ref().to_vec())
}

fn xor(one: &[u8], other: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(one.iter().zip(other.iter().cycle()).map(|(a, b)| a ^ b).collect())
}

/// `mysql_native_password`
fn native(password: &[u8], nonce: &[u8]) -> Zeroizing<Vec<u8>> {
    let once = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[password]);
    let twice = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[&once]);
    xor(&once, &hash(&SHA1_FOR_LEGACY_USE_ONLY, &[nonce, &twice]))
}

/// `caching_sha2_password`
fn sha2(password: &[u8], nonce: &[u8]) -> Zeroizing<Vec<u8>> {
    let once = hash(&SHA256, &[password]);
    let twice = hash(&SHA256, &[&once]);
    xor(&once, &hash(&SHA256, &[&twice, nonce]))
}

/// The password under the server's public key.
fn sealed(password: &[u8], nonce: &[u8], key: &[u8]) -> Result<AuthResponse, AuthError> {
    let bad = || AuthError::Exchange("its plugin: that is no public key");
    let key = SubjectPublicKeyInfoDer::from_pem_slice(key).map_err(|_| bad())?;
    let key = PublicEncryptingKey::from_der(&key).map_err(|_| bad())?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| bad())?;
    let mut room = vec![0; key.ciphertext_size()];
    // A key of 1,024 bits takes 86 bytes.
    let text = xor(&ended(password), nonce);
    let sealed = key.encrypt(&OAEP_SHA1_MGF1SHA1, &text, &mut room, None).map_err(|_| bad())?;
    Ok((&*sealed).into())
}

/// `client_ed25519`: Ed25519 whose expanded secret key is the hash of the password itself.
fn ed25519(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let mut expanded = Zeroizing::new([0; 64]);
    expanded.copy_from_slice(digest(&SHA512, password).as_ref());
    let key = ExpandedSecretKey::from_bytes(&expanded);
    let public = VerifyingKey::from(&key);
    raw_sign::<sha2::Sha512>(&key, nonce, &public).to_bytes().to_vec()
}

/// `parsec`: Ed25519 with a key derived from the password, over the server's random bytes and ours.
fn parsec(password: &[u8], nonce: &[u8], salt: &[u8]) -> Result<AuthResponse, AuthError> {
    /// 2^10 times 2^this.
    const MOST_ITERATIONS: u8 = 10;
    let bad = || AuthError::Exchange("parsec");
    let [b'P', factor @ 0..=MOST_ITERATIONS, salt @ ..] = salt else { return Err(bad()) };
    let iterations = NonZeroU32::new(1024 << factor).ok_or_else(bad)?;
    let mut seed = Zeroizing::new([0; 32]);
    pbkdf2::derive(PBKDF2_HMAC_SHA512, iterations, salt, password, &mut *seed);
    let key = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| bad())?;
    let ours: [u8; 32] = random::bytes()?;
    let signature = key.sign(&[nonce, &ours].concat());
    Ok([&ours[..], signature.as_ref()].concat().as_slice().into())
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use aws_lc_rs::{
        encoding::AsDer,
        rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey},
        signature::{ED25519, UnparsedPublicKey},
    };
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;

    const NONCE: RangeInclusive<u8> = 1..=20;

    fn secret() -> Secret {
        Secret::from("secret")
    }

    fn nonce() -> [u8; SCRAMBLE_LEN] {
        NONCE.collect::<Vec<u8>>().try_into().unwrap()
    }

    /// A server's key pair, and its public half as servers send it.
    fn key_pair() -> (OaepPrivateDecryptingKey, Vec<u8>) {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let public = private.public_key().as_der().unwrap();
        let body = BASE64_STANDARD.encode(public.as_ref());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        (OaepPrivateDecryptingKey::new(private).unwrap(), pem.into_bytes())
    }

    fn unsealed(key: &OaepPrivateDecryptingKey, sealed: &[u8]) -> Vec<u8> {
        let mut room = vec![0; key.min_output_size()];
        let text = key.decrypt(&OAEP_SHA1_MGF1SHA1, sealed, &mut room, None).unwrap();
        xor(text, &nonce()).to_vec()
    }

    #[test]
    fn hashes_are_those_that_servers_compute() {
        let password = secret();
        let mut proof = Proof::new(Some(&password), false, false);
        let (plugin, answer) = proof.begin("mysql_native_password", &nonce()).unwrap();
        assert_eq!(plugin, "mysql_native_password");
        assert_eq!(random::hex(answer.reveal()), "b32bb3a583e1340c0a1108d58b1be49781ad8c2f");
        let (plugin, answer) = proof.begin("caching_sha2_password", &nonce()).unwrap();
        assert_eq!(plugin, "caching_sha2_password");
        let expected = "746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9";
        assert_eq!(random::hex(answer.reveal()), expected);
        assert_eq!(proof.go_on(&[3]).unwrap(), None);
        assert!(matches!(proof.go_on(&[3]), Err(AuthError::Exchange(_))));
    }

    #[test]
    fn a_plugin_that_begins_otherwise_is_begun_as_one_that_servers_switch_away_from() {
        let password = secret();
        let mut proof = Proof::new(Some(&password), true, true);
        for named in ["sha256_password", "mysql_clear_password", "parsec", "dialog", ""] {
            let (plugin, answer) = proof.begin(named, &nonce()).unwrap();
            assert_eq!((plugin.as_str(), answer.reveal().len()), ("mysql_native_password", 20));
        }
    }

    #[test]
    fn in_full_the_password_goes_through_tls_or_under_the_servers_key() {
        let password = secret();
        let mut proof = Proof::new(Some(&password), true, false);
        proof.begin("caching_sha2_password", &nonce()).unwrap();
        assert_eq!(proof.go_on(&[4]).unwrap().unwrap().reveal(), b"secret\0");
        let mut proof = Proof::new(Some(&password), false, false);
        proof.begin("caching_sha2_password", &nonce()).unwrap();
        assert_eq!(proof.go_on(&[4]).unwrap().unwrap().reveal(), [2]);
        let (private, public) = key_pair();
        let sealed = proof.go_on(&public).unwrap().unwrap();
        assert_eq!(unsealed(&private, sealed.reveal()), b"secret\0");
    }

    #[test]
    fn sha256_password_asks_for_the_key_where_others_may_read() {
        let password = secret();
        let data = [&nonce()[..], b"\0"].concat();
        let mut open = Proof::new(Some(&password), false, false);
        assert_eq!(open.switch("sha256_password", &data).unwrap().reveal(), [1]);
        let (private, public) = key_pair();
        let sealed = open.go_on(&public).unwrap().unwrap();
        assert_eq!(unsealed(&private, sealed.reveal()), b"secret\0");
        let mut encrypted = Proof::new(Some(&password), true, false);
        assert_eq!(encrypted.switch("sha256_password", &data).unwrap().reveal(), b"secret\0");
    }

    #[test]
    fn the_password_itself_goes_to_nobody_who_might_be_somebody_else() {
        let password = secret();
        for encrypted in [false, true] {
            let mut proof = Proof::new(Some(&password), encrypted, false);
            assert!(matches!(proof.switch("mysql_clear_password", b""), Err(AuthError::Cleartext)));
        }
        let mut private = Proof::new(Some(&password), true, true);
        assert_eq!(private.switch("mysql_clear_password", b"").unwrap().reveal(), b"secret\0");
    }

    #[test]
    fn ed25519_signs_with_the_hash_of_the_password() {
        let password = secret();
        let mut proof = Proof::new(Some(&password), false, false);
        let nonce: Vec<u8> = (0..32).collect();
        let answer = proof.switch("client_ed25519", &nonce).unwrap();
        let expected = "546c3e9311d19ee389d1ae5d945821bfe459423910136f16b3bd2ae89fd7d63b\
            449e689f4be812891a85b8f999076446d92adb83d0707215aaa60b5a23220907";
        assert_eq!(random::hex(answer.reveal()), expected);
        // What a server stores of this password.
        let stored = BASE64_STANDARD.decode("ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY=").unwrap();
        UnparsedPublicKey::new(&ED25519, stored).verify(&nonce, answer.reveal()).unwrap();
    }

    #[test]
    fn parsec_signs_with_a_key_that_the_salt_makes() {
        let password = secret();
        let mut proof = Proof::new(Some(&password), false, false);
        let nonce = [7; 32];
        assert!(proof.switch("parsec", &nonce).unwrap().reveal().is_empty());
        // What MariaDB 11.8 made of this password: P0, the salt, the public key.
        let salt = BASE64_STANDARD.decode("B4W6JIBCg0Fxs0321kVXkfDt").unwrap();
        let stored = BASE64_STANDARD.decode("0JhecQ0QhaMtaEQs4HI5eUcQHGckHrphN9MyyC16pB8=").unwrap();
        let answer = proof.go_on(&[&b"P\0"[..], &salt].concat()).unwrap().unwrap();
        let (ours, signature) = answer.reveal().split_at(32);
        let key = UnparsedPublicKey::new(&ED25519, stored);
        key.verify(&[&nonce[..], ours].concat(), signature).unwrap();
    }

    #[test]
    fn what_is_no_nonce_is_not_signed() {
        let password = secret();
        let mut proof = Proof::new(Some(&password), true, true);
        for plugin in ["client_ed25519", "parsec", "mysql_native_password", "caching_sha2_password"] {
            for length in [0, 19, 31, 33] {
                let answer = proof.switch(plugin, &vec![1; length]);
                assert!(matches!(answer, Err(AuthError::Exchange(_))), "{plugin} {length}");
            }
        }
    }

    #[test]
    fn hostile_questions_are_refused() {
        let password = secret();
        let open = || Proof::new(Some(&password), false, false);
        assert!(matches!(open().switch("auth_gssapi_client", b""), Err(AuthError::Unsupported(_))));
        assert!(matches!(open().go_on(b"more"), Err(AuthError::Exchange(_))));
        let mut proof = open();
        proof.begin("caching_sha2_password", &nonce()).unwrap();
        assert!(matches!(proof.go_on(&[5]), Err(AuthError::Exchange(_))));
        for key in [&b""[..], b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            let mut proof = open();
            proof.begin("caching_sha2_password", &nonce()).unwrap();
            proof.go_on(&[4]).unwrap();
            assert!(matches!(proof.go_on(key), Err(AuthError::Exchange(_))));
        }
        for salt in [&b""[..], b"P", b"Q\0salt", b"P\x0bsalt", b"P\xffsalt"] {
            let mut proof = open();
            proof.switch("parsec", &[7; 32]).unwrap();
            assert!(matches!(proof.go_on(salt), Err(AuthError::Exchange(_))));
        }
    }

    #[test]
    fn an_account_without_a_password_says_nothing_and_gives_nothing_away() {
        let empty = Secret::from("");
        for password in [None, Some(&empty)] {
            let mut proof = Proof::new(password, false, false);
            for plugin in ["mysql_native_password", "caching_sha2_password", "client_ed25519", "parsec"] {
                assert!(proof.switch(plugin, b"").unwrap().reveal().is_empty());
            }
        }
        assert!(matches!(Proof::new(None, true, true).go_on(&[4]), Err(AuthError::NoPassword)));
    }
}
