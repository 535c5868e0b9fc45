//! A connection, encrypted or not, so that everything behind the handshake is one code.

use std::{
    io,
    net::Shutdown,
    pin::Pin,
    task::{Context, Poll},
};

use rustls::pki_types::CertificateDer;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{client, server};

/// A byte stream over TCP.
#[derive(Debug)]
pub(crate) enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// TLS, and we are the server.
    Accepted(Box<server::TlsStream<TcpStream>>),
    /// TLS, and we are the client.
    Connected(Box<client::TlsStream<TcpStream>>),
    /// None any more.
    Closed,
}

impl Stream {
    /// The socket underneath.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(tcp) => Some(tcp),
            Self::Accepted(tls) => Some(tls.get_ref().0),
            Self::Connected(tls) => Some(tls.get_ref().0),
            Self::Closed => None,
        }
    }

    /// Closing will throw away what lies in the socket's buffers, and reset the connection.
    pub(crate) fn reset(&self) {
        // A socket that is closed already needs no reset.
        let _ = self.tcp().map(TcpStream::set_zero_linger);
    }

    /// Tells the other side that nothing more comes, without sending what is still kept back.
    pub(crate) fn hang_up(&self) {
        // A socket that is closed already needs no farewell.
        let _ = self.tcp().map(|tcp| SockRef::from(tcp).shutdown(Shutdown::Write));
    }

    /// The certificate that the client showed and the handshake verified.
    pub(crate) fn peer_certificate(&self) -> Option<CertificateDer<'static>> {
        match self {
            Self::Accepted(tls) => tls.get_ref().1.peer_certificates()?.first().cloned(),
            Self::Plain(_) | Self::Connected(_) | Self::Closed => None,
        }
    }

    /// Whether what is sent can be read on the way.
    pub(crate) const fn is_encrypted(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Closed => false,
            Self::Accepted(_) | Self::Connected(_) => true,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, into),
            Self::Accepted(tls) => Pin::new(tls).poll_read(cx, into),
            Self::Connected(tls) => Pin::new(tls).poll_read(cx, into),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Accepted(tls) => Pin::new(tls).poll_write(cx, bytes),
            Self::Connected(tls) => Pin::new(tls).poll_write(cx, bytes),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Accepted(tls) => Pin::new(tls).poll_flush(cx),
            Self::Connected(tls) => Pin::new(tls).poll_flush(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Accepted(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Connected(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}
