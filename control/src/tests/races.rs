//! Many callers at the same moment, and time among them: each request and each grant has one outcome, told once.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Client, House, alices, ground::Ground};
use crate::{actions::timers, clock::HandClock, domain::Permission};

/// How long a request waits and a grant lasts here.
const BRIEF: Duration = Duration::from_secs(20);

const ROUNDS: usize = 6;

/// The control planes on one store.
struct Town(Vec<House>);

impl Town {
    async fn on(ground: Ground, planes: usize) -> Self {
        let (ground, clock) = (Arc::new(ground), HandClock::new());
        let first = House::on(Arc::clone(&ground), Arc::clone(&clock)).await.with_people().await;
        let rule = json!({
            "requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_ro"], "whole": true,
            "approvals": [{"from": ["group:dba"], "count": 1}], "pending_ttl": "20s",
        });
        first.admin.put("/v1/rules/sales", rule).await.expect(200);
        let mut houses = vec![first];
        while houses.len() < planes {
            houses.push(House::on(Arc::clone(&ground), Arc::clone(&clock)).await);
        }
        Self(houses)
    }

    /// The administrator of each control plane in turn.
    fn admin(&self, number: usize) -> &Client {
        &self.0[number % self.0.len()].admin
    }

    /// All calls at once, over all control planes, while each of them looks for what is due.
    async fn all_at_once(&self, calls: &[(Method, String, Value)]) -> Vec<Answer> {
        let sent = calls.iter().enumerate().map(|(number, (method, path, body))| {
            self.admin(number).send(method.clone(), path, body.clone())
        });
        let due = join_all(self.0.iter().map(|house| timers::settle(&house.plane)));
        let (answers, settled) = tokio::join!(join_all(sent), due);
        for settled in settled {
            settled.unwrap();
        }
        answers
    }

    /// The same, while time passes the end of what is brief.
    async fn at_the_last_moment(&self, calls: &[(Method, String, Value)]) -> Vec<Answer> {
        let time = async {
            tokio::task::yield_now().await;
            self.0[0].clock.advance(BRIEF);
        };
        let (answers, ()) = tokio::join!(self.all_at_once(calls), time);
        for house in &self.0 {
            timers::settle(&house.plane).await.unwrap();
        }
        answers
    }

    /// How often the trail tells of these kinds with this value of a detail.
    async fn told(&self, kinds: &[&str], (detail, value): (&str, &str)) -> Vec<String> {
        let page = self.admin(0).get("/v1/audit?limit=1000").await.expect(200);
        let items = page["items"].as_array().unwrap();
        let fits = |item: &&Value| {
            kinds.contains(&item["kind"].as_str().unwrap())
                && (item["detail"][detail] == value || item[detail] == value)
        };
        items.iter().filter(fits).map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
    }
}

fn reviews(id: &str, who: &str, decision: &str) -> (Method, String, Value) {
    (Method::POST, format!("/v1/requests/{id}/reviews"), json!({"decision": decision, "by": who}))
}

/// One was done, and all others were told that they came too late.
fn one_of(answers: &[Answer]) -> usize {
    let codes: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(codes.iter().all(|code| [200, 409].contains(code)), "{answers:#?}");
    codes.iter().filter(|code| **code == 200).count()
}

const OUTCOMES: [&str; 4] = ["request.approved", "request.rejected", "request.cancelled", "request.expired"];

async fn a_request_has_one_outcome(town: Town) {
    for round in 0..ROUNDS {
        let id = town.0[round % town.0.len()].filed().await;
        let mut calls = vec![(Method::POST, format!("/v1/requests/{id}/cancel"), json!({}))];
        for (who, decision) in
            [("bob@example.com", "approve"), ("carol@example.com", "approve"), ("bob@example.com", "deny")]
        {
            calls.extend([reviews(&id, who, decision), reviews(&id, who, decision)]);
        }
        calls.rotate_left(round);
        let answers = if round % 2 == 0 {
            town.all_at_once(&calls).await
        } else {
            town.at_the_last_moment(&calls).await
        };
        let request = town.admin(round).get(&format!("/v1/requests/{id}")).await.expect(200);
        let expired = request["status"] == "EXPIRED";
        assert_eq!(one_of(&answers), usize::from(!expired), "{request:#}");
        let told = town.told(&OUTCOMES, ("request", &id)).await;
        assert_eq!(told, [format!("request.{}", request["status"].as_str().unwrap().to_lowercase())]);
        let grants = town.told(&["grant.created"], ("request", &id)).await.len();
        let approved = request["status"] == "APPROVED";
        assert_eq!((grants, request["grant"].is_string()), (usize::from(approved), approved));
    }
}

async fn a_grant_ends_once(town: Town) {
    for round in 0..ROUNDS {
        let house = &town.0[round % town.0.len()];
        let request = house.admin.post("/v1/requests", alices("20s")).await.expect(201);
        let (_, path, review) = reviews(request["id"].as_str().unwrap(), "bob@example.com", "approve");
        let approved = house.admin.post(&path, review).await.expect(200);
        let grant = approved["grant"].as_str().unwrap();
        let revoke = (Method::POST, format!("/v1/grants/{grant}/revoke"), json!({"reason": "over"}));
        let calls = vec![revoke; 8];
        let answers = if round % 2 == 0 {
            town.all_at_once(&calls).await
        } else {
            town.at_the_last_moment(&calls).await
        };
        let ended = town.admin(round).get(&format!("/v1/grants/{grant}")).await.expect(200);
        let revoked = ended["state"] == "REVOKED";
        assert_eq!(one_of(&answers), usize::from(revoked), "{ended:#}");
        let told = town.told(&["grant.revoked", "grant.expired"], ("grant", grant)).await;
        assert_eq!(told, [if revoked { "grant.revoked" } else { "grant.expired" }]);
    }
}

#[tokio::test]
async fn a_request_in_a_file_has_one_outcome_whoever_comes_at_once() {
    a_request_has_one_outcome(Town::on(Ground::sqlite(), 1).await).await;
}

#[tokio::test]
async fn a_request_under_two_control_planes_has_one_outcome_whoever_comes_at_once() {
    a_request_has_one_outcome(Town::on(Ground::postgres().await, 2).await).await;
}

#[tokio::test]
async fn a_grant_in_a_file_ends_once_whoever_comes_at_once() {
    a_grant_ends_once(Town::on(Ground::sqlite(), 1).await).await;
}

#[tokio::test]
async fn a_grant_under_two_control_planes_ends_once_whoever_comes_at_once() {
    a_grant_ends_once(Town::on(Ground::postgres().await, 2).await).await;
}

#[tokio::test]
async fn of_two_hundred_reviews_at_once_one_counts() {
    let town = Town::on(Ground::postgres().await, 2).await;
    let id = town.0[0].filed().await;
    let calls: Vec<_> = ["bob@example.com", "carol@example.com"]
        .into_iter()
        .cycle()
        .take(200)
        .map(|who| reviews(&id, who, "approve"))
        .collect();
    assert_eq!(one_of(&town.all_at_once(&calls).await), 1);
    assert_eq!(town.told(&OUTCOMES, ("request", &id)).await, ["request.approved"]);
    assert_eq!(town.0[1].admin.get("/v1/grants").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let again = town.0[1].client("late", &Permission::ALL).await;
    let (_, path, review) = reviews(&id, "carol@example.com", "deny");
    assert_eq!(again.post(&path, review).await.problem(409), "already-decided");
}
