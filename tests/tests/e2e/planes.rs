//! Two control planes on one PostgreSQL, and two sidecars of one repo, one at each: what happens at one counts at the
//! other, whoever dies and whatever is cut.

use std::time::Duration;

use postern_service::random;
use postern_tests::{
    cut::Wire,
    gate::{Control, Extra, Sidecar, SidecarWish},
    office::people,
    postgres::{DATABASE, Postgres, Version},
    rest::Api,
    stage::{ALICE, Access, REPO, connect, enrol, whole},
    wait::{patiently, until, until_some},
    wire::{Fields, Raw},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::{Client, Config};

/// Everything of one side.
struct Side {
    sidecar: Sidecar,
    /// Between sidecar and control plane.
    control_wire: Wire,
    api: Api,
    control: Control,
    /// Between control plane and store.
    store_wire: Wire,
}

struct Town {
    sides: [Side; 2],
    /// Where the control planes keep everything.
    store: Postgres,
    _database: Postgres,
}

async fn postgres() -> Postgres {
    Postgres::start(Version::Fifteen).await.expect("PostgreSQL 15 is installed")
}

async fn control(store: &Postgres) -> (Control, Wire) {
    let wire = Wire::to(store.port()).await;
    let control = Control::on(&format!("postgres://postgres@127.0.0.1:{}/control", wire.port())).await;
    (control, wire)
}

async fn side(
    name: &str,
    (control, store_wire): (Control, Wire),
    credentials: (&str, &str),
    (database, lease): (&Postgres, &str),
) -> Side {
    let api = Api::new(&control.url(), credentials.0, credentials.1);
    let control_wire = Wire::to(control.port()).await;
    let wish = SidecarWish {
        token: enrol(&api, name).await,
        control_port: control_wire.port(),
        database_port: database.port(),
        database: DATABASE.to_owned(),
        more: Vec::new(),
        lease: lease.to_owned(),
        host: "127.0.0.1".to_owned(),
        tls: None,
        repo: String::new(),
        top: String::new(),
        extra: Extra::default(),
        accounts: Vec::new(),
    };
    let mut sidecar = Sidecar::launch_as(name, &wish);
    sidecar.be_ready().await;
    Side { sidecar, control_wire, api, control, store_wire }
}

impl Town {
    async fn with_lease(lease: &str) -> Self {
        let (store, database) = (postgres().await, postgres().await);
        store.admin().await.batch_execute("create database control").await.unwrap();
        let (first, second) = (control(&store).await, control(&store).await);
        let api = first.0.bootstrap();
        people(&api).await;
        let sides = [
            side("edge-1", first, api.credentials(), (&database, lease)).await,
            side("edge-2", second, api.credentials(), (&database, lease)).await,
        ];
        Self { sides, store, _database: database }
    }

    /// A grant that both sidecars know.
    async fn access(&self, at: usize, account: &str) -> Access {
        let access = self.sides[at].api.access(whole(ALICE, account, "1h")).await;
        for side in &self.sides {
            until("the grant to reach the sidecar", async || side.raw(&access).await.is_ok()).await;
        }
        access
    }

    /// A session at each sidecar.
    async fn sessions(&self, access: &Access) -> [Client; 2] {
        [self.sides[0].connect(access).await, self.sides[1].connect(access).await]
    }
}

impl Side {
    async fn raw(&self, access: &Access) -> Result<Raw, Fields> {
        let mut raw = Raw::connect(self.sidecar.port()).await;
        raw.log_in(&[("user", &access.account), ("database", REPO)], &access.token).await?;
        Ok(raw)
    }

    async fn connect(&self, access: &Access) -> Client {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.sidecar.port()).dbname(REPO);
        connect(config.user(&access.account).password(&access.token)).await
    }
}

async fn is_over(session: &Client) {
    until("the session to end", async || session.simple_query("select 1").await.is_err()).await;
}

fn acknowledged(answer: &Value, name: &str) -> bool {
    let mut sidecars = answer["sidecars"].as_array().unwrap().iter();
    sidecars.any(|sidecar| sidecar["name"] == name && sidecar["acknowledged"] == true)
}

