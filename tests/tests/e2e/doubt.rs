//! Closed when in doubt: whatever a false control plane, a broken feed or a crash says or leaves out, nobody gets in
//! who was not let in by an honest word, and nobody stays once the honest word is to go.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use postern_protocol::gate::{AccessToken, Change, EndCause, Envelope, Grant, Message, ResourceGrant, Scope};
use postern_tests::{
    cut::Wire,
    gate::{Extra, Sidecar, SidecarWish},
    liar::{Key, Liar, Stream, access_token, grant, now, snapshot},
    postgres::{DATABASE, Postgres, Version},
    stage::REPO,
    wait::{until, until_some},
    wire::{Fields, Raw, frame},
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A sidecar under a control plane that is about to lie.
pub(crate) struct Den {
    sidecar: Sidecar,
    liar: Liar,
    wire: Wire,
    postgres: Option<Postgres>,
    text: String,
    token: AccessToken,
}

impl Den {
    /// Opens with an honest snapshot: Alice may use `app_rw`. The stream goes on beating at position 10.
    pub(crate) async fn open(lease: &str) -> (Self, Stream) {
        let postgres = Postgres::start(Version::Fifteen).await.unwrap();
        let (mut den, stream) = Self::before(postgres.port(), lease).await;
        den.postgres = Some(postgres);
        (den, stream)
    }

    /// The same before whatever answers on `database_port`.
    async fn before(database_port: u16, lease: &str) -> (Self, Stream) {
        let liar = Liar::start().await;
        let wire = Wire::to(liar.port()).await;
        let sidecar = Sidecar::launch(&SidecarWish {
            token: liar.token.clone(),
            control_port: wire.port(),
            database_port,
            database: DATABASE.to_owned(),
            more: Vec::new(),
            lease: lease.to_owned(),
            host: "127.0.0.1".to_owned(),
            tls: None,
            repo: String::new(),
            top: String::new(),
            accounts: Vec::new(),
            extra: Extra::default(),
        });
        let (text, token) = access_token();
        let mut den = Self { sidecar, liar, wire, postgres: None, text, token };
        let stream = den.honest_stream(10, &[grant("g_1", "app_rw", 1)]).await;
        den.sidecar.be_ready().await;
        (den, stream)
    }

    /// Waits for the sidecar to open the feed, and says honestly what holds.
    async fn honest_stream(&self, position: u64, grants: &[Grant]) -> Stream {
        let mut stream = self.liar.next_stream().await;
        stream.say_snapshot(position, grants, std::slice::from_ref(&self.token));
        stream.beat(position);
        stream
    }

    pub(crate) async fn log_in(&self, account: &str) -> Result<Raw, Fields> {
        let mut raw = Raw::connect(self.sidecar.port()).await;
        raw.log_in(&[("user", account), ("database", REPO)], &self.text).await?;
        Ok(raw)
    }

    pub(crate) async fn until_admitted(&self, account: &str) {
        until("the grant to be known", async || self.log_in(account).await.is_ok()).await;
    }

    /// Fails unless `account` is refused for want of a grant.
    async fn is_shut(&self, account: &str) {
        let refused =
            self.log_in(account).await.err().unwrap_or_else(|| panic!("{account} was let in on a lie"));
        assert_eq!(refused.code(), "28000", "{refused:?}");
    }
}

fn new_grant(account: &str) -> Message {
    Message::Changes { position: 11, changes: vec![Change::Grant(grant("g_2", account, 1))] }
}

/// Tells a lie that would let `app_ro` in, and fails if it does; afterwards the sidecar must ask anew, with another
/// nonce, and take the honest answer.
async fn lied_to(lie: impl FnOnce(&Den, &Stream)) {
    let (den, mut stream) = Den::open("60s").await;
    den.until_admitted("app_rw").await;
    stream.hush();
    lie(&den, &stream);
    let again = den.liar.next_stream().await;
    assert_ne!(again.nonce, stream.nonce);
    den.is_shut("app_ro").await;
    again.say_snapshot(
        12,
        &[grant("g_1", "app_rw", 1), grant("g_3", "app_ro", 1)],
        std::slice::from_ref(&den.token),
    );
    den.until_admitted("app_ro").await;
}

#[tokio::test]
async fn a_message_signed_by_a_foreign_key_admits_nobody() {
    lied_to(|_, stream| stream.say_signed(&Key::new().sign(&stream.envelope(new_grant("app_ro"))))).await;
}

#[tokio::test]
async fn a_message_that_is_not_signed_admits_nobody() {
    lied_to(|den, stream| {
        let honest = den.liar.key().sign(&stream.envelope(new_grant("app_ro")));
        let payload = honest.split('.').nth(1).unwrap();
        // {"alg":"none","typ":"JWT"}
        stream.say_signed(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."));
    })
    .await;
}

#[tokio::test]
async fn a_message_signed_with_the_public_key_as_a_secret_admits_nobody() {
    lied_to(|den, stream| {
        let secret = EncodingKey::from_secret(den.liar.key().public().as_bytes());
        let envelope = stream.envelope(new_grant("app_ro"));
        stream.say_signed(&jsonwebtoken::encode(&Header::new(Algorithm::HS256), &envelope, &secret).unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_message_with_a_changed_body_admits_nobody() {
    lied_to(|den, stream| {
        let honest = den.liar.key().sign(&stream.envelope(Message::Beat { position: 10 }));
        let wanted = den.liar.key().sign(&stream.envelope(new_grant("app_ro")));
        let mut parts: Vec<&str> = honest.split('.').collect();
        parts[1] = wanted.split('.').nth(1).unwrap();
        stream.say_signed(&parts.join("."));
    })
    .await;
}

#[tokio::test]
async fn a_message_of_another_stream_admits_nobody() {
    lied_to(|_, stream| {
        let envelope = stream.envelope(new_grant("app_ro"));
        stream.say_envelope(&Envelope { nonce: "another-stream".to_owned(), ..envelope });
    })
    .await;
}

#[tokio::test]
async fn a_message_to_another_sidecar_admits_nobody() {
    lied_to(|_, stream| {
        let envelope = stream.envelope(new_grant("app_ro"));
        stream.say_envelope(&Envelope { aud: "edge-2".into(), ..envelope });
    })
    .await;
}

#[tokio::test]
async fn a_message_with_an_old_number_admits_nobody() {
    lied_to(|_, stream| {
        let envelope = stream.envelope(new_grant("app_ro"));
        stream.say_envelope(&Envelope { seq: 0, ..envelope });
    })
    .await;
}

#[tokio::test]
async fn a_message_after_a_missing_one_admits_nobody() {
    lied_to(|_, stream| {
        let envelope = stream.envelope(new_grant("app_ro"));
        stream.say_envelope(&Envelope { seq: envelope.seq + 1, ..envelope });
    })
    .await;
}

#[tokio::test]
async fn a_message_with_a_word_that_is_not_understood_admits_nobody() {
    lied_to(|den, stream| {
        let mut envelope: Value = serde_json::to_value(stream.envelope(new_grant("app_ro"))).unwrap();
        envelope["message"]["changes"]["changes"][0]["grant"]["only_on_fridays"] = json!(true);
        stream.say_signed(&den.liar.key().sign(&envelope));
    })
    .await;
}

#[tokio::test]
async fn garbage_on_the_stream_admits_nobody() {
    for garbage in
        ["event: gate\ndata: not.a.jws\n\n", "event: gate\ndata:\n\n", "event: gate\ndata: \u{0}\u{fffd}\n\n"]
    {
        lied_to(|_, stream| stream.say_bytes(garbage)).await;
    }
}

#[tokio::test]
async fn a_line_without_end_does_not_fill_the_memory() {
    let (mut den, stream) = Den::open("60s").await;
    den.until_admitted("app_rw").await;
    let before = den.sidecar.process().resident_kib();
    let mut sent = 0_u64;
    while stream.is_open() && sent < 1 << 30 {
        stream.say_bytes(vec![b'x'; 1 << 20]);
        sent += 1 << 20;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(!stream.is_open(), "the sidecar swallowed a line of a GiB");
    let grown = den.sidecar.process().resident_kib().saturating_sub(before);
    assert!(grown < 256 * 1024, "grew by {grown} KiB");
    den.honest_stream(12, &[grant("g_1", "app_rw", 1)]).await;
    den.until_admitted("app_rw").await;
}

#[tokio::test]
async fn a_grant_that_has_expired_admits_nobody() {
    let (den, stream) = Den::open("60s").await;
    let stale = Grant { expires_at: now() - 1, ..grant("g_2", "app_ro", 1) };
    let future =
        Grant { not_before: now() + 3_600_000, expires_at: now() + 7_200_000, ..grant("g_3", "by_md5", 1) };
    let known = grant("g_4", "by_trust", 1);
    stream.say_changes(11, [stale, future, known].into_iter().map(Change::Grant).collect());
    den.until_admitted("by_trust").await;
    den.is_shut("app_ro").await;
    den.is_shut("by_md5").await;
}

#[tokio::test]
async fn a_limited_grant_is_not_served_as_a_whole_one() {
    let (den, stream) = Den::open("60s").await;
    let resource = ResourceGrant { resource: "public.ledger".parse().unwrap(), privileges: Vec::new() };
    for (id, scope) in [("g_2", Scope::Limited(vec![resource])), ("g_3", Scope::Limited(Vec::new()))] {
        stream.say_changes(11, vec![Change::Grant(Grant { scope, ..grant(id, "app_ro", 1) })]);
    }
    stream.say_changes(12, vec![Change::Grant(grant("g_4", "by_trust", 1))]);
    den.until_admitted("by_trust").await;
    let mut limited = den.log_in("app_ro").await.unwrap();
    let denied = limited.ask("select rolname from pg_authid").await;
    assert_eq!(denied[0].fields().code(), "42501", "{denied:?}");
}

#[tokio::test]
async fn a_revoked_grant_does_not_come_back_with_an_older_revision() {
    let (den, stream) = Den::open("60s").await;
    den.until_admitted("app_rw").await;
    let mut open = den.log_in("app_rw").await.unwrap();
    stream.say_changes(
        11,
        vec![Change::GrantEnded {
            grant: "g_1".into(),
            revision: 2,
            cause: EndCause::Revoked,
            by: BY.to_owned(),
            reason: "leaving".to_owned(),
        }],
    );
    let told = open.last_error().await.unwrap();
    assert_eq!(told.code(), "57P01");
    assert!(
        told.message().contains(BY) && told.message().contains("leaving") && told.message().contains("g_1")
    );
    stream.say_changes(
        12,
        vec![Change::Grant(grant("g_1", "app_rw", 1)), Change::Grant(grant("g_2", "app_ro", 1))],
    );
    den.until_admitted("app_ro").await;
    den.is_shut("app_rw").await;
}

const BY: &str = "bob@example.com";

#[tokio::test]
async fn a_snapshot_counts_only_when_its_last_part_is_in() {
    let (den, stream) = Den::open("60s").await;
    den.until_admitted("app_rw").await;
    drop(stream);
    let stream = den.liar.next_stream().await;
    let part = |last, account| {
        let id = if last { "g_3" } else { "g_2" };
        let grants = [grant(id, account, 1)];
        Message::Snapshot(snapshot(20, last, &grants, std::slice::from_ref(&den.token)))
    };
    stream.say(part(false, "app_ro"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    den.is_shut("app_ro").await;
    stream.say(part(true, "by_trust"));
    den.until_admitted("by_trust").await;
    den.until_admitted("app_ro").await;
    den.is_shut("app_rw").await;
}

#[tokio::test]
async fn a_restarted_control_plane_that_no_longer_knows_a_grant_ends_its_sessions() {
    let (den, stream) = Den::open("60s").await;
    den.until_admitted("app_rw").await;
    let mut open = den.log_in("app_rw").await.unwrap();
    drop(stream);
    let _stream = den.honest_stream(20, &[]).await;
    assert_eq!(open.last_error().await.unwrap().code(), "57P01");
    den.is_shut("app_rw").await;
}

#[tokio::test]
async fn a_feed_that_goes_silent_ends_every_session_with_the_lease() {
    let (den, mut stream) = Den::open("3s").await;
    den.until_admitted("app_rw").await;
    let mut open = den.log_in("app_rw").await.unwrap();
    stream.hush();
    let told = open.last_error().await.unwrap();
    assert_eq!(told.code(), "57P01");
    assert!(told.message().contains("lease"), "{told:?}");
    let refused = den.log_in("app_rw").await.err().unwrap();
    assert!(["57P03", "08006"].contains(&refused.code()), "{refused:?}");
}

#[tokio::test]
async fn a_feed_of_nothing_but_lies_does_not_renew_the_lease() {
    let (den, mut stream) = Den::open("3s").await;
    den.until_admitted("app_rw").await;
    let mut open = den.log_in("app_rw").await.unwrap();
    stream.hush();
    let foreign = Key::new();
    let lies = async {
        loop {
            let stream = den.liar.next_stream().await;
            for _ in 0..3 {
                stream.say_signed(&foreign.sign(&stream.envelope(Message::Beat { position: 10 })));
                stream.say_bytes(": still here\n\n");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    stream.say_signed("not.a.jws");
    tokio::select! {
        () = lies => {}
        told = open.last_error() => assert_eq!(told.unwrap().code(), "57P01"),
    }
}

#[tokio::test]
async fn a_clock_that_is_turned_back_does_not_lengthen_a_grant() {
    let (den, stream) = Den::open("60s").await;
    let brief = Grant { expires_at: now() + 4000, ..grant("g_2", "app_ro", 1) };
    stream.say_changes(11, vec![Change::Grant(brief)]);
    den.until_admitted("app_ro").await;
    let mut open = den.log_in("app_ro").await.unwrap();
    let envelope = stream.envelope(Message::Beat { position: 11 });
    stream.say_envelope(&Envelope { now: envelope.now - 3_600_000, ..envelope });
    let told = open.last_error().await.unwrap();
    assert_eq!(told.code(), "57P01");
}

#[tokio::test]
async fn a_retired_sidecar_ends_everything() {
    let (den, stream) = Den::open("60s").await;
    den.until_admitted("app_rw").await;
    let mut open = den.log_in("app_rw").await.unwrap();
    stream.say(Message::Retire { by: BY.to_owned(), reason: "moved".to_owned() });
    assert_eq!(open.last_error().await.unwrap().code(), "57P01");
    let refused = until_some("the refusal", async || den.log_in("app_rw").await.err()).await;
    assert!(["57P03", "08006", "28000", "28P01"].contains(&refused.code()), "{refused:?}");
}

#[tokio::test]
async fn a_sidecar_that_has_heard_nothing_yet_admits_nobody() {
    let (mut den, stream) = Den::open("60s").await;
    den.until_admitted("app_rw").await;
    den.sidecar.kill();
    drop(stream);
    den.wire.freeze();
    den.sidecar.relaunch();
    let refused = until_some("the listener", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", den.sidecar.port())).await.ok()?;
        den.log_in("app_rw").await.err()
    })
    .await;
    assert!(["57P03", "08006"].contains(&refused.code()), "{refused:?}");
    assert!(!den.sidecar.is_ready().await);
}

/// Answers of something that is no PostgreSQL, or one gone mad.
fn nonsense() -> Vec<Vec<u8>> {
    let r = |body: &[u8]| frame(b'R', body);
    vec![
        Vec::new(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        vec![0; 64],
        [b"R", &u32::MAX.to_be_bytes()[..]].concat(),
        [b"R", &i32::MAX.to_be_bytes()[..], &[b'x'; 4096]].concat(),
        [b"R", &3_u32.to_be_bytes()[..]].concat(),
        r(&[]),
        r(&[0, 0, 0, 99]),
        r(&[0, 0, 0, 5, 1]),
        r(&[0, 0, 0, 10, 0]),
        r(b"\0\0\0\x0aNO-SUCH-MECHANISM\0\0"),
        r(&[0, 0, 0, 12]),
        [r(&[0, 0, 0, 0]), frame(b'K', &[1])].concat(),
        [r(&[0, 0, 0, 0]), frame(b'Q', b"select 1\0")].concat(),
        frame(b'E', b"SFATAL\0C53300\0Mtoo many clients\0\0"),
        frame(b'E', b"no end"),
    ]
}

#[tokio::test]
async fn a_database_that_answers_nonsense_is_not_believed_and_harms_nobody() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", postern_tests::port::free())).await.unwrap();
    let (den, _stream) = Den::before(listener.local_addr().unwrap().port(), "60s").await;
    let answer = Arc::new(Mutex::new(Vec::new()));
    let says = Arc::clone(&answer);
    let database = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let answer = says.lock().unwrap().clone();
            tokio::spawn(async move {
                let _ = client.read_u8().await;
                let _ = client.write_all(&answer).await;
            });
        }
    });
    for bytes in nonsense() {
        answer.lock().unwrap().clone_from(&bytes);
        let refused = den.log_in("app_rw").await.err().unwrap_or_else(|| panic!("{bytes:?} was believed"));
        assert!(["08006", "57P03", "53300"].contains(&refused.code()), "{bytes:?}: {refused:?}");
    }
    database.abort();
}
