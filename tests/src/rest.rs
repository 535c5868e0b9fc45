//! A client of the control plane's REST API, as automation would write one.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::sync::Mutex;

/// Tokens last five minutes; a new one is fetched well before.
const FRESH: Duration = Duration::from_secs(200);

/// An API client of one control plane.
#[derive(Debug)]
pub struct Api {
    http: Client,
    base: String,
    id: String,
    secret: String,
    token: Mutex<Option<(String, Instant)>>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body, `Null` when it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a 2xx answer; anything else fails the test.
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        self.body
    }
}

/// Makes rustls work in this process, for every library that uses it.
pub fn install_tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

impl Api {
    /// A client with this id and secret of the control plane at `base`.
    pub fn new(base: &str, id: &str, secret: &str) -> Self {
        install_tls();
        let http = Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .build()
            .expect("a client can be made");
        Self {
            http,
            base: base.to_owned(),
            id: id.to_owned(),
            secret: secret.to_owned(),
            token: Mutex::default(),
        }
    }

    /// Its credentials, for programs that take them from the environment.
    pub fn credentials(&self) -> (&str, &str) {
        (&self.id, &self.secret)
    }

    /// A token for programs that sign in by one.
    pub async fn bearer(&self) -> String {
        self.token().await.expect("the credentials are good")
    }

    async fn token(&self) -> Result<String, reqwest::Error> {
        let mut held = self.token.lock().await;
        if let Some((token, _)) = held.as_ref().filter(|(_, at)| at.elapsed() < FRESH) {
            return Ok(token.clone());
        }
        let form =
            [("grant_type", "client_credentials"), ("client_id", &self.id), ("client_secret", &self.secret)];
        let answer = self.http.post(format!("{}/v1/users/oidc/token", self.base)).form(&form).send().await?;
        let body: Value = answer.error_for_status()?.json().await?;
        let token = body["access_token"].as_str().expect("a token answer has a token").to_owned();
        *held = Some((token.clone(), Instant::now()));
        Ok(token)
    }

    /// One call; an error when the control plane could not be reached or broke off.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let token = self.token().await?;
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let what = format!("{method} {path}");
        self.try_call(method, path, body).await.unwrap_or_else(|error| panic!("{what}: {error:?}"))
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `PUT`.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `PATCH`.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }
}
