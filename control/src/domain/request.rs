//! A request: somebody asks for an account of a repo for a while, with a reason.

use postern_protocol::{
    duration::Span,
    gate::{AccountName, GrantId, Identity, Privilege, RepoName, RequestId, ResourceGrant, Scope, Terms},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Bundled, Moment, Refusal, Review, Rule, Verdict, hours::Window, identity::check_name, rule::SessionRule,
    scope,
};

const MOST_RESOURCES: usize = 1_000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// Which repo.
    pub repo: RepoName,
    /// As which account.
    pub account: AccountName,
    /// Which tables and columns; none means all that the account can do.
    pub resources: Vec<ResourceGrant>,
    /// For how long.
    pub duration: Span,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// From when on; absent: from the decision on.
    #[serde(default)]
    pub not_before: Option<Moment>,
    /// Whether it is an emergency: approved at once, reviewed afterwards.
    #[serde(default)]
    pub break_glass: bool,
}

impl Ask {
    /// Refuses what makes no sense whatever the rules say, and brings the resources into one form.
    pub(crate) fn checked(mut self) -> Result<Self, Refusal> {
        check_name("repo", self.repo.as_str())?;
        check_name("account", self.account.as_str())?;
        if self.duration.as_secs() == 0 {
            return Err(Refusal::Invalid("duration: must be longer than nothing".to_owned()));
        }
        if self.break_glass && self.not_before.is_some() {
            return Err(Refusal::Invalid("not_before: an emergency does not wait".to_owned()));
        }
        self.resources = self.resources.scoped()?;
        Ok(self)
    }

    /// Whether all that it asks for is part of what `before` asked for, and for the same reason: whoever approved has read
    /// that one.
    fn is_within(&self, before: &Self) -> bool {
        let held = before.scope();
        self.repo == before.repo
            && self.account == before.account
            && self.not_before == before.not_before
            && self.break_glass == before.break_glass
            && self.reason == before.reason
            && self.duration <= before.duration
            && match self.scope() {
                Scope::Whole => held == Scope::Whole,
                Scope::Limited(list) => list.iter().all(|wanted| scope::holds(&held, wanted)),
            }
    }

    /// The scope that a grant of it has.
    pub(crate) fn scope(&self) -> Scope {
        if self.resources.is_empty() { Scope::Whole } else { Scope::Limited(self.resources.clone()) }
    }
}

/// Lists of resources as people write them.
pub(crate) trait Scoped: Sized {
    /// One entry per resource, each privilege once; an entry without privileges means `SELECT`.
    fn scoped(self) -> Result<Self, Refusal>;
}

impl Scoped for Vec<ResourceGrant> {
    fn scoped(mut self) -> Result<Self, Refusal> {
        if self.len() > MOST_RESOURCES {
            return Err(Refusal::Invalid(format!("resources: more than {MOST_RESOURCES}")));
        }
        for entry in &mut self {
            if entry.privileges.is_empty() {
                entry.privileges.push(Privilege::Select);
            }
            if entry.resource.column.is_some() && entry.privileges.contains(&Privilege::Delete) {
                let column = &entry.resource;
                return Err(Refusal::Invalid(format!(
                    "resources: DELETE is a privilege of tables, not of {column}"
                )));
            }
        }
        self.sort();
        self.dedup_by(|later, kept| {
            let same = later.resource == kept.resource;
            if same {
                kept.privileges.append(&mut later.privileges);
            }
            same
        });
        for entry in &mut self {
            entry.privileges.sort();
            entry.privileges.dedup();
        }
        Ok(self)
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequestStatus {
    /// Waits for reviews.
    Pending,
    /// Became a grant.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Was withdrawn.
    Cancelled,
    /// Nobody decided in time.
    Expired,
    /// Was approved but no grant could be made.
    Failed,
}

impl RequestStatus {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Approved, Self::Rejected, Self::Cancelled, Self::Expired, Self::Failed];

    /// The word in JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::Failed => "FAILED",
        }
    }
}

