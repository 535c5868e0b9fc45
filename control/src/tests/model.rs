//! Random sequences of what people and time do to requests and grants: SQLite, PostgreSQL under two control planes, and a
//! model without a store agree after every step, with restarts thrown in.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use postern_service::random;
use reqwest::Method;
use serde_json::{Value, json};

use super::{House, alices, ground::Ground};
use crate::{actions::timers, clock::HandClock, domain::Permission};

/// Minutes that the house's rule lets a request wait, and a grant last.
const WAITS: u64 = 60;
const LONGEST: u64 = 8 * 60;

const STEPS: usize = 40;

/// What is done; numbers say to which request.
#[derive(Clone, Copy, Debug)]
enum Step {
    File { minutes: u64 },
    Amend(usize, u64),
    Approve(usize),
    Deny(usize),
    Cancel(usize),
    Revoke(usize),
    Extend(usize, u64),
    Wait { minutes: u64 },
    Settle,
    Restart,
}

struct Dice(u64);

impl Dice {
    /// Below `limit`, by a linear congruential generator with Knuth's constants.
    fn roll(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn minutes(&mut self) -> u64 {
        [7, 31, 59, 121, 241][self.roll(5)]
    }

    fn step(&mut self, requests: usize) -> Step {
        if requests == 0 {
            return Step::File { minutes: self.minutes() };
        }
        let which = self.roll(requests);
        match self.roll(20) {
            0..4 => Step::File { minutes: self.minutes() },
            4..5 => Step::Amend(which, self.minutes()),
            5..9 => Step::Approve(which),
            9..10 => Step::Deny(which),
            10..11 => Step::Cancel(which),
            11..13 => Step::Revoke(which),
            13..15 => Step::Extend(which, self.minutes()),
            15..18 => Step::Wait { minutes: self.minutes() },
            18..19 => Step::Settle,
            _ => Step::Restart,
        }
    }
}

#[derive(Clone, Debug)]
struct Given {
    until: u64,
    revoked: bool,
}

#[derive(Clone, Debug)]
struct Asked {
    decided: Option<&'static str>,
    waits_until: u64,
    minutes: u64,
    given: Option<Given>,
}

/// What should be.
#[derive(Default)]
struct Model {
    now: u64,
    requests: Vec<Asked>,
    /// Each is a request as well, which is approved at once.
    extensions: usize,
}

impl Asked {
    fn status(&self, now: u64) -> &'static str {
        self.decided.unwrap_or(if now >= self.waits_until { "EXPIRED" } else { "PENDING" })
    }

    fn grant_state(&self, now: u64) -> Option<&'static str> {
        self.given.as_ref().map(|given| match given {
            Given { revoked: true, .. } => "REVOKED",
            Given { until, .. } if now >= *until => "EXPIRED",
            Given { .. } => "ACTIVE",
        })
    }
}

impl Model {
    /// Does it, and gives the HTTP status of the answer.
    fn take(&mut self, step: Step) -> u16 {
        let now = self.now;
        match step {
            Step::File { minutes } => {
                let asked = Asked { decided: None, waits_until: now + WAITS, minutes, given: None };
                self.requests.push(asked);
                201
            }
            Step::Amend(which, minutes) => self.pending(which, |asked| {
                // Less is the same question still.
                if minutes > asked.minutes {
                    asked.waits_until = now + WAITS;
                }
                asked.minutes = minutes;
            }),
            Step::Approve(which) => self.pending(which, |asked| {
                asked.decided = Some("APPROVED");
                asked.given = Some(Given { until: now + asked.minutes, revoked: false });
            }),
            Step::Deny(which) => self.pending(which, |asked| asked.decided = Some("REJECTED")),
            Step::Cancel(which) => self.pending(which, |asked| asked.decided = Some("CANCELLED")),
            Step::Revoke(which) => self.active(which, |given| {
                given.revoked = true;
                200
            }),
            Step::Extend(which, minutes) => {
                let code = self.active(which, |given| {
                    if given.until + minutes > now + LONGEST {
                        return 403;
                    }
                    given.until += minutes;
                    200
                });
                self.extensions += usize::from(code == 200);
                code
            }
            Step::Wait { minutes } => {
                self.now += minutes;
                200
            }
            Step::Settle | Step::Restart => 200,
        }
    }

