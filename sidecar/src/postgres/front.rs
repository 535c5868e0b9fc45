//! A client's way in: TLS, start-up packet, credential, grant, database; then the relay.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use postern_protocol::{
    gate::Engine,
    postgres::{
        self, CancelKey, ErrorText, InitialPacket, InvalidStartup, StartupMessage, initial_packet,
        initial_packet_len,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    back::{BackError, Backend},
    cancel::{Issued, Upstream},
    door::Door,
    end::{Remains, last_word},
    limited::{Defaults, Footing, Limited},
    login::{Asked, Proof},
    refusal::Refusal,
    target::Target,
    terminator::Victim,
    traffic::Traffic,
};
use crate::{
    entry::{Entrant, NoEntry},
    gatehouse::{Gatehouse, Opened},
    grants::Access,
    identity::Known,
    knock::{Visitor, Wish},
    listener::Pending,
    metrics,
    net::{Stream, prepare},
    session::{Finish, Left, Registered, Relay, Session, Terminator, Watch, Wire},
};

/// How long a client may take to accept a message that ends its connection.
const HANG_UP: Duration = Duration::from_secs(1);

/// Why the way in ended without a session and without anything to say to the client.
enum NoStartup {
    /// It went away, or asked for nothing.
    Silently,
    /// It wants a statement of another connection cancelled.
    Cancel(CancelKey),
    /// It is refused, and can be told.
    Refused(Box<Stream>, Refusal),
}

impl From<io::Error> for NoStartup {
    fn from(_: io::Error) -> Self {
        Self::Silently
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(
    house: Arc<Gatehouse>,
    door: Arc<Door>,
    tcp: TcpStream,
    peer: SocketAddr,
    pending: Pending,
) {
    let welcomed = pending.until_evicted(welcome(&house, tcp, peer)).await;
    match welcomed.unwrap_or(Err(NoStartup::Silently)) {
        Ok((stream, startup)) => Guest { house, door, stream, startup, peer }.log_in(pending).await,
        Err(NoStartup::Cancel(key)) => drop(pending.until_evicted(cancel(&door, &key)).await),
        Err(NoStartup::Refused(mut stream, refusal)) => {
            metrics::opened(None, Engine::Postgres, refusal.label());
            say_no(&mut stream, &refusal).await;
        }
        Err(NoStartup::Silently) => {}
    }
}

async fn cancel(door: &Door, key: &CancelKey) {
    if let Err(error) = door.cancel_keys.cancel(key).await {
        tracing::warn!(%error, "a client's cancel request could not be passed on");
    }
}

async fn say_no(stream: &mut Stream, refusal: &Refusal) {
    // A client that does not take its refusal is not waited for.
    let _ = timeout(HANG_UP, async {
        stream.write_all(&refusal.bytes()).await?;
        stream.flush().await?;
        stream.shutdown().await
    })
    .await;
}

/// Up to the start-up packet.
async fn welcome(
    house: &Gatehouse,
    tcp: TcpStream,
    peer: SocketAddr,
) -> Result<(Stream, StartupMessage), NoStartup> {
    prepare(&tcp)?;
    let mut stream = direct_tls(house, tcp).await?;
    let (mut asked_tls, mut asked_gss) = (false, false);
    loop {
        let packet = match first_packet(&mut stream).await? {
            Ok(packet) => packet,
            Err(error) => return Err(NoStartup::Refused(Box::new(stream), error.into())),
        };
        match packet {
            InitialPacket::CancelRequest(key) => return Err(NoStartup::Cancel(key)),
            InitialPacket::SslRequest if !asked_tls && !stream.is_encrypted() => {
                asked_tls = true;
                stream = answer_ssl_request(house, stream).await?;
            }
            InitialPacket::GssencRequest if !asked_gss && !stream.is_encrypted() => {
                asked_gss = true;
                stream.write_all(b"N").await?;
            }
            InitialPacket::SslRequest | InitialPacket::GssencRequest => return Err(NoStartup::Silently),
            InitialPacket::Startup(_)
                if !stream.is_encrypted() && !peer.ip().to_canonical().is_loopback() =>
            {
                return Err(NoStartup::Refused(Box::new(stream), Refusal::TlsRequired));
            }
            InitialPacket::Startup(startup) => return Ok((stream, startup)),
        }
    }
}

/// TLS from the first byte (PostgreSQL 17 clients, `sslnegotiation=direct`): only with ALPN `postgresql`, so that no
/// other protocol's connection can be turned on us.
async fn direct_tls(house: &Gatehouse, tcp: TcpStream) -> Result<Stream, NoStartup> {
    const HANDSHAKE: u8 = 0x16;
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Err(NoStartup::Silently);
    }
    if first != [HANDSHAKE] {
        return Ok(Stream::Plain(tcp));
    }
    let tls = house.tls.as_ref().ok_or(NoStartup::Silently)?;
    let stream = tls.acceptor().accept(tcp).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"postgresql") {
        return Err(NoStartup::Silently);
    }
    Ok(Stream::Accepted(Box::new(stream)))
}