#[tokio::test]
async fn a_revocation_at_one_control_plane_ends_the_sessions_at_both_sidecars_before_it_answers() {
    let town = Town::with_lease("60s").await;
    for at in [0, 1] {
        let access = town.access(at, "app_rw").await;
        let sessions = town.sessions(&access).await;
        let answer = town.sides[1 - at].api.revoke(&access).await;
        assert!(acknowledged(&answer, "edge-1") && acknowledged(&answer, "edge-2"), "{answer}");
        for (session, side) in sessions.iter().zip(&town.sides) {
            assert!(session.simple_query("select 1").await.is_err());
            assert_eq!(side.raw(&access).await.err().unwrap().code(), "28000");
        }
    }
}

#[tokio::test]
async fn a_control_plane_killed_in_the_middle_of_a_revocation_loses_nothing_and_its_sidecar_goes_to_the_other()
 {
    let mut town = Town::with_lease("20s").await;
    for _ in 0..3 {
        let access = town.access(1, "app_rw").await;
        let mut open = [town.sides[0].raw(&access).await.unwrap(), town.sides[1].raw(&access).await.unwrap()];
        let (id, secret) = town.sides[0].api.credentials();
        let api = Api::new(&town.sides[0].control.url(), id, secret);
        api.get("/v1/grants").await.ok();
        let path = format!("/v1/grants/{}/revoke", access.grant);
        let call = tokio::spawn(async move {
            let answer = api.try_call(Method::POST, &path, Some(json!({"reason": "crash"}))).await;
            answer.is_ok_and(|answer| answer.status.is_success())
        });
        let micros = u64::from_be_bytes(random::bytes::<8>().unwrap()) % 30_000;
        tokio::time::sleep(Duration::from_micros(micros)).await;
        town.sides[0].control.kill();
        let answered = patiently("the call to end", call).await.unwrap();
        town.sides[0].control_wire.lead_to(town.sides[1].control.port());
        let other = &town.sides[1].api;
        let grant = other.get(&format!("/v1/grants/{}", access.grant)).await.ok();
        assert!(!answered || grant["state"] == "REVOKED", "an acknowledged revocation was forgotten");
        if grant["state"] == "ACTIVE" {
            other.revoke(&access).await;
        }
        for (open, side) in open.iter_mut().zip(&town.sides) {
            let told = patiently("the session to end", open.last_error()).await;
            assert!(told.is_none_or(|error| error.code() == "57P01"));
            until("the refusal", async || match side.raw(&access).await {
                Ok(_) => panic!("a revoked grant was let in"),
                Err(error) => error.code() == "28000",
            })
            .await;
        }
        town.sides[0].control.restart().await;
        town.sides[0].control_wire.lead_to(town.sides[0].control.port());
    }
}

#[tokio::test]
async fn sessions_live_through_a_restart_of_the_store_and_both_control_planes_go_on_afterwards() {
    let mut town = Town::with_lease("60s").await;
    let access = town.access(0, "app_rw").await;
    let sessions = town.sessions(&access).await;
    town.store.stop();
    for side in &town.sides {
        until("the trouble to be told", async || !side.control.is_ready().await).await;
        let refused = side.api.try_call(Method::GET, "/v1/grants", None).await.unwrap();
        assert_eq!((refused.status.as_u16(), &refused.body["type"]), (503, &json!("unavailable")));
    }
    town.store.restart().await;
    for side in &town.sides {
        until("the control plane to be ready", async || side.control.is_ready().await).await;
    }
    for session in &sessions {
        session.simple_query("select 1").await.unwrap();
    }
    town.sides[0].api.revoke(&access).await;
    for session in &sessions {
        is_over(session).await;
    }
}

