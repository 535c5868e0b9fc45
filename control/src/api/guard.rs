//! What stands in front of every handler: who calls, may they, has this call been made before; and it is counted.

use std::{sync::Arc, time::Instant};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    App,
    extract::bearer,
    idempotency,
    operation::{Access, Rule},
    problem::Problem,
};
use crate::{
    actions::{oauth, sidecars},
    measures,
};

/// Lets a call through to its handler, or answers it.
pub(super) async fn guard(
    State((app, rule)): State<(App, Arc<Rule>)>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let (path, method) = (rule.path, request.method().clone());
    let response = match admit(app, rule, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    measures::http(method.as_str(), path, response.status().as_u16(), started.elapsed().as_secs_f64());
    response
}

async fn admit(app: App, rule: Arc<Rule>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let mut caller = None;
    match rule.access {
        Access::Public => {}
        Access::Sidecar => {
            let token = bearer(request.headers()).ok_or_else(Problem::unauthenticated)?.to_owned();
            let name = sidecars::by_token(&app.plane, &token).await?.ok_or_else(Problem::unauthenticated)?;
            request.extensions_mut().insert(name);
        }
        Access::Client(any) => {
            let token = bearer(request.headers()).ok_or_else(Problem::unauthenticated)?.to_owned();
            let found = oauth::caller(&app.plane, &token).await?.ok_or_else(Problem::unauthenticated)?;
            found.must(any)?;
            request.extensions_mut().insert(found.clone());
            caller = Some(found);
        }
    }
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return Ok(next.run(request).await);
    }
    let request = buffered(request, rule.body_limit).await?;
    // What was begun is finished, whether or not the caller stays to hear of it.
    let task = tokio::spawn(async move {
        match caller {
            Some(caller) => idempotency::run(&app, &rule, &caller, request, next).await,
            None => Ok(next.run(request).await),
        }
    });
    task.await.map_err(|error| Problem::internal(&error))?
}

async fn buffered(request: Request, limit: usize) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, limit).await.map_err(|error| {
        let too_large =
            std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("limit"));
        if too_large { Problem::too_large(limit) } else { Problem::malformed("the body could not be read") }
    })?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}
