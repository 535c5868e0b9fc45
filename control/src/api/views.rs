//! What requests, grants and the like look like from outside.

use jiff::Timestamp;
use postern_protocol::{
    duration::Span,
    gate::{EndCause, ResourceGrant, Scope, Stretch},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    actions::{drafts::Forecast, requests::Filed},
    domain::{
        Approval, Decision, Grant, GrantState, Moment, Refusal, Request, RequestStatus, Review, Session,
    },
};

/// A table or column, and what may be done with it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceInput {
    /// `schema.table` or `schema.table.column`
    pub resource: String,
    /// `SELECT`, `INSERT`, `UPDATE`, `DELETE`; `SELECT` when absent.
    #[serde(default)]
    pub privileges: Vec<String>,
}

impl ResourceInput {
    /// Reads names and words.
    pub(super) fn read(inputs: Vec<Self>) -> Result<Vec<ResourceGrant>, Refusal> {
        let invalid = |text: String| Refusal::Invalid(format!("resources: {text}"));
        inputs
            .into_iter()
            .map(|input| {
                let resource = input
                    .resource
                    .parse()
                    .map_err(|error: postern_protocol::gate::InvalidResource| invalid(error.to_string()))?;
                let privileges = input.privileges.iter().map(|word| word.parse().map_err(invalid));
                Ok(ResourceGrant { resource, privileges: privileges.collect::<Result<_, _>>()? })
            })
            .collect()
    }
}

/// A table or column, and what may be done with it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Resource")]
pub(super) struct ResourceView {
    resource: String,
    privileges: Vec<&'static str>,
}

pub(super) fn resources(list: &[ResourceGrant]) -> Vec<ResourceView> {
    list.iter()
        .map(|entry| ResourceView {
            resource: entry.resource.to_string(),
            privileges: entry.privileges.iter().map(|privilege| privilege.as_str()).collect(),
        })
        .collect()
}

