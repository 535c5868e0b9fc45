//! The one table of the REST surface.

use axum::http::Method;
use postern_protocol::gate;
use serde_json::Value;

use super::{
    apply, audit, bundles, clients, deliveries, events, grants, identities, links, meta, oauth,
    operation::{Operation, operation},
    page::{List, Paging},
    reports, repos, requests, rules, sessions, sidecars, sign_in, slack_links, tokens, views, webhooks, wire,
};
use crate::{
    domain::{Permission, Rule},
    scim,
};

use Permission::{
    AccessManagement, AccessManagementProxyManage, AccessManagementProxyRequest, AccessRequest,
    ModifyIntegrations, ModifyPolicies, ModifySidecarsAndRepositories, ModifyUsers, ViewAuditLogs,
    ViewSidecarsAndRepositories,
};

const REPORT_LIMIT: usize = 16 << 20;

const FILE: &[Permission] = &[AccessRequest, AccessManagementProxyRequest];
const OWN: &[Permission] = &[AccessRequest, AccessManagementProxyRequest, AccessManagement];
const MANAGE: &[Permission] = &[AccessManagement];
const REVIEW: &[Permission] = &[AccessManagement, AccessManagementProxyManage];
const BUNDLES: &[Permission] = &[AccessRequest, AccessManagementProxyRequest, ModifyPolicies];
const PROXY: &[Permission] = &[AccessManagementProxyManage];
const POLICIES: &[Permission] = &[ModifyPolicies];
const SEE_SIDECARS: &[Permission] = &[ViewSidecarsAndRepositories, ModifySidecarsAndRepositories];
const SIDECARS: &[Permission] = &[ModifySidecarsAndRepositories];
const USERS: &[Permission] = &[ModifyUsers];
const ANY: &[Permission] = &Permission::ALL;
const INTEGRATIONS: &[Permission] = &[ModifyIntegrations];
const APPLY: &[Permission] = &[ModifyPolicies, ModifyIntegrations, ModifySidecarsAndRepositories];
const AUDIT: &[Permission] = &[ViewAuditLogs];