async fn answer_ssl_request(house: &Gatehouse, stream: Stream) -> Result<Stream, NoStartup> {
    let Stream::Plain(mut tcp) = stream else { return Err(NoStartup::Silently) };
    let Some(tls) = house.tls.as_ref() else {
        tcp.write_all(b"N").await?;
        return Ok(Stream::Plain(tcp));
    };
    // CVE-2021-23214: whatever stands behind the request was sent in the clear, by whomever.
    let mut early = [0];
    if tcp.try_read(&mut early).is_ok() {
        return Err(NoStartup::Refused(Box::new(Stream::Plain(tcp)), Refusal::EarlyData));
    }
    tcp.write_all(b"S").await?;
    let stream = tls.acceptor().accept(tcp).await?;
    Ok(Stream::Accepted(Box::new(stream)))
}

/// Reads exactly one packet and nothing beyond it.
async fn first_packet(stream: &mut Stream) -> io::Result<Result<InitialPacket, InvalidStartup>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = match initial_packet_len(length) {
        Ok(length) => length,
        Err(error) => return Ok(Err(error)),
    };
    let mut packet = vec![0; length - 4];
    stream.read_exact(&mut packet).await?;
    Ok(initial_packet(&packet))
}

/// Somebody who said what they want and is not in yet.
struct Guest {
    house: Arc<Gatehouse>,
    door: Arc<Door>,
    stream: Stream,
    startup: StartupMessage,
    peer: SocketAddr,
}

/// What was asked for, once it is known who asks.
struct Wanted {
    known: Known,
    access: Access,
    target: Arc<Target>,
    /// Until when a session may last, where the credential says so.
    until: Option<tokio::time::Instant>,
    /// What the client wants if it has no grant.
    wish: Option<Wish>,
}

impl Guest {
    async fn log_in(mut self, pending: Pending) {
        let Some(identified) = pending.until_evicted(self.identify()).await else { return };
        drop(pending);
        let wanted = match identified {
            Ok(Some(wanted)) => wanted,
            Ok(None) => return,
            // Not a failed login: it comes back with a token.
            Err(refusal @ Refusal::NotLoggedIn) => return say_no(&mut self.stream, &refusal).await,
            Err(refusal) => return self.refuse(None, refusal).await,
        };
        match self.enter_or_knock(&wanted).await {
            Ok(passage) => passage.run(self.stream).await,
            Err(refusal) => self.refuse(Some(&wanted.access), refusal).await,
        }
    }

    /// The session; who has no grant and says what they want waits for one.
    async fn enter_or_knock(&mut self, wanted: &Wanted) -> Result<Passage, Refusal> {
        match (self.enter(wanted).await, &wanted.wish) {
            (Err(Refusal::Entry(no)), Some(wish)) if no.is_for_want_of_a_grant() => {
                self.knock(wanted, wish).await?;
                let passage = self.enter(wanted).await?;
                Ok(Passage { greeted: true, ..passage })
            }
            (entered, _) => entered,
        }
    }

