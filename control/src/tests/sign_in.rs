//! The token endpoint.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header;
use serde_json::{Value, json};

use super::{Answer, Client, House, answer};

struct Bot {
    house: House,
    id: String,
    secret: String,
}

impl Bot {
    async fn new() -> Self {
        let house = House::new().await;
        let body = json!({"name": "bot", "permissions": ["access_request", "view_audit_logs"]});
        let made = house.admin.post("/v1/api-clients", body).await.expect(201);
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Self { id: text("client_id"), secret: text("client_secret"), house }
    }

    async fn form(&self, fields: &[(&str, &str)]) -> Answer {
        let request = self.house.admin.http.post(format!("{}/v1/users/oidc/token", self.house.url));
        answer(request.form(fields).send().await.unwrap()).await
    }

    async fn sign_in(&self) -> Value {
        let fields =
            [("grant_type", "client_credentials"), ("client_id", &self.id), ("client_secret", &self.secret)];
        self.form(&fields).await.expect(200)
    }

    async fn refresh(&self, token: &str) -> Answer {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
            ("refresh_token", token),
        ];
        self.form(&fields).await
    }

    fn with(&self, pair: &Value) -> Client {
        Client { token: pair["access_token"].as_str().unwrap().to_owned(), ..self.house.admin.clone() }
    }
}

#[tokio::test]
async fn a_client_signs_in_with_its_secret_in_the_form_or_by_basic() {
    let bot = Bot::new().await;
    let pair = bot.sign_in().await;
    assert_eq!((pair["expires_in"].as_u64(), pair["refresh_expires_in"].as_u64()), (Some(300), Some(36_000)));
    assert_eq!(
        (pair["token_type"].as_str(), pair["scope"].as_str()),
        (Some("bearer"), Some("access_request view_audit_logs"))
    );
    bot.with(&pair).get("/v1/audit").await.expect(200);
    let basic = STANDARD.encode(format!("{}:{}", bot.id, bot.secret));
    let request = bot.house.admin.http.post(format!("{}/v1/users/oidc/token", bot.house.url));
    let request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
    let response = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_copy_voids_its_family() {
    let bot = Bot::new().await;
    let first = bot.sign_in().await;
    let refresh = first["refresh_token"].as_str().unwrap();
    let second = bot.refresh(refresh).await.expect(200);
    bot.with(&second).get("/v1/audit").await.expect(200);
    let other = bot.sign_in().await;
    let reused = bot.refresh(refresh).await;
    assert_eq!(reused.body["error"], "invalid_grant");
    reused.expect(400);
    bot.with(&second).get("/v1/audit").await.expect(401);
    bot.refresh(second["refresh_token"].as_str().unwrap()).await.expect(400);
    bot.with(&other).get("/v1/audit").await.expect(200);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_the_standards_form() {
    let bot = Bot::new().await;
    let pair = bot.sign_in().await;
    let access = pair["access_token"].as_str().unwrap();
    let (id, secret) = (bot.id.as_str(), bot.secret.as_str());
    for (fields, status, error) in [
        (vec![("grant_type", "client_credentials")], 401, "invalid_client"),
        (
            vec![("grant_type", "client_credentials"), ("client_id", id), ("client_secret", "wrong")],
            401,
            "invalid_client",
        ),
        (
            vec![("grant_type", "client_credentials"), ("client_id", "c_0"), ("client_secret", secret)],
            401,
            "invalid_client",
        ),
        (vec![("client_id", id), ("client_secret", secret)], 400, "invalid_request"),
        (
            vec![("grant_type", "password"), ("client_id", id), ("client_secret", secret)],
            400,
            "unsupported_grant_type",
        ),
        (
            vec![("grant_type", "refresh_token"), ("client_id", id), ("client_secret", secret)],
            400,
            "invalid_request",
        ),
        (
            vec![
                ("grant_type", "refresh_token"),
                ("client_id", id),
                ("client_secret", secret),
                ("refresh_token", access),
            ],
            400,
            "invalid_grant",
        ),
    ] {
        let answer = bot.form(&fields).await;
        assert_eq!(answer.body["error"], error, "{}", answer.body);
        answer.expect(status);
    }
}

#[tokio::test]
async fn rotating_and_deleting_a_client_void_what_it_had() {
    let bot = Bot::new().await;
    let before = bot.sign_in().await;
    let rotated =
        bot.house.admin.post(&format!("/v1/api-clients/{}/rotate", bot.id), json!({})).await.expect(200);
    bot.with(&before).get("/v1/audit").await.expect(401);
    bot.refresh(before["refresh_token"].as_str().unwrap()).await.expect(401);
    let bot = Bot { secret: rotated["client_secret"].as_str().unwrap().to_owned(), ..bot };
    let after = bot.sign_in().await;
    bot.with(&after).get("/v1/audit").await.expect(200);
    bot.house.admin.delete(&format!("/v1/api-clients/{}", bot.id)).await.expect(204);
    bot.with(&after).get("/v1/audit").await.expect(401);
}

#[tokio::test]
async fn a_refresh_token_is_no_bearer_token() {
    let bot = Bot::new().await;
    let pair = bot.sign_in().await;
    let client =
        Client { token: pair["refresh_token"].as_str().unwrap().to_owned(), ..bot.house.admin.clone() };
    client.get("/v1/audit").await.expect(401);
}

#[tokio::test]
async fn guessing_a_secret_is_slowed_down() {
    let bot = Bot::new().await;
    let guess = [("grant_type", "client_credentials"), ("client_id", &*bot.id), ("client_secret", "guess")];
    for _ in 0..10 {
        bot.form(&guess).await.expect(401);
    }
    assert_eq!(bot.form(&guess).await.problem(429), "rate-limited");
    bot.house.admin.get("/v1/audit").await.expect(200);
}

#[tokio::test]
async fn a_sign_in_that_a_rotation_overtakes_gets_nothing() {
    let bot = Bot::new().await;
    let refresh = bot.sign_in().await["refresh_token"].as_str().unwrap().to_owned();
    // Everybody waits for this: the rotation first, then those whose secret was right when they asked.
    let held = crate::work::Work::begin(&bot.house.plane).await.unwrap();
    let (admin, path) = (bot.house.admin.clone(), format!("/v1/api-clients/{}/rotate", bot.id));
    let rotation = tokio::spawn(async move { admin.post(&path, json!({})).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let fields =
        [("grant_type", "client_credentials"), ("client_id", &bot.id), ("client_secret", &bot.secret)];
    let sign_ins = futures_util::future::join_all((0..8).map(|_| bot.form(&fields)));
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(held);
    };
    let (answers, refreshed, ()) = tokio::join!(sign_ins, bot.refresh(&refresh), release);
    rotation.await.unwrap().expect(200);
    for answer in answers {
        if answer.status == 200 {
            bot.with(&answer.body).get("/v1/audit").await.expect(401);
        }
    }
    if refreshed.status == 200 {
        bot.with(&refreshed.body).get("/v1/audit").await.expect(401);
    }
}
