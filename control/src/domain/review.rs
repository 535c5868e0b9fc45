//! Reviews: who may decide, and when enough have approved.

use std::borrow::Cow;

use postern_protocol::{
    duration::Span,
    gate::{ResourceGrant, Scope},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Actor, Approval, Moment, Person, Refusal, Request, RequestStatus, Rule, Scoped, identity::canonical,
    scope::holds,
};

/// What a reviewer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    /// Yes.
    Approve,
    /// No; one is enough.
    Deny,
}

impl Decision {
    /// The word in JSON and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// A review that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Review {
    /// Who.
    pub by: String,
    /// True for an API client that speaks for itself, and for an administrator.
    pub by_client: bool,
    /// The reviewer's groups at the time.
    pub groups: Vec<String>,
    /// Yes or no.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// For how long, when shorter than asked for.
    pub duration: Option<Span>,
    /// With what, when less than asked for.
    #[serde(default)]
    pub resources: Option<Vec<ResourceGrant>>,
    /// When.
    pub at: Moment,
}

/// How far one of the rule's approvals has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress<'a> {
    /// What is needed; absent for a rule without approvals, which needs one API client.
    pub approval: Option<&'a Approval>,
    /// How many are needed.
    pub needed: usize,
    /// Who has approved.
    pub by: Vec<String>,
}

impl Progress<'_> {
    /// Whether enough have approved.
    pub(crate) fn is_met(&self) -> bool {
        self.by.len() >= self.needed
    }

    fn lists(&self, person: &Person) -> bool {
        self.approval.is_some_and(|approval| person.is_listed(&approval.from))
    }
}

/// How far all of them have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tally<'a>(pub Vec<Progress<'a>>);

impl<'a> Tally<'a> {
    /// Counts the approvals among these reviews, in order.
    ///
    /// An identity counts wherever it is listed. An API client does too; one that is listed nowhere stands in for a
    /// single approver of the first approval that is not met yet, never of two.
    pub(crate) fn count(approvals: &'a [Approval], reviews: &[Review]) -> Self {
        let mut tally = Self(open_approvals(approvals));
        for review in reviews.iter().filter(|review| review.decision == Decision::Approve) {
            tally.add(review);
        }
        tally
    }

    fn add(&mut self, review: &Review) {
        let person = Person { name: review.by.clone(), groups: review.groups.clone() };
        let mut listed = false;
        for progress in self.0.iter_mut().filter(|progress| progress.lists(&person)) {
            progress.by.push(review.by.clone());
            listed = true;
        }
        let stands_in = !listed && review.by_client;
        if stands_in && let Some(open) = self.0.iter_mut().find(|progress| !progress.is_met()) {
            open.by.push(review.by.clone());
        }
    }

    /// Whether nothing is missing.
    pub(crate) fn is_met(&self) -> bool {
        self.0.iter().all(Progress::is_met)
    }
}

fn open_approvals(approvals: &[Approval]) -> Vec<Progress<'_>> {
    if approvals.is_empty() {
        return vec![Progress { approval: None, needed: 1, by: Vec::new() }];
    }
    approvals
        .iter()
        .map(|approval| {
            let needed = usize::try_from(approval.count).unwrap_or(usize::MAX);
            Progress { approval: Some(approval), needed, by: Vec::new() }
        })
        .collect()
}

impl Rule {
    /// Whether this person may approve.
    pub(crate) fn lists_approver(&self, person: &Person, escalated: bool) -> bool {
        self.needed(escalated).iter().any(|approval| person.is_listed(&approval.from))
    }

    /// Whether it is anything to this person: as somebody who may ask, or who may be asked.
    pub(crate) fn concerns(&self, person: &Person) -> bool {
        let when_late = self.escalate.as_ref().is_some_and(|escalation| person.is_listed(&escalation.to));
        self.lists_requester(person) || self.lists_approver(person, false) || when_late
    }

