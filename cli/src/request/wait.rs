//! Waiting for a decision: progress on stderr, the outcome on stdout and in the exit status.

use std::time::Duration;

use serde_json::Value;

use super::columns;
use crate::{
    error::Error,
    print::{self, Output, text},
    rest::Client,
};

/// How many answers in a row may fail to come.
const PATIENCE: u32 = 20;
/// How often the control plane is asked, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Tells what became of a request, once it is decided; or at once when nobody wants to wait.
pub(super) async fn for_decision(
    client: &Client,
    output: Output,
    filed: Value,
    nowait: bool,
) -> Result<(), Error> {
    let mut request = filed;
    let id = text(&request["id"]);
    if is_pending(&request) && !nowait {
        print::note(&format!(
            "{id} is pending: waiting for a review (Ctrl-C stops waiting, the request stays)"
        ));
        request = decided(client, &id).await?;
    }
    output.show_as(&request, || columns::summary(&request))?;
    outcome(&request)
}

/// Whether nobody has decided it yet.
pub(crate) fn is_pending(request: &Value) -> bool {
    request["status"] == "PENDING"
}

/// The request once it is decided.
pub(crate) async fn decided(client: &Client, id: &str) -> Result<Value, Error> {
    let (mut pause, mut failures) = (FIRST_PAUSE, 0);
    loop {
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
        match client.get(&["v1", "requests", id], &[]).await {
            Ok(request) if !is_pending(&request) => return Ok(request),
            Ok(_) => failures = 0,
            // A control plane that restarts comes back.
            Err(Error::Unreachable { .. }) if failures < PATIENCE => failures += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Only an approved request, or one that nobody waits for, is a success.
pub(crate) fn outcome(request: &Value) -> Result<(), Error> {
    match request["status"].as_str() {
        Some("APPROVED" | "PENDING") => Ok(()),
        Some(_) | None => Err(Error::Failed(format!(
            "{} is {}{}",
            text(&request["id"]),
            text(&request["status"]),
            why(request)
        ))),
    }
}

fn why(request: &Value) -> String {
    let last = request["reviews"].as_array().and_then(|reviews| reviews.last());
    last.map(|review| format!(" by {}: {}", text(&review["by"]), text(&review["reason"])))
        .map(|text| text.trim_end_matches([':', ' ']).to_owned())
        .unwrap_or_default()
}
