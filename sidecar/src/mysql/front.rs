//! A client's way in: greeting, credential, grant, database; then the relay.

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use postern_protocol::{
    gate::{AccountName, Engine},
    mysql::{AuthResponse, Capabilities, ChangeUser, ErrorText, LoginRequest, SCRAMBLE_LEN, packet},
};
use postern_service::random;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    back::{BackError, Backend, Wishes},
    door::Door,
    end::Remains,
    limited::{Footing, Limited, Unsuitable},
    login::{self, Answer, NoLogin, Talk},
    refusal::{Refusal, last_word},
    terminator::Victim,
    threads::Thread,
    traffic::Traffic,
};
use crate::{
    enforce::{
        Limits,
        mysql::{Catalog, Ground, Kept, Modes, Over, SqlMode},
    },
    entry::{Entrant, NoEntry},
    gatehouse::{Gatehouse, Opened},
    grants::Access,
    identity::Known,
    knock::{Visitor, Wish},
    listener::Pending,
    metrics,
    net::{Stream, prepare},
    session::{Finish, Left, Registered, Relay, Session, Terminator, Watch},
};

/// Attributes of a client that asks for access by connecting.
const REASON: &str = "postern_reason";
const DURATION: &str = "postern_duration";
/// How long a client may take to accept a message that ends its connection.
const HANG_UP: Duration = Duration::from_secs(1);

/// Serves one connection to its end.
pub(crate) async fn serve(
    house: Arc<Gatehouse>,
    door: Arc<Door>,
    tcp: TcpStream,
    peer: SocketAddr,
    pending: Pending,
) {
    let mut guest = Guest { house, door, peer, number: 0, scramble: [0; SCRAMBLE_LEN] };
    let welcomed = pending.until_evicted(guest.welcome(tcp)).await;
    match welcomed.unwrap_or(Err(NoLogin::Silently)) {
        Ok((talk, claim)) => guest.visit(talk, claim, pending).await,
        Err(NoLogin::Refused(mut talk, refusal)) => {
            metrics::opened(None, Engine::Mysql, refusal.label());
            say_no(&mut talk, &refusal).await;
        }
        Err(NoLogin::Silently) => {}
    }
}

async fn say_no(talk: &mut Talk, refusal: &Refusal) {
    // A client that does not take its refusal is not waited for.
    let _ = timeout(HANG_UP, async {
        talk.say(|sequence| refusal.packet(sequence)).await?;
        talk.stream.shutdown().await
    })
    .await;
}

/// In the place of a greeting.
async fn turn_away(mut tcp: TcpStream, error: &BackError) {
    let text = if let BackError::Refused(own) = error {
        ErrorText::new(own.code, "HY000", String::from_utf8_lossy(&own.message))
    } else {
        Refusal::text_of(error)
    };
    // A client that does not take it is not waited for.
    let _ = timeout(HANG_UP, async {
        tcp.write_all(&text.instead_of_greeting()).await?;
        tcp.shutdown().await
    })
    .await;
}

/// Who somebody says they are, and what their session shall begin with: at the login, or in the middle of a connection.
struct Claim {
    user: String,
    response: AuthResponse,
    plugin: Option<String>,
    /// What the client can do of what was offered.
    agreed: Capabilities,
    wishes: Wishes,
    application: String,
    /// Whether it stands in the middle of a connection.
    is_renewed: bool,
    /// What it wants if it has no grant.
    wish: Option<Wish>,
}

impl Claim {
    fn new(mut login: LoginRequest, offered: Capabilities) -> Self {
        let wish = take_wish(&mut login.attributes);
        let agreed = login.capabilities & offered;
        let application = application(&login.attributes);
        let attributes = agreed.has(Capabilities::CONNECT_ATTRS).then_some(login.attributes);
        let LoginRequest { max_packet, charset, database, user, plugin, auth_response, .. } = login;
        let wishes = Wishes { capabilities: agreed, max_packet, charset, database, attributes };
        Self { user, response: auth_response, plugin, agreed, wishes, application, is_renewed: false, wish }
    }

