//! A directory such as Okta or Entra: provisions people by SCIM with a static token.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::rest::{Answer, Api};

/// A directory that the control plane knows.
#[derive(Debug)]
pub struct Directory {
    http: Client,
    base: String,
    token: String,
}

impl Directory {
    /// One of this name, at the control plane behind `url`.
    pub async fn of(api: &Api, url: &str, name: &str) -> Self {
        let made = api.post("/v1/api-clients", json!({"name": name, "scim": true})).await.ok();
        let token = made["client_secret"].as_str().expect("the token is shown once").to_owned();
        let http = Client::builder().no_proxy().build().expect("a client can be made");
        Self { http, base: format!("{url}/scim/v2"), token }
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = request.header("Content-Type", "application/scim+json").body(body.to_string());
        let answer = request.send().await.expect("the control plane answers");
        let status = answer.status();
        let bytes = answer.bytes().await.expect("the answer comes whole");
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }.ok()
    }

    /// Provisions a user and returns where it is.
    pub async fn provision(&self, user_name: &str) -> String {
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": user_name, "active": true,
        });
        let made = self.call(Method::POST, "/Users", &user).await;
        format!("/Users/{}", made["id"].as_str().expect("a user has an id"))
    }

    /// Shuts a user out, or lets it in again, as Entra writes it.
    pub async fn set_active(&self, path: &str, active: bool) {
        let value = if active { "True" } else { "False" };
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "Replace", "path": "active", "value": value}],
        });
        self.call(Method::PATCH, path, &body).await;
    }
}