/// A request. Its status changes in [`Request::review`], [`Request::cancel`] and [`Request::expire`] alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// `r_…`
    pub id: RequestId,
    /// For whom.
    pub identity: Identity,
    /// Who filed it.
    pub filed_by: String,
    /// Which repo.
    pub repo: RepoName,
    /// As which account.
    pub account: AccountName,
    /// Which tables and columns.
    pub resources: Vec<ResourceGrant>,
    /// For how long.
    pub duration: Span,
    /// Why.
    pub reason: String,
    /// From when on.
    pub not_before: Option<Moment>,
    /// Where it stands.
    pub status: RequestStatus,
    /// The rule that decides it.
    pub rule: String,
    /// The terms of the grant that it may become.
    #[serde(default)]
    pub terms: Terms,
    /// When the sessions of that grant may live.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// And how.
    #[serde(default)]
    pub session: SessionRule,
    /// What was said so far.
    pub reviews: Vec<Review>,
    /// What it became.
    pub grant: Option<GrantId>,
    /// When it was filed.
    pub created_at: Moment,
    /// Until when it waits.
    pub waits_until: Moment,
    /// When it was decided.
    pub decided_at: Option<Moment>,
    /// Whether it is an emergency.
    #[serde(default)]
    pub break_glass: bool,
    /// When more people may approve, if nobody has decided by then.
    #[serde(default)]
    pub escalates_at: Option<Moment>,
    /// Whether that has come.
    #[serde(default)]
    pub escalated: bool,
    /// The grant that it asks more time for, instead of a new one.
    #[serde(default)]
    pub extends: Option<GrantId>,
    /// The bundle that it is a part of.
    #[serde(default)]
    pub bundle: Option<Bundled>,
}

impl Request {
    /// A new request that a rule covers, with what the rule says of it by itself.
    pub(crate) fn file(
        id: RequestId,
        identity: Identity,
        filed_by: &str,
        ask: Ask,
        (rule, verdict): (&Rule, Verdict),
        now: Moment,
    ) -> Self {
        let Ask { repo, account, resources, duration, reason, not_before, break_glass } = ask;
        let mut request = Self {
            id,
            identity,
            filed_by: filed_by.to_owned(),
            repo,
            account,
            resources,
            duration,
            reason,
            not_before,
            status: RequestStatus::Pending,
            rule: rule.name.clone(),
            terms: rule.terms(),
            windows: if break_glass { Vec::new() } else { rule.windows.clone() },
            session: rule.session.clone().unwrap_or_default(),
            reviews: Vec::new(),
            grant: None,
            created_at: now,
            waits_until: now.plus(rule.pending_ttl),
            decided_at: None,
            break_glass,
            escalates_at: rule.escalate.as_ref().map(|escalation| now.plus(escalation.after)),
            escalated: false,
            extends: None,
            bundle: None,
        };
        match verdict {
            Verdict::Review => {}
            Verdict::Approve => request.decide(RequestStatus::Approved, now),
            Verdict::Deny => request.decide(RequestStatus::Rejected, now),
        }
        request
    }

    /// The same, for more time of a grant that there is.
    #[must_use]
    pub(crate) fn extending(self, grant: GrantId) -> Self {
        Self { extends: Some(grant), ..self }
    }

    /// The same as a part of a bundle, all of which waits as long.
    #[must_use]
    pub(crate) fn bundled(self, bundle: Bundled, waits_until: Moment) -> Self {
        Self { bundle: Some(bundle), waits_until, ..self }
    }

    /// What those with which it is decided have come to.
    pub(super) fn stand(&mut self, status: RequestStatus, now: Moment) {
        self.status = status;
        self.decided_at = (status != RequestStatus::Pending).then_some(now);
    }

    /// Whose word was the last: a reviewer's, or the rule's own.
    pub(crate) fn decided_by(&self) -> String {
        self.reviews.last().map_or_else(|| format!("rule:{}", self.rule), |review| review.by.clone())
    }

    /// It was approved, and nothing could come of it.
    pub(crate) fn fail(&mut self, now: Moment) {
        self.decide(RequestStatus::Failed, now);
    }

    /// What it asks for.
    pub(crate) fn ask(&self) -> Ask {
        Ask {
            repo: self.repo.clone(),
            account: self.account.clone(),
            resources: self.resources.clone(),
            duration: self.duration,
            reason: self.reason.clone(),
            not_before: self.not_before,
            break_glass: self.break_glass,
        }
    }

