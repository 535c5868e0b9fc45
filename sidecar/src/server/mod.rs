//! A database server: where it is, and how its accounts get in.
//!
//! In: a repo's description. Out: sockets, and what each account needs to log in with. What is spoken over them is
//! the engine's business.

mod tls;

use std::{collections::HashMap, io, net::SocketAddr};

use postern_protocol::gate::{AccountName, RepoName};
use postern_service::{secret::Secret, tls::TlsError};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{
    config::{RepoConfig, TlsMode},
    net::is_loopback,
};

/// Why a repo's description cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidServer {
    /// Not `host:port`.
    #[error("repo {0}: `address` must be host:port")]
    Address(RepoName),
    /// A TLS file is missing or bad.
    #[error("repo {0}: {1}")]
    Tls(RepoName, #[source] TlsError),
}

/// One account's way in.
pub(crate) struct Login {
    pub(crate) password: Option<Secret>,
    pub(crate) tls: Option<TlsConnector>,
    /// Whether the database has to prove who it is.
    pub(crate) verified: bool,
}

/// A server and its accounts.
pub(crate) struct Server {
    pub(crate) name: ServerName<'static>,
    host: String,
    port: u16,
    accounts: HashMap<AccountName, Login>,
}

impl Server {
    /// Reads what the repo's description points at. `alpn` is what TLS says will be spoken.
    pub(crate) fn new(repo: &RepoConfig, alpn: &[&[u8]]) -> Result<Self, InvalidServer> {
        let invalid = || InvalidServer::Address(repo.name.clone());
        let (host, port) = repo.address.rsplit_once(':').ok_or_else(invalid)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = port.parse().map_err(|_| invalid())?;
        let name = ServerName::try_from(host.clone()).map_err(|_| invalid())?;
        let mode = repo
            .tls
            .unwrap_or_else(|| if is_loopback(&host) { TlsMode::Disable } else { TlsMode::VerifyFull });
        let login = |account| {
            let tls = tls::connector(repo, account, mode, alpn)
                .map_err(|error| InvalidServer::Tls(repo.name.clone(), error))?;
            let verified = matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull);
            Ok(Login { password: account.password.clone(), tls, verified })
        };
        let accounts = repo
            .accounts
            .iter()
            .map(|(name, account)| login(account).map(|login| (name.clone(), login)))
            .collect::<Result<_, _>>()?;
        Ok(Self { name, host, port, accounts })
    }

    /// A connection to it, or to exactly this address where its name stands for several.
    pub(crate) async fn dial(&self, peer: Option<SocketAddr>) -> io::Result<TcpStream> {
        match peer {
            Some(peer) => TcpStream::connect(peer).await,
            None => TcpStream::connect((self.host.as_str(), self.port)).await,
        }
    }

    /// The account's way in, if the server has that account.
    pub(crate) fn login(&self, account: &AccountName) -> Option<&Login> {
        self.accounts.get(account)
    }

    /// Its accounts, in order.
    pub(crate) fn accounts(&self) -> Vec<AccountName> {
        let mut accounts: Vec<_> = self.accounts.keys().cloned().collect();
        accounts.sort();
        accounts
    }
}
