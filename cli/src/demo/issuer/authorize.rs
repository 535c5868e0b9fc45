//! The login page, and the way back with a code (OpenID Connect Core, section 3.1; RFC 7636, 9207).

use std::sync::Arc;

use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use maud::{DOCTYPE, Markup, html};
use postern_service::random;
use reqwest::Url;
use serde::Deserialize;

use super::{
    CONTROL_PLANE, Issuer,
    ledger::Sign,
    people::{PEOPLE, person},
};

/// What a client asks for.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    response_type: String,
    #[serde(default)]
    code_challenge: String,
    #[serde(default)]
    code_challenge_method: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    nonce: String,
    /// Who was chosen on the page.
    #[serde(default)]
    person: String,
}

impl Asked {
    /// What is wrong with it. None of it is sent on to an address that was not agreed upon.
    fn fault(&self, issuer: &Issuer) -> Option<&'static str> {
        if self.client_id != CONTROL_PLANE {
            return Some("client_id is unknown");
        }
        if self.redirect_uri != issuer.callback {
            return Some("redirect_uri is another one than this client's");
        }
        if self.response_type != "code" {
            return Some("response_type must be code");
        }
        if self.code_challenge_method != "S256" || self.code_challenge.len() != 43 {
            return Some("code_challenge must be there, by the method S256");
        }
        None
    }
}

/// A page of this provider.
pub(super) fn page(title: &str, body: &Markup) -> Html<String> {
    Html(
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) }
                    style { "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}"
                        "button{font:inherit;padding:.5rem 1rem;margin:.3rem .5rem .3rem 0}" }
                }
                body { h1 { (title) } (body) p { small { "Postern's demo: for development only. Nobody is asked for a password." } } }
            }
        }
        .into_string(),
    )
}

/// A button for everybody who can sign in.
pub(super) fn buttons() -> Markup {
    html! {
        @for person in &PEOPLE {
            button type="submit" name="person" value=(person.name) {
                "Sign in as " (person.email) " (" (person.groups.join(", ")) ")"
            }
        }
    }
}

fn refused(text: &str) -> Response {
    (StatusCode::BAD_REQUEST, page("This cannot be done", &html! { p { (text) } })).into_response()
}

/// `GET /authorize`
pub(super) async fn ask(State(issuer): State<Arc<Issuer>>, Query(asked): Query<Asked>) -> Response {
    if let Some(fault) = asked.fault(&issuer) {
        return refused(fault);
    }
    let hidden = [
        ("client_id", &asked.client_id),
        ("redirect_uri", &asked.redirect_uri),
        ("response_type", &asked.response_type),
        ("code_challenge", &asked.code_challenge),
        ("code_challenge_method", &asked.code_challenge_method),
        ("state", &asked.state),
        ("nonce", &asked.nonce),
    ];
    let body = html! {
        p { "Sign in to Postern." }
        form method="post" action="/authorize" {
            @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
            (buttons())
        }
    };
    page("Development login", &body).into_response()
}

/// `POST /authorize`
pub(super) async fn answer(State(issuer): State<Arc<Issuer>>, Form(asked): Form<Asked>) -> Response {
    if let Some(fault) = asked.fault(&issuer) {
        return refused(fault);
    }
    let Some(person) = person(&asked.person) else { return refused("choose who you are") };
    let (Ok(code), Ok(sid)) = (random::token(), random::id("sid")) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Ok(mut back) = Url::parse(&asked.redirect_uri) else { return refused("redirect_uri is no URL") };
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &asked.state)
        .append_pair("iss", &issuer.url);
    let nonce = (!asked.nonce.is_empty()).then_some(asked.nonce);
    let sign = Sign { person, client: asked.client_id, sid, nonce };
    issuer.ledger().give_code(code, sign, asked.redirect_uri, asked.code_challenge);
    Redirect::to(back.as_str()).into_response()
}

/// Where to go after a logout.
#[derive(Debug, Deserialize)]
pub(super) struct Leaving {
    #[serde(default)]
    post_logout_redirect_uri: String,
}

/// `GET /logout`. There is no session here that would have to end.
pub(super) async fn leave(State(issuer): State<Arc<Issuer>>, Query(leaving): Query<Leaving>) -> Response {
    if leaving.post_logout_redirect_uri == issuer.after_logout {
        return Redirect::to(&issuer.after_logout).into_response();
    }
    page("Signed out", &html! { p { "You are signed out." } }).into_response()
}
