//! The HTTP server: TLS, and how it ends.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use postern_service::tls::{Certificate, ServerTls};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::server::Server;

const LONG: Duration = Duration::from_mins(1);

async fn serve(
    router: Router,
    tls: Option<TlsAcceptor>,
    grace: Duration,
) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(Server { listener, tls, router }.run(stopping, grace));
    (address, stop, serving)
}

fn acceptor() -> (TlsAcceptor, reqwest::Client) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let path = |name: &str| format!("'{}'", folder.path().join(name).display());
    let files: ServerTls =
        toml::from_str(&format!("cert = {}\nkey = {}", path("cert.pem"), path("key.pem"))).unwrap();
    let config = Certificate::load(files).unwrap().server_config(&[b"http/1.1"]).unwrap();
    super::http();
    let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    (TlsAcceptor::from(Arc::new(config)), client)
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn calls_come_over_tls_while_others_dawdle_over_their_handshake() {
    let (acceptor, client) = acceptor();
    let (address, stop, serving) = serve(hello(), Some(acceptor), LONG).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let url = format!("https://localhost:{}/", address.port());
    assert_eq!(client.get(url).send().await.unwrap().text().await.unwrap(), "hello");
    // Neither they nor the idle connection of the call hold up the end.
    stop.send_replace(true);
    tokio::time::timeout(LONG / 2, serving).await.unwrap().unwrap();
    assert_eq!(silent[0].read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_call_in_flight_is_answered_before_the_end() {
    let (arrived, arrival) = oneshot::channel();
    let (go, gone) = oneshot::channel::<()>();
    let once = Arc::new(tokio::sync::Mutex::new(Some((arrived, gone))));
    let slow = move || async move {
        let (arrived, gone) = once.lock().await.take().unwrap();
        arrived.send(()).unwrap();
        gone.await.unwrap();
        "done"
    };
    let (address, stop, serving) = serve(Router::new().route("/", get(slow)), None, LONG).await;
    let call = tokio::spawn(super::http().get(format!("http://{address}/")).send());
    arrival.await.unwrap();
    stop.send_replace(true);
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "done");
    serving.await.unwrap();
}
