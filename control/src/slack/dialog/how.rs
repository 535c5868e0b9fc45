//! How to connect with access that somebody has.

use super::{
    super::{
        desk::Slack,
        kit::{note, section},
        message::{how, place},
    },
    callback_id, show,
};
use crate::domain::Request;

/// Shows it to the one who pressed.
pub(in super::super) async fn open(slack: &Slack, trigger: &str, request: &Request) {
    let title = section(&format!("*{}*", place(request)));
    let view = note(callback_id::HOW, "How to connect", vec![title, how(request)]);
    if let Err(error) = show(slack, trigger, &view).await {
        tracing::warn!(%error, "a dialog could not be opened");
    }
}