    fn pending(&mut self, which: usize, change: impl FnOnce(&mut Asked)) -> u16 {
        let now = self.now;
        let asked = &mut self.requests[which];
        if asked.status(now) != "PENDING" {
            return 409;
        }
        change(asked);
        200
    }

    /// Without a grant there is nothing to call.
    fn active(&mut self, which: usize, change: impl FnOnce(&mut Given) -> u16) -> u16 {
        let now = self.now;
        let asked = &mut self.requests[which];
        match (asked.grant_state(now), &mut asked.given) {
            (Some("ACTIVE"), Some(given)) => change(given),
            (Some(_), _) => 409,
            (None, _) => 0,
        }
    }

    fn states(&self) -> Vec<(String, Option<String>)> {
        let state = |asked: &Asked| {
            (asked.status(self.now).to_owned(), asked.grant_state(self.now).map(str::to_owned))
        };
        self.requests.iter().map(state).collect()
    }

    fn count(&self, status: Option<&str>, grant_state: Option<&str>) -> usize {
        let fits = |asked: &&Asked| {
            status.is_none_or(|status| asked.status(self.now) == status)
                && grant_state.is_none_or(|state| asked.grant_state(self.now) == Some(state))
        };
        self.requests.iter().filter(fits).count()
    }
}

/// One store and the control planes on it.
struct Player {
    houses: Vec<House>,
    /// The requests in the order in which they were filed, and their grants.
    ids: Vec<(String, Option<String>)>,
}

impl Player {
    async fn on(ground: Ground, clock: &Arc<HandClock>, planes: usize) -> Self {
        let ground = Arc::new(ground);
        let mut houses = vec![House::on(Arc::clone(&ground), Arc::clone(clock)).await.with_people().await];
        while houses.len() < planes {
            houses.push(House::on(Arc::clone(&ground), Arc::clone(clock)).await);
        }
        Self { houses, ids: Vec::new() }
    }

    async fn call(&mut self, at: usize, method: Method, path: &str, body: Value) -> (u16, Value) {
        let at = at % self.houses.len();
        let answer = self.houses[at].admin.send(method, path, body).await;
        (answer.status.as_u16(), answer.body)
    }

    async fn review(&mut self, at: usize, which: usize, decision: &str) -> u16 {
        let path = format!("/v1/requests/{}/reviews", self.ids[which].0);
        let review = json!({"decision": decision, "by": "bob@example.com"});
        let (status, body) = self.call(at, Method::POST, &path, review).await;
        if let Some(grant) = body["grant"].as_str() {
            self.ids[which].1 = Some(grant.to_owned());
        }
        status
    }

    async fn grant(&mut self, at: usize, which: usize, what: &str, body: Value) -> u16 {
        let Some(id) = &self.ids[which].1 else { return 0 };
        let path = format!("/v1/grants/{id}/{what}");
        self.call(at, Method::POST, &path, body).await.0
    }

    async fn take(&mut self, step: Step, at: usize) -> u16 {
        match step {
            Step::File { minutes } => {
                let ask = alices(&format!("{minutes}m"));
                let (status, body) = self.call(at, Method::POST, "/v1/requests", ask).await;
                self.ids.push((body["id"].as_str().unwrap_or_default().to_owned(), None));
                status
            }
            Step::Amend(which, minutes) => {
                let path = format!("/v1/requests/{}", self.ids[which].0);
                self.call(at, Method::PATCH, &path, json!({"duration": format!("{minutes}m")})).await.0
            }
            Step::Approve(which) => self.review(at, which, "approve").await,
            Step::Deny(which) => self.review(at, which, "deny").await,
            Step::Cancel(which) => {
                let path = format!("/v1/requests/{}/cancel", self.ids[which].0);
                self.call(at, Method::POST, &path, json!({})).await.0
            }
            Step::Revoke(which) => self.grant(at, which, "revoke", json!({"reason": "over"})).await,
            Step::Extend(which, minutes) => {
                let more = json!({"duration": format!("{minutes}m"), "reason": "not done"});
                self.grant(at, which, "extend", more).await
            }
            Step::Wait { .. } => {
                self.sign_in().await;
                200
            }
            Step::Settle => {
                self.settle().await;
                200
            }
            Step::Restart => {
                self.restart(at).await;
                200
            }
        }
    }

