//! `/v1/apply`: what a file says is made so.

use axum::{Extension, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    App,
    extract::{self, Json},
    problem::Problem,
};
use crate::{
    actions::{
        Caller,
        rules::{self, Difference, How, What},
    },
    domain::{Rule, RuleOwner},
    store::StoreError,
};

/// Whether to do it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HowToApply")]
pub(super) struct Query {
    /// Only says what would change.
    #[serde(default)]
    dry_run: bool,
    /// Takes over rules of the same names that were made over REST.
    #[serde(default)]
    adopt: bool,
}

/// A file and what it says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Declared {
    /// The file's name: rules that it made and does not name any more are deleted.
    file: String,
    /// All the rules that it has.
    #[serde(default)]
    rules: Vec<Rule>,
}

/// What becomes of one thing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Difference")]
pub(super) struct DifferenceView {
    /// `rule`
    kind: &'static str,
    name: String,
    action: What,
    /// As it was.
    before: Option<Value>,
    /// As it is to be.
    after: Option<Value>,
}

/// What became of a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Applied {
    /// False after a dry run.
    applied: bool,
    /// In the order of names; what stays as it is is not listed.
    changes: Vec<DifferenceView>,
}

impl DifferenceView {
    fn new(difference: &Difference) -> Result<Self, StoreError> {
        let json = |rule: &Option<Rule>| rule.as_ref().map(serde_json::to_value).transpose();
        Ok(Self {
            kind: "rule",
            name: difference.name.clone(),
            action: difference.what,
            before: json(&difference.before)?,
            after: json(&difference.after)?,
        })
    }
}

/// `POST /v1/apply`
pub(super) async fn apply(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    extract::Query(Query { dry_run, adopt }): extract::Query<Query>,
    Json(Declared { file, rules }): Json<Declared>,
) -> Result<axum::Json<Applied>, Problem> {
    let owner = RuleOwner::applied(&file)?;
    let differences = rules::apply(&app.plane, &owner, caller.name(), rules, How { dry_run, adopt }).await?;
    let changes = differences.iter().map(DifferenceView::new).collect::<Result<_, _>>()?;
    Ok(axum::Json(Applied { applied: !dry_run, changes }))
}
