//! A control plane that answers what it was told to and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// A running double; it ends with the test's process.
pub(crate) struct Double {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    answers: Vec<(String, u16, Value)>,
    asked: Vec<(String, Value)>,
}

impl Double {
    /// Starts one that lets anybody in.
    pub(crate) fn start() -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let (shared, (tell, told)) = (script.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let router = Router::new().fallback(answer).with_state(shared);
                axum::serve(listener, router).await.unwrap();
            });
        });
        let double = Self { address: told.recv().unwrap(), script };
        double.on("POST /v1/users/oidc/token", 200, json!({"access_token": "at", "expires_in": 300}))
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What to answer to a call. Of several answers each is given once, the last for ever.
    pub(crate) fn on(self, call: &str, status: u16, body: Value) -> Self {
        self.script.lock().unwrap().answers.push((call.to_owned(), status, body));
        self
    }

    /// The bodies of every such call.
    pub(crate) fn asked(&self, call: &str) -> Vec<Value> {
        let script = self.script.lock().unwrap();
        script.asked.iter().filter(|(asked, _)| asked == call).map(|(_, body)| body.clone()).collect()
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let call = format!("{method} {}", uri.path_and_query().map_or("", |path| path.as_str()));
    let mut script = script.lock().unwrap();
    script.asked.push((call.clone(), serde_json::from_slice(&body).unwrap_or_default()));
    let matching: Vec<usize> =
        script.answers.iter().enumerate().filter(|(_, answer)| answer.0 == call).map(|(at, _)| at).collect();
    let Some(first) = matching.first() else {
        return (StatusCode::NOT_FOUND, Json(json!({"title": "Not Found", "detail": call}))).into_response();
    };
    let (_, status, body) =
        if matching.len() > 1 { script.answers.remove(*first) } else { script.answers[*first].clone() };
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}