    /// The same client as somebody else. What it leaves out stays as it was. Its answer is to a scramble that is used
    /// up: clients expect to be asked anew.
    fn renewed(self, change: ChangeUser) -> Self {
        let ChangeUser { user, auth_response: _, database, charset, plugin: _, mut attributes } = change;
        let wish = take_wish(&mut attributes);
        let charset = charset.map_or(self.wishes.charset, at_login);
        let application = if attributes.is_empty() { self.application } else { application(&attributes) };
        let attributes = self.wishes.attributes.as_ref().map(|_| attributes);
        let wishes = Wishes { charset, database, attributes, ..self.wishes.clone() };
        let (response, plugin) = (AuthResponse::default(), None);
        Self { user, response, plugin, wishes, application, is_renewed: true, wish, ..self }
    }

    /// The capabilities do not tell: some clients leave MariaDB's to chance.
    fn is_of_mariadb(&self) -> bool {
        let attributes = self.wishes.attributes.as_deref().unwrap_or_default();
        attribute(attributes, "_client_name")
            .is_some_and(|name| name.to_ascii_lowercase().contains("mariadb"))
    }
}

/// A collation's number as a login can say it, which has one byte for it. Above are MySQL's further ones of `utf8mb4`,
/// MariaDB's that do not pad, and further ones of its Unicode character sets.
fn at_login(collation: u16) -> u8 {
    const UTF8MB4_0900_AI_CI: u8 = 255;
    const UTF8MB4_GENERAL_CI: u8 = 45;
    match collation {
        0..256 | 1024..2048 => collation.to_le_bytes()[0],
        256..1024 => UTF8MB4_0900_AI_CI,
        2048.. => UTF8MB4_GENERAL_CI,
    }
}

