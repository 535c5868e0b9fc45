//! An issuer of tokens inside the test: discovery, keys, and whatever tokens a test wants.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A running issuer with one key.
pub struct Issuer {
    /// Its URL.
    pub url: String,
    key: EncodingKey,
}

impl Issuer {
    /// Starts one. It goes with the test's runtime.
    pub async fn start() -> Self {
        let pair = Ed25519KeyPair::generate().expect("keys can be made");
        let key = EncodingKey::from_ed_der(pair.to_pkcs8v1().expect("a key is exported").as_ref());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "x": x}]});
        let metadata = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let answering = |value: Value| get(move || std::future::ready(Json(value.clone())));
        let routes = Router::new()
            .route("/keys", answering(jwks))
            .route("/.well-known/openid-configuration", answering(metadata));
        tokio::spawn(axum::serve(listener, routes).into_future());
        Self { url, key }
    }

    /// `[oidc]` of a control plane that trusts it.
    pub fn section(&self) -> String {
        format!("[oidc]\nissuer = \"{}\"\nclient_id = \"postern\"\nclient_secret = \"secret\"\n", self.url)
    }

    /// A token for `identity` that counts for so many seconds.
    pub fn token(&self, identity: &str, seconds: u64) -> String {
        self.sign(self.claims(identity, seconds))
    }

    /// What such a token says.
    pub fn claims(&self, identity: &str, seconds: u64) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        json!({
            "iss": self.url, "aud": "postern", "sub": identity, "email": identity, "email_verified": true,
            "iat": now, "exp": now + seconds,
        })
    }

    /// A token with these claims.
    pub fn sign(&self, claims: Value) -> String {
        let header = Header { kid: Some("1".to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &self.key).expect("claims are signed")
    }
}