    async fn refuse(&mut self, access: Option<&Access>, refusal: Refusal) {
        self.house.refused(
            Engine::Postgres,
            access,
            &self.startup.user,
            self.peer,
            refusal.label(),
            &refusal.to_string(),
        );
        if let Refusal::Back(error) = &refusal {
            tracing::warn!(repo = access.map(|access| access.repo.as_str()), %error, "no connection to the database");
        }
        say_no(&mut self.stream, &refusal).await;
    }

    /// Files the client's wish, tells it so, and waits for the decision. Clients take a notice only behind
    /// `AuthenticationOk`, so that is said now; a refusal may still follow.
    async fn knock(&mut self, wanted: &Wanted, wish: &Wish) -> Result<(), Refusal> {
        let visitor = Visitor { known: &wanted.known, access: &wanted.access, wish, peer: self.peer };
        let told = |news: &str| {
            [postgres::authentication_ok(), postgres::notice(&ErrorText::new("00000", news))].concat().into()
        };
        Ok(self.house.knock(&visitor, &mut self.stream, told).await.map_err(NoEntry::from)?)
    }

    /// Who it is and what they want. Nothing when they went away.
    async fn identify(&mut self) -> Result<Option<Wanted>, Refusal> {
        let begun = tokio::time::Instant::now();
        let asked = Asked::take(&mut self.startup)?;
        let Self { house, stream, startup, peer, door } = self;
        let login = asked.login.unwrap_or(door.login);
        let Some(entrant) = (Proof { house, stream, startup, peer: *peer, login }).identify().await? else {
            return Ok(None);
        };
        metrics::connect_stage("login", begun.elapsed());
        let target = self.door.find(&self.startup.database);
        let target = target.ok_or_else(|| Refusal::Database(self.startup.database.clone()))?;
        let Entrant { known, account, until } = entrant;
        let access = Access { identity: known.identity.clone(), repo: target.name.clone(), account };
        Ok(Some(Wanted { known, access, target, until, wish: asked.wish }))
    }

    /// From the grant to a database that waits for the first statement.
    async fn enter(&self, wanted: &Wanted) -> Result<Passage, Refusal> {
        let house = &self.house;
        let application = self.startup.parameter("application_name").unwrap_or_default();
        let registered =
            house.enter(Engine::Postgres, &wanted.access, self.peer, application, wanted.until)?;
        let session = registered.session();
        let mut watch = Watch::new(&session.leash);
        let begun = tokio::time::Instant::now();
        let Opening { backend, limited, ahead, terminator } = tokio::select! {
            biased;
            () = watch.fallen() => return Err(NoEntry::fallen(&session).into()),
            opened = self.open(wanted, &session) => opened.inspect_err(|refusal| {
                if let Refusal::Back(error) = refusal {
                    metrics::upstream_error(&session.repo, error.label());
                }
            })?,
        };
        metrics::connect_stage("database", begun.elapsed());
        let upstream = backend.key.clone().map(|key| Upstream {
            target: Arc::clone(&wanted.target),
            account: wanted.access.account.clone(),
            key,
            peer: backend.peer,
        });
        let spoken = self.startup.spoken();
        let issue = |upstream| self.door.cancel_keys.issue(registered.session(), upstream, spoken);
        let issued = upstream.clone().map(issue).transpose()?;
        let opened = house.opened(registered.session());
        Ok(Passage {
            opened,
            issued,
            backend,
            limited,
            ahead,
            upstream,
            terminator,
            registered,
            greeted: false,
        })
    }

    /// A connection for the session, and the certainty that it can be ended.
    async fn open(&self, wanted: &Wanted, session: &Arc<Session>) -> Result<Opening, Refusal> {
        let account = &wanted.access.account;
        let mut ahead = BytesMut::new();
        let (backend, limited) = match session.limits() {
            None => (wanted.target.open(account, &self.startup.parameters).await?, None),
            Some(limits) => {
                let defaults = Defaults::new(&self.startup.parameters)?;
                let mut backend = wanted.target.connect(account, &defaults.parameters).await?;
                let catalog = wanted.target.fresh_catalog(account).await?;
                let footing = Footing::ask(&mut backend).await?;
                let behind = footing.behind.clone();
                let wished_path = defaults.search_path.as_deref();
                let house = &self.house;
                let mut wire =
                    Limited::new(house, session, &wanted.target, limits, catalog, footing, wished_path)?;
                wire.returning(&behind, &mut ahead).map_err(Refusal::Violation)?;
                (backend, Some(wire))
            }
        };
        let terminator = wanted.target.terminator(account, backend.peer, &self.house.registry);
        if !terminator.is_there().await {
            return Err(BackError::NoTerminator.into());
        }
        Ok(Opening { backend, limited, ahead, terminator })
    }
}