/// A time, RFC 3339 UTC.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "Time")]
pub(super) struct At(#[schemars(with = "String")] Timestamp);

impl From<Moment> for At {
    fn from(moment: Moment) -> Self {
        Self(moment.timestamp())
    }
}

/// A review.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Review")]
pub(super) struct ReviewView {
    by: String,
    decision: Decision,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    duration: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<ResourceView>>,
    at: At,
}

impl From<&Review> for ReviewView {
    fn from(review: &Review) -> Self {
        Self {
            by: review.by.clone(),
            decision: review.decision,
            reason: review.reason.clone(),
            duration: review.duration,
            resources: review.resources.as_deref().map(resources),
            at: review.at.into(),
        }
    }
}

/// Of which bundle a request is a part.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Bundled")]
pub(super) struct BundledView {
    name: String,
    /// All requests that are decided together, this one among them.
    requests: Vec<String>,
}

/// A request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Request")]
pub(super) struct RequestView {
    /// `r_…`
    id: String,
    /// For whom.
    identity: String,
    /// Who filed it.
    filed_by: String,
    repo: String,
    account: String,
    /// Empty: all that the account can do.
    resources: Vec<ResourceView>,
    #[schemars(with = "String")]
    duration: Span,
    reason: String,
    not_before: Option<At>,
    status: RequestStatus,
    /// The rule that decides it.
    rule: String,
    reviews: Vec<ReviewView>,
    /// The id of the grant that it became.
    grant: Option<String>,
    /// Where that grant stands.
    grant_state: Option<GrantState>,
    created_at: At,
    /// Until when it waits for a decision.
    waits_until: At,
    decided_at: Option<At>,
    /// Whether it is an emergency.
    break_glass: bool,
    /// Whether it is an emergency that nobody has reviewed yet.
    awaits_hindsight: bool,
    /// The bundle that it is a part of; all its requests are decided together.
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<BundledView>,
    /// The grant that it asks more time for.
    #[serde(skip_serializing_if = "Option::is_none")]
    extends: Option<String>,
    /// Whether nobody decided for so long that more people may approve.
    escalated: bool,
}

impl RequestView {
    /// A request with its grant, as they stand at a moment.
    pub(super) fn new(request: &Request, grant: Option<&Grant>, now: Moment) -> Self {
        Self {
            id: request.id.to_string(),
            identity: request.identity.to_string(),
            filed_by: request.filed_by.clone(),
            repo: request.repo.to_string(),
            account: request.account.to_string(),
            resources: resources(&request.resources),
            duration: request.duration,
            reason: request.reason.clone(),
            not_before: request.not_before.map(At::from),
            status: request.status_at(now),
            rule: request.rule.clone(),
            reviews: request.reviews.iter().map(ReviewView::from).collect(),
            grant: request.grant.as_ref().map(ToString::to_string),
            grant_state: grant.map(|grant| grant.state_at(now)),
            created_at: request.created_at.into(),
            waits_until: request.waits_until.into(),
            decided_at: request.decided_at.map(At::from),
            break_glass: request.break_glass,
            awaits_hindsight: request.awaits_hindsight(),
            bundle: request.bundle.as_ref().map(|bundled| BundledView {
                name: bundled.name.clone(),
                requests: bundled.requests.iter().map(ToString::to_string).collect(),
            }),
            extends: request.extends.as_ref().map(ToString::to_string),
            escalated: request.escalated,
        }
    }
}

impl From<Filed> for RequestView {
    fn from(Filed { request, grant, now }: Filed) -> Self {
        Self::new(&request, grant.as_ref(), now)
    }
}

/// How a grant ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Ending")]
pub(super) struct EndingView {
    /// `revoked` or `expired`
    cause: &'static str,
    /// Who; empty when time did.
    by: String,
    reason: String,
    at: At,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Stretch")]
pub(super) struct StretchView {
    from: At,
    to: At,
}

impl From<&Stretch> for StretchView {
    fn from(stretch: &Stretch) -> Self {
        let at = |millis| At::from(Moment::from_millis(millis));
        Self { from: at(stretch.from), to: at(stretch.to) }
    }
}

/// A grant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Grant")]
pub(super) struct GrantView {
    /// `g_…`
    id: String,
    /// The request that it came from.
    request: String,
    identity: String,
    repo: String,
    account: String,
    /// `whole` or `limited`
    scope: &'static str,
    resources: Vec<ResourceView>,
    state: GrantState,
    not_before: At,
    expires_at: At,
    /// When its sessions may live; absent: at any time until it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<Vec<StretchView>>,
    /// How long its sessions may be idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    max_idle: Option<Span>,
    /// How many sessions it allows at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_sessions: Option<u32>,
    /// Grows with every change.
    revision: u64,
    /// The rule that it was given under.
    rule: String,
    created_at: At,
    ended: Option<EndingView>,
}

impl GrantView {
    /// A grant as it stands at a moment.
    pub(super) fn new(grant: &Grant, now: Moment) -> Self {
        let (scope, resources) = match &grant.scope {
            Scope::Whole => ("whole", Vec::new()),
            Scope::Limited(list) => ("limited", resources(list)),
        };
        Self {
            id: grant.id.to_string(),
            request: grant.request.to_string(),
            identity: grant.identity.to_string(),
            repo: grant.repo.to_string(),
            account: grant.account.to_string(),
            scope,
            resources,
            state: grant.state_at(now),
            not_before: grant.not_before.into(),
            expires_at: grant.expires_at.into(),
            hours: grant.hours.as_ref().map(|hours| hours.iter().map(StretchView::from).collect()),
            max_idle: grant.session.max_idle,
            max_sessions: grant.session.max_sessions,
            revision: grant.revision,
            rule: grant.rule.clone(),
            created_at: grant.created_at.into(),
            ended: grant.ended.as_ref().map(|ending| EndingView {
                cause: match ending.cause {
                    EndCause::Revoked => "revoked",
                    EndCause::Expired => "expired",
                },
                by: ending.by.clone(),
                reason: ending.reason.clone(),
                at: ending.at.into(),
            }),
        }
    }
}

/// What filing a request would come to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Forecast")]
pub(super) struct ForecastView {
    /// The rule that would decide.
    rule: String,
    /// Whether it would be approved at once.
    approved_at_once: bool,
    /// Whether it would be rejected at once.
    denied_at_once: bool,
    /// Conditions of that rule that could not be evaluated; without them nothing is approved at once.
    troubles: Vec<String>,
    /// What that rule needs. Empty: one API client with Access Management.
    approvals: Vec<Approval>,
    /// Known identities that could approve.
    approvers: Vec<String>,
    /// The grant, if it were approved now.
    grant: GrantView,
    /// Of a bundle: each of its parts. What stands beside this is the first one's; all are decided together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<ForecastView>,
}

impl ForecastView {
    /// What asking for a bundle would come to.
    pub(super) fn of_bundle(forecasts: Vec<Forecast>) -> Result<Self, Refusal> {
        let parts: Vec<Self> = forecasts.into_iter().map(Self::from).collect();
        let first = parts.first().cloned().ok_or_else(|| Refusal::not_found("part", ""))?;
        Ok(Self { parts, ..first })
    }
}

impl From<Forecast> for ForecastView {
    fn from(forecast: Forecast) -> Self {
        Self {
            rule: forecast.rule.name.clone(),
            approved_at_once: forecast.request.status == RequestStatus::Approved,
            denied_at_once: forecast.request.status == RequestStatus::Rejected,
            troubles: forecast.troubles,
            approvals: forecast.rule.approvals,
            approvers: forecast.approvers,
            grant: GrantView::new(&forecast.grant, forecast.now),
            parts: Vec::new(),
        }
    }
}

/// A live session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(super) struct SessionView {
    /// `s_…`
    id: String,
    grant: String,
    identity: String,
    repo: String,
    account: String,
    sidecar: String,
    /// The client's address and port.
    client: String,
    /// What the client calls itself.
    application: String,
    started_at: At,
    /// Whether a kill is on its way.
    killed: bool,
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.to_string(),
            grant: session.grant.to_string(),
            identity: session.identity.to_string(),
            repo: session.repo.to_string(),
            account: session.account.to_string(),
            sidecar: session.sidecar.to_string(),
            client: session.client.clone(),
            application: session.application.clone(),
            started_at: session.started_at.into(),
            killed: session.kill.is_some(),
        }
    }
}