#[tokio::test]
async fn a_control_plane_that_the_store_is_cut_off_from_does_not_keep_sessions_alive() {
    let town = Town::with_lease("5s").await;
    let (revoked, kept) = (town.access(0, "app_rw").await, town.access(1, "app_ro").await);
    let sessions = town.sessions(&revoked).await;
    town.sides[1].store_wire.freeze();
    let answer = town.sides[0].api.revoke(&revoked).await;
    assert!(acknowledged(&answer, "edge-1") && !acknowledged(&answer, "edge-2"), "{answer}");
    for session in &sessions {
        is_over(session).await;
    }
    town.sides[1].store_wire.heal();
    for side in &town.sides {
        until("the other grant to hold", async || side.raw(&kept).await.is_ok()).await;
        assert_eq!(side.raw(&revoked).await.err().unwrap().code(), "28000");
    }
}

/// Lets everybody ask for everything, one session at a time.
async fn one_session_at_a_time(api: &Api) {
    let rule = json!({"priority": 9, "requesters": ["*"], "repos": ["*"], "accounts": ["app_ro"], "whole": true,
                      "approvals": [{"from": ["*"], "count": 1}], "session": {"max_sessions": 1}});
    api.put("/v1/rules/single", rule).await.ok();
}

/// The sessions that a control plane lists.
async fn listed(side: &Side) -> Vec<Value> {
    let page = side.api.get("/v1/sessions").await.ok();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn two_sidecars_count_the_sessions_of_a_grant_together_and_one_can_be_drained_for_the_other() {
    let town = Town::with_lease("60s").await;
    let [first, second] = &town.sides;
    one_session_at_a_time(&first.api).await;
    let access = first.api.access(whole(ALICE, "app_ro", "1h")).await;
    let held = until_some("the session", async || first.raw(&access).await.ok()).await;
    until("the session to be listed", async || listed(second).await.len() == 1).await;
    let mut one_more = until_some("the other sidecar", async || second.raw(&access).await.ok()).await;
    let told = patiently("the end of the second session", one_more.last_error()).await.unwrap();
    assert_eq!(told.code(), "57P01");
    assert!(told.message().contains("allows 1 session"), "{told:?}");
    drop(held);
    until("the sessions to be gone", async || listed(second).await.is_empty()).await;
    let mut moved = until_some("room at the other sidecar", async || second.raw(&access).await.ok()).await;
    until("the session to be listed", async || listed(first).await.len() == 1).await;
    assert_eq!(listed(first).await[0]["killed"], false);
    assert_eq!(moved.ask("select 7").await[1].first_column().as_deref(), Some("7"));

    let other = town.access(0, "app_rw").await;
    let mut open = first.raw(&other).await.unwrap();
    second.api.post("/v1/sidecars/edge-1/drain", json!({"reason": "new kernel"})).await.ok();
    let refused = first.raw(&other).await.err().unwrap();
    assert!(refused.message().contains("drained"), "{refused:?}");
    assert!(!first.sidecar.is_ready().await);
    assert_eq!(open.ask("select 8").await[1].first_column().as_deref(), Some("8"));
    let mut elsewhere = second.raw(&other).await.unwrap();
    first.api.revoke(&other).await;
    for session in [&mut open, &mut elsewhere] {
        assert_eq!(session.last_error().await.unwrap().code(), "57P01");
    }
    second.api.post("/v1/sidecars/edge-1/drain", json!({"undo": true})).await.ok();
    let fresh = second.api.access(whole(ALICE, "app_rw", "1h")).await;
    until("the sidecar to take sessions again", async || first.raw(&fresh).await.is_ok()).await;
}

#[tokio::test]
async fn a_control_plane_that_is_stopped_leaves_its_sidecar_to_the_other() {
    let mut town = Town::with_lease("20s").await;
    let access = town.access(1, "app_rw").await;
    let sessions = town.sessions(&access).await;
    let port = town.sides[1].control.port();
    town.sides[0].control_wire.lead_to(port);
    town.sides[0].control.stop();
    let other = &town.sides[1].api;
    until("both sidecars to be connected", async || {
        let page = other.get("/v1/sidecars").await.ok();
        page["items"].as_array().unwrap().iter().all(|sidecar| sidecar["connected"] == true)
    })
    .await;
    let answer = other.revoke(&access).await;
    assert!(acknowledged(&answer, "edge-1") && acknowledged(&answer, "edge-2"), "{answer}");
    for session in &sessions {
        assert!(session.simple_query("select 1").await.is_err());
    }
}