    /// Whether this person may ask, be it in an emergency.
    pub(crate) fn lists_requester(&self, person: &Person) -> bool {
        let in_emergency = self.break_glass.as_ref().is_some_and(|glass| person.is_listed(&glass.requesters));
        person.is_listed(&self.requesters) || in_emergency
    }

    /// What is needed: once a request was escalated, those to whom it was may stand in for anybody.
    pub(crate) fn needed(&self, escalated: bool) -> Cow<'_, [Approval]> {
        let Some(escalation) = self.escalate.as_ref().filter(|_| escalated) else {
            return Cow::Borrowed(&self.approvals);
        };
        if self.approvals.is_empty() {
            return Cow::Owned(vec![Approval { from: escalation.to.clone(), count: 1 }]);
        }
        let widened = self.approvals.iter().map(|approval| {
            let from = approval.from.iter().chain(&escalation.to).cloned().collect();
            Approval { from, count: approval.count }
        });
        Cow::Owned(widened.collect())
    }
}

/// A review that is being handed in.
#[derive(Clone, Debug)]
pub(crate) struct Opinion<'a> {
    /// Who.
    pub by: &'a Actor,
    /// Yes or no.
    pub decision: Decision,
    /// Why.
    pub reason: &'a str,
    /// For how long, when shorter than asked for.
    pub duration: Option<Span>,
    /// With what, when less than asked for.
    pub resources: Option<Vec<ResourceGrant>>,
}

/// What a review did to its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// It counts, but more are needed.
    Recorded,
    /// It was the last that was needed: a grant is due.
    Approved,
    /// The request is rejected.
    Rejected,
    /// Somebody looked at a broken glass afterwards and finds it right.
    Condoned,
    /// Somebody looked at a broken glass afterwards and does not: the grant is to end.
    Condemned,
}

impl Request {
    /// Takes a review, or refuses it and stays as it was.
    ///
    /// `rule` is the request's rule as it stands now, `requester` the identity with the groups that it has now: a
    /// rule that was withdrawn or narrowed since the request was filed no longer carries it.
    pub(crate) fn review(
        &mut self,
        rule: Option<&Rule>,
        requester: &Person,
        opinion: Opinion<'_>,
        now: Moment,
    ) -> Result<Transition, Refusal> {
        if !self.awaits_hindsight() {
            self.must_be_pending(now)?;
        }
        self.check_reviewer(rule, opinion.by)?;
        let less = opinion.resources.map(|list| self.narrowed(list)).transpose()?;
        self.check_shortening(opinion.duration)?;
        let review = Review {
            by: opinion.by.name().to_owned(),
            by_client: opinion.by.stands_in(),
            groups: opinion.by.person().groups,
            decision: opinion.decision,
            reason: opinion.reason.to_owned(),
            duration: opinion.duration,
            resources: less,
            at: now,
        };
        match (self.awaits_hindsight(), opinion.decision) {
            (true, decision) => {
                self.reviews.push(review);
                Ok(if decision == Decision::Deny { Transition::Condemned } else { Transition::Condoned })
            }
            (false, Decision::Deny) => {
                self.reviews.push(review);
                self.decide(RequestStatus::Rejected, now);
                Ok(Transition::Rejected)
            }
            (false, Decision::Approve) => {
                let rule = rule.ok_or_else(|| self.rule_gone())?;
                self.approve(rule, requester, review, now)
            }
        }
    }

    /// Nobody reviews what they asked for, for themselves or for somebody else, and nobody does it twice.
    fn check_reviewer(&self, rule: Option<&Rule>, by: &Actor) -> Result<(), Refusal> {
        let person = by.person();
        let own = |name: &str| canonical(name) == canonical(&person.name);
        let (is_requester, has_filed) = (own(self.identity.as_str()), own(&self.filed_by));
        if is_requester || (has_filed && !matches!(by, Actor::Client(_))) {
            return Err(Refusal::OwnRequest);
        }
        if self.reviews.iter().any(|review| own(&review.by)) {
            return Err(Refusal::AlreadyReviewed(person.name));
        }
        let is_approver = rule.is_some_and(|rule| rule.lists_approver(&person, self.escalated));
        if !by.stands_in() && !is_approver {
            return Err(Refusal::NotAnApprover(person.name));
        }
        Ok(())
    }