/// What a client says it wants in its attributes, which the database does not see.
fn take_wish(attributes: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Option<Wish> {
    let text = |name| attribute(attributes, name).map(Cow::into_owned);
    let (reason, duration) = (text(REASON), text(DURATION));
    attributes.retain(|(name, _)| name != REASON.as_bytes() && name != DURATION.as_bytes());
    Wish::new(reason, duration)
}

/// The value of an attribute.
fn attribute<'a>(attributes: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<Cow<'a, str>> {
    let found = attributes.iter().find(|(known, _)| known == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(value))
}

/// What the client calls itself.
fn application(attributes: &[(Vec<u8>, Vec<u8>)]) -> String {
    let named = |name| attribute(attributes, name);
    named("program_name").or_else(|| named("_client_name")).map(Cow::into_owned).unwrap_or_default()
}

/// Somebody at the door.
struct Guest {
    house: Arc<Gatehouse>,
    door: Arc<Door>,
    peer: SocketAddr,
    /// The number that the client knows its connection by.
    number: u32,
    scramble: [u8; SCRAMBLE_LEN],
}

/// What was asked for, once it is known who asks.
struct Wanted {
    known: Known,
    access: Access,
    /// Until when a session may last, where the credential says so.
    until: Option<Instant>,
}

/// What becomes of a connection when its session is over.
enum After {
    /// It is over too.
    Nothing,
    /// The client wants to be somebody else.
    Another(Talk, Box<ChangeUser>),
    /// It wants everything to be as it was at the beginning, but for this.
    Afresh(Talk, Kept),
}

impl Guest {
    /// Up to the claim.
    async fn welcome(&mut self, tcp: TcpStream) -> Result<(Talk, Claim), NoLogin> {
        prepare(&tcp)?;
        let profile = match self.door.target.profile().await {
            Ok(profile) => profile,
            Err(error) => {
                tracing::warn!(repo = %self.door.target.name, %error, "no connection to the database");
                metrics::upstream_error(&self.door.target.name, error.label());
                metrics::opened(Some(&self.door.target.name), Engine::Mysql, "upstream");
                turn_away(tcp, &error).await;
                return Err(NoLogin::Silently);
            }
        };
        // A NUL would end the scramble early for some clients.
        let random: [u8; SCRAMBLE_LEN] = random::bytes().map_err(|_| NoLogin::Silently)?;
        self.scramble = random.map(|byte| byte & 0x7f | 1);
        self.number = self.door.threads.number();
        let greeting = profile.greeting(self.number, self.scramble, self.house.tls.is_some());
        let (talk, login) = login::welcome(tcp, &greeting, self.house.tls.as_ref()).await?;
        Ok((talk, Claim::new(login, greeting.capabilities)))
    }

    /// From the first claim to the end of the connection.
    async fn visit(self, mut talk: Talk, mut claim: Claim, mut pending: Pending) {
        loop {
            let Some(identified) = pending.until_evicted(self.identify(&mut talk, &claim)).await else {
                return;
            };
            drop(pending);
            let wanted = match identified {
                Ok(Some(wanted)) => wanted,
                Ok(None) => return,
                Err(refusal) => return self.refuse(&mut talk, None, &claim, refusal).await,
            };
            let Some((again, change)) = self.stay(talk, &wanted, &mut claim).await else { return };
            claim = claim.renewed(change);
            (talk, pending) = (again, self.house.places.take(self.peer.ip()));
        }
    }

    /// One session after another, until the connection is over or the client wants to be somebody else.
    async fn stay(&self, mut talk: Talk, wanted: &Wanted, claim: &mut Claim) -> Option<(Talk, ChangeUser)> {
        let (mut wish, mut said) = (claim.wish.take(), BytesMut::new());
        loop {
            // Nobody is asked anew in the middle of a connection.
            let entered = match (self.enter(wanted, claim).await, wish.take()) {
                (Err(Refusal::Entry(no)), Some(wish)) if no.is_for_want_of_a_grant() => {
                    match self.knock(&mut talk, wanted, &wish).await {
                        Ok(()) => self.enter(wanted, claim).await,
                        Err(refusal) => Err(refusal),
                    }
                }
                (entered, _) => entered,
            };
            let heard =
                entered.and_then(|mut passage| passage.hear(std::mem::take(&mut said)).map(|()| passage));
            let passage = match heard {
                Ok(passage) => passage,
                Err(refusal) => {
                    self.refuse(&mut talk, Some(&wanted.access), claim, refusal).await;
                    return None;
                }
            };
            match passage.run(talk).await {
                After::Nothing => return None,
                After::Another(again, change) => return Some((again, *change)),
                After::Afresh(again, kept) => {
                    (talk, said) = (again, kept.said);
                    claim.wishes.database = kept.database.as_deref().map(str::to_owned);
                }
            }
        }
    }

    /// Files the client's wish and waits for the decision. There is nothing that a client could be told meanwhile.
    async fn knock(&self, talk: &mut Talk, wanted: &Wanted, wish: &Wish) -> Result<(), Refusal> {
        let visitor = Visitor { known: &wanted.known, access: &wanted.access, wish, peer: self.peer };
        Ok(self.house.knock(&visitor, &mut talk.stream, |_| Bytes::new()).await.map_err(NoEntry::from)?)
    }

    async fn refuse(&self, talk: &mut Talk, access: Option<&Access>, claim: &Claim, refusal: Refusal) {
        let why = refusal.to_string();
        self.house.refused(Engine::Mysql, access, &claim.user, self.peer, refusal.label(), &why);
        if let Refusal::Back(error) = &refusal {
            tracing::warn!(repo = %self.door.target.name, %error, "no connection to the database");
        }
        say_no(talk, &refusal).await;
    }

    /// Who it is and what they want. Nothing when they went away.
    async fn identify(&self, talk: &mut Talk, claim: &Claim) -> Result<Option<Wanted>, Refusal> {
        let begun = Instant::now();
        if !talk.stream.is_encrypted() && !self.peer.ip().to_canonical().is_loopback() {
            return Err(Refusal::TlsRequired);
        }
        let answer = Answer {
            knows_plugins: claim.agreed.has(Capabilities::PLUGIN_AUTH),
            is_of_mariadb: claim.is_of_mariadb(),
            plugin: claim.plugin.as_deref(),
            response: &claim.response,
            is_renewed: claim.is_renewed,
        };
        let has_issuer = self.house.issuers.of_people().is_some();
        let Some(credential) = login::credential(talk, &self.scramble, answer, has_issuer).await? else {
            return Ok(None);
        };
        let entrant = self.house.identify(&claim.user, &credential, self.peer).await?;
        metrics::connect_stage("login", begun.elapsed());
        let Entrant { known, account, until } = entrant;
        let repo = self.door.target.name.clone();
        let access = Access { identity: known.identity.clone(), repo, account };
        Ok(Some(Wanted { known, access, until }))
    }

    /// From the grant to a database that waits for the first command.
    async fn enter(&self, wanted: &Wanted, claim: &Claim) -> Result<Passage, Refusal> {
        let Wanted { access, until, .. } = wanted;
        let registered = self.house.enter(Engine::Mysql, access, self.peer, &claim.application, *until)?;
        let session = registered.session();
        let mut watch = Watch::new(&session.leash);
        let begun = Instant::now();
        let Opening { backend, wiring, terminator } = tokio::select! {
            biased;
            () = watch.fallen() => return Err(NoEntry::fallen(&session).into()),
            opened = self.open(access, claim, &session) => opened.inspect_err(|refusal| {
                if let Refusal::Back(error) = refusal {
                    metrics::upstream_error(&session.repo, error.label());
                }
            })?,
        };
        metrics::connect_stage("database", begun.elapsed());
        let thread = self.door.threads.enter(self.number, registered.session(), backend.number);
        let opened = self.house.opened(registered.session());
        Ok(Passage { opened, _thread: thread, backend, wiring, terminator, registered })
    }

    /// A connection for the session, and the certainty that it can be ended.
    async fn open(&self, access: &Access, claim: &Claim, session: &Arc<Session>) -> Result<Opening, Refusal> {
        let (target, account) = (&self.door.target, &access.account);
        let (backend, wiring) = match session.limits() {
            None => {
                let backend = target.connect(None, account, &claim.wishes).await?;
                let traffic = Traffic::new(claim.agreed, &self.door.threads, session);
                (backend, Wiring::Whole(Box::new(traffic)))
            }
            Some(limits) => self.open_limited(access, claim, session, limits).await?,
        };
        let terminator = target.terminator(account, backend.peer, &self.house.registry);
        if !terminator.is_there().await {
            return Err(BackError::NoTerminator.into());
        }
        Ok(Opening { backend, wiring, terminator })
    }

    async fn open_limited(
        &self,
        access: &Access,
        claim: &Claim,
        session: &Arc<Session>,
        limits: Arc<Limits>,
    ) -> Result<(Backend, Wiring), Refusal> {
        let (target, account) = (&self.door.target, &access.account);
        let catalog = target.fresh_catalog(account).await?;
        // A file of the client's is not what was judged.
        let capabilities = claim.agreed - Capabilities::LOCAL_FILES;
        let wishes = Wishes { capabilities, ..claim.wishes.clone() };
        if let Some(database) = &wishes.database {
            may_begin_in(database, account, &limits, &catalog)?;
        }
        let mut backend = target.connect(None, account, &wishes).await?;
        let footing = Footing::ask(&mut backend, capabilities).await?;
        let wire = Limited::new(&self.house, session, &self.door, (limits, catalog), capabilities, footing);
        Ok((backend, Wiring::Limited(Box::new(wire))))
    }
}

/// Whether the grant covers anything in a database.
fn may_begin_in(
    database: &str,
    account: &AccountName,
    limits: &Arc<Limits>,
    catalog: &Arc<Catalog>,
) -> Result<(), Unsuitable> {
    let (limits, catalog) = (Arc::clone(limits), Arc::clone(catalog));
    let (mode, begun) = (SqlMode::default(), Modes::default());
    let user = format!("'{account}'@'%'").into();
    let ground = Ground { catalog, limits, database: None, mode, begun, several: false, user };
    match ground.change_database(database) {
        Ok(_) => Ok(()),
        Err(denial) => Err(Unsuitable::Database(denial.message.clone())),
    }
}

/// A way to the database.
struct Opening {
    backend: Backend,
    wiring: Wiring,
    terminator: Arc<Terminator<Victim>>,
}

/// What a session's bytes pass through.
enum Wiring {
    /// Nothing that holds them.
    Whole(Box<Traffic>),
    /// The guard.
    Limited(Box<Limited>),
}

/// A session that is about to begin. What it holds is given back in this order, its place in the registry last.
struct Passage {
    opened: Opened,
    _thread: Thread,
    backend: Backend,
    wiring: Wiring,
    terminator: Arc<Terminator<Victim>>,
    registered: Registered,
}

impl Passage {
    /// Takes what the client has said before the session began.
    fn hear(&mut self, said: BytesMut) -> Result<(), Refusal> {
        match &mut self.wiring {
            Wiring::Limited(limited) => limited.has_heard(said),
            Wiring::Whole(_) if said.is_empty() => {}
            // It was said to a session that was limited, and hardly anybody does that.
            Wiring::Whole(_) => {
                return Err(Refusal::Handshake("commands came before the answer to a reset".to_owned()));
            }
        }
        Ok(())
    }

    /// The session itself, to its end.
    async fn run(mut self, mut talk: Talk) -> After {
        let session = self.registered.session();
        let mut watch = Watch::new(&session.leash);
        // The relay finds out if the client is gone.
        let _ = timeout(HANG_UP, talk.say(|sequence| packet(sequence, &self.backend.ok))).await;
        let mut client = talk.stream;
        let (left, traffic, over) =
            relay(&mut client, &mut self.backend.stream, self.wiring, &session, &mut watch).await;
        let Left { finish, unsent, server_is_flushed } = left;
        self.opened.cause = if traffic.client_left() { "client" } else { "database" };
        let remains = Remains {
            backend: self.backend,
            terminator: self.terminator,
            traffic,
            unsent,
            may_say_goodbye: server_is_flushed,
        };
        match finish {
            Finish::Fallen => {
                let Some((ending, fell_at)) = session.leash.ending() else { return After::Nothing };
                self.opened.cause = ending.label();
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
            // The database said good-bye itself; all that is left is to hang up properly.
            Finish::Server => drop(timeout(HANG_UP, client.shutdown()).await),
            Finish::Over => {
                self.opened.cause = "client";
                remains.make_way().await;
                return match over {
                    Some((Over::Login(sequence, change), _)) => {
                        After::Another(Talk { stream: client, sequence }, change)
                    }
                    Some((Over::Reset(sequence), kept)) => {
                        After::Afresh(Talk { stream: client, sequence }, kept)
                    }
                    None => After::Nothing,
                };
            }
            Finish::Violation(violation) => {
                tracing::warn!(session = %session.id, %violation, "a session broke the protocol");
                self.opened.cause = "protocol";
                let word = Refusal::Violation(violation).text();
                remains.part(client, &word).await;
            }
        }
        After::Nothing
    }
}

/// Relays to the end, by the wire that the session has.
async fn relay(
    client: &mut Stream,
    server: &mut Stream,
    wiring: Wiring,
    session: &Session,
    watch: &mut Watch<'_>,
) -> (Left, Traffic, Option<(Over, Kept)>) {
    let (ahead, counters) = (BytesMut::new(), metrics::bytes(&session.repo));
    match wiring {
        Wiring::Whole(mut traffic) => {
            let left = Relay::new(client, server, &mut *traffic, ahead, counters).run(watch).await;
            let change = traffic.take_change_user();
            let over = change.map(|(sequence, change)| Over::Login(sequence, Box::new(change)));
            (left, *traffic, over.map(|over| (over, Kept::default())))
        }
        Wiring::Limited(mut limited) => {
            let left = Relay::new(client, server, &mut *limited, ahead, counters).run(watch).await;
            let (traffic, over) = limited.into_traffic();
            (left, traffic, over)
        }
    }
}
