//! REST: the surface that programs use, and the one that sidecars use.
//!
//! [`operations()`] is the one table of it: method, path, who may call, what goes in and out, which function does it.
//! The router, the permission checks, the metrics and the OpenAPI document are all made from that table.

mod apply;
mod audit;
mod bundles;
mod clients;
mod deliveries;
mod etag;
mod events;
mod extract;
mod grants;
mod guard;
mod idempotency;
mod identities;
mod links;
mod meta;
mod oauth;
mod openapi;
mod operation;
mod pace;
mod page;
mod problem;
mod reports;
mod repos;
mod requests;
mod rules;
mod sessions;
mod sidecars;
mod sign_in;
mod slack_links;
mod surface;
mod tokens;
mod views;
mod webhooks;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    http::Uri,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

pub(crate) use extract::{Peer, Text};
#[cfg(test)]
pub(crate) use operation::Access;
pub(crate) use operation::{Operation, operation};
pub(crate) use pace::Pace;
pub(crate) use problem::Problem;
pub(crate) use surface::operations;

use crate::{measures, plane::ControlPlane, scim, web};

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct App {
    /// Store, clock, feed.
    pub(crate) plane: Arc<ControlPlane>,
    readers: Arc<Semaphore>,
    pace: Arc<Pace>,
    openapi: Arc<str>,
}

/// The whole surface, and the pages for people beside it. Each caller goes at this pace.
pub(crate) fn router(plane: Arc<ControlPlane>, pace: Arc<Pace>) -> Router {
    let table = operations();
    let openapi = openapi::document(&table).to_string().into();
    let pages = web::router(Arc::clone(&plane));
    let app = App { plane, readers: events::places(), pace, openapi };
    let mut router = Router::new();
    for operation in table {
        let Operation { path, .. } = operation;
        router = router.route(path, operation.guarded(&app));
    }
    router
        .fallback(|uri: Uri| astray(&uri, Problem::unknown_route()))
        .method_not_allowed_fallback(|uri: Uri| astray(&uri, Problem::method_not_allowed()))
        .with_state(app)
        .merge(pages)
}

/// Answers a call that has no operation. Its path and method are the caller's invention and no labels.
fn astray(uri: &Uri, problem: Problem) -> std::future::Ready<Response> {
    let response = if uri.path().starts_with(scim::ROOT) {
        scim::ScimError::from(problem).into_response()
    } else {
        problem.into_response()
    };
    measures::http("other", "none", response.status().as_u16(), 0.0);
    std::future::ready(response)
}
