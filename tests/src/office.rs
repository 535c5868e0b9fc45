//! What people do at the control plane: enrol a sidecar, ask for access, approve it, take it away.

use serde_json::{Value, json};

use crate::{cut::Wire, gate::Control, rest::Api};

/// Who asks for access.
pub const ALICE: &str = "alice@example.com";
/// Who approves it.
pub const BOB: &str = "bob@example.com";

/// A grant and the access token of the identity that it is for.
#[derive(Clone, Debug)]
pub struct Access {
    /// `g_…`
    pub grant: String,
    /// Whose.
    pub identity: String,
    /// Of which account.
    pub account: String,
    /// `pst_…`
    pub token: String,
}

/// A control plane that knows Alice, Bob, an open rule and a sidecar.
#[derive(Debug)]
pub struct Office {
    /// The wire between sidecar and control plane.
    pub control_wire: Wire,
    /// An API client that may do everything.
    pub api: Api,
    /// The control plane.
    pub control: Control,
    /// The enrolment token of the sidecar `edge-1`.
    pub sidecar_token: String,
}

/// A rule under which everybody may ask for everything and anybody may approve it.
pub async fn open_rule(api: &Api) {
    let rule = json!({
        "requesters": ["*"], "repos": ["*"], "accounts": ["*"], "whole": true,
        "privileges": ["SELECT", "INSERT", "UPDATE", "DELETE"], "max_duration": "30d",
        "approvals": [{"from": ["*"], "count": 1}],
    });
    api.put("/v1/rules/open", rule).await.ok();
}

/// Enrols a sidecar of this name and returns its token.
pub async fn enrol(api: &Api, name: &str) -> String {
    let answer = api.post("/v1/sidecars", json!({"name": name})).await.ok();
    answer["token"].as_str().expect("the token is shown once").to_owned()
}

/// Makes Alice, Bob and an open rule known.
pub async fn people(api: &Api) {
    for (name, groups) in [(ALICE, json!(["engineering"])), (BOB, json!(["engineering", "dba"]))] {
        api.put(&format!("/v1/identities/{name}"), json!({"groups": groups, "enabled": true})).await.ok();
    }
    open_rule(api).await;
}

impl Office {
    /// Starts it.
    pub async fn open() -> Self {
        Self::open_with("").await
    }

    /// Starts it with these tables in the control plane's file.
    pub async fn open_with(tables: &str) -> Self {
        Self::open_at(crate::port::free(), tables).await
    }

    /// The same with the control plane at this port.
    pub async fn open_at(port: u16, tables: &str) -> Self {
        let control = Control::start_at(port, tables).await;
        let api = control.bootstrap();
        people(&api).await;
        let sidecar_token = enrol(&api, "edge-1").await;
        let control_wire = Wire::to(control.port()).await;
        Self { control_wire, api, control, sidecar_token }
    }
}

impl Api {
    /// Files a request and returns it.
    pub async fn request(&self, request: Value) -> Value {
        self.post("/v1/requests", request).await.ok()
    }

    /// Approves a request as Bob and returns the grant's id.
    pub async fn approve(&self, request: &Value) -> String {
        let path = format!("/v1/requests/{}/reviews", request["id"].as_str().expect("a request has an id"));
        let review = json!({"decision": "approve", "reason": "fine", "by": BOB});
        let approved = self.post(&path, review).await.ok();
        let grant = approved["grant"].as_str().or_else(|| approved["grant"]["id"].as_str());
        grant.unwrap_or_else(|| panic!("an approved request has a grant: {approved}")).to_owned()
    }

    /// An access token for `identity`.
    pub async fn token_for(&self, identity: &str) -> String {
        let token = self.post("/v1/access-tokens", json!({"for": identity})).await.ok();
        token["token"].as_str().expect("the token is shown once").to_owned()
    }

    /// From nothing to an approved grant for Alice; the sidecar may not know of it yet.
    pub async fn access(&self, request: Value) -> Access {
        let account = request["account"].as_str().expect("a request names an account").to_owned();
        let request = self.request(request).await;
        let grant = self.approve(&request).await;
        let token = self.token_for(ALICE).await;
        Access { grant, identity: ALICE.to_owned(), account, token }
    }

    /// Revokes a grant and returns what the control plane answered.
    pub async fn revoke(&self, access: &Access) -> Value {
        let path = format!("/v1/grants/{}/revoke", access.grant);
        self.post(&path, json!({"reason": "the ticket is closed"})).await.ok()
    }
}
