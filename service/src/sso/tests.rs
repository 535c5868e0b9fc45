//! Against an issuer on this machine: what counts, what does not, and what happens while it is down.

mod attacks;
mod keys;
mod stand_in;

use jiff::{SignedDuration, Timestamp};
use postern_protocol::gate::{Issuer, Naming};
use serde_json::{Value, json};

use super::*;
use stand_in::{Signer, StandIn};

fn issuer(url: &str) -> Issuer {
    let naming = Naming::Person {
        identity_claim: "email".to_owned(),
        groups_claim: "groups".to_owned(),
        scope: "openid".to_owned(),
    };
    Issuer { url: url.to_owned(), audiences: vec!["postern".to_owned()], naming, ca: None }
}

/// Alice's claims.
fn claims(url: &str) -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "iss": url, "aud": "postern", "sub": "u-1", "email": "Alice@Example.com", "email_verified": true,
        "groups": ["dba", "engineering"], "iat": now, "nbf": now, "exp": now + 600,
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn trusted(stand_in: &StandIn) -> Issuers {
    let issuers = Issuers::default();
    issuers.trust(vec![issuer(&stand_in.url)]);
    issuers
}

async fn verify(issuers: &Issuers, token: &str) -> Result<Proven, NotProven> {
    issuers.verify(token, Timestamp::now()).await
}

#[tokio::test]
async fn a_token_of_each_algorithm_proves_its_carrier() {
    let signers = [Signer::rsa("r"), Signer::ec("e"), Signer::ed25519("d")];
    let stand_in = StandIn::start(&signers).await;
    let issuers = trusted(&stand_in);
    for (signer, algorithms) in signers.iter().zip([
        &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..],
        &["ES256"],
        &["EdDSA", "Ed25519"],
    ]) {
        for algorithm in algorithms {
            let token = signer.token_as(algorithm, &json!({}), &claims(&stand_in.url));
            let proven = verify(&issuers, &token).await.unwrap();
            assert_eq!(proven.identity, "alice@example.com".into(), "{algorithm}");
            assert_eq!(proven.groups, ["dba", "engineering"]);
        }
    }
}

#[tokio::test]
async fn clocks_may_be_a_minute_apart_and_no_more() {
    let signer = Signer::ed25519("d");
    let stand_in = StandIn::start(std::slice::from_ref(&signer)).await;
    let issuers = trusted(&stand_in);
    let token = signer.token(&claims(&stand_in.url));
    let now = Timestamp::now();
    let at = |seconds: i64| now + SignedDuration::from_secs(seconds);
    for (seconds, counts) in [(-62, false), (-50, true), (0, true), (650, true), (662, false)] {
        assert_eq!(issuers.verify(&token, at(seconds)).await.is_ok(), counts, "{seconds}");
    }
}

#[tokio::test]
async fn a_workload_is_named_by_the_claims_that_its_conditions_check() {
    let signer = Signer::ec("e");
    let stand_in = StandIn::start(std::slice::from_ref(&signer)).await;
    let naming = Naming::Workload {
        claims: [
            ("repository".to_owned(), vec!["acme/*".to_owned()]),
            ("ref".to_owned(), vec!["refs/heads/main".to_owned()]),
        ]
        .into(),
        identity: "ci:{repository}".to_owned(),
        groups: vec!["ci".to_owned()],
    };
    let issuers = Issuers::default();
    issuers.trust(vec![issuer(&stand_in.url), Issuer { naming, ..issuer(&stand_in.url) }]);
    let now = Timestamp::now().as_second();
    let job = |repository: &str, branch: &str| {
        let url = &stand_in.url;
        signer.token(&json!({
            "iss": url, "aud": "postern", "exp": now + 60, "repository": repository, "ref": branch,
        }))
    };
    let proven = verify(&issuers, &job("acme/app", "refs/heads/main")).await.unwrap();
    assert_eq!((proven.identity, proven.groups), ("ci:acme/app".into(), vec!["ci".to_owned()]));
    assert!(proven.is_workload);
    let person = with(claims(&stand_in.url), "email", json!("CI:acme/app"));
    let refused = verify(&issuers, &signer.token(&person)).await;
    assert_eq!(
        refused,
        Err(NotProven::Identity(NoIdentity::Workload)),
        "a person who is called as a workload is"
    );
    for (repository, branch) in [("evil/app", "refs/heads/main"), ("acme/app", "refs/heads/mine")] {
        assert!(verify(&issuers, &job(repository, branch)).await.is_err(), "{repository} {branch}");
    }
}

#[tokio::test]
async fn a_logout_token_ends_sessions_and_logs_nobody_in() {
    let signer = Signer::ec("e");
    let stand_in = StandIn::start(std::slice::from_ref(&signer)).await;
    let issuers = trusted(&stand_in);
    let events = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let logout = with(claims(&stand_in.url), "events", events);
    let logout = signer.token_as("ES256", &json!({"typ": "logout+jwt"}), &logout);
    assert!(issuers.verify_logout(&logout, "postern", Timestamp::now()).await.is_ok());
    assert!(issuers.verify_logout(&logout, "other", Timestamp::now()).await.is_err());
    assert_eq!(verify(&issuers, &logout).await, Err(NotProven::Purpose));
    let login = signer.token(&claims(&stand_in.url));
    assert_eq!(issuers.verify_logout(&login, "postern", Timestamp::now()).await, Err(NotProven::Purpose));
}
