//! An issuer for tests: discovery and keys over HTTP on this machine, and tokens of any kind.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeySize, PublicKeyComponents},
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use axum::{Router, http::StatusCode, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key and its id.
pub(super) struct Signer {
    pub(super) kid: String,
    pair: Pair,
}

impl Signer {
    pub(super) fn rsa(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()) }
    }

    pub(super) fn ec(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Ec(pair) }
    }

    pub(super) fn ed25519(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: Pair::Ed25519(Ed25519KeyPair::generate().unwrap()) }
    }

    /// The public half, as a member of a JWKS.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "n": base64url(public.n), "e": base64url(public.e)})
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (base64url(&point[1..33]), base64url(&point[33..65]));
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The public key in DER, as an attacker would use it for a shared secret.
    pub(super) fn public_der(&self) -> Vec<u8> {
        let Pair::Rsa(pair) = &self.pair else { panic!("an RSA key is wanted") };
        AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap().as_ref().to_vec()
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        let algorithm = match &self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        };
        self.token_as(algorithm, &json!({}), claims)
    }

    /// A token whose header says `algorithm`, this key's id, and `more` on top of that.
    pub(super) fn token_as(&self, algorithm: &str, more: &Value, claims: &Value) -> String {
        let mut header = json!({"alg": algorithm, "kid": self.kid, "typ": "JWT"});
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.sign(algorithm, &header.to_string(), &claims.to_string())
    }

    /// A token of exactly these texts.
    pub(super) fn sign(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64url(header), base64url(claims));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let way: &dyn signature::RsaEncoding = match algorithm {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(way, &random, message.as_bytes(), &mut made).unwrap();
                made
            }
            Pair::Ec(pair) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", base64url(signature))
    }
}

/// The issuer's web server.
pub(super) struct StandIn {
    pub(super) url: String,
    /// The answer for its keys.
    pub(super) jwks: Arc<Mutex<String>>,
    /// The answer for its metadata.
    pub(super) metadata: Arc<Mutex<String>>,
    pub(super) is_down: Arc<AtomicBool>,
    /// How often its keys were asked for.
    pub(super) asked: Arc<AtomicUsize>,
}

fn jwks(signers: &[Signer]) -> String {
    json!({"keys": signers.iter().map(Signer::jwk).collect::<Vec<_>>()}).to_string()
}

impl StandIn {
    pub(super) async fn start(signers: &[Signer]) -> Self {
        let _ = crate::tls::provider().as_ref().clone().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let metadata = json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string();
        let stand_in = Self {
            url,
            jwks: Arc::new(Mutex::new(jwks(signers))),
            metadata: Arc::new(Mutex::new(metadata)),
            is_down: Arc::default(),
            asked: Arc::default(),
        };
        tokio::spawn(axum::serve(listener, stand_in.routes()).into_future());
        stand_in
    }

    fn routes(&self) -> Router {
        let (jwks, metadata) = (Arc::clone(&self.jwks), Arc::clone(&self.metadata));
        let (down, asked) = (Arc::clone(&self.is_down), Arc::clone(&self.asked));
        let also_down = Arc::clone(&self.is_down);
        let answer = |down: &AtomicBool, text: &Mutex<String>| {
            if down.load(Ordering::SeqCst) {
                return Err(StatusCode::SERVICE_UNAVAILABLE);
            }
            Ok(text.lock().unwrap().clone())
        };
        let keys = move || {
            asked.fetch_add(1, Ordering::SeqCst);
            std::future::ready(answer(&down, &jwks))
        };
        let discovery = move || std::future::ready(answer(&also_down, &metadata));
        Router::new().route("/keys", get(keys)).route("/.well-known/openid-configuration", get(discovery))
    }

    /// Publishes other keys.
    pub(super) fn rotate(&self, signers: &[Signer]) {
        *self.jwks.lock().unwrap() = jwks(signers);
    }

    pub(super) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