    /// Where it stands at this moment, whether or not the expiry was written down yet.
    pub(crate) fn status_at(&self, now: Moment) -> RequestStatus {
        let late = self.status == RequestStatus::Pending && now >= self.waits_until;
        if late { RequestStatus::Expired } else { self.status }
    }

    pub(super) fn must_be_pending(&self, now: Moment) -> Result<(), Refusal> {
        match self.status_at(now) {
            RequestStatus::Pending => Ok(()),
            decided @ (RequestStatus::Approved
            | RequestStatus::Rejected
            | RequestStatus::Cancelled
            | RequestStatus::Expired
            | RequestStatus::Failed) => Err(Refusal::AlreadyDecided(decided)),
        }
    }

    pub(super) fn decide(&mut self, status: RequestStatus, now: Moment) {
        self.status = status;
        self.decided_at = Some(now);
    }

    /// Asks for something else. Reviews of what was asked before count on only where less is asked for now.
    pub(crate) fn amend(
        &mut self,
        ask: Ask,
        (rule, verdict): (&Rule, Verdict),
        now: Moment,
    ) -> Result<(), Refusal> {
        self.must_be_pending(now)?;
        if self.bundle.is_some() {
            let why = "a bundle is asked for as it is: cancel this and ask anew";
            return Err(Refusal::Conflict(why.to_owned()));
        }
        if self.extends.is_some() {
            let why = "more time for a grant is asked for as it is: cancel this and ask anew";
            return Err(Refusal::Conflict(why.to_owned()));
        }
        let less = ask.is_within(&self.ask()) && rule.name == self.rule;
        let (id, identity) = (self.id.clone(), self.identity.clone());
        let amended = Self::file(id, identity, &self.filed_by, ask, (rule, verdict), now);
        let (created_at, before) = (self.created_at, self.clone());
        *self = Self { created_at, ..amended };
        if less && self.status == RequestStatus::Pending {
            let Self { reviews, waits_until, escalates_at, escalated, .. } = before;
            *self = Self { reviews, waits_until, escalates_at, escalated, ..self.clone() };
        }
        Ok(())
    }

    /// Withdraws it.
    pub(crate) fn cancel(&mut self, now: Moment) -> Result<(), Refusal> {
        self.must_be_pending(now)?;
        self.decide(RequestStatus::Cancelled, now);
        Ok(())
    }

    /// Writes down that nobody decided in time. False when that is not so.
    pub(crate) fn expire(&mut self, now: Moment) -> bool {
        let expired = self.status == RequestStatus::Pending && self.status_at(now) == RequestStatus::Expired;
        if expired {
            self.decide(RequestStatus::Expired, now);
        }
        expired
    }

    /// The next moment at which time alone changes it while it is pending.
    pub(crate) fn due_at(&self) -> Moment {
        let escalation = self.escalates_at.filter(|_| !self.escalated);
        escalation.map_or(self.waits_until, |at| at.min(self.waits_until))
    }

    /// Writes down that more people may approve now. False when that is not so.
    pub(crate) fn escalate(&mut self, now: Moment) -> bool {
        let due = self.escalates_at.is_some_and(|at| now >= at);
        let escalates = due && !self.escalated && self.status_at(now) == RequestStatus::Pending;
        self.escalated |= escalates;
        escalates
    }

    /// Whether the glass was broken, and nobody has looked at it yet.
    pub(crate) fn awaits_hindsight(&self) -> bool {
        self.break_glass && self.status == RequestStatus::Approved && self.reviews.is_empty()
    }

    /// What the grant covers: what was asked for, or what all approvers left of it.
    pub(crate) fn granted_scope(&self) -> Scope {
        self.reviews.iter().filter_map(|review| review.resources.as_ref()).fold(
            self.ask().scope(),
            |scope, left| match scope {
                Scope::Whole => Scope::Limited(left.clone()),
                Scope::Limited(list) => Scope::Limited(scope::common(&list, left)),
            },
        )
    }

    /// For how long the grant lasts: what was asked for, or the least that an approver allowed.
    pub(crate) fn granted_duration(&self) -> Span {
        self.reviews.iter().filter_map(|review| review.duration).fold(self.duration, Span::min)
    }
}
