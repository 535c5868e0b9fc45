//! Who had access to what, by whose approval, and whether it was used.

use std::collections::BTreeMap;

use postern_protocol::gate::{Privilege, ResourceGrant, Scope};

use super::Failure;
use crate::{
    domain::{Decision, Grant, GrantState, Moment, Names, Request, RequestStatus, Touched, Usage},
    plane::ControlPlane,
    store::{Entity, Filter, Order, Page, Read, Row, StoreError, find, find_all, load_all},
};

/// Grants that are looked through at once.
const BATCH: u32 = 500;

/// A grant, where it came from, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// It.
    pub grant: Grant,
    /// Why it was asked for.
    pub reason: String,
    /// Who approved it; none when the rule did.
    pub approved_by: Vec<String>,
    /// How it was used, if it was.
    pub usage: Option<Usage>,
    /// What statements read and wrote; nothing where it is whole, for they are not looked at then.
    pub touched: Option<Touched>,
}

/// Whose access, where, and between when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Period {
    /// Lasting until then, or longer.
    pub since: Option<Moment>,
    /// Beginning before then.
    pub until: Option<Moment>,
    /// Whose.
    pub identity: Option<String>,
    /// Where.
    pub repo: Option<String>,
}

impl Period {
    fn meets(&self, grant: &Grant) -> bool {
        self.since.is_none_or(|since| end_of(grant) >= since)
            && self.until.is_none_or(|until| grant.not_before < until)
    }

    fn filter(&self, after: Option<i64>) -> Filter {
        Filter {
            identity: self.identity.clone(),
            repo: self.repo.clone(),
            order: Order::Newest,
            after,
            limit: Some(BATCH),
            ..Filter::default()
        }
    }
}

/// What the grants of one rule came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct OfRule {
    /// How many.
    pub grants: u64,
    /// How many of them anybody connected with.
    pub used: u64,
    /// How many ended and nobody had.
    pub never_used: u64,
    /// How many gave all that the account can do.
    pub whole: u64,
    /// Sessions.
    pub sessions: u64,
    /// Seconds that were given.
    pub seconds_given: u64,
    /// When one of them was used last.
    pub last_used: Option<Moment>,
    /// For each repo and account how many there were, and how many of them anybody connected with.
    pub accounts: BTreeMap<(String, String), (u64, u64)>,
    /// The same for each repo and resource that grants named.
    pub resources: BTreeMap<(String, String), Given>,
    /// For each repo, table or column, and privilege, in how many grants' sessions it was really used.
    pub touched: BTreeMap<(String, String, Privilege), u64>,
    /// Whether there is more than that.
    pub more: bool,
}

/// How a resource was given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given {
    /// By how many grants.
    pub grants: u64,
    /// With how many of them anybody connected.
    pub used: u64,
    /// In how many of them statements read or wrote something of it.
    pub touched: u64,
}

/// So many tables, columns and privileges are told of one rule.
const MOST_TOUCHED: usize = 10_000;

/// A page of accesses in a period, the newest first.
pub(crate) async fn access(
    plane: &ControlPlane,
    period: &Period,
    unused_only: bool,
    after: Option<i64>,
    limit: u32,
) -> Result<Page<Access>, Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let now = plane.clock.now();
    let mut tx = plane.store.read().await?;
    let (mut found, mut after) = (Vec::new(), after);
    loop {
        // The cursor must not skip what does not fit on the page, so rows are read and not a page of them.
        let rows = tx.find(Grant::TABLE, &period.filter(after)).await?;
        if rows.is_empty() {
            return Ok(Page { items: look(&mut *tx, found).await?, next: None });
        }
        let parse = |row: Row| Ok((row.n, serde_json::from_str(&row.body)?));
        let grants: Vec<(i64, Grant)> = rows.into_iter().map(parse).collect::<Result<_, StoreError>>()?;
        let mut usages = usages(&mut *tx, grants.iter().map(|(_, grant)| grant)).await?;
        for (n, grant) in grants {
            after = Some(n);
            let usage = usages.remove(grant.id.as_str());
            if !period.meets(&grant) || (unused_only && !is_wasted(&grant, usage.as_ref(), now)) {
                continue;
            }
            found.push((grant, usage));
            if found.len() >= limit {
                return Ok(Page { items: look(&mut *tx, found).await?, next: after });
            }
        }
    }
}

async fn usages<'a>(
    tx: &mut dyn Read,
    grants: impl Iterator<Item = &'a Grant> + Send,
) -> Result<BTreeMap<String, Usage>, StoreError> {
    load_all(tx, grants.map(|grant| grant.id.to_string()).collect()).await
}

/// What was done with these grants. One that limits its sessions has an account of it, be it an empty one.
async fn touched<'a>(
    tx: &mut dyn Read,
    grants: impl Iterator<Item = &'a Grant> + Send,
) -> Result<BTreeMap<String, Touched>, StoreError> {
    let limited = grants.filter(|grant| grant.scope != Scope::Whole);
    let none: BTreeMap<_, _> =
        limited.map(|grant| (grant.id.to_string(), Touched::new(grant.id.clone()))).collect();
    let known = load_all(tx, none.keys().cloned().collect()).await?;
    Ok(none.into_iter().chain(known).collect())
}

/// When it ended, or will.
fn end_of(grant: &Grant) -> Moment {
    grant.ended.as_ref().map_or(grant.expires_at, |ending| ending.at)
}

fn is_wasted(grant: &Grant, usage: Option<&Usage>, now: Moment) -> bool {
    let over = matches!(grant.state_at(now), GrantState::Expired | GrantState::Revoked);
    over && usage.is_none()
}

