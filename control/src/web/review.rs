//! The page behind a review link. Looking at it changes nothing; its buttons decide.
//!
//! Nobody has to sign in: whoever has the link is taken for the approver that it was made for.

use axum::{
    extract::{Path, State, rejection::FormRejection},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    Web, forms,
    page::{Fault, page},
};
use crate::{
    actions::{
        Failure,
        links::{self, Opened},
    },
    api::{Problem, Text},
    domain::{Decision, Moment, Refusal, Request, RequestStatus},
};

/// Where review links lead.
pub(super) const PATH: &str = "/review/{token}";

/// What the form says.
#[derive(Deserialize)]
pub(super) struct Decided {
    decision: Decision,
    #[serde(default)]
    reason: Text,
}

/// `GET /review/{token}`
pub(super) async fn look(State(web): State<Web>, Path(token): Path<String>) -> Result<Response, Fault> {
    let (opened, now) = links::open(&web.plane, &token).await.map_err(refused)?;
    Ok(page("A request for access", question(&opened, now)))
}

/// `POST /review/{token}`
pub(super) async fn decide(
    State(web): State<Web>,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: Result<axum::Form<Decided>, FormRejection>,
) -> Result<Response, Fault> {
    forms::check_origin(&web, &headers)?;
    let axum::Form(Decided { decision, reason }) = form.map_err(|_| Fault::unreadable())?;
    let filed = links::decide(&web.plane, &token, decision, reason.as_str()).await.map_err(refused)?;
    let status = filed.request.status.as_str();
    Ok(page("Thank you", html! { p { "Your review is in. The request is " (status) "." } }))
}

/// What is said against it has the status that REST would give it.
fn refused(failure: Failure) -> Fault {
    match failure {
        Failure::Refused(Refusal::NotFound { .. }) => {
            let text = "This link is wrong, or what is asked for was changed since it was made.";
            Fault::new(axum::http::StatusCode::NOT_FOUND, text)
        }
        Failure::Refused(refusal) => {
            let text = refusal.to_string();
            Fault::new(Problem::from(refusal).status(), text)
        }
        other @ (Failure::Store(_) | Failure::Random(_)) => other.into(),
    }
}

fn question(Opened { request, together, approver }: &Opened, now: Moment) -> Markup {
    let status = request.status_at(now);
    let mut reviews = together.iter().flat_map(|part| &part.reviews);
    let reviewed = reviews.any(|review| review.by == approver.name);
    html! {
        dl {
            dt { "Who" } dd { (request.identity) }
            @if let Some(bundled) = &request.bundle { dt { "Bundle" } dd { (bundled.name) } }
            @if let Some(grant) = &request.extends { dt { "More time for" } dd { (grant) } }
            dt { "For how long" } dd { (request.duration) }
            @if let Some(from) = request.not_before { dt { "From" } dd { (time(from)) } }
            dt { "Reason" } dd { (request.reason) }
            dt { "Waits until" } dd { (time(request.waits_until)) }
        }
        @for part in together { (wanted(part)) }
        @if status != RequestStatus::Pending {
            p { "The request is " (status.as_str()) " already." }
        } @else if reviewed {
            p { "You have reviewed this request already." }
        } @else {
            form method="post" {
                label { "Why" input type="text" name="reason" maxlength="1000" autocomplete="off"; }
                p { "You decide as " strong { (approver.name) } "." }
                button type="submit" name="decision" value="approve" { "Approve" }
                button.second type="submit" name="decision" value="deny" { "Deny" }
            }
        }
    }
}

fn wanted(request: &Request) -> Markup {
    html! {
        dl {
            dt { "Repo" } dd { (request.repo) }
            dt { "Account" } dd { (request.account) }
            dt { "What" }
            @if request.resources.is_empty() { dd { "everything that the account may do" } }
            @else {
                dd {
                    @for entry in &request.resources {
                        (entry.resource)
                        @for privilege in &entry.privileges { " " (privilege.as_str()) }
                        br;
                    }
                }
            }
        }
    }
}

fn time(at: Moment) -> String {
    at.timestamp().strftime("%F %T UTC").to_string()
}
