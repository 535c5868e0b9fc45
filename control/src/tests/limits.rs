//! What a caller is told whose call is one too many, or of whose call nobody knows whether it was done.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Method, header::RETRY_AFTER};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

use super::{Client, House, alices, answer, ground, serve};
use crate::{
    api::{self, Pace},
    clock::HandClock,
    domain::Permission,
    store::Store,
};

#[tokio::test]
async fn a_caller_that_runs_wild_is_told_to_wait_and_nobody_else_is() {
    let house = House::new().await;
    let pace = Arc::new(Pace::default());
    // An hour ahead, so that nothing comes in again while the test runs.
    let ahead = Instant::now() + Duration::from_hours(1);
    while pace.take("client:wild", ahead).is_ok() {}
    let url = serve(&house.plane, api::router(Arc::clone(&house.plane), pace)).await;
    let at = |client: Client| Client { url: url.clone(), ..client };
    let wild = at(house.client("wild", &[Permission::ViewAuditLogs]).await);
    let calm = at(house.client("calm", &[Permission::ViewAuditLogs]).await);
    let refused = wild.request(Method::GET, "/v1/audit").send().await.unwrap();
    assert_eq!(refused.headers()[RETRY_AFTER], "1");
    assert_eq!(answer(refused).await.problem(429), "rate-limited");
    calm.get("/v1/audit").await.expect(200);
    house.admin.get("/v1/audit").await.expect(200);
}

/// A wire to a database that goes for good when a commit is on its way, before the commit has arrived.
#[derive(Clone, Default)]
struct Snare {
    set: Arc<AtomicBool>,
    sprung: Arc<AtomicBool>,
}

impl Snare {
    async fn to(&self, server: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let snare = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let snare = snare.clone();
                tokio::spawn(async move { snare.relay(client, server).await });
            }
        });
        port
    }

    async fn relay(&self, client: TcpStream, server: u16) {
        if self.sprung.load(Ordering::Acquire) {
            return;
        }
        let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
        let ((mut client, mut back), (mut answers, mut server)) = (client.into_split(), server.into_split());
        let mut returning = tokio::spawn(async move { copy(&mut answers, &mut back).await });
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = tokio::select! {
                _ = &mut returning => return,
                read = client.read(&mut buffer) => read.unwrap_or(0),
            };
            let said = &buffer[..length];
            let commits = said.windows(7).any(|bytes| bytes == b"COMMIT\0");
            if commits && self.set.load(Ordering::Acquire) {
                self.sprung.store(true, Ordering::Release);
            }
            if said.is_empty() || self.sprung.load(Ordering::Acquire) {
                returning.abort();
                return;
            }
            server.write_all(said).await.unwrap();
        }
    }
}

#[tokio::test]
async fn who_makes_a_change_of_which_nobody_knows_whether_it_was_made_is_told_so() {
    let ground = ground::Ground::postgres().await;
    let snare = Snare::default();
    let port = snare.to(ground.server.as_ref().unwrap().port()).await;
    let store: Arc<dyn Store> = ground::postgres_at(port).open().await.unwrap();
    let house = House::around(store, Arc::new(ground), HandClock::new()).await.with_people().await;
    snare.set.store(true, Ordering::Release);
    let call = house.admin.request(Method::POST, "/v1/requests").json(&alices("1h"));
    let doubtful = call.timeout(Duration::from_mins(1)).send().await.unwrap();
    assert!(doubtful.headers().contains_key(RETRY_AFTER), "{doubtful:?}");
    let told = answer(doubtful).await;
    assert!(told.body["detail"].as_str().unwrap().contains("look before you try again"), "{:#}", told.body);
    assert_eq!(told.problem(503), "in-doubt");
    // It had not arrived.
    snare.set.store(false, Ordering::Release);
    snare.sprung.store(false, Ordering::Release);
    let mut listed = house.admin.get("/v1/requests").await;
    while listed.status != 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        listed = house.admin.get("/v1/requests").await;
    }
    assert_eq!(listed.body["items"], serde_json::json!([]));
    house.admin.post("/v1/requests", alices("1h")).await.expect(201);
}
