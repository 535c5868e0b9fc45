//! `audit report`: who had access to what, by whose approval, and whether it was used.

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    error::Error,
    print::{Column, Output, text, time},
    rest::Client,
};

/// Which accesses.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Those that lasted until this long ago (30d) or until a moment (RFC 3339), or longer
    #[arg(long, value_name = "WHEN", value_parser = super::since)]
    since: Option<Timestamp>,
    /// Those that began before this long ago or before a moment
    #[arg(long, value_name = "WHEN", value_parser = super::since)]
    until: Option<Timestamp>,
    /// Those of this identity
    #[arg(long, value_name = "WHO")]
    identity: Option<String>,
    /// Those to this repository
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// Those that are over and that nobody used
    #[arg(long, conflicts_with = "by_rule")]
    unused: bool,
    /// Count them, rule by rule
    #[arg(long)]
    by_rule: bool,
}

const ACCESSES: [Column; 11] = [
    Column::new("GRANT", |access| text(&access["id"])),
    Column::new("USER", |access| text(&access["identity"])),
    Column::new("REPO", |access| text(&access["repo"])),
    Column::new("ACCOUNT", |access| text(&access["account"])),
    Column::new("SCOPE", |access| text(&access["scope"])),
    Column::new("FROM(UTC)", |access| time(&access["not_before"])),
    Column::new("UNTIL(UTC)", |access| {
        time(if access["ended"].is_null() { &access["expires_at"] } else { &access["ended"]["at"] })
    }),
    Column::new("APPROVED BY", |access| text(&access["approved_by"])),
    Column::new("SESSIONS", |access| text(&access["sessions"])),
    Column::new("LAST USED(UTC)", |access| time(&access["last_used"])),
    Column::new("READ AND WROTE", done),
];

/// What statements did, as far as they are looked at.
fn done(access: &Value) -> String {
    match (access["used_resources"].is_null(), access["used_more"] == true) {
        (true, _) => "(whole: not looked at)".to_owned(),
        (false, true) => format!("{} …", text(&access["used_resources"])),
        (false, false) => text(&access["used_resources"]),
    }
}

const RULES: [Column; 9] = [
    Column::new("RULE", |rule| text(&rule["rule"])),
    Column::new("GRANTS", |rule| text(&rule["grants"])),
    Column::new("USED", |rule| text(&rule["used"])),
    Column::new("NEVER USED", |rule| text(&rule["never_used"])),
    Column::new("WHOLE", |rule| text(&rule["whole"])),
    Column::new("SESSIONS", |rule| text(&rule["sessions"])),
    Column::new("LAST USED(UTC)", |rule| time(&rule["last_used"])),
    Column::new("ACCOUNTS NEVER USED", |rule| text(&idle(&rule["accounts"], "account", "used"))),
    Column::new("RESOURCES NEVER USED", |rule| text(&idle(&rule["resources"], "resource", "touched"))),
];

/// The accounts that nobody has used, as `repo/account`; resources likewise.
fn idle(given: &Value, name: &str, used: &str) -> Value {
    let unused = given.as_array().into_iter().flatten().filter(|one| one[used] == 0);
    unused.map(|one| format!("{}/{}", text(&one["repo"]), text(&one[name]))).collect()
}

impl ReportArgs {
    /// Asks for it and prints it.
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let mut query = Vec::new();
        query.extend(self.since.map(|at| ("since", at.to_string())));
        query.extend(self.until.map(|at| ("until", at.to_string())));
        query.extend(self.identity.map(|who| ("identity", who)));
        query.extend(self.repo.map(|repo| ("repo", repo)));
        if self.by_rule {
            let answer = client.get(&["v1", "reports", "rules"], &query).await?;
            let items = answer["items"].as_array().cloned().unwrap_or_default();
            return output.list(&RULES, &items);
        }
        query.extend(self.unused.then(|| ("unused", "true".to_owned())));
        output.list(&ACCESSES, &client.list(&["v1", "reports", "access"], &query).await?)
    }
}
