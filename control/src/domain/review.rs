//! Reviews: who may decide, and when enough have approved.

use postern_protocol::duration::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actor, Approval, Moment, Person, Refusal, Request, RequestStatus, Rule};

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
    pub(crate) fn count(rule: &'a Rule, reviews: &[Review]) -> Self {
        let mut tally = Self(open_approvals(rule));
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

fn open_approvals(rule: &Rule) -> Vec<Progress<'_>> {
    if rule.approvals.is_empty() {
        return vec![Progress { approval: None, needed: 1, by: Vec::new() }];
    }
    rule.approvals
        .iter()
        .map(|approval| {
            let needed = usize::try_from(approval.count).unwrap_or(usize::MAX);
            Progress { approval: Some(approval), needed, by: Vec::new() }
        })
        .collect()
}

impl Rule {
    /// Whether one of its approvals names this person.
    pub(crate) fn lists_approver(&self, person: &Person) -> bool {
        self.approvals.iter().any(|approval| person.is_listed(&approval.from))
    }

    /// Whether it is anything to this person: as somebody who may ask, or who may be asked.
    pub(crate) fn concerns(&self, person: &Person) -> bool {
        let in_emergency = self.break_glass.as_ref().is_some_and(|glass| person.is_listed(&glass.requesters));
        let when_late = self.escalate.as_ref().is_some_and(|escalation| person.is_listed(&escalation.to));
        person.is_listed(&self.requesters) || self.lists_approver(person) || in_emergency || when_late
    }
}

/// A review that is being handed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opinion<'a> {
    /// Who.
    pub by: &'a Actor,
    /// Yes or no.
    pub decision: Decision,
    /// Why.
    pub reason: &'a str,
    /// For how long, when shorter than asked for.
    pub duration: Option<Span>,
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
        self.must_be_pending(now)?;
        let Opinion { by, decision, reason, duration } = opinion;
        let person = by.person();
        let by_client = by.stands_in();
        if person.name == self.identity.as_str() {
            return Err(Refusal::OwnRequest);
        }
        if self.reviews.iter().any(|review| review.by == person.name) {
            return Err(Refusal::AlreadyReviewed(person.name));
        }
        let is_approver = rule.is_some_and(|rule| rule.lists_approver(&person));
        if !by_client && !is_approver {
            return Err(Refusal::NotAnApprover(person.name));
        }
        self.check_shortening(duration)?;
        let Person { name: by, groups } = person;
        let review = Review { by, by_client, groups, decision, reason: reason.to_owned(), duration, at: now };
        match decision {
            Decision::Deny => {
                self.reviews.push(review);
                self.decide(RequestStatus::Rejected, now);
                Ok(Transition::Rejected)
            }
            Decision::Approve => {
                let rule = rule.ok_or_else(|| self.rule_gone())?;
                self.approve(rule, requester, review, now)
            }
        }
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
        if !Tally::count(rule, &self.reviews).is_met() {
            return Ok(Transition::Recorded);
        }
        self.decide(RequestStatus::Approved, now);
        Ok(Transition::Approved)
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

    fn rule(approvals: &str) -> Rule {
        toml::from_str(&format!(
            "name = 'r'\nrequesters = ['*']\nrepos = ['*']\naccounts = ['*']\nwhole = true\napprovals = {approvals}"
        ))
        .unwrap()
    }

    fn request(rule: &Rule) -> Request {
        let ask =
            serde_json::from_str(r#"{"repo":"s","account":"a","resources":[],"duration":"2h"}"#).unwrap();
        Request::file("r_1".into(), "alice".into(), "client:bot", ask, rule, Moment::default())
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
        let opinion = Opinion { by: &by, decision: Decision::Approve, reason: "", duration: None };
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
        let opinion = Opinion { by: &by, decision: Decision::Approve, reason: "", duration: None };
        let refusal = request.review(Some(&rule), &alice(), opinion, late).unwrap_err();
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
            let opinion = Opinion { by: &by, decision: Decision::Approve, reason: "", duration };
            request.review(Some(&rule), &alice(), opinion, Moment::default()).unwrap();
        }
        assert_eq!(request.granted_duration().as_secs(), 3_600);
    }
}