/// A way to the database.
struct Opening {
    backend: Backend,
    /// The wire of a limited session.
    limited: Option<Limited>,
    /// What the database has said since it was ready.
    ahead: BytesMut,
    terminator: Arc<Terminator<Victim>>,
}

/// A session that is about to begin. What it holds is given back in this order, its place in the registry last.
struct Passage {
    opened: Opened,
    issued: Option<Issued>,
    backend: Backend,
    limited: Option<Limited>,
    ahead: BytesMut,
    upstream: Option<Upstream>,
    terminator: Arc<Terminator<Victim>>,
    registered: Registered,
    /// Whether the client knows already that its credential was good.
    greeted: bool,
}

impl Passage {
    /// What the client is told before its first statement is answered.
    fn greeting(&mut self) -> BytesMut {
        let mut greeting = BytesMut::new();
        if !self.greeted {
            greeting.extend_from_slice(&postgres::authentication_ok());
        }
        greeting.extend_from_slice(&self.backend.greeting);
        if let Some(issued) = &self.issued {
            greeting.extend_from_slice(&postgres::backend_key_data(&issued.key));
        }
        greeting.unsplit(std::mem::take(&mut self.backend.ready));
        greeting.unsplit(std::mem::take(&mut self.ahead));
        greeting
    }

    /// Relays to the end, by the wire that the session has.
    async fn relay(&mut self, client: &mut Stream, watch: &mut Watch<'_>) -> (Left, Traffic) {
        let (ahead, counters) = (self.greeting(), metrics::bytes(&self.registered.repo));
        let server = &mut self.backend.stream;
        if let Some(mut limited) = self.limited.take() {
            let left = Relay::new(client, server, &mut limited, ahead, counters).run(watch).await;
            return (left, limited.into_traffic());
        }
        let mut traffic = Traffic::default();
        let left = Relay::new(client, server, &mut traffic, ahead, counters).run(watch).await;
        (left, traffic)
    }

    /// The session itself, to its end.
    async fn run(mut self, mut client: Stream) {
        let session = self.registered.session();
        let mut watch = Watch::new(&session.leash);
        let (Left { finish, unsent, server_is_flushed }, traffic) = self.relay(&mut client, &mut watch).await;
        let client_can_hear = traffic.client_needs() == Some(0);
        self.opened.cause = if traffic.client_left() { "client" } else { "database" };
        let remains = Remains {
            backend: self.backend,
            upstream: self.upstream,
            terminator: Some(self.terminator),
            traffic,
            unsent,
            may_say_goodbye: server_is_flushed,
        };
        match finish {
            Finish::Fallen => {
                let Some((ending, fell_at)) = session.leash.ending() else { return };
                self.opened.cause = ending.label();
                remains.forget_ready_connections();
                let closed = || {
                    metrics::session_end(fell_at.elapsed());
                    session.leash.told();
                };
                let word = last_word(&ending, &session.grant);
                remains.end(client, &word, closed, session.leash.untold()).await;
            }
            Finish::Client => {
                self.opened.cause = "client";
                drop(client);
                remains.abandon().await;
            }
            // The database said good-bye itself; all that is left is to hang up properly. No client of this protocol
            // can ask for another session.
            Finish::Server | Finish::Over => drop(timeout(HANG_UP, client.shutdown()).await),
            Finish::Violation(violation) => {
                tracing::warn!(session = %session.id, %violation, "a session broke the protocol");
                self.opened.cause = "protocol";
                if client_can_hear {
                    say_no(&mut client, &Refusal::Violation(violation)).await;
                }
                drop(client);
                remains.abandon().await;
            }
        }
    }
}
