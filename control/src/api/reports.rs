//! `/v1/reports/…`

use axum::extract::State;
use postern_protocol::gate::{Privilege, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    audit::time,
    extract::Query,
    page::{List, cursor, size},
    problem::Problem,
    views::{At, GrantView, ResourceView, resources},
};
use crate::{
    actions::reports::{self, Access, Given, Period},
    domain::{Moment, Touched, canonical},
};

/// Which accesses.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichAccesses")]
pub(super) struct Which {
    /// That lasted until this time or longer: RFC 3339, or so long ago (`30d`).
    since: Option<String>,
    /// That began before this time: RFC 3339, or so long ago.
    until: Option<String>,
    identity: Option<String>,
    repo: Option<String>,
    /// Only those that are over and that nobody used.
    #[serde(default)]
    unused: bool,
    /// How many on a page: 1 to 1000, usually 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Which rules' accesses.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichPeriod")]
pub(super) struct WhichPeriod {
    /// That lasted until this time or longer: RFC 3339, or so long ago (`30d`).
    since: Option<String>,
    /// That began before this time: RFC 3339, or so long ago.
    until: Option<String>,
    identity: Option<String>,
    repo: Option<String>,
}

impl WhichPeriod {
    fn read(self, now: Moment) -> Result<Period, Problem> {
        Ok(Period {
            since: time("since", self.since.as_deref(), now)?,
            until: time("until", self.until.as_deref(), now)?,
            identity: self.identity.as_deref().map(canonical),
            repo: self.repo,
        })
    }
}

/// Who had what, when, by whose approval, and whether it was used.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Access")]
pub(super) struct AccessView {
    #[serde(flatten)]
    grant: GrantView,
    /// Why it was asked for.
    reason: String,
    /// None when the rule approved by itself.
    approved_by: Vec<String>,
    /// Whether anybody connected.
    used: bool,
    /// How many sessions began.
    sessions: u64,
    first_used: Option<At>,
    last_used: Option<At>,
    /// The tables and columns that statements, let through, read or wrote; a table without a column where none in
    /// particular was used. Null where the grant is whole: statements are not looked at then.
    used_resources: Option<Vec<ResourceView>>,
    /// Whether they used more than is listed.
    used_more: bool,
    /// What was given and nothing was done with; null where that is not known.
    unused_resources: Option<Vec<ResourceView>>,
}

impl AccessView {
    fn new(access: &Access, now: Moment) -> Self {
        let (usage, touched) = (access.usage.as_ref(), access.touched.as_ref());
        Self {
            grant: GrantView::new(&access.grant, now),
            reason: access.reason.clone(),
            approved_by: access.approved_by.clone(),
            used: usage.is_some(),
            sessions: usage.map_or(0, |usage| usage.sessions),
            first_used: usage.map(|usage| usage.first.into()),
            last_used: usage.map(|usage| usage.last.into()),
            used_resources: touched.map(|touched| resources(&touched.list())),
            used_more: touched.is_some_and(|touched| touched.more),
            unused_resources: touched.and_then(|touched| unused_resources(touched, access)),
        }
    }
}

/// Where somebody connected and no word came of what they did, nothing is known of what they did not.
fn unused_resources(touched: &Touched, access: &Access) -> Option<Vec<ResourceView>> {
    match &access.grant.scope {
        Scope::Limited(_) if access.usage.is_some() && touched.resources.is_empty() => None,
        Scope::Limited(given) => touched.untouched(given).map(|list| resources(&list)),
        Scope::Whole => None,
    }
}

/// What the grants of one rule came to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RuleUsage")]
pub(super) struct RuleUsage {
    rule: String,
    /// How many grants.
    grants: u64,
    /// How many of them anybody connected with.
    used: u64,
    /// How many are over and nobody had.
    never_used: u64,
    /// How many gave all that the account can do.
    whole: u64,
    sessions: u64,
    /// How many seconds all of them lasted together.
    seconds_given: u64,
    last_used: Option<At>,
    /// What was given: one that nobody used could go from the rule.
    accounts: Vec<AccountUsage>,
    /// The same for each table and column that grants named.
    resources: Vec<ResourceUsage>,
    /// What statements of limited grants' sessions really read and wrote.
    used_resources: Vec<UsedResource>,
    /// Whether they used more than is listed.
    used_more: bool,
}

/// What the grants of one rule for one account came to.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AccountUsage {
    repo: String,
    account: String,
    /// How many grants.
    grants: u64,
    /// How many of them anybody connected with.
    used: u64,
}

/// What the grants of one rule that named one table or column came to.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ResourceUsage {
    repo: String,
    resource: String,
    /// How many grants.
    grants: u64,
    /// How many of them anybody connected with, whatever they read then.
    used: u64,
    /// In how many of them statements read or wrote something of it.
    touched: u64,
}

/// Something that statements did with a table or a column.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UsedResource {
    repo: String,
    /// A table where no column in particular was used.
    resource: String,
    privilege: &'static str,
    /// In how many grants' sessions.
    grants: u64,
}

/// `GET /v1/reports/access`
pub(super) async fn access(
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<axum::Json<List<AccessView>>, Problem> {
    let now = app.plane.clock.now();
    let Which { since, until, identity, repo, unused, limit, after } = which;
    let period = WhichPeriod { since, until, identity, repo }.read(now)?;
    let (after, limit) = (cursor(after.as_deref())?, size(limit)?);
    let page = reports::access(&app.plane, &period, unused, after, limit).await?;
    let items = page.items.iter().map(|access| AccessView::new(access, now)).collect();
    Ok(axum::Json(List::new(items, page.next)))
}

/// `GET /v1/reports/rules`
pub(super) async fn rules(
    State(app): State<App>,
    Query(which): Query<WhichPeriod>,
) -> Result<axum::Json<List<RuleUsage>>, Problem> {
    let period = which.read(app.plane.clock.now())?;
    let found = reports::by_rule(&app.plane, &period).await?;
    let account = |((repo, account), (grants, used))| AccountUsage { repo, account, grants, used };
    let resource = |((repo, resource), given)| {
        let Given { grants, used, touched } = given;
        ResourceUsage { repo, resource, grants, used, touched }
    };
    let touched = |((repo, resource, privilege), grants): ((_, _, Privilege), _)| UsedResource {
        repo,
        resource,
        privilege: privilege.as_str(),
        grants,
    };
    let usage = |(rule, of): (String, reports::OfRule)| RuleUsage {
        rule,
        grants: of.grants,
        used: of.used,
        never_used: of.never_used,
        whole: of.whole,
        sessions: of.sessions,
        seconds_given: of.seconds_given,
        last_used: of.last_used.map(At::from),
        accounts: of.accounts.into_iter().map(account).collect(),
        resources: of.resources.into_iter().map(resource).collect(),
        used_resources: of.touched.into_iter().map(touched).collect(),
        used_more: of.more,
    };
    Ok(axum::Json(List::new(found.into_iter().map(usage).collect(), None)))
}
