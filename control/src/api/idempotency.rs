//! `Idempotency-Key`: a write that is sent twice is done once.
//!
//! The key is reserved before the work begins and gets its answer afterwards. A repetition gets that answer. One that
//! comes while there is none (the first is under way, or the program ended in the middle) is told so and not done:
//! doing it could be doing it twice. Answers that show a secret are never kept.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use postern_protocol::duration::Span;
use postern_service::random::sha256_hex;

use super::{
    App,
    operation::Rule,
    problem::{InDoubt, Problem},
};
use crate::{
    actions::{Caller, Failure},
    domain::Replay,
    work::Work,
};

const HEADER: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;
const KEPT: Span = Span::from_secs(86_400);
const LARGEST_KEPT: usize = 1 << 20;

/// Does a write, unless its key says that it was done.
pub(super) async fn run(
    app: &App,
    rule: &Arc<Rule>,
    caller: &Caller,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(key) = request.headers().get(HEADER) else { return Ok(next.run(request).await) };
    let key =
        key.to_str().map_err(|_| Problem::malformed("Idempotency-Key: letters, digits and punctuation"))?;
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(Problem::malformed(format!("Idempotency-Key: 1 to {LONGEST_KEY} bytes")));
    }
    let key = sha256_hex(format!("{}\n{key}", caller.id()).as_bytes());
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, rule.body_limit).await.map_err(|_| Problem::too_large(rule.body_limit))?;
    let mut print = format!("{} {}\n", parts.method, parts.uri).into_bytes();
    print.extend_from_slice(&bytes);
    let fingerprint = sha256_hex(&print);
    if let Some(known) = reserve(app, &key, &fingerprint).await? {
        return replay(known, &fingerprint, rule);
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    keep(app, rule, key, response).await
}

/// Reserves the key, or gives what it is reserved for.
async fn reserve(app: &App, key: &str, fingerprint: &str) -> Result<Option<Replay>, Failure> {
    let mut work = Work::begin(&app.plane).await?;
    let now = work.now();
    let known: Option<Replay> = work.load(key).await?;
    if let Some(known) = known.filter(|known| known.expires_at > now) {
        return Ok(Some(known));
    }
    let reserved = Replay {
        key: key.to_owned(),
        fingerprint: fingerprint.to_owned(),
        answer: None,
        expires_at: now.plus(KEPT),
    };
    work.save(&reserved).await?;
    work.commit().await?;
    Ok(None)
}

fn replay(known: Replay, fingerprint: &str, rule: &Rule) -> Result<Response, Problem> {
    if known.fingerprint != fingerprint {
        return Err(Problem::key_reused());
    }
    let Some((status, body)) = known.answer else {
        return Err(Problem::key_in_doubt(if rule.shows_secret {
            "this was done, or begun, before; its secret is shown once"
        } else {
            "this is under way, or its outcome is unknown: look before you send it with another key"
        }));
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media = if status.is_success() { "application/json" } else { "application/problem+json" };
    Ok((
        status,
        [(header::CONTENT_TYPE, media), (header::HeaderName::from_static("idempotent-replayed"), "true")],
        body,
    )
        .into_response())
}

/// Keeps an answer for the next time. What was done is done, whether or not its answer can be kept.
async fn keep(app: &App, rule: &Rule, key: String, response: Response) -> Result<Response, Problem> {
    let secret = rule.shows_secret && response.status().is_success();
    if secret || response.extensions().get::<InDoubt>().is_some() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, LARGEST_KEPT).await.map_err(|error| Problem::internal(&error))?;
    if let Err(failure) = write_down(app, &key, parts.status, &bytes).await {
        tracing::warn!(%failure, "the answer to a call could not be kept for its Idempotency-Key");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// What failed inside may be tried again, so its key is given back.
async fn write_down(app: &App, key: &str, status: StatusCode, bytes: &[u8]) -> Result<(), Failure> {
    let mut work = Work::begin(&app.plane).await?;
    let reserved: Option<Replay> = work.load(key).await?;
    if status.is_server_error() {
        work.remove::<Replay>(key).await?;
    } else if let Some(mut reserved) = reserved {
        reserved.answer = Some((status.as_u16(), String::from_utf8_lossy(bytes).into_owned()));
        work.save(&reserved).await?;
    }
    work.commit().await?;
    Ok(())
}
