//! The Slack app: people ask, approve and revoke where they talk.
//!
//! In: Slack's calls, over HTTP (`routes`) or Socket Mode (`socket`), both to one desk (`desk`). Out: messages,
//! dialogs and home tabs through the Web API (`web_api`). What is asked for is done by [`crate::actions`] as the
//! identity that the Slack user is linked to; nothing is decided here.

mod acting;
mod buttons;
mod callback;
mod case;
mod commands;
mod config;
pub(crate) mod connect;
mod courier;
mod desk;
mod dialog;
mod home;
mod identify;
mod kit;
mod links;
mod message;
mod orders;
mod pace;
mod posting;
mod records;
mod routes;
mod signature;
mod socket;
mod text;
mod tls;
mod web_api;

use std::sync::Arc;

use axum::Router;
use tokio::task::JoinSet;

pub(crate) use config::SlackConfig;
pub(crate) use courier::SlackCourier;
pub(crate) use desk::Slack;
pub(crate) use links::{unlink, untie_all};
pub(crate) use records::{Invitation, Link};

/// The addresses that Slack calls over HTTP.
pub(crate) fn router(slack: Arc<Slack>) -> Router {
    routes::router(slack)
}

/// Begins to work. It ends when the set is dropped.
pub(crate) fn start(slack: &Arc<Slack>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(identify::run(Arc::clone(slack)));
    if slack.config.app_token.is_some() {
        tasks.spawn(socket::run(Arc::clone(slack)));
    }
    tasks
}
