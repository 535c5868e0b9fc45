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
    /// True for an API client that speaks for itself.
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
        let by_client = matches!(by, Actor::Client(_));
        if person.name == self.identity.as_str() {
            return Err(Refusal::OwnRequest);
        }
        if self.reviews.iter().any(|review| review.by == person.name) {
            return Err(Refusal::AlreadyReviewed(person.name));
        }
        let is_approver =
            rule.is_some_and(|rule| rule.approvals.iter().any(|approval| person.is_listed(&approval.from)));
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
