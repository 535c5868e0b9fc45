//! The way to connect in the browser, for whoever comes by a button.

use std::sync::Arc;

use super::{
    super::{
        commands::{unlinked_text, way_in},
        config::LinkBy,
        desk::Slack,
        kit::{note, section},
        links::Unlinked,
    },
    callback_id, show,
};

/// Shows the address to the one who pressed, and to nobody else.
pub(in super::super) async fn open(slack: &Arc<Slack>, user: &str, trigger: &str) {
    let text = match text(slack, user).await {
        Ok(text) => text,
        Err(unlinked) => unlinked_text(&unlinked, "/postern"),
    };
    let view = note(callback_id::CONNECT, "Connect", vec![section(&text)]);
    if let Err(error) = show(slack, trigger, &view).await {
        tracing::warn!(%error, "a dialog could not be opened");
    }
}

async fn text(slack: &Slack, user: &str) -> Result<String, Unlinked> {
    match slack.config.link {
        LinkBy::Email => slack.linked(user).await.map(|_| "You are connected.".to_owned()),
        LinkBy::Browser => Ok(way_in(&slack.invite(user).await?, slack.link_of(user).await?.as_ref())),
    }
}
