//! The accept loop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;

use crate::{engine::Door, gatehouse::Gatehouse};

/// An open port and what is served there.
pub(crate) struct Listener {
    socket: TcpListener,
    door: Door,
}

impl Listener {
    /// Opens the port. Who connects there is served where this is called.
    pub(crate) async fn bind(address: SocketAddr, door: Door) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, door })
    }

    /// Accepts until the sidecar stops.
    pub(crate) async fn run(self, house: Arc<Gatehouse>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = house.stopping() => return,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    let pending = house.places.take(peer.ip());
                    self.door.serve(Arc::clone(&house), tcp, peer, pending);
                }
                Err(error) => {
                    // Out of file descriptors, most likely: those who are in go on, and some will leave.
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}
