//! Everything that there is to say about one request, read in one moment.

use postern_protocol::duration::Span;

use super::{config::LinkBy, records::Link};
use crate::{
    domain::{Grant, GrantState, IdentityRecord, Moment, Person, Request, RequestStatus, StoredRule, Tally},
    store::{Filter, Order, Read, StoreError, find, find_all, load},
};

/// How far back earlier grants are counted.
const EARLIER: Span = Span::from_secs(30 * 86_400);

/// Who is mentioned at most: whoever mentions everybody reaches nobody.
const MOST_MENTIONS: usize = 10;

/// Links that are looked through at once.
const PAGE: u32 = 50;

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

/// What one message is about: a request, or all requests of a bundle, which are decided as one.
#[derive(Clone, Debug)]
pub(super) struct Matter {
    /// The request, or the first of the bundle's: it stands for all.
    pub lead: Case,
    /// The bundle's others, in its order.
    pub rest: Vec<Case>,
    /// Slack users who may decide and have not.
    pub approvers: Vec<String>,
}

/// A request with what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub request: Request,
    pub grant: Option<Grant>,
    pub rule: Option<StoredRule>,
    /// Earlier grants of the same account to the same identity, lately.
    pub earlier: usize,
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

/// How several requests stand: one word where they stand alike, and counted where they do not.
pub(super) fn together(standings: impl Iterator<Item = Standing>) -> String {
    let mut counts: Vec<(Standing, usize)> = Vec::new();
    for standing in standings {
        match counts.iter_mut().find(|(known, _)| *known == standing) {
            Some((_, count)) => *count += 1,
            None => counts.push((standing, 1)),
        }
    }
    if let [(only, _)] = counts.as_slice() {
        return only.as_str().to_owned();
    }
    let counted = counts.iter().map(|(standing, count)| format!("{count} {}", standing.as_str()));
    counted.collect::<Vec<_>>().join(", ")
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

impl Matter {
    /// Reads what this request belongs to; nothing when there is no such request.
    pub(super) async fn read(
        tx: &mut dyn Read,
        id: &str,
        links: Links<'_>,
        now: Moment,
    ) -> Result<Option<Self>, StoreError> {
        let Some(request) = load::<Request>(tx, id).await? else { return Ok(None) };
        let ids = match &request.bundle {
            Some(bundled) => bundled.requests.clone(),
            None => vec![request.id.clone()],
        };
        let mut cases = Vec::new();
        for id in ids {
            if let Some(request) = load::<Request>(tx, id.as_str()).await? {
                cases.push(Case::of(tx, request, now).await?);
            }
        }
        let approvers = approvers(tx, &cases, links).await?;
        let mut cases = cases.into_iter();
        let lead = cases.next();
        Ok(lead.map(|lead| Self { lead, rest: cases.collect(), approvers }))
    }

    /// The request, or each of the bundle's.
    pub(super) fn cases(&self) -> impl Iterator<Item = &Case> {
        std::iter::once(&self.lead).chain(&self.rest)
    }

    /// The name of the bundle that it is, if it is one.
    pub(super) fn bundle(&self) -> Option<&str> {
        self.lead.request.bundle.as_ref().map(|bundled| bundled.name.as_str())
    }
}

impl Case {
    async fn of(tx: &mut dyn Read, request: Request, now: Moment) -> Result<Self, StoreError> {
        let grant: Option<Grant> = match &request.grant {
            Some(grant) => load(tx, grant.as_str()).await?,
            None => None,
        };
        let rule: Option<StoredRule> = load(tx, &request.rule).await?;
        let earlier = earlier(tx, &request).await?;
        Ok(Self { request, grant, rule, earlier, now })
    }

    /// Where it stands.
    pub(super) fn standing(&self) -> Standing {
        standing(&self.request, self.grant.as_ref(), self.now)
    }

    /// Whether it waits for somebody's word, be it in hindsight.
    pub(super) fn waits(&self) -> bool {
        self.standing() == Standing::Waiting || self.request.awaits_hindsight()
    }

    /// Whether there is access that can be taken back.
    pub(super) fn lives(&self) -> bool {
        matches!(self.standing(), Standing::Scheduled | Standing::Active)
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
async fn approvers(tx: &mut dyn Read, cases: &[Case], links: Links<'_>) -> Result<Vec<String>, StoreError> {
    let open: Vec<Open<'_>> = cases.iter().filter(|case| case.waits()).filter_map(Open::of).collect();
    let listed = open.iter().flat_map(|open| &open.lists).flatten().cloned().collect();
    let mut filter =
        Filter { listed: Some(listed), order: Order::Oldest, limit: Some(PAGE), ..Filter::default() };
    let mut found = Vec::new();
    loop {
        let page = find::<Link>(tx, &filter).await?;
        for link in page.items.into_iter().filter(|link| links.has(link)) {
            let Some(person) = person(tx, link.identity.as_str()).await? else { continue };
            if open.iter().any(|open| open.is_up_to(&person)) {
                found.push(link.user);
            }
            if found.len() == MOST_MENTIONS {
                return Ok(found);
            }
        }
        filter.after = page.next;
        if filter.after.is_none() {
            return Ok(found);
        }
    }
}

/// A request that is still to be decided.
struct Open<'a> {
    request: &'a Request,
    /// Those who may, approval by approval that it still needs.
    lists: Vec<Vec<String>>,
}

impl<'a> Open<'a> {
    fn of(case: &'a Case) -> Option<Self> {
        let needed = case.rule.as_ref()?.rule.needed(case.request.escalated);
        let tally = Tally::count(&needed, &case.request.reviews);
        let open = tally.0.iter().filter(|progress| !progress.is_met());
        let lists = open.filter_map(|progress| Some(progress.approval?.from.clone())).collect();
        Some(Self { request: &case.request, lists })
    }

    fn is_up_to(&self, person: &Person) -> bool {
        let said = self.request.reviews.iter().any(|review| review.by == person.name);
        let own = self.request.identity.as_str() == person.name;
        !said && !own && self.lists.iter().any(|list| person.is_listed(list))
    }
}

async fn person(tx: &mut dyn Read, name: &str) -> Result<Option<Person>, StoreError> {
    let known: Option<IdentityRecord> = load(tx, name).await?;
    Ok(known.filter(|known| known.enabled).map(|known| known.person()))
}
