//! `/v1/apply`: what a file says is made so.

use axum::{Extension, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    App,
    bundles::{NewBundle, NewPart},
    extract::{self, Json, Text},
    problem::Problem,
};
use crate::{
    actions::{
        Caller,
        apply::{self, Declaration, Difference, File, RepoSetting, What},
    },
    domain::{Format, Key, Owner, Refusal, Rule, WebhookSpec},
    events::EventFilter,
};

/// Whether to do it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HowToApply")]
pub(super) struct Query {
    /// Only says what would change.
    #[serde(default)]
    dry_run: bool,
    /// Takes over what was made over REST under the same names.
    #[serde(default)]
    adopt: bool,
}

/// A file and what it says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Declared {
    /// The file's name: what it made and does not name any more is deleted.
    file: String,
    /// All the rules that it has.
    #[serde(default)]
    rules: Vec<Rule>,
    /// All the bundles that it has.
    #[serde(default)]
    bundles: Vec<DeclaredBundle>,
    /// All the webhooks that it has.
    #[serde(default)]
    webhooks: Vec<DeclaredWebhook>,
    /// All the repos of which it says something.
    #[serde(default)]
    repos: Vec<DeclaredRepo>,
}

/// A bundle, as a file has it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredBundle {
    name: String,
    /// What it is good for.
    #[serde(default)]
    description: Text,
    parts: Vec<NewPart>,
}

/// A webhook, as a file has it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredWebhook {
    name: String,
    /// `https://…`; `http://` only to addresses that the configuration allows.
    #[schemars(with = "String")]
    url: Key,
    #[serde(default)]
    format: Format,
    /// `request.created`, `grant.*`, …; none: all.
    #[serde(default)]
    types: Vec<String>,
    identity: Option<String>,
    repo: Option<String>,
    /// Only of requests and grants whose rule names it in `notify.webhooks`.
    #[serde(default)]
    named_only: bool,
    #[serde(default = "on")]
    enabled: bool,
    /// The key that calls are signed with (`whsec_…`), or `PagerDuty`'s integration key; other formats have none.
    #[schemars(with = "Option<String>")]
    secret: Option<Key>,
}

/// A repo, as a file has it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredRepo {
    name: String,
    /// Whether grants may be used.
    ephemeral_access: bool,
}

const fn on() -> bool {
    true
}

impl Declared {
    fn read(self) -> Result<(Owner, Declaration), Refusal> {
        let Self { file, rules, bundles, webhooks, repos } = self;
        let bundle = |DeclaredBundle { name, description, parts }| {
            let invalid =
                |refusal: Refusal, name: &str| Refusal::Invalid(format!("bundle `{name}`: {refusal}"));
            let shown = name.clone();
            NewBundle { description, parts }.named(name).map_err(|refusal| invalid(refusal, &shown))
        };
        let repo = |DeclaredRepo { name, ephemeral_access }| RepoSetting { name, ephemeral_access };
        let declaration = Declaration {
            rules,
            bundles: bundles.into_iter().map(bundle).collect::<Result<_, _>>()?,
            webhooks: webhooks.into_iter().map(DeclaredWebhook::read).collect::<Result<_, _>>()?,
            repos: repos.into_iter().map(repo).collect(),
        };
        Ok((Owner::applied(&file)?, declaration))
    }
}

impl DeclaredWebhook {
    fn read(self) -> Result<WebhookSpec, Refusal> {
        let Self { name, url, format, types, identity, repo, named_only, enabled, secret: key } = self;
        let filter = EventFilter::new(types, identity.as_deref(), repo)
            .map_err(|refusal| Refusal::Invalid(format!("webhook `{name}`: {refusal}")))?;
        Ok(WebhookSpec { name, url, format, filter, named_only, enabled, key })
    }
}

/// What becomes of one thing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Difference")]
pub(super) struct DifferenceView {
    /// `bundle`, `repo`, `rule`, `webhook`
    kind: &'static str,
    name: String,
    action: What,
    /// As it was; secrets are left out.
    before: Option<Value>,
    /// As it is to be; of a secret only whether it is another one.
    after: Option<Value>,
    /// What it undoes that somebody decided by hand.
    caution: Option<String>,
}

/// What became of a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Applied {
    /// False after a dry run.
    applied: bool,
    /// In the order of kinds and names; what stays as it is is not listed.
    changes: Vec<DifferenceView>,
}

impl From<Difference> for DifferenceView {
    fn from(Difference { kind, name, what, before, after, caution }: Difference) -> Self {
        Self { kind, name, action: what, before, after, caution }
    }
}

/// `POST /v1/apply`
pub(super) async fn apply(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    extract::Query(Query { dry_run, adopt }): extract::Query<Query>,
    Json(declared): Json<Declared>,
) -> Result<axum::Json<Applied>, Problem> {
    let (owner, declaration) = declared.read()?;
    let file = File { owner, actor: caller.name(), permissions: caller.permissions(), adopt };
    let differences = apply::apply(&app.plane, &file, declaration, dry_run).await?;
    let changes = differences.into_iter().map(DifferenceView::from).collect();
    Ok(axum::Json(Applied { applied: !dry_run, changes }))
}
