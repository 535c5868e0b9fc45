//! Everything that there is to say about one request, read in one moment.

use std::collections::BTreeSet;

use postern_protocol::duration::Span;

use super::{config::LinkBy, records::Link};
use crate::{
    domain::{Grant, GrantState, IdentityRecord, Moment, Person, Request, RequestStatus, StoredRule},
    store::{Filter, Order, Read, StoreError, find_all, load},
};

/// How far back earlier grants are counted.
const EARLIER: Span = Span::from_secs(30 * 86_400);

/// Who is mentioned at most: whoever mentions everybody reaches nobody.
const MOST_MENTIONS: usize = 10;

/// Which links count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links<'a> {
    /// Those of this workspace.
    pub team: &'a str,
    /// How they are made.
    pub made: LinkBy,
}

impl Links<'_> {
    /// Whether this is one of them.
    pub(super) fn has(self, link: &Link) -> bool {
        link.team == self.team && link.is_good(self.made)
    }
}

/// A request with what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub request: Request,
    pub grant: Option<Grant>,
    pub rule: Option<StoredRule>,
    /// Earlier grants of the same account to the same identity, lately.
    pub earlier: usize,
    /// Slack users who may decide and have not.
    pub approvers: Vec<String>,
    pub now: Moment,
}

/// Where a request and its grant stand, as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Waiting,
    Scheduled,
    Active,
    Ended,
    Revoked,
    Rejected,
    Cancelled,
    Undecided,
    Failed,
    /// More time was given to a grant, which goes its own way from there on.
    Extended,
}

impl Standing {
    /// The word that people see.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for approval",
            Self::Scheduled => "approved, begins later",
            Self::Active => "active",
            Self::Ended => "expired",
            Self::Revoked => "revoked",
            Self::Rejected => "denied",
            Self::Cancelled => "withdrawn",
            Self::Undecided => "nobody decided in time",
            Self::Failed => "failed",
            Self::Extended => "given",
        }
    }
}

/// Where a request stands with the grant that it became, if it did.
pub(super) fn standing(request: &Request, grant: Option<&Grant>, now: Moment) -> Standing {
    if request.extends.is_some() && grant.is_some() {
        return Standing::Extended;
    }
    match (request.status_at(now), grant.map(|grant| grant.state_at(now))) {
        (_, Some(GrantState::Active)) => Standing::Active,
        (_, Some(GrantState::Scheduled)) => Standing::Scheduled,
        (_, Some(GrantState::Expired)) => Standing::Ended,
        (_, Some(GrantState::Revoked)) => Standing::Revoked,
        (RequestStatus::Pending, None) => Standing::Waiting,
        (RequestStatus::Rejected, None) => Standing::Rejected,
        (RequestStatus::Cancelled, None) => Standing::Cancelled,
        (RequestStatus::Expired, None) => Standing::Undecided,
        (RequestStatus::Failed | RequestStatus::Approved, None) => Standing::Failed,
    }
}

impl Case {
    /// Reads it; nothing when there is no such request.
    pub(super) async fn read(
        tx: &mut dyn Read,
        id: &str,
        links: Links<'_>,
        now: Moment,
    ) -> Result<Option<Self>, StoreError> {
        let Some(request) = load::<Request>(tx, id).await? else { return Ok(None) };
        let grant: Option<Grant> = match &request.grant {
            Some(grant) => load(tx, grant.as_str()).await?,
            None => None,
        };
        let rule: Option<StoredRule> = load(tx, &request.rule).await?;
        let earlier = earlier(tx, &request).await?;
        let approvers = approvers(tx, &request, rule.as_ref(), links).await?;
        Ok(Some(Self { request, grant, rule, earlier, approvers, now }))
    }

    /// Where it stands.
    pub(super) fn standing(&self) -> Standing {
        standing(&self.request, self.grant.as_ref(), self.now)
    }
}

async fn earlier(tx: &mut dyn Read, request: &Request) -> Result<usize, StoreError> {
    let own = Filter {
        identity: Some(request.identity.to_string()),
        repo: Some(request.repo.to_string()),
        limit: Some(100),
        ..Filter::default()
    };
    let since = request.created_at.minus(EARLIER);
    let counts = |grant: &&Grant| {
        grant.account == request.account
            && grant.created_at >= since
            && grant.created_at <= request.created_at
            && grant.request != request.id
    };
    Ok(find_all::<Grant>(tx, &own).await?.iter().filter(counts).count())
}

/// Those who may decide, are in this workspace, and have not said anything yet.
async fn approvers(
    tx: &mut dyn Read,
    request: &Request,
    rule: Option<&StoredRule>,
    links: Links<'_>,
) -> Result<Vec<String>, StoreError> {
    let Some(stored) = rule else { return Ok(Vec::new()) };
    let said: BTreeSet<&str> = request.reviews.iter().map(|review| review.by.as_str()).collect();
    let mut found = Vec::new();
    for link in find_all::<Link>(tx, &Filter { order: Order::Oldest, ..Filter::default() }).await? {
        let name = link.identity.as_str();
        if !links.has(&link) || name == request.identity.as_str() || said.contains(name) {
            continue;
        }
        let Some(person) = person(tx, name).await? else { continue };
        let needed = stored.rule.needed(request.escalated);
        if needed.iter().any(|approval| person.is_listed(&approval.from)) {
            found.push(link.user);
        }
        if found.len() == MOST_MENTIONS {
            break;
        }
    }
    Ok(found)
}

async fn person(tx: &mut dyn Read, name: &str) -> Result<Option<Person>, StoreError> {
    let known: Option<IdentityRecord> = load(tx, name).await?;
    Ok(known.filter(|known| known.enabled).map(|known| known.person()))
}