    fn approve(
        &mut self,
        rule: &Rule,
        requester: &Person,
        review: Review,
        now: Moment,
    ) -> Result<Transition, Refusal> {
        if !rule.covers(requester, &self.ask()) {
            return Err(self.rule_gone());
        }
        self.reviews.push(review);
        if self.granted_scope() == Scope::Limited(Vec::new()) {
            self.reviews.pop();
            return Err(Refusal::Invalid("resources: nothing is left that all approvers allow".to_owned()));
        }
        if !self.is_met(rule) {
            return Ok(Transition::Recorded);
        }
        self.decide(RequestStatus::Approved, now);
        Ok(Transition::Approved)
    }

    /// Whether enough have approved.
    pub(super) fn is_met(&self, rule: &Rule) -> bool {
        Tally::count(&rule.needed(self.escalated), &self.reviews).is_met()
    }

    /// Less than what was asked for, in one form.
    fn narrowed(&self, list: Vec<ResourceGrant>) -> Result<Vec<ResourceGrant>, Refusal> {
        if self.extends.is_some() {
            return Err(Refusal::Invalid("resources: more time for a grant leaves its resources".to_owned()));
        }
        let (list, asked) = (list.scoped()?, self.ask().scope());
        match list.iter().find(|wanted| !holds(&asked, wanted)) {
            Some(more) => Err(Refusal::Invalid(format!(
                "resources: a review can narrow what was asked for, and {} is no part of it",
                more.resource
            ))),
            None if list.is_empty() => Err(Refusal::Invalid("resources: name what is left".to_owned())),
            None => Ok(list),
        }
    }

    /// Forgets what somebody said who is let in no longer, while nothing is decided. True when there was something.
    pub(crate) fn forget_reviews(&mut self, by: &str) -> bool {
        let before = self.reviews.len();
        if self.status == RequestStatus::Pending {
            self.reviews.retain(|review| review.by != by);
        }
        self.reviews.len() < before
    }

    /// Lets reviews count by the groups that their reviewers have now.
    pub(crate) fn regroup_reviews(&mut self, people: &[Person]) {
        for review in self.reviews.iter_mut().filter(|review| !review.by_client) {
            let now = people.iter().find(|person| person.name == review.by);
            review.groups = now.map_or_else(Vec::new, |person| person.groups.clone());
        }
    }

