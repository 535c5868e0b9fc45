//! What a browser sees, and how the command line gets in by it.

use std::time::Duration;

use postern_service::random::{sha256_hex, token};
use reqwest::{Method, Response, header, redirect::Policy};
use serde_json::Value;

use super::{Answer, Client, House, answer};
use crate::{
    actions::{
        logins::{self, Proven},
        oauth,
    },
    oidc,
    work::Work,
};

/// A browser in which somebody has signed in, as far as the provider's part is done.
pub(super) struct Browser<'h> {
    pub(super) house: &'h House,
    pub(super) http: reqwest::Client,
    pub(super) cookie: String,
}

impl House {
    pub(super) async fn browser(&self, name: &str) -> Browser<'_> {
        let proven = Proven {
            identity: name.to_owned(),
            issued_at: self.plane.clock.now(),
            groups: Some(Vec::new()),
            issuer: "https://idp.example".to_owned(),
            sub: name.to_owned(),
            sid: Some(format!("sid-{name}")),
        };
        let secret = token().unwrap();
        logins::begin_in_browser(&self.plane, &proven, sha256_hex(secret.as_bytes()), None).await.unwrap();
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Browser { house: self, http, cookie: format!("postern-session={secret}") }
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        answer(self.admin.http.post(format!("{}{path}", self.url)).form(fields).send().await.unwrap()).await
    }

    async fn begin_device(&self) -> Value {
        let fields = [("client_id", oauth::COMMAND_LINE)];
        self.form("/v1/users/oidc/device_authorization", &fields).await.expect(200)
    }

    async fn poll(&self, begun: &Value) -> Answer {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", oauth::COMMAND_LINE),
            ("device_code", begun["device_code"].as_str().unwrap()),
        ];
        self.form("/v1/users/oidc/token", &fields).await
    }
}

impl Browser<'_> {
    pub(super) async fn get(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}{path}", self.house.url)).header(header::COOKIE, &self.cookie);
        request.send().await.unwrap()
    }

    /// The proof that this browser's forms carry.
    pub(super) async fn proof(&self) -> String {
        let page = self.get("/").await.text().await.unwrap();
        let (_, behind) = page.split_once("name=\"proof\" value=\"").unwrap();
        behind.split('"').next().unwrap().to_owned()
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request =
            self.http.post(format!("{}{path}", self.house.url)).header(header::COOKIE, &self.cookie);
        request.form(fields).send().await.unwrap()
    }

    async fn answer(&self, begun: &Value, decision: &str) -> u16 {
        let (proof, code) = (self.proof().await, begun["user_code"].as_str().unwrap());
        let fields = [("proof", &*proof), ("user_code", code), ("decision", decision)];
        self.post("/device/answer", &fields).await.status().as_u16()
    }
}

