//! Socket Mode: the web sockets that the app opens, and envelopes that it acknowledges.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

use super::workspace::APP;
use crate::wait::until_some;

/// When an envelope is sent again. Slack waits three seconds; a busy machine gets more.
const AGAIN: Duration = Duration::from_secs(8);

/// What a connection is told.
#[derive(Debug)]
enum Order {
    Say(String),
    Close,
}

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Sockets {
    port: u16,
    serial: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    tickets: HashSet<String>,
    open: Vec<(u64, mpsc::UnboundedSender<Order>)>,
    /// Envelopes that nobody has acknowledged yet.
    waiting: HashMap<String, oneshot::Sender<Value>>,
    opened: u64,
}

impl Sockets {
    /// Listens.
    pub(super) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        let sockets = Arc::new(Self { port, serial: AtomicU64::new(1), inner: Mutex::default() });
        let serving = Arc::clone(&sockets);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(stream));
            }
        });
        sockets
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// An address that opens one connection. The double hands the same one out until it was used.
    pub(super) fn url(&self) -> String {
        self.lock().tickets.insert("ticket".to_owned());
        format!("ws://127.0.0.1:{}/link/?ticket=ticket&app_id={APP}", self.port)
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        #[expect(clippy::result_large_err, reason = "the library's own type")]
        let admit = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            let ticket = request.uri().query().unwrap_or_default().contains("ticket=ticket");
            if ticket { Ok(response) } else { Err(ErrorResponse::new(None)) }
        };
        let Ok(socket) = accept_hdr_async(stream, admit).await else { return };
        let (mut writer, mut reader) = socket.split();
        let (orders, mut ordered) = mpsc::unbounded_channel();
        let (id, count) = (self.next(), self.lock().open.len() + 1);
        let hello = json!({
            "type": "hello", "num_connections": count, "connection_info": {"app_id": APP},
            "debug_info": {"host": "double", "approximate_connection_time": 3_600},
        });
        let _ = writer.send(Message::text(hello.to_string())).await;
        {
            let mut inner = self.lock();
            inner.open.push((id, orders));
            inner.opened += 1;
        }
        loop {
            tokio::select! {
                order = ordered.recv() => match order {
                    Some(Order::Say(text)) => drop(writer.send(Message::text(text)).await),
                    Some(Order::Close) | None => break,
                },
                message = reader.next() => match message {
                    Some(Ok(Message::Text(text))) => self.acknowledged(&text),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                },
            }
        }
        self.lock().open.retain(|(open, _)| *open != id);
        let _ = writer.close().await;
    }

    fn acknowledged(&self, text: &str) {
        let answer: Value = serde_json::from_str(text).expect("the app answers in JSON");
        let id = answer["envelope_id"].as_str().expect("an answer names its envelope");
        if let Some(waiting) = self.lock().waiting.remove(id) {
            let _ = waiting.send(answer["payload"].clone());
        }
    }

    /// Sends a payload until it is acknowledged, and gives what the app answered.
    pub(super) async fn deliver(&self, kind: &str, payload: &Value) -> Value {
        let mut attempt = 0;
        loop {
            let id = format!("envelope-{}", self.next());
            let (sender, receiver) = oneshot::channel();
            self.lock().waiting.insert(id.clone(), sender);
            let orders = until_some("a connection of the app's", async || {
                self.lock().open.last().map(|(_, orders)| orders.clone())
            })
            .await;
            let envelope = json!({
                "type": kind, "envelope_id": id, "payload": payload, "accepts_response_payload": kind != "events_api",
                "retry_attempt": attempt, "retry_reason": "",
            });
            let _ = orders.send(Order::Say(envelope.to_string()));
            if let Ok(Ok(answer)) = timeout(AGAIN, receiver).await {
                return answer;
            }
            attempt += 1;
            assert!(attempt < 8, "the app does not acknowledge {kind}");
        }
    }

    fn last(&self) -> Option<(u64, mpsc::UnboundedSender<Order>)> {
        self.lock().open.last().cloned()
    }

    /// Says that the connection will close, waits for the next one, and closes it.
    pub(super) async fn refresh(&self) {
        let (before, orders) = until_some("a connection of the app's", async || self.last()).await;
        let notice =
            json!({"type": "disconnect", "reason": "refresh_requested", "debug_info": {"host": "double"}});
        let _ = orders.send(Order::Say(notice.to_string()));
        until_some("the next connection", async || self.last().filter(|(id, _)| *id != before)).await;
        let _ = orders.send(Order::Close);
    }

    /// Cuts every connection without a word.
    pub(super) fn cut(&self) {
        for (_, orders) in &self.lock().open {
            let _ = orders.send(Order::Close);
        }
    }

    /// How many connections there have been.
    pub(super) fn opened(&self) -> u64 {
        self.lock().opened
    }
}

impl super::Slack {
    /// Slack closes the app's connection after having said so; the app has a new one by then.
    pub async fn refresh_socket(&self) {
        self.sockets.refresh().await;
    }

    /// Slack's end of every connection is gone.
    pub fn cut_sockets(&self) {
        self.sockets.cut();
    }

    /// How many connections the app has opened.
    pub fn sockets_opened(&self) -> u64 {
        self.sockets.opened()
    }
}