    /// A token lasts five minutes.
    async fn sign_in(&mut self) {
        for house in &mut self.houses {
            house.admin = house.client(&random::id("again").unwrap(), &Permission::ALL).await;
        }
    }

    /// All at once, as control planes do that wake at the same moment.
    async fn settle(&self) {
        let settling = self.houses.iter().map(|house| timers::settle(&house.plane));
        for settled in futures_util::future::join_all(settling).await {
            settled.unwrap();
        }
    }

    async fn restart(&mut self, at: usize) {
        let at = at % self.houses.len();
        let house = &self.houses[at];
        house.plane.hub.stop();
        self.houses[at] = House::on(Arc::clone(&house.ground), Arc::clone(&house.clock)).await;
    }

    async fn states(&self, at: usize) -> Vec<(String, Option<String>)> {
        let admin = &self.houses[at % self.houses.len()].admin;
        let page = admin.get("/v1/requests?limit=1000").await.expect(200);
        let by_id: BTreeMap<&str, &Value> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (item["id"].as_str().unwrap(), item))
            .collect();
        let state = |(id, _): &(String, Option<String>)| {
            let item = by_id[id.as_str()];
            let text = |field: &str| item[field].as_str().map(str::to_owned);
            (text("status").unwrap(), text("grant_state"))
        };
        self.ids.iter().map(state).collect()
    }

    async fn count(&self, kind: &str) -> usize {
        let page = self.houses[0].admin.get(&format!("/v1/audit?limit=1000&kind={kind}")).await.expect(200);
        page["items"].as_array().unwrap().len()
    }
}

async fn play(seed: u64) {
    let clock = HandClock::new();
    let mut players = [
        Player::on(Ground::sqlite(), &clock, 1).await,
        Player::on(Ground::postgres().await, &clock, 2).await,
    ];
    let (mut model, mut dice) = (Model::default(), Dice(seed));
    let mut steps = Vec::new();
    for number in 0..STEPS {
        let step = dice.step(model.requests.len());
        steps.push(step);
        let expected = model.take(step);
        if let Step::Wait { minutes } = step {
            clock.advance(Duration::from_mins(minutes));
        }
        let at = dice.roll(2);
        for player in &mut players {
            assert_eq!(player.take(step, at).await, expected, "seed {seed}: {steps:?}");
            assert_eq!(player.states(at + number).await, model.states(), "seed {seed}: {steps:?}");
        }
    }
    model.now += 24 * 60;
    clock.advance(Duration::from_hours(24));
    for player in &mut players {
        player.sign_in().await;
        player.settle().await;
        player.settle().await;
        assert_eq!(player.states(0).await, model.states(), "seed {seed}: {steps:?}");
        for (kind, count) in [
            ("request.created", model.count(None, None) + model.extensions),
            ("request.approved", model.count(Some("APPROVED"), None) + model.extensions),
            ("request.rejected", model.count(Some("REJECTED"), None)),
            ("request.expired", model.count(Some("EXPIRED"), None)),
            ("request.cancelled", model.count(Some("CANCELLED"), None)),
            ("grant.created", model.count(Some("APPROVED"), None)),
            ("grant.extended", model.extensions),
            ("grant.expired", model.count(None, Some("EXPIRED"))),
            ("grant.revoked", model.count(None, Some("REVOKED"))),
        ] {
            assert_eq!(player.count(kind).await, count, "seed {seed}: {kind}: {steps:?}");
        }
    }
}

#[tokio::test]
async fn two_stores_and_a_model_agree_after_every_step() {
    // `POSTERN_TEST_SEED` plays one game again.
    if let Ok(seed) = std::env::var("POSTERN_TEST_SEED") {
        return play(seed.parse().unwrap()).await;
    }
    for seed in [1, u64::from_be_bytes(random::bytes::<8>().unwrap())] {
        play(seed).await;
    }
}