#[tokio::test]
async fn a_page_is_for_who_has_signed_in_and_keeps_scripts_and_frames_away() {
    let house = House::new().await;
    let alice = house.browser("alice@example.com").await;
    let home = alice.get("/").await;
    let policy = home.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(home.headers()[header::CACHE_CONTROL], "no-store");
    assert!(home.text().await.unwrap().contains("alice@example.com"));
    let stranger =
        Browser { cookie: "postern-session=guess".to_owned(), ..house.browser("bob@example.com").await };
    let sent = stranger.get("/device?user_code=BCDF-GHJK").await;
    assert_eq!(sent.status(), 303);
    assert_eq!(sent.headers()[header::LOCATION], "/login?return_to=%2Fdevice%3Fuser_code%3DBCDF-GHJK");
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let house = House::new().await;
    let (alice, bob) = (house.browser("alice@example.com").await, house.browser("bob@example.com").await);
    let (own, bobs) = (alice.proof().await, bob.proof().await);
    for fields in [vec![], vec![("proof", "")], vec![("proof", "guess")], vec![("proof", &*bobs)]] {
        assert!(alice.post("/logout", &fields).await.status().is_client_error());
    }
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = alice.http.post(format!("{}/logout", house.url)).header(header::COOKIE, &alice.cookie);
        let sent = request.header(name, value).form(&[("proof", &own)]).send().await.unwrap();
        assert_eq!(sent.status(), 403, "{name}");
    }
    assert!(alice.get("/").await.text().await.unwrap().contains("alice@example.com"));
    let gone = alice.post("/logout", &[("proof", &own)]).await;
    assert!(gone.headers()[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(gone.status(), 200);
    assert!(!alice.get("/").await.text().await.unwrap().contains("alice@example.com"));
}

#[tokio::test]
async fn a_browsers_login_ends_when_nothing_comes_and_at_the_end_of_its_time() {
    let house = House::new().await;
    let idle = house.browser("alice@example.com").await;
    house.clock.advance(Duration::from_mins(61));
    assert_eq!(idle.get("/device").await.status(), 303);
    let busy = house.browser("alice@example.com").await;
    for _ in 0..14 {
        assert_eq!(busy.get("/device").await.status(), 200);
        house.clock.advance(Duration::from_mins(50));
    }
    assert_eq!(busy.get("/device").await.status(), 200);
    house.clock.advance(Duration::from_mins(50));
    assert_eq!(busy.get("/device").await.status(), 303);
}

#[tokio::test]
async fn the_command_line_gets_in_once_by_the_code_that_its_person_approves() {
    let house = House::new().await;
    let alice = house.browser("alice@example.com").await;
    let begun = house.begin_device().await;
    assert_eq!(begun["verification_uri"], "http://postern.example/device");
    assert_eq!(house.poll(&begun).await.expect(400)["error"], "authorization_pending");
    assert_eq!(house.poll(&begun).await.expect(400)["error"], "slow_down");
    let (proof, code) = (alice.proof().await, begun["user_code"].as_str().unwrap());
    let shown = alice.post("/device", &[("proof", &*proof), ("user_code", code)]).await.text().await.unwrap();
    assert!(shown.contains(code) && shown.contains("127.0.0.1"), "{shown}");
    assert_eq!(alice.answer(&begun, "approve").await, 200);
    assert_eq!(alice.answer(&begun, "deny").await, 404);
    let pair = house.poll(&begun).await.expect(200);
    assert_eq!(house.poll(&begun).await.expect(400)["error"], "invalid_grant");
    let client = Client { token: pair["access_token"].as_str().unwrap().to_owned(), ..house.admin.clone() };
    assert_eq!(client.get("/v1/users/me").await.expect(200)["name"], "alice@example.com");
    let refresh = pair["refresh_token"].as_str().unwrap();
    house.form("/v1/users/oidc/revoke", &[("token", refresh)]).await.expect(200);
    client.get("/v1/users/me").await.expect(401);
    house.form("/v1/users/oidc/revoke", &[("token", refresh)]).await.expect(200);
}

#[tokio::test]
async fn a_code_that_is_refused_late_or_guessed_lets_nobody_in() {
    let house = House::new().await;
    let alice = house.browser("alice@example.com").await;
    let denied = house.begin_device().await;
    assert_eq!(alice.answer(&denied, "deny").await, 200);
    assert_eq!(house.poll(&denied).await.expect(400)["error"], "access_denied");
    let late = house.begin_device().await;
    house.clock.advance(Duration::from_mins(10));
    assert_eq!(alice.answer(&late, "approve").await, 404);
    assert_eq!(house.poll(&late).await.expect(400)["error"], "expired_token");
    for _ in 0..9 {
        alice.answer(&serde_json::json!({"user_code": "BCDF-GHJK"}), "approve").await;
    }
    assert_eq!(alice.answer(&late, "approve").await, 429);
}

#[tokio::test]
async fn who_was_deactivated_between_yes_and_the_tokens_gets_none() {
    let house = House::new().await;
    let alice = house.browser("alice@example.com").await;
    let begun = house.begin_device().await;
    assert_eq!(alice.answer(&begun, "approve").await, 200);
    for enabled in [false, true] {
        let switched = serde_json::json!({ "enabled": enabled });
        house.admin.put("/v1/identities/alice@example.com", switched).await.expect(200);
        assert_eq!(house.poll(&begun).await.expect(400)["error"], "access_denied", "{enabled}");
    }
    assert_eq!(alice.get("/device").await.status(), 303);
}

#[tokio::test]
async fn a_yes_of_a_session_that_the_provider_ended_gives_no_tokens() {
    let house = House::new().await;
    let (alice, bob) = (house.browser("alice@example.com").await, house.browser("bob@example.com").await);
    let (of_alice, of_bob) = (house.begin_device().await, house.begin_device().await);
    assert_eq!(alice.answer(&of_alice, "approve").await, 200);
    assert_eq!(bob.answer(&of_bob, "approve").await, 200);
    let mut work = Work::begin(&house.plane).await.unwrap();
    logins::end_named(&mut work, "https://idp.example", None, Some("sid-alice@example.com")).await.unwrap();
    work.commit().await.unwrap();
    assert_eq!(house.poll(&of_alice).await.expect(400)["error"], "access_denied");
    house.poll(&of_bob).await.expect(200);
}

#[tokio::test]
async fn without_a_provider_nobody_begins_and_strangers_cannot_end_logins() {
    let house = House::new().await;
    let alice = house.browser("alice@example.com").await;
    assert_eq!(alice.get("/login").await.status(), 404);
    assert_eq!(alice.get("/login/callback?code=x&state=y").await.status(), 403);
    for token in ["", "x.y.z", "eyJhbGciOiJub25lIn0.e30."] {
        house.form("/login/backchannel-logout", &[("logout_token", token)]).await.expect(400);
    }
    assert_eq!(
        house.admin.request(Method::POST, "/login/backchannel-logout").send().await.unwrap().status(),
        400
    );
    assert!(oidc::provider_logout(&house.plane).await.is_none());
    assert_eq!(alice.get("/device").await.status(), 200);
}
