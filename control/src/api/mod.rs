//! REST: the surface that programs use, and the one that sidecars use.
//!
//! [`operations()`] is the one table of it: method, path, who may call, what goes in and out, which function does it.
//! The router, the permission checks, the metrics and the OpenAPI document are all made from that table.

mod audit;
mod clients;
mod extract;
mod grants;
mod guard;
mod idempotency;
mod identities;
mod limiter;
mod meta;
mod oauth;
mod openapi;
mod operation;
mod page;
mod problem;
mod repos;
mod requests;
mod rules;
mod sessions;
mod sidecars;
mod surface;
mod tokens;
mod views;
mod wire;

use std::sync::Arc;

use axum::{Router, response::IntoResponse};

pub(crate) use extract::Peer;
use limiter::Limiter;
#[cfg(test)]
pub(crate) use operation::Access;
use operation::Operation;
use problem::Problem;
pub(crate) use surface::operations;

use crate::plane::ControlPlane;

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct App {
    plane: Arc<ControlPlane>,
    sign_ins: Arc<Limiter>,
    openapi: Arc<str>,
}

/// The whole surface.
pub(crate) fn router(plane: Arc<ControlPlane>) -> Router {
    let table = operations();
    let openapi = openapi::document(&table).to_string().into();
    let app = App { plane, sign_ins: Arc::default(), openapi };
    let mut router = Router::new();
    for operation in table {
        let Operation { path, .. } = operation;
        router = router.route(path, operation.guarded(&app));
    }
    router
        .fallback(|| async { Problem::unknown_route().into_response() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed().into_response() })
        .with_state(app)
}
