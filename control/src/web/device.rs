//! Letting a command line in (RFC 8628, section 3.3): the person types its code, sees where it runs, and decides.

use axum::{
    Extension,
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
    actions::device,
    api::Peer,
    domain::{DeviceLogin, shown, typed},
};

/// A code that may stand in the link already.
#[derive(Deserialize)]
pub(super) struct Code {
    #[serde(default)]
    user_code: String,
}

/// A code and what to do with it.
#[derive(Deserialize)]
pub(super) struct Decided {
    user_code: String,
    decision: Decision,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approve,
    Deny,
}

const TITLE: &str = "Let the command line in";

/// `GET /device`
pub(super) async fn ask(
    State(web): State<Web>,
    visitor: Visitor,
    Query(Code { user_code }): Query<Code>,
) -> Response {
    let given = typed(&user_code).map(|code| shown(&code)).unwrap_or_default();
    page(
        TITLE,
        html! {
            p { "Signed in as " strong { (visitor.caller.name()) } ". Type the code that " code { "postern login" } " shows." }
            form method="post" action="/device" {
                (forms::proof(&web, &visitor))
                label { "Code" input type="text" name="user_code" value=(given) autocomplete="off" autocapitalize="characters"
                    spellcheck="false" maxlength="20" required autofocus; }
                button type="submit" { "Go on" }
            }
        },
    )
}

/// `POST /device`: shows what the code would let in.
pub(super) async fn look(
    State(web): State<Web>,
    Extension(Peer(address)): Extension<Peer>,
    Posted { visitor, says: Code { user_code } }: Posted<Code>,
) -> Result<Response, Fault> {
    let waiting = find(&web, address, &visitor, &user_code).await?;
    Ok(page(TITLE, confirmation(&web, &visitor, &waiting)))
}

fn confirmation(web: &Web, visitor: &Visitor, waiting: &DeviceLogin) -> Markup {
    html! {
        p { "A command line wants to act as " strong { (visitor.caller.name()) } "." }
        dl {
            dt { "Code" } dd.code { (shown(&waiting.user_code)) }
            dt { "Asked from" } dd { (waiting.address) }
            dt { "At" } dd { (waiting.created_at.timestamp().strftime("%F %T UTC")) }
        }
        p.warn { "Go on only if you have run " code { "postern login" } " yourself just now and it shows this code. "
            "Whoever sent you a code or a link would get in as you." }
        form method="post" action="/device/answer" {
            (forms::proof(web, visitor))
            input type="hidden" name="user_code" value=(waiting.user_code);
            button type="submit" name="decision" value="approve" { "Let it in" }
            button.second type="submit" name="decision" value="deny" { "Refuse" }
        }
    }
}

/// `POST /device/answer`
pub(super) async fn answer(
    State(web): State<Web>,
    Extension(Peer(address)): Extension<Peer>,
    Posted { visitor, says: Decided { user_code, decision } }: Posted<Decided>,
) -> Result<Response, Fault> {
    let waiting = find(&web, address, &visitor, &user_code).await?;
    let yes = decision == Decision::Approve;
    device::answer(&web.plane, &waiting.user_code, &visitor.login, yes).await?;
    let (title, text) = if yes {
        ("The command line is in", "Go back to it; this page can be closed.")
    } else {
        ("Refused", "The command line was not let in. If you did not start it, somebody else did.")
    };
    Ok(page(title, html! { p { (text) } }))
}

/// The sign-in that waits under this code; who guesses is slowed down.
async fn find(
    web: &Web,
    address: std::net::IpAddr,
    visitor: &Visitor,
    code: &str,
) -> Result<DeviceLogin, Fault> {
    let gate = format!("device {}", visitor.caller.name());
    if let Some(seconds) = web.plane.sign_ins.wait(address, &gate) {
        return Err(Fault::too_often(seconds));
    }
    let found = match typed(code) {
        Some(code) => device::waiting(&web.plane, &code).await?,
        None => None,
    };
    found.ok_or_else(|| {
        web.plane.sign_in_failed(address, &gate);
        let text =
            "No command line waits under this code. Look at it again; after ten minutes a code is void.";
        Fault::new(StatusCode::NOT_FOUND, text)
    })
}
