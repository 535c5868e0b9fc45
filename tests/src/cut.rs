//! A wire that can be cut: a TCP relay that a test freezes (bytes stop, connections stay) or severs.
//!
//! It runs on a thread of its own, so that it goes on while a test waits for a program.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::{Builder, Runtime},
    sync::watch,
};

use crate::port;

/// What the wire does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Frozen,
    Severed,
}

/// What it does now, and how often it was severed: whoever looks late still sees that.
#[derive(Clone, Copy, Debug)]
struct Line {
    state: State,
    cuts: u64,
}

/// A relay from a port of its own to a target.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    line: watch::Sender<Line>,
    connections: Arc<AtomicU64>,
    target: Arc<AtomicU16>,
    runtime: Option<Runtime>,
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if line.wait_for(|line| line.state == State::Whole).await.is_err() {
            return;
        }
        tokio::select! {
            biased;
            changed = line.changed() => if changed.is_err() { return },
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    let _ = line.wait_for(|line| line.state != State::Frozen).await;
                    if to.write_all(buffer.get(..length).unwrap_or_default()).await.is_err() {
                        return;
                    }
                }
            },
        }
    }
}

async fn relay(client: TcpStream, target: SocketAddr, line: watch::Receiver<Line>) {
    let mut until_severed = line.clone();
    let before = line.borrow().cuts;
    let work = async {
        let mut thawed = line.clone();
        let _ = thawed.wait_for(|line| line.state == State::Whole).await;
        let Ok(server) = TcpStream::connect(target).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = pump(from_client, to_server, line.clone()) => {}
            () = pump(from_server, to_client, line) => {}
        }
    };
    // Nothing passes once it is severed, even if it is whole again before anybody has looked.
    tokio::select! {
        biased;
        _ = until_severed.wait_for(|line| line.state == State::Severed || line.cuts > before) => {}
        () = work => {}
    }
}

impl Wire {
    /// Opens a relay to `target`, a port of 127.0.0.1.
    pub async fn to(target: u16) -> Self {
        let port = port::free();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
        let listening = runtime.spawn(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
        let listener = listening.await.expect("it does not panic").expect("the port is free");
        let (line, seen) = watch::channel(Line { state: State::Whole, cuts: 0 });
        let target = Arc::new(AtomicU16::new(target));
        let end = Arc::clone(&target);
        let connections = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&connections);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let target = SocketAddr::from((Ipv4Addr::LOCALHOST, end.load(Ordering::Relaxed)));
                tokio::spawn(relay(client, target, seen.clone()));
            }
        });
        Self { port, line, connections, target, runtime: Some(runtime) }
    }

    /// Where to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leads every new connection to another port of 127.0.0.1.
    pub fn lead_to(&self, target: u16) {
        self.target.store(target, Ordering::Relaxed);
    }

    /// How many connections have come in so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Bytes stop in both directions; connections stay open, new ones hang. Like a network gone dark.
    pub fn freeze(&self) {
        self.line.send_modify(|line| line.state = State::Frozen);
    }

    /// Every connection is closed, and so is every new one.
    pub fn sever(&self) {
        self.line.send_modify(|line| *line = Line { state: State::Severed, cuts: line.cuts + 1 });
    }

    /// As if nothing had happened.
    pub fn heal(&self) {
        self.line.send_modify(|line| line.state = State::Whole);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
