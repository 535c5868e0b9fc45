//! The first page: who is signed in, and the way out.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use maud::html;

use super::{
    Web, forms,
    page::{Fault, page},
    session::Visitor,
    slack,
};
use crate::{actions::Failure, slack::connect};

/// `GET /`
pub(super) async fn home(State(web): State<Web>, headers: HeaderMap) -> Response {
    match Visitor::of(&web, &headers).await {
        Ok(Some(visitor)) => signed_in(&web, &visitor).await,
        Ok(None) => Ok(signed_out(&web)),
        Err(failure) => Err(failure),
    }
    .unwrap_or_else(|failure| Fault::from(failure).into_response())
}

fn signed_out(web: &Web) -> Response {
    let body = if web.plane.relying_party.is_some() {
        html! {
            p { "Access to databases, for a while, on request." }
            p { a.button href="/login" { "Sign in" } }
        }
    } else {
        html! { p { "Access to databases, for a while, on request. Signing in is not set up here ("
        code { "[oidc]" } "); programs use the REST interface, described in "
        a href="/openapi.json" { "openapi.json" } "." } }
    };
    page("Postern", body)
}

async fn signed_in(web: &Web, visitor: &Visitor) -> Result<Response, Failure> {
    let links = connect::connected(&web.plane, visitor.caller.name()).await?;
    let person = visitor.caller.actor().person();
    let body = html! {
        dl {
            dt { "Signed in as" } dd { (person.name) }
            dt { "Groups" } dd { (if person.groups.is_empty() { "none".to_owned() } else { person.groups.join(", ") }) }
            dt { "Until" } dd { (visitor.login.expires_at.timestamp().strftime("%F %R UTC")) }
        }
        p { "To let the command line in, run " code { "postern login" } " and type its code " a href="/device" { "here" } "." }
        form method="post" action="/logout" {
            (forms::proof(web, visitor))
            button.second type="submit" { "Sign out" }
        }
        (slack::connected(web, visitor, &links))
    };
    Ok(page("You are signed in", body))
}