/// Every operation.
pub(crate) fn operations() -> Vec<Operation> {
    [
        public(),
        requests_and_grants(),
        bundles_and_favourites(),
        tokens_and_sessions(),
        administration(),
        integrations(),
        sidecars_and_repos(),
        wire(),
        scim::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn public() -> Vec<Operation> {
    let (get, post) = (Method::GET, Method::POST);
    vec![
        operation(
            post.clone(),
            "/v1/users/oidc/token",
            "OAuth 2.0 token endpoint of API clients and of the command line",
            oauth::token,
        )
        .form::<oauth::Form>()
        .gives::<oauth::TokenAnswer>(200)
        .problems(&[408, 413, 429]),
        operation(
            post.clone(),
            "/v1/users/oidc/device_authorization",
            "Begins a sign-in on the command line (RFC 8628)",
            sign_in::device,
        )
        .form::<sign_in::Form>()
        .gives::<sign_in::Answer>(200)
        .problems(&[408, 409, 413, 429]),
        operation(
            post,
            "/v1/users/oidc/revoke",
            "Ends a sign-in of the command line (RFC 7009)",
            sign_in::revoke,
        )
        .form::<sign_in::Revocation>()
        .gives_empty(200)
        .problems(&[408, 413]),
        operation(get.clone(), "/openapi.json", "This document", meta::openapi).gives::<Value>(200),
        operation(get.clone(), "/healthz", "Whether the process runs", meta::healthz)
            .gives_text(200, "text/plain"),
        operation(get, "/readyz", "Whether it can do its work", meta::readyz)
            .gives_text(200, "text/plain")
            .gives_text(503, "text/plain"),
    ]
}

fn requests_and_grants() -> Vec<Operation> {
    let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
    vec![
        operation(post.clone(), "/v1/requests", "Files a request", requests::create)
            .client(FILE)
            .query::<requests::Filing>()
            .body::<requests::NewRequest>()
            .gives::<views::RequestView>(201)
            .gives::<views::ForecastView>(200)
            .problems(&[409]),
        operation(get.clone(), "/v1/requests", "Lists requests, the newest first", requests::list)
            .client(OWN)
            .query::<requests::Which>()
            .gives::<List<views::RequestView>>(200),
        operation(get.clone(), "/v1/requests/{id}", "Shows a request", requests::show)
            .client(OWN)
            .gives::<views::RequestView>(200)
            .problems(&[404]),
        operation(
            patch.clone(),
            "/v1/requests/{id}",
            "Amends a pending request; its reviews begin anew",
            requests::amend,
        )
        .client(OWN)
        .conditional()
        .body::<requests::Amendment>()
        .gives::<views::RequestView>(200)
        .problems(&[404, 409]),
        operation(post.clone(), "/v1/requests/{id}/cancel", "Withdraws a pending request", requests::cancel)
            .client(OWN)
            .gives::<views::RequestView>(200)
            .problems(&[404, 409]),
        operation(
            post.clone(),
            "/v1/requests/{id}/again",
            "Files the same request once more",
            requests::again,
        )
        .client(FILE)
        .gives::<views::RequestView>(201)
        .problems(&[404, 409]),
        operation(
            post.clone(),
            "/v1/requests/{id}/reviews",
            "Approves or denies a request",
            requests::review,
        )
        .client(REVIEW)
        .people()
        .conditional()
        .body::<requests::NewReview>()
        .gives::<views::RequestView>(200)
        .problems(&[404, 409]),
        operation(
            post.clone(),
            "/v1/requests/{id}/links",
            "Makes a link by which one approver decides the request",
            links::make,
        )
        .client(PROXY)
        .secret()
        .body::<links::NewLink>()
        .gives::<links::LinkView>(201)
        .problems(&[404, 409]),
        operation(get.clone(), "/v1/grants", "Lists grants, the newest first", grants::list)
            .client(OWN)
            .query::<grants::Which>()
            .gives::<List<views::GrantView>>(200),
        operation(
            get.clone(),
            "/v1/events",
            "Every change, as server-sent events; goes on behind `Last-Event-ID`",
            events::follow_events,
        )
        .client(MANAGE)
        .query::<events::Which>()
        .takes_header("Last-Event-ID", "The id of the last event that is known; absent: only what comes.")
        .gives_text(200, "text/event-stream")
        .problems(&[410, 422, 429]),
        operation(get, "/v1/grants/{id}", "Shows a grant", grants::show)
            .client(OWN)
            .gives::<views::GrantView>(200)
            .problems(&[404]),
        operation(patch, "/v1/grants/{id}", "Takes resources from a grant", grants::shrink)
            .client(MANAGE)
            .conditional()
            .body::<grants::Shrinking>()
            .gives::<views::GrantView>(200)
            .problems(&[404, 409]),
        operation(post.clone(), "/v1/grants/{id}/revoke", "Ends a grant and its sessions", grants::revoke)
            .client(OWN)
            .body::<grants::Reason>()
            .gives::<grants::Changed>(200)
            .problems(&[404, 409]),
        operation(post, "/v1/grants/{id}/extend", "Asks for more time for a grant", grants::extend)
            .client(OWN)
            .body::<grants::MoreTime>()
            .gives::<views::GrantView>(200)
            .gives::<views::RequestView>(202)
            .problems(&[404, 409]),
    ]
}

fn bundles_and_favourites() -> Vec<Operation> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    vec![
        operation(get.clone(), "/v1/bundles", "Lists bundles of accesses", bundles::list)
            .client(BUNDLES)
            .query::<Paging>()
            .gives::<List<bundles::BundleView>>(200),
        operation(get.clone(), "/v1/bundles/{name}", "Shows a bundle", bundles::show)
            .client(BUNDLES)
            .gives::<bundles::BundleView>(200)
            .problems(&[404]),
        operation(put, "/v1/bundles/{name}", "Makes or replaces a bundle", bundles::put)
            .client(POLICIES)
            .conditional()
            .body::<bundles::NewBundle>()
            .gives::<bundles::BundleView>(200)
            .gives::<bundles::BundleView>(201),
        operation(delete.clone(), "/v1/bundles/{name}", "Deletes a bundle", bundles::delete)
            .client(POLICIES)
            .conditional()
            .gives_nothing()
            .problems(&[404]),
        operation(get, "/v1/favourites", "Lists what the caller keeps to ask for again", bundles::favourites)
            .client(FILE)
            .gives::<List<bundles::FavouriteView>>(200),
        operation(post, "/v1/favourites", "Keeps something to ask for again", bundles::keep)
            .client(FILE)
            .body::<bundles::NewFavourite>()
            .gives::<bundles::FavouriteView>(201)
            .problems(&[409]),
        operation(delete, "/v1/favourites/{id}", "Forgets a favourite", bundles::forget)
            .client(FILE)
            .gives_nothing()
            .problems(&[404]),
    ]
}

fn tokens_and_sessions() -> Vec<Operation> {
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    vec![
        operation(post.clone(), "/v1/access-tokens", "Issues an access token for databases", tokens::issue)
            .client(FILE)
            .secret()
            .body::<tokens::NewToken>()
            .gives::<tokens::TokenView>(201),
        operation(
            get.clone(),
            "/v1/access-tokens",
            "Lists access tokens that have not expired",
            tokens::list,
        )
        .client(OWN)
        .query::<tokens::Which>()
        .gives::<List<tokens::TokenView>>(200),
        operation(delete, "/v1/access-tokens/{id}", "Makes an access token void", tokens::revoke)
            .client(OWN)
            .gives_nothing()
            .problems(&[404]),
        operation(get, "/v1/sessions", "Lists live sessions", sessions::list)
            .client(MANAGE)
            .people()
            .query::<sessions::Which>()
            .gives::<List<views::SessionView>>(200),
        operation(post, "/v1/sessions/{id}/kill", "Ends a session; its grant stays", sessions::kill)
            .client(MANAGE)
            .people()
            .body::<grants::Reason>()
            .gives::<sessions::Killed>(200)
            .problems(&[404]),
    ]
}

fn administration() -> Vec<Operation> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    vec![
        operation(get.clone(), "/v1/rules", "Lists rules", rules::list)
            .client(POLICIES)
            .people()
            .query::<Paging>()
            .gives::<List<rules::RuleView>>(200),
        operation(post.clone(), "/v1/rules", "Makes a rule", rules::create)
            .client(POLICIES)
            .body::<Rule>()
            .gives::<rules::RuleView>(201)
            .problems(&[409]),
        operation(get.clone(), "/v1/rules/{name}", "Shows a rule", rules::show)
            .client(POLICIES)
            .people()
            .gives::<rules::RuleView>(200)
            .problems(&[404]),
        operation(put.clone(), "/v1/rules/{name}", "Makes or replaces a rule", rules::put)
            .client(POLICIES)
            .conditional()
            .body::<Rule>()
            .gives::<rules::RuleView>(200)
            .gives::<rules::RuleView>(201)
            .problems(&[409]),
        operation(delete.clone(), "/v1/rules/{name}", "Deletes a rule", rules::delete)
            .client(POLICIES)
            .conditional()
            .gives_nothing()
            .problems(&[404, 409]),
        operation(get.clone(), "/v1/users/me", "Who calls, and what they may do", identities::me)
            .client(ANY)
            .people()
            .gives::<identities::Me>(200),
        operation(
            post.clone(),
            "/v1/apply",
            "Makes rules, bundles, webhooks and repos what a file says; each kind takes its own permission",
            apply::apply,
        )
        .client(APPLY)
        .query::<apply::Query>()
        .body::<apply::Declared>()
        .gives::<apply::Applied>(200)
        .problems(&[409]),
        operation(get.clone(), "/v1/identities", "Lists identities", identities::list)
            .client(USERS)
            .query::<Paging>()
            .gives::<List<identities::IdentityView>>(200),
        operation(get.clone(), "/v1/identities/{name}", "Shows an identity", identities::show)
            .client(USERS)
            .gives::<identities::IdentityView>(200)
            .problems(&[404]),
        operation(put, "/v1/identities/{name}", "Makes, changes, deactivates an identity", identities::put)
            .client(USERS)
            .body::<identities::IdentityInput>()
            .gives::<identities::IdentityView>(200),
        operation(
            get.clone(),
            "/v1/slack-links",
            "Lists the Slack users who act as identities",
            slack_links::list,
        )
        .client(USERS)
        .query::<slack_links::Which>()
        .gives::<List<slack_links::SlackLinkView>>(200),
        operation(
            delete.clone(),
            "/v1/slack-links/{identity}",
            "Disconnects the Slack users who act as an identity",
            slack_links::delete,
        )
        .client(USERS)
        .gives_nothing()
        .problems(&[404]),
        operation(get.clone(), "/v1/api-clients", "Lists API clients", clients::list)
            .client(USERS)
            .query::<Paging>()
            .gives::<List<clients::ClientView>>(200),
        operation(post.clone(), "/v1/api-clients", "Makes an API client", clients::create)
            .client(USERS)
            .secret()
            .body::<clients::NewClient>()
            .gives::<clients::ClientView>(201)
            .problems(&[409]),
        operation(post, "/v1/api-clients/{id}/rotate", "Gives an API client a new secret", clients::rotate)
            .client(USERS)
            .secret()
            .body::<clients::Rotation>()
            .gives::<clients::ClientView>(200)
            .problems(&[404]),
        operation(delete, "/v1/api-clients/{id}", "Deletes an API client", clients::delete)
            .client(USERS)
            .gives_nothing()
            .problems(&[404]),
        operation(get.clone(), "/v1/audit", "Reads the audit trail, the oldest first", audit::list)
            .client(AUDIT)
            .query::<audit::Which>()
            .gives::<List<audit::RecordView>>(200)
            .gives_text(200, "application/x-ndjson"),
        operation(
            get.clone(),
            "/v1/reports/access",
            "Who had what, when, by whose approval, and whether it was used; the newest first",
            reports::access,
        )
        .client(AUDIT)
        .query::<reports::Which>()
        .gives::<List<reports::AccessView>>(200),
        operation(get.clone(), "/v1/reports/rules", "What the grants of each rule came to", reports::rules)
            .client(AUDIT)
            .query::<reports::WhichPeriod>()
            .gives::<List<reports::RuleUsage>>(200),
        operation(get, "/v1/audit/heads", "How long every audit chain is", audit::heads)
            .client(AUDIT)
            .gives::<List<audit::HeadView>>(200),
    ]
}

