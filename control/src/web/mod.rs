//! Pages for people: signing in and out, letting the command line in, connecting a Slack user, deciding by a link.
//!
//! In: a browser. Out: plain HTML that works without scripts. `session` says who is there, `forms` that a form is one of
//! ours, `page` what every page looks like and which headers it carries; each other file is one room of pages.

mod cookies;
mod device;
mod forms;
mod home;
mod login;
mod page;
mod review;
mod session;
mod slack;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::time::{Instant, timeout};

use crate::{measures, plane::ControlPlane, slack::connect::PAGE};

/// The largest form, in bytes: a logout token fits.
const LARGEST_FORM: usize = 32 << 10;
/// How long a page may take, the provider's answer included.
const PATIENCE: Duration = Duration::from_secs(40);

/// What every page gets.
#[derive(Clone)]
pub(crate) struct Web {
    plane: Arc<ControlPlane>,
}

impl Web {
    /// A path of our own, for whatever somebody wants to be sent to.
    fn own_path(&self, wanted: &str) -> String {
        let base = reqwest::Url::parse(&self.plane.public_url);
        base.map_or_else(|_| "/".to_owned(), |base| session::own_path(&base, wanted))
    }
}

/// All pages.
pub(crate) fn router(plane: Arc<ControlPlane>) -> Router {
    let web = Web { plane };
    Router::new()
        .route("/", get(home::home))
        .route("/style.css", get(page::style))
        .route("/login", get(login::begin))
        .route(login::CALLBACK, get(login::callback))
        .route("/login/backchannel-logout", post(login::told_to_end))
        .route("/logout", post(login::end))
        .route("/device", get(device::ask).post(device::look))
        .route("/device/answer", post(device::answer))
        .route(PAGE, get(slack::ask).post(slack::answer))
        .route(review::PATH, get(review::look).post(review::decide))
        .route(slack::DISCONNECT, post(slack::end))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .route_layer(from_fn_with_state(web.clone(), dress))
        .with_state(web)
}

/// Counts a page, bounds its time, and gives it the headers that keep others' scripts, frames and caches away.
async fn dress(State(web): State<Web>, path: MatchedPath, request: Request, next: Next) -> Response {
    let (started, method) = (Instant::now(), request.method().clone());
    let answered = timeout(PATIENCE, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| StatusCode::GATEWAY_TIMEOUT.into_response());
    page::seal(&mut response, cookies::is_secure(&web.plane));
    let route = route(path.as_str());
    measures::http(method.as_str(), route, response.status().as_u16(), started.elapsed().as_secs_f64());
    response
}

/// The pattern as a label that lives as long as the program.
fn route(path: &str) -> &'static str {
    const ALL: [&str; 11] = [
        "/",
        "/style.css",
        "/login",
        login::CALLBACK,
        "/login/backchannel-logout",
        "/logout",
        "/device",
        "/device/answer",
        PAGE,
        review::PATH,
        slack::DISCONNECT,
    ];
    ALL.into_iter().find(|known| *known == path).unwrap_or("other")
}

/// A text as a header; what cannot be one is left out.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// Sends the browser somewhere else, by GET.
fn go(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, header_value(to))]).into_response()
}
