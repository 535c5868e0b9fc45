//! The HTTP server: TLS, and how it ends.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use postern_service::tls::{Certificate, ServerTls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::House;
use crate::{
    api::Peer,
    places::{Limits, Places},
    proxies::Proxies,
    server::Server,
};

const LONG: Duration = Duration::from_mins(1);

async fn serve(
    router: Router,
    tls: Option<TlsAcceptor>,
    grace: Duration,
) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
    serve_on(Places::default(), router, tls, grace).await
}

async fn serve_on(
    places: Places,
    router: Router,
    tls: Option<TlsAcceptor>,
    grace: Duration,
) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(Server { listener, tls, router, places }.run(stopping, grace));
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
async fn a_call_over_a_proxy_comes_from_where_the_proxy_says() {
    let told = |axum::Extension(Peer(from)): axum::Extension<Peer>| async move { from.to_string() };
    let router = Router::new().route("/", get(told));
    for (proxies, expected) in [(vec!["127.0.0.0/8"], "192.0.2.7"), (vec!["10.0.0.0/8"], "127.0.0.1")] {
        let proxies = Proxies::new(proxies.into_iter().map(|network| network.parse().unwrap()).collect());
        let (address, _stop, _) = serve_on(Places::behind(proxies), router.clone(), None, LONG).await;
        let call = super::http().get(format!("http://{address}/"));
        let call = call.header("x-forwarded-for", "198.51.100.1, 192.0.2.7");
        assert_eq!(call.send().await.unwrap().text().await.unwrap(), expected);
    }
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

async fn asked(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_source_with_too_many_connections_gets_no_more_until_it_lets_one_go() {
    let places = Places::new(Limits { all: 100, one_source: 3, one_source_when_full: 1 });
    let (address, _stop, _serving) = serve_on(places, hello(), None, LONG).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(asked(address, request).await, "");
    held.clear();
    while !asked(address, request).await.ends_with("hello") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let house = House::new().await;
    let address: SocketAddr = house.url.strip_prefix("http://").unwrap().parse().unwrap();
    let head = "POST /v1/users/oidc/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant_";
    let answer = tokio::time::timeout(LONG, asked(address, head)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("too-slow"), "{answer}");
}

#[tokio::test]
async fn a_large_body_without_a_token_is_answered_and_not_taken() {
    let house = House::new().await;
    let url = format!("{}/v1/users/oidc/token", house.url);
    let form = |bytes: usize| house.admin.http.post(&url).body("x".repeat(bytes)).send();
    assert_eq!(super::answer(form((16 << 10) + 1).await.unwrap()).await.problem(413), "too-large");
    assert_eq!(super::answer(form(20 << 20).await.unwrap()).await.problem(413), "too-large");
    assert_ne!(form(16 << 10).await.unwrap().status(), 413);
}

#[tokio::test]
async fn whoever_sends_too_much_can_send_it_to_its_end_and_reads_the_answer() {
    let house = House::new().await;
    let address: SocketAddr = house.url.strip_prefix("http://").unwrap().parse().unwrap();
    let length = 24 << 20;
    let head = "POST /v1/users/oidc/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let request = format!("{head}Content-Length: {length}\r\n\r\n{}", "x".repeat(length));
    let answer = asked(address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("too-large"), "{answer}");
}