fn integrations() -> Vec<Operation> {
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    vec![
        operation(get.clone(), "/v1/webhooks", "Lists webhooks", webhooks::list)
            .client(INTEGRATIONS)
            .query::<Paging>()
            .gives::<List<webhooks::WebhookView>>(200),
        operation(post.clone(), "/v1/webhooks", "Makes a webhook", webhooks::create)
            .client(INTEGRATIONS)
            .secret()
            .body::<webhooks::NewWebhook>()
            .gives::<webhooks::WebhookView>(201)
            .problems(&[409]),
        operation(get.clone(), "/v1/webhooks/{id}", "Shows a webhook", webhooks::show)
            .client(INTEGRATIONS)
            .gives::<webhooks::WebhookView>(200)
            .problems(&[404]),
        operation(patch, "/v1/webhooks/{id}", "Changes a webhook, switches it on or off", webhooks::change)
            .client(INTEGRATIONS)
            .conditional()
            .body::<webhooks::WebhookPatch>()
            .gives::<webhooks::WebhookView>(200)
            .problems(&[404]),
        operation(
            post.clone(),
            "/v1/webhooks/{id}/rotate",
            "Gives a webhook a new key; with the old one it is signed for a day more",
            webhooks::rotate,
        )
        .client(INTEGRATIONS)
        .secret()
        .body::<webhooks::Rotation>()
        .gives::<webhooks::WebhookView>(200)
        .problems(&[404]),
        operation(post.clone(), "/v1/webhooks/{id}/ping", "Tries a webhook out", deliveries::ping)
            .client(INTEGRATIONS)
            .gives::<deliveries::DeliveryView>(201)
            .problems(&[404]),
        operation(delete, "/v1/webhooks/{id}", "Deletes a webhook", webhooks::delete)
            .client(INTEGRATIONS)
            .gives_nothing()
            .problems(&[404]),
        operation(
            get.clone(),
            "/v1/webhook-deliveries",
            "Lists what was told to webhooks in the last week, the newest first",
            deliveries::list,
        )
        .client(INTEGRATIONS)
        .query::<deliveries::Which>()
        .gives::<List<deliveries::DeliveryView>>(200),
        operation(get, "/v1/webhook-deliveries/{id}", "Shows a delivery", deliveries::show)
            .client(INTEGRATIONS)
            .gives::<deliveries::DeliveryView>(200)
            .problems(&[404]),
        operation(
            post,
            "/v1/webhook-deliveries/{id}/again",
            "Tries a delivery that is over once more",
            deliveries::again,
        )
        .client(INTEGRATIONS)
        .gives::<deliveries::DeliveryView>(200)
        .problems(&[404]),
    ]
}