async fn look(tx: &mut dyn Read, found: Vec<(Grant, Option<Usage>)>) -> Result<Vec<Access>, StoreError> {
    let ids = found.iter().map(|(grant, _)| grant.request.to_string()).collect();
    let requests: BTreeMap<String, Request> = load_all(tx, ids).await?;
    let mut touched = touched(tx, found.iter().map(|(grant, _)| grant)).await?;
    let mut all = Vec::with_capacity(found.len());
    for (grant, usage) in found {
        let (mut reason, mut approved_by) = (String::new(), Vec::new());
        if let Some(request) = requests.get(grant.request.as_str()) {
            reason.clone_from(&request.reason);
            approved_by = approved(tx, &grant, request).await?;
        }
        let touched = touched.remove(grant.id.as_str());
        all.push(Access { grant, reason, approved_by, usage, touched });
    }
    Ok(all)
}

/// Who approved it, and more time for it.
async fn approved(tx: &mut dyn Read, grant: &Grant, request: &Request) -> Result<Vec<String>, StoreError> {
    let mut all: Vec<String> = approvers(request).collect();
    if grant.expires_at > grant.not_before.plus(request.granted_duration()) {
        for extension in extensions(tx, grant).await? {
            all.extend(approvers(&extension));
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}

fn approvers(request: &Request) -> impl Iterator<Item = String> + '_ {
    let approved = request.reviews.iter().filter(|review| review.decision == Decision::Approve);
    approved.map(|review| review.by.clone())
}

/// Approved requests for more time.
async fn extensions(tx: &mut dyn Read, grant: &Grant) -> Result<Vec<Request>, StoreError> {
    let filter = Filter {
        identity: Some(grant.identity.to_string()),
        repo: Some(grant.repo.to_string()),
        states: vec![RequestStatus::Approved.as_str()],
        order: Order::Oldest,
        ..Filter::default()
    };
    let all: Vec<Request> = find_all(tx, &filter).await?;
    Ok(all.into_iter().filter(|request| request.extends.as_ref() == Some(&grant.id)).collect())
}

/// What the grants of a period came to, rule by rule.
pub(crate) async fn by_rule(
    plane: &ControlPlane,
    period: &Period,
) -> Result<BTreeMap<String, OfRule>, Failure> {
    let now = plane.clock.now();
    let mut tx = plane.store.read().await?;
    let mut rules: BTreeMap<String, OfRule> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = find::<Grant>(&mut *tx, &period.filter(after)).await?;
        let usages = usages(&mut *tx, page.items.iter()).await?;
        let touched = touched(&mut *tx, page.items.iter()).await?;
        for grant in page.items.iter().filter(|grant| period.meets(grant)) {
            let usage = usages.get(grant.id.as_str());
            let touched = touched.get(grant.id.as_str());
            rules.entry(grant.rule.clone()).or_default().add(grant, usage, touched, now);
        }
        after = page.next;
        if after.is_none() {
            return Ok(rules);
        }
    }
}

impl OfRule {
    fn add(&mut self, grant: &Grant, usage: Option<&Usage>, touched: Option<&Touched>, now: Moment) {
        self.grants = self.grants.saturating_add(1);
        self.used = self.used.saturating_add(u64::from(usage.is_some()));
        self.never_used = self.never_used.saturating_add(u64::from(is_wasted(grant, usage, now)));
        let repo = grant.repo.to_string();
        count(&mut self.accounts, (repo.clone(), grant.account.to_string()), usage);
        match &grant.scope {
            Scope::Whole => self.whole = self.whole.saturating_add(1),
            Scope::Limited(resources) => {
                let used = touched.map(Touched::names).unwrap_or_default();
                for entry in resources {
                    self.give(&repo, entry, usage, &used);
                }
            }
        }
        if let Some(touched) = touched {
            self.touch(&repo, touched);
        }
        let lasted = end_of(grant).as_millis().saturating_sub(grant.not_before.as_millis());
        let seconds = u64::try_from(lasted).unwrap_or(0) / 1_000;
        self.seconds_given = self.seconds_given.saturating_add(seconds);
        if let Some(usage) = usage {
            self.sessions = self.sessions.saturating_add(usage.sessions);
            self.last_used = self.last_used.max(Some(usage.last));
        }
    }

    fn give(&mut self, repo: &str, entry: &ResourceGrant, usage: Option<&Usage>, touched: &Names) {
        let given = self.resources.entry((repo.to_owned(), entry.resource.to_string())).or_default();
        given.grants = given.grants.saturating_add(1);
        given.used = given.used.saturating_add(u64::from(usage.is_some()));
        given.touched = given.touched.saturating_add(u64::from(touched.have_any(entry)));
    }

    fn touch(&mut self, repo: &str, touched: &Touched) {
        self.more |= touched.more;
        for (resource, privileges) in &touched.resources {
            for privilege in privileges {
                let key = (repo.to_owned(), resource.to_string(), *privilege);
                if self.touched.len() >= MOST_TOUCHED && !self.touched.contains_key(&key) {
                    self.more = true;
                    continue;
                }
                let grants = self.touched.entry(key).or_default();
                *grants = grants.saturating_add(1);
            }
        }
    }
}

/// One more was given, and used or not.
fn count(all: &mut BTreeMap<(String, String), (u64, u64)>, what: (String, String), usage: Option<&Usage>) {
    let (given, used) = all.entry(what).or_default();
    *given = given.saturating_add(1);
    *used = used.saturating_add(u64::from(usage.is_some()));
}