    fn check_shortening(&self, duration: Option<Span>) -> Result<(), Refusal> {
        match duration {
            Some(span) if span > self.duration => Err(Refusal::Invalid(format!(
                "duration: a review can shorten the {} that were asked for, not lengthen them",
                self.duration
            ))),
            Some(span) if span.as_secs() == 0 => {
                Err(Refusal::Invalid("duration: longer than nothing".to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn rule_gone(&self) -> Refusal {
        Refusal::RuleChanged(format!("the rule `{}` no longer covers this request: file it again", self.rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Verdict;

    fn rule(approvals: &str) -> Rule {
        toml::from_str(&format!(
            "name = 'r'\nrequesters = ['*']\nrepos = ['*']\naccounts = ['*']\nwhole = true\napprovals = {approvals}"
        ))
        .unwrap()
    }

    fn request(rule: &Rule) -> Request {
        let ask =
            serde_json::from_str(r#"{"repo":"s","account":"a","resources":[],"duration":"2h"}"#).unwrap();
        Request::file(
            "r_1".into(),
            "alice".into(),
            "client:bot",
            ask,
            (rule, Verdict::Review),
            Moment::default(),
        )
    }

    fn alice() -> Person {
        Person { name: "alice".to_owned(), groups: vec![] }
    }

    /// `bob+dba+security` is bob with two groups, `client:x` an API client.
    fn actor(text: &str) -> Actor {
        let mut parts = text.split('+').map(str::to_owned);
        let name = parts.next().unwrap();
        match name.strip_prefix("client:") {
            Some(client) => Actor::client(client),
            None => Actor::Identity(Person { name, groups: parts.collect() }),
        }
    }

    fn approve(request: &mut Request, rule: &Rule, by: &str) -> Result<Transition, Refusal> {
        let by = actor(by);
        let opinion =
            Opinion { by: &by, decision: Decision::Approve, reason: "", duration: None, resources: None };
        request.review(Some(rule), &alice(), opinion, Moment::default())
    }

    #[test]
    fn a_request_is_approved_when_every_approval_is_met_and_not_before() {
        let dba = "[{from = ['group:dba']}]";
        let both = "[{from = ['group:dba']}, {from = ['group:security']}]";
        let two = "[{from = ['group:dba'], count = 2}]";
        let bot = "[{from = ['client:bot2']}, {from = ['group:dba']}]";
        let anybody = "[{from = ['*'], count = 2}]";
        for (approvals, reviewers, approved) in [
            (dba, vec!["bob+dba"], true),
            (dba, vec!["client:x"], true),
            (two, vec!["bob+dba"], false),
            (two, vec!["bob+dba", "carol+dba"], true),
            (two, vec!["bob+dba", "client:x"], true),
            (both, vec!["bob+dba"], false),
            (both, vec!["bob+dba+security"], true),
            (both, vec!["bob+dba", "dave+security"], true),
            (both, vec!["bob+dba", "carol+dba"], false),
            (both, vec!["client:x"], false),
            (both, vec!["client:x", "dave+security"], true),
            (both, vec!["client:x", "bob+dba"], false),
            (both, vec!["client:x", "client:y"], true),
            (bot, vec!["client:bot2"], false),
            (bot, vec!["client:bot2", "client:x"], true),
            (bot, vec!["client:bot2", "bob+dba"], true),
            (anybody, vec!["client:x", "bob"], true),
            ("[]", vec!["client:x"], true),
        ] {
            let rule = rule(approvals);
            let mut request = request(&rule);
            let mut last = Transition::Recorded;
            for reviewer in &reviewers {
                assert_eq!(last, Transition::Recorded, "{approvals} {reviewers:?}");
                last = approve(&mut request, &rule, reviewer).unwrap();
            }
            assert_eq!(last == Transition::Approved, approved, "{approvals} {reviewers:?}");
        }
    }

    #[test]
    fn who_is_not_listed_has_no_voice_and_a_refusal_changes_nothing() {
        let rule = rule("[{from = ['group:dba'], count = 2}]");
        let mut request = request(&rule);
        approve(&mut request, &rule, "bob+dba").unwrap();
        let before = request.clone();
        for (by, slug) in [
            ("dave+security", "not-an-approver"),
            ("alice+dba", "own-request"),
            ("bob+dba", "already-reviewed"),
        ] {
            assert_eq!(approve(&mut request, &rule, by).unwrap_err().slug(), slug, "{by}");
        }
        let late = Moment::default().plus(rule.pending_ttl);
        let by = actor("carol+dba");
        let opinion =
            Opinion { by: &by, decision: Decision::Approve, reason: "", duration: None, resources: None };
        let refusal = request.review(Some(&rule), &alice(), opinion.clone(), late).unwrap_err();
        assert_eq!(refusal, Refusal::AlreadyDecided(RequestStatus::Expired));
        let refusal = request.review(None, &alice(), opinion, Moment::default()).unwrap_err();
        assert_eq!(refusal.slug(), "not-an-approver");
        assert_eq!(request, before);
    }

    #[test]
    fn the_shortest_duration_that_an_approver_named_is_granted() {
        let rule = rule("[{from = ['*'], count = 3}]");
        let mut request = request(&rule);
        for (by, hours) in [("bob", None), ("carol", Some(3_600)), ("dave", Some(5_400))] {
            let by = actor(by);
            let duration = hours.map(Span::from_secs);
            let opinion =
                Opinion { by: &by, decision: Decision::Approve, reason: "", duration, resources: None };
            request.review(Some(&rule), &alice(), opinion, Moment::default()).unwrap();
        }
        assert_eq!(request.granted_duration().as_secs(), 3_600);
    }

    #[test]
    fn whoever_filed_it_for_somebody_else_has_no_voice_and_case_does_not_help() {
        let rule = rule("[{from = ['*']}]");
        let mut request = request(&rule);
        request.identity = "alice@example.com".into();
        request.filed_by = "bob@example.com".to_owned();
        for by in ["alice@example.com", "Alice@Example.com", "bob@example.com", "BOB@example.com"] {
            assert_eq!(approve(&mut request, &rule, by), Err(Refusal::OwnRequest), "{by}");
        }
        assert_eq!(approve(&mut request, &rule, "carol@example.com"), Ok(Transition::Approved));
    }

    #[test]
    fn after_an_escalation_the_fallback_stands_in_for_anybody() {
        let mut rule = rule("[{from = ['group:dba']}, {from = ['group:security']}]");
        rule.escalate = toml::from_str("after = '15m'\nto = ['group:managers']").unwrap();
        let mut request = request(&rule);
        assert_eq!(approve(&mut request, &rule, "mia+managers").unwrap_err().slug(), "not-an-approver");
        let at = request.escalates_at.unwrap();
        assert_eq!(request.due_at(), at);
        assert!(!request.escalate(Moment::default()));
        assert!(request.escalate(at) && !request.escalate(at));
        assert_eq!(request.due_at(), request.waits_until);
        assert_eq!(approve(&mut request, &rule, "bob+dba"), Ok(Transition::Recorded));
        assert_eq!(approve(&mut request, &rule, "mia+managers"), Ok(Transition::Approved));
    }

    #[test]
    fn the_grant_covers_what_every_approver_left() {
        let rule = rule("[{from = ['*'], count = 2}]");
        let mut request = request(&rule);
        let mut narrow = |by: &str, resource: &str| {
            let resources = vec![ResourceGrant { resource: resource.parse().unwrap(), privileges: vec![] }];
            let by = actor(by);
            let opinion = Opinion {
                by: &by,
                decision: Decision::Approve,
                reason: "",
                duration: None,
                resources: Some(resources),
            };
            request.review(Some(&rule), &alice(), opinion, Moment::default())
        };
        assert_eq!(narrow("bob", "public.orders"), Ok(Transition::Recorded));
        assert_eq!(narrow("carol", "public.sales").unwrap_err().slug(), "invalid");
        assert_eq!(narrow("carol", "public.orders.id"), Ok(Transition::Approved));
        let Scope::Limited(left) = request.granted_scope() else { panic!("narrowed") };
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].resource.to_string(), "public.orders.id");
    }

    #[test]
    fn a_broken_glass_is_looked_at_once_by_somebody_else() {
        let rule = rule("[{from = ['group:dba'], count = 2}]");
        let ask = serde_json::from_str(
            r#"{"repo":"s","account":"a","resources":[],"duration":"1h","reason":"fire","break_glass":true}"#,
        )
        .unwrap();
        let filed = (&rule, Verdict::Approve);
        let mut request = Request::file("r_1".into(), "alice".into(), "alice", ask, filed, Moment::default());
        assert!(request.awaits_hindsight());
        assert_eq!(approve(&mut request, &rule, "alice+dba"), Err(Refusal::OwnRequest));
        assert_eq!(approve(&mut request, &rule, "eve").unwrap_err().slug(), "not-an-approver");
        assert_eq!(approve(&mut request, &rule, "bob+dba"), Ok(Transition::Condoned));
        assert!(!request.awaits_hindsight());
        assert_eq!(approve(&mut request, &rule, "carol+dba").unwrap_err().slug(), "already-decided");
        assert_eq!(request.status, RequestStatus::Approved);
    }
}