fn sidecars_and_repos() -> Vec<Operation> {
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    vec![
        operation(get.clone(), "/v1/sidecars", "Lists sidecars", sidecars::list)
            .client(SEE_SIDECARS)
            .query::<Paging>()
            .gives::<List<sidecars::SidecarView>>(200),
        operation(post.clone(), "/v1/sidecars", "Enrols a sidecar", sidecars::enrol)
            .client(SIDECARS)
            .secret()
            .body::<sidecars::NewSidecar>()
            .gives::<sidecars::SidecarView>(201)
            .problems(&[409]),
        operation(get.clone(), "/v1/sidecars/{name}", "Shows a sidecar", sidecars::show)
            .client(SEE_SIDECARS)
            .gives::<sidecars::SidecarView>(200)
            .problems(&[404]),
        operation(
            delete,
            "/v1/sidecars/{name}",
            "Revokes a sidecar's token and ends its feed",
            sidecars::revoke,
        )
        .client(SIDECARS)
        .query::<sidecars::Why>()
        .gives_nothing()
        .problems(&[404]),
        operation(
            post,
            "/v1/sidecars/{name}/drain",
            "Lets a sidecar take no new sessions, or take them again",
            sidecars::drain,
        )
        .client(SIDECARS)
        .body::<sidecars::DrainOrder>()
        .gives::<sidecars::SidecarView>(200)
        .problems(&[404]),
        operation(get.clone(), "/v1/repos", "Lists repos", repos::list)
            .client(SEE_SIDECARS)
            .people()
            .query::<Paging>()
            .gives::<List<repos::RepoView>>(200),
        operation(get.clone(), "/v1/repos/{name}", "Shows a repo and what is in it", repos::show)
            .client(SEE_SIDECARS)
            .people()
            .gives::<repos::RepoDetail>(200)
            .problems(&[404]),
        operation(
            get,
            "/v1/repos/{name}/resources",
            "Lists the tables that were found in a repo, by name",
            repos::resources,
        )
        .client(SEE_SIDECARS)
        .people()
        .query::<repos::Which>()
        .gives::<List<repos::ResourceView>>(200)
        .problems(&[404]),
        operation(patch, "/v1/repos/{name}", "Switches ephemeral access to a repo", repos::patch)
            .client(SIDECARS)
            .conditional()
            .body::<repos::RepoPatch>()
            .gives::<repos::Switched>(200)
            .problems(&[404]),
    ]
}

