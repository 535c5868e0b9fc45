//! `audit --follow`: prints records as they arrive, until the reader has had enough.
//!
//! Records are listed in the order in which they came in, and new ones are kept for a day at least. So the last page is
//! asked for again and again, and what stands behind the records that were there before is new.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::columns;
use crate::{
    error::Error,
    print::{Format, Output, write},
    rest::Client,
};

/// How often the control plane is asked.
const PAUSE: Duration = Duration::from_secs(1);

/// Prints what there is since then, and everything that comes.
pub(super) async fn records(
    client: &Client,
    output: Output,
    since: Option<Timestamp>,
    mut query: Vec<(&str, String)>,
) -> Result<(), Error> {
    query.push(("since", since.unwrap_or_else(Timestamp::now).to_string()));
    let (mut after, mut printed) = (None, 0);
    loop {
        let (records, next) = client.page(&["v1", "audit"], &query, after.as_deref()).await?;
        for record in records.iter().skip(printed) {
            write(&one(output, record))?;
        }
        if next.is_some() && next != after {
            (after, printed) = (next, 0);
        } else {
            printed = records.len();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn one(output: Output, record: &Value) -> String {
    match output.format {
        Format::Table => columns::line(record),
        Format::Json | Format::Yaml => format!("{record}\n"),
    }
}
