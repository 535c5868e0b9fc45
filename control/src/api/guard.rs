//! What stands in front of every handler: who calls, may they, has this call been made before; and it is counted.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, BodyDataStream},
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::{
    App,
    extract::bearer,
    idempotency,
    operation::{Access, Dialect, Rule},
    problem::Problem,
};
use crate::{
    actions::{Caller, Failure, clients, logins, oauth, sidecars},
    measures, scim,
};

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// How much of a body that is too large is still read, in bytes.
const MOST_DISCARDED: usize = 32 << 20;

/// Lets a call through to its handler, or answers it.
pub(super) async fn guard(
    State((app, rule)): State<(App, Arc<Rule>)>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let (path, method, dialect) = (rule.path, request.method().clone(), rule.dialect);
    let response = match admit(app, rule, request, next).await {
        Ok(response) => response,
        Err(problem) if dialect == Dialect::Scim => scim::ScimError::from(problem).into_response(),
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
            let known = sidecars::by_token(&app.plane, &token).await?.ok_or_else(Problem::unauthenticated)?;
            request.extensions_mut().insert(known.name.clone());
            request.extensions_mut().insert(known);
        }
        Access::Client(any) => {
            let token = bearer(request.headers()).ok_or_else(Problem::unauthenticated)?.to_owned();
            let found = caller_of(&app, &rule, &token).await?.ok_or_else(Problem::unauthenticated)?;
            let pace = app.pace.take(found.name(), std::time::Instant::now());
            pace.map_err(|seconds| Problem::busy("too many calls at once", seconds))?;
            if !(rule.people && found.is_person()) {
                found.must(any)?;
            }
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
            Some(caller) if rule.dialect == Dialect::Rest => {
                idempotency::run(&app, &rule, &caller, request, next).await
            }
            Some(_) | None => Ok(next.run(request).await),
        }
    });
    task.await.map_err(|error| Problem::internal(&error))?
}

/// Who a bearer token belongs to: one of our own tokens, or a JWT of an SSO provider that is trusted. A directory's own
/// token is good for SCIM and for nothing else.
async fn caller_of(app: &App, rule: &Rule, token: &str) -> Result<Option<Caller>, Failure> {
    // Ours have no dots in them.
    if token.contains('.') {
        return logins::by_jwt(&app.plane, token).await;
    }
    match (oauth::caller(&app.plane, token).await?, rule.dialect) {
        (None, Dialect::Scim) => clients::directory(&app.plane, token).await,
        (found, Dialect::Rest | Dialect::Scim) => Ok(found),
    }
}

/// Takes the body in. A caller that is slow with it gives its place to others.
async fn buffered(request: Request, limit: usize) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let deadline = Instant::now() + BODY_TIME;
    let bytes = timeout_at(deadline, collect(&mut body, limit))
        .await
        .map_err(|_| Problem::too_slow(BODY_TIME.as_secs()))?;
    match bytes {
        Ok(bytes) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Err(Unfit::Broken) => Err(Problem::malformed("the body could not be read")),
        Err(Unfit::TooLarge) => {
            // Whoever is still sending would find the connection reset and never read the answer.
            let _ = timeout_at(deadline, discard(&mut body)).await;
            Err(Problem::too_large(limit))
        }
    }
}

/// Why a body is not taken.
enum Unfit {
    TooLarge,
    Broken,
}

async fn collect(body: &mut BodyDataStream, limit: usize) -> Result<Vec<u8>, Unfit> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Unfit::Broken)?;
        if chunk.len() > limit.saturating_sub(bytes.len()) {
            return Err(Unfit::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn discard(body: &mut BodyDataStream) {
    let mut left = MOST_DISCARDED;
    while let Some(Ok(chunk)) = body.next().await {
        if chunk.len() > left {
            return;
        }
        left -= chunk.len();
    }
}