/// What sidecars call.
fn wire() -> Vec<Operation> {
    let post = || Method::POST;
    vec![
        operation(post(), "/v1/sidecar/hello", "A sidecar says what it serves", wire::hello)
            .sidecar()
            .body::<gate::Hello>()
            .gives::<gate::Welcome>(200)
            .problems(&[403]),
        operation(
            Method::GET,
            "/v1/sidecar/feed",
            "Signed grants and changes, as server-sent events",
            wire::feed,
        )
        .sidecar()
        .query::<wire::Which>()
        .gives_text(200, "text/event-stream")
        .problems(&[409]),
        operation(post(), "/v1/sidecar/acks", "A sidecar has applied something", wire::ack)
            .sidecar()
            .body::<gate::Ack>()
            .gives_nothing(),
        operation(post(), "/v1/sidecar/sessions", "Sessions began and ended", wire::sessions)
            .sidecar()
            .body_limit(REPORT_LIMIT)
            .body::<gate::SessionReport>()
            .gives_nothing(),
        operation(post(), "/v1/sidecar/pulse", "Where a sidecar stands", wire::pulse)
            .sidecar()
            .body::<gate::Pulse>()
            .gives_nothing(),
        operation(
            post(),
            "/v1/sidecar/resources",
            "What there is in a stretch of a repo's tables",
            wire::resources,
        )
        .sidecar()
        .body_limit(REPORT_LIMIT)
        .body::<gate::ResourceReport>()
        .gives_nothing()
        .problems(&[403]),
        operation(post(), "/v1/sidecar/knocks", "Files a request of a client that waits", wire::knock)
            .sidecar()
            .body::<gate::Knock>()
            .gives::<gate::Knocked>(200)
            .problems(&[403, 404, 409]),
        operation(
            Method::GET,
            "/v1/sidecar/knocks/{id}",
            "Where the request of a client that waits stands",
            wire::knocked,
        )
        .sidecar()
        .gives::<gate::Knocked>(200)
        .problems(&[403, 404]),
        operation(post(), "/v1/sidecar/audit", "The next records of a sidecar's audit chain", wire::audit)
            .sidecar()
            .body::<gate::AuditBatch<audit::RecordView>>()
            .gives_nothing()
            .problems(&[403, 409]),
    ]
}
