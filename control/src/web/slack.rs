//! Saying yes or no to being connected with a Slack user, and ending that.
//!
//! Whoever opens somebody else's address and says yes lets them act in their place. So the page says in plain words who
//! would act as whom, and only a form of this very session with its box ticked does it.

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    Web,
    forms::{self, Posted},
    page::{Fault, page},
    session::Visitor,
};
use crate::{
    domain::canonical,
    slack::{Invitation, Link, connect},
};

/// The code in an address.
#[derive(Deserialize)]
pub(super) struct Code {
    #[serde(default)]
    code: String,
}

/// A code and what to do with it.
#[derive(Deserialize)]
pub(super) struct Decided {
    code: String,
    decision: Decision,
    /// Whether they say that it was they who asked.
    #[serde(default)]
    asked: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Connect,
    Refuse,
}

/// A Slack user, as `TEAM/USER`.
#[derive(Deserialize)]
pub(super) struct Named {
    slack: String,
}

/// Where Slack users are disconnected.
pub(super) const DISCONNECT: &str = "/slack/disconnect";

const TITLE: &str = "Connect a Slack user";

fn gone() -> Fault {
    let text = "This link is good no longer. Type /postern connect in Slack to get another.";
    Fault::new(StatusCode::NOT_FOUND, text)
}

/// `GET /slack/connect`: shows who would act as whom. Nothing happens by looking.
pub(super) async fn ask(
    State(web): State<Web>,
    visitor: Visitor,
    Query(Code { code }): Query<Code>,
) -> Result<Response, Fault> {
    let waiting = connect::waiting(&web.plane, &code).await?.ok_or_else(gone)?;
    Ok(page(TITLE, question(&web, &visitor, &waiting, &code)))
}

fn question(web: &Web, visitor: &Visitor, waiting: &Invitation, code: &str) -> Markup {
    let identity = visitor.caller.name();
    let other = waiting.email.as_deref().filter(|email| canonical(email) != canonical(identity));
    html! {
        p { "The Slack user below would act as " strong { (identity) } ": ask for access, approve and revoke in your name." }
        dl {
            dt { "Slack user" } dd { (waiting.name) " (@" (waiting.handle) ", " code { (waiting.user) } ")" }
            @if let Some(email) = &waiting.email { dt { "Their e-mail address" } dd { (email) } }
            dt { "Workspace" } dd { (waiting.workspace) " (" code { (waiting.team) } ")" }
            dt { "Asked for at" } dd { (waiting.created_at.timestamp().strftime("%F %T UTC")) }
        }
        @if let Some(email) = other {
            p.fault { "Slack knows this user as " strong { (email) } ", which is not who you are here." }
        }
        p.warn { "Go on only if this Slack user is you and you have typed " code { "/postern connect" } " yourself just now. "
            "Whoever sent you this link would otherwise act in your name." }
        form method="post" action=(connect::PAGE) {
            (forms::proof(web, visitor))
            input type="hidden" name="code" value=(code);
            label.tick { input type="checkbox" name="asked" value="yes"; "I have typed " code { "/postern connect" } " myself" }
            button type="submit" name="decision" value="connect" { "Connect" }
            button.second type="submit" name="decision" value="refuse" { "Refuse" }
        }
    }
}

/// `POST /slack/connect`
pub(super) async fn answer(
    State(web): State<Web>,
    Posted { visitor, says: Decided { code, decision, asked } }: Posted<Decided>,
) -> Result<Response, Fault> {
    let identity = visitor.caller.name();
    if decision == Decision::Refuse {
        if !connect::decline(&web.plane, &code, identity).await? {
            return Err(gone());
        }
        let text =
            "The Slack user was not connected. If somebody sent you that link, tell whoever runs Postern.";
        return Ok(page("Refused", html! { p { (text) } }));
    }
    if asked != "yes" {
        let waiting = connect::waiting(&web.plane, &code).await?.ok_or_else(gone)?;
        let again = question(&web, &visitor, &waiting, &code);
        let first = html! { p.fault { "Tick the box if it was you who asked for this." } };
        return Ok(page(TITLE, html! { (first) (again) }));
    }
    let taken = connect::accept(&web.plane, &code, identity).await?.ok_or_else(gone)?;
    Ok(page(
        "Connected",
        html! {
            p { "The Slack user " strong { (taken.name) } " (@" (taken.handle) ") acts as " strong { (identity) } " from now on." }
            p { "Go back to Slack; this page can be closed. " code { "/postern disconnect" } " undoes it." }
        },
    ))
}

/// The Slack users that act as whoever has signed in, each with the way to end that.
pub(super) fn connected(web: &Web, visitor: &Visitor, links: &[Link]) -> Markup {
    html! {
        @for link in links {
            form method="post" action=(DISCONNECT) {
                (forms::proof(web, visitor))
                input type="hidden" name="slack" value=(link.key);
                p { "The Slack user " code { (link.user) } " of the workspace " code { (link.team) }
                    " acts as you since " (link.since.timestamp().strftime("%F %R UTC")) "." }
                button.second type="submit" { "Disconnect" }
            }
        }
    }
}

/// `POST /slack/disconnect`
pub(super) async fn end(
    State(web): State<Web>,
    Posted { visitor, says: Named { slack } }: Posted<Named>,
) -> Result<Response, Fault> {
    if !connect::disconnect(&web.plane, &slack, visitor.caller.name()).await? {
        let text = "This Slack user does not act as you, or no longer.";
        return Err(Fault::new(StatusCode::NOT_FOUND, text));
    }
    Ok(page(
        "Disconnected",
        html! { p { "The Slack user acts as you no longer." } p { a href="/" { "Back" } } },
    ))
}
