//! Socket Mode: Slack's calls over a WebSocket that we open, for control planes that Slack cannot reach.
//!
//! Slack says some time ahead that it will close a connection; the next one is opened at once, and the old one is read
//! until it closes, so nothing is missed in between.
//!
//! <https://docs.slack.dev/apis/events-api/using-socket-mode>

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, Stream, StreamExt, stream::SplitSink};
use postern_service::{loopback::is_private, random, secret::Secret};
use reqwest::Url;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Mutex, oneshot},
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error as SocketError, Message, protocol::WebSocketConfig},
};

use super::{
    callback::{Callback, Command, EventCall, Interaction},
    desk::{Eventful, Reply, Slack, Unwelcome},
    tls,
    web_api::{Method, SlackError},
};

const CONNECT: Duration = Duration::from_secs(10);
/// Slack pings every few seconds.
const SILENCE: Duration = Duration::from_secs(90);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_MESSAGE: usize = 4 << 20;

/// A connection over TLS or, on this machine, without.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

type Socket = WebSocketStream<Box<dyn Wire>>;
type Writer = Arc<Mutex<SplitSink<Socket, Message>>>;

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    /// Slack gave no address.
    #[error(transparent)]
    Slack(#[from] SlackError),
    /// Slack's address is none that may be used.
    #[error("the address that Slack gave cannot be used")]
    Address,
    /// The network or the other side.
    #[error("the WebSocket could not be opened")]
    Network,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Incoming {
    Hello {},
    Disconnect {
        #[serde(default)]
        reason: String,
    },
    SlashCommands(Envelope<Command>),
    Interactive(Envelope<Interaction>),
    EventsApi(Envelope<EventCall>),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(rename = "envelope_id")]
    id: String,
    #[serde(default)]
    accepts_response_payload: bool,
    payload: T,
}

/// Keeps a connection open, for ever.
pub(super) async fn run(slack: Arc<Slack>) {
    let Some(token) = slack.config.app_token.clone() else { return };
    let mut pause = FIRST_PAUSE;
    loop {
        match connect(&slack, &token).await {
            Ok(socket) => {
                pause = FIRST_PAUSE;
                let (wanted, next_is_due) = oneshot::channel();
                tokio::spawn(serve(Arc::clone(&slack), socket, wanted));
                // It ends with a word or without: either way it is time for the next.
                let _ = next_is_due.await;
            }
            Err(error) => {
                tracing::warn!(%error, "no connection to Slack; it is tried again");
                sleep(jittered(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        sleep(jittered(FIRST_PAUSE / 5)).await;
    }
}

/// Between half of it and all of it, so that many do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    let [dice] = random::bytes::<1>().unwrap_or([255]);
    pause / 2 + pause * u32::from(dice) / 512
}

async fn connect(slack: &Slack, token: &Secret) -> Result<Socket, ConnectError> {
    let opened = slack.api.call_as(token, Method::ConnectionsOpen, &json!({})).await?;
    let url = opened.get("url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    let url = url.filter(|url| is_private(url, "wss", "ws")).ok_or(ConnectError::Address)?;
    let socket = timeout(CONNECT, open(&url)).await.map_err(|_| ConnectError::Network)??;
    Ok(socket)
}

async fn open(url: &Url) -> Result<Socket, ConnectError> {
    let host = url.host_str().ok_or(ConnectError::Address)?.to_owned();
    let port = url.port_or_known_default().ok_or(ConnectError::Address)?;
    let address = (host.trim_start_matches('[').trim_end_matches(']'), port);
    let stream = TcpStream::connect(address).await.map_err(|_| ConnectError::Network)?;
    let wire: Box<dyn Wire> =
        if url.scheme() == "wss" { encrypted(stream, &host).await? } else { Box::new(stream) };
    let limits = WebSocketConfig::default()
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE));
    // The address holds a ticket: what the library says about it is not passed on.
    let opened = client_async_with_config(url.as_str(), wire, Some(limits)).await;
    opened.map(|(socket, _)| socket).map_err(|_| ConnectError::Network)
}

async fn encrypted(stream: TcpStream, host: &str) -> Result<Box<dyn Wire>, ConnectError> {
    let config = tls::client().map_err(|_| ConnectError::Network)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Address)?;
    let connected = TlsConnector::from(config).connect(name, stream).await;
    Ok(Box::new(connected.map_err(|_| ConnectError::Network)?))
}

/// Reads one connection to its end. `next` goes when another is to be opened.
async fn serve(slack: Arc<Slack>, socket: Socket, next: oneshot::Sender<()>) {
    let (writer, mut reader) = socket.split();
    let writer = Arc::new(Mutex::new(writer));
    let mut next = Some(next);
    while let Some(message) = heard(&mut reader).await {
        let Message::Text(text) = message else {
            // The library has written an answer to a ping; it goes out with the next flush.
            let _ = writer.lock().await.flush().await;
            continue;
        };
        match serde_json::from_str(&text) {
            Ok(Incoming::Disconnect { reason }) => {
                tracing::info!(reason = reason.escape_debug().to_string(), "Slack will close the connection");
                if let Some(next) = next.take() {
                    let _ = next.send(());
                }
            }
            Ok(Incoming::Hello {}) => tracing::info!("connected to Slack"),
            Ok(incoming) => drop(tokio::spawn(take(Arc::clone(&slack), Arc::clone(&writer), incoming))),
            Err(_) => tracing::warn!("Slack sent something that was not understood"),
        }
    }
}

async fn heard(reader: &mut (impl Stream<Item = Result<Message, SocketError>> + Unpin)) -> Option<Message> {
    timeout(SILENCE, reader.next()).await.ok()??.ok()
}

async fn take(slack: Arc<Slack>, writer: Writer, incoming: Incoming) {
    let (id, wants_payload, callback) = match incoming {
        Incoming::SlashCommands(call) => {
            (call.id, call.accepts_response_payload, Callback::Command(Box::new(call.payload)))
        }
        Incoming::Interactive(call) => {
            (call.id, call.accepts_response_payload, Callback::Interaction(call.payload))
        }
        Incoming::EventsApi(call) => match call.payload.into() {
            Eventful::Callback(callback) => (call.id, false, callback),
            Eventful::Challenge(_) | Eventful::Nothing => {
                return acknowledge(&writer, &call.id, None).await;
            }
        },
        Incoming::Hello {} | Incoming::Disconnect { .. } | Incoming::Other => return,
    };
    match slack.receive(callback, None).await {
        Ok(Reply::Json(payload)) if wants_payload => acknowledge(&writer, &id, Some(payload)).await,
        Ok(Reply::Json(_) | Reply::Done) => acknowledge(&writer, &id, None).await,
        // Not acknowledged, so that Slack sends it again.
        Err(unwelcome @ (Unwelcome::Failure(_) | Unwelcome::NotReady)) => {
            tracing::warn!(%unwelcome, "a call of Slack's could not be taken");
        }
        Err(unwelcome @ (Unwelcome::Foreign | Unwelcome::Replayed)) => {
            tracing::warn!(%unwelcome, "a call to the Slack app was turned away");
            acknowledge(&writer, &id, None).await;
        }
    }
}

async fn acknowledge(writer: &Writer, id: &str, payload: Option<Value>) {
    let mut answer = json!({"envelope_id": id});
    if let (Some(payload), Some(answer)) = (payload, answer.as_object_mut()) {
        answer.insert("payload".to_owned(), payload);
    }
    let _ = writer.lock().await.send(Message::text(answer.to_string())).await;
}
