//! Bundles: several accesses that are asked for under one name and decided as one.

use postern_protocol::gate::{AccountName, RepoName, RequestId, ResourceGrant};
use serde::{Deserialize, Serialize};

use super::{
    Ask, Decision, Moment, Opinion, Owner, Person, Refusal, Request, RequestStatus, Rule, Scoped, Transition,
    identity::check_name,
};

const MOST_PARTS: usize = 20;

/// A named set of accesses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bundle {
    /// Unique.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// What is in it.
    pub parts: Vec<Part>,
    /// Who may change it.
    #[serde(default)]
    pub owner: Owner,
    /// When it was changed last.
    pub updated_at: Moment,
}

/// One access of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Which repo.
    pub repo: RepoName,
    /// As which account.
    pub account: AccountName,
    /// Which tables and columns; none means all that the account can do.
    pub resources: Vec<ResourceGrant>,
}

/// A part by what tells it from the others of its bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartName {
    /// Which repo.
    pub repo: RepoName,
    /// As which account.
    pub account: AccountName,
}

impl Part {
    /// What tells it from the others.
    pub(crate) fn name(&self) -> PartName {
        PartName { repo: self.repo.clone(), account: self.account.clone() }
    }
}

/// Of which bundle a request is a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bundled {
    /// The bundle's name.
    pub name: String,
    /// All requests that are decided together, this one among them.
    pub requests: Vec<RequestId>,
}

impl Bundle {
    /// Refuses what makes no sense, and brings the resources into one form.
    pub(crate) fn checked(mut self) -> Result<Self, Refusal> {
        check_name("bundle", &self.name)?;
        if self.parts.is_empty() || self.parts.len() > MOST_PARTS {
            return Err(Refusal::Invalid(format!("parts: 1 to {MOST_PARTS}")));
        }
        for part in &mut self.parts {
            check_name("repo", part.repo.as_str())?;
            check_name("account", part.account.as_str())?;
            part.resources = std::mem::take(&mut part.resources).scoped()?;
        }
        let twice = self.parts.iter().enumerate().find(|(place, part)| {
            let same = |other: &Part| (&other.repo, &other.account) == (&part.repo, &part.account);
            self.parts.iter().take(*place).any(same)
        });
        match twice {
            Some((_, Part { repo, account, .. })) => {
                Err(Refusal::Invalid(format!("parts: {account} of {repo} is there twice")))
            }
            None => Ok(self),
        }
    }

    /// The same with these parts alone; with all of them when none is named.
    pub(crate) fn only(mut self, names: &[PartName]) -> Result<Self, Refusal> {
        let absent = |name: &&PartName| !self.parts.iter().any(|part| part.name() == **name);
        if let Some(PartName { repo, account }) = names.iter().find(absent) {
            return Err(Refusal::Invalid(format!("parts: {account} of {repo} is not in the bundle")));
        }
        if !names.is_empty() {
            self.parts.retain(|part| names.contains(&part.name()));
        }
        Ok(self)
    }

    /// What is asked for with it: the same for each part, as `ask` has it.
    pub(crate) fn asks(&self, ask: &Ask) -> Vec<Ask> {
        let with = |part: &Part| {
            let Part { repo, account, resources } = part.clone();
            Ask { repo, account, resources, ..ask.clone() }
        };
        self.parts.iter().map(with).collect()
    }
}

/// A request that is decided together with others, with its rule as it stands now.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The request.
    pub request: Request,
    /// Its rule, if it is still there.
    pub rule: Option<Rule>,
}

impl Member {
    fn is_met(&self, requester: &Person) -> bool {
        let met = |rule: &Rule| self.request.is_met(rule) && rule.covers(requester, &self.request.ask());
        self.request.status == RequestStatus::Approved || self.rule.as_ref().is_some_and(met)
    }
}

/// Takes a review of requests that are decided together: it counts for those on which the reviewer has a voice. All
/// are approved when the last of them is; one denial rejects all. Refused, it changes nothing.
pub(crate) fn review_together(
    members: &mut Vec<Member>,
    requester: &Person,
    opinion: &Opinion<'_>,
    now: Moment,
) -> Result<Transition, Refusal> {
    if opinion.resources.is_some() {
        return Err(Refusal::Invalid("resources: a bundle is approved as it is".to_owned()));
    }
    let (mut after, mut voiceless, mut heard) = (members.clone(), None, false);
    for Member { request, rule } in &mut after {
        match request.review(rule.as_ref(), requester, opinion.clone(), now) {
            Ok(_) => heard = true,
            Err(again @ Refusal::AlreadyReviewed(_)) => voiceless = Some(again),
            Err(refusal @ Refusal::NotAnApprover(_)) => voiceless = voiceless.or(Some(refusal)),
            Err(refusal) => return Err(refusal),
        }
    }
    if let Some(refusal) = voiceless.filter(|_| !heard) {
        return Err(refusal);
    }
    let (status, transition) = match opinion.decision {
        Decision::Deny => (RequestStatus::Rejected, Transition::Rejected),
        Decision::Approve if after.iter().all(|member| member.is_met(requester)) => {
            (RequestStatus::Approved, Transition::Approved)
        }
        Decision::Approve => (RequestStatus::Pending, Transition::Recorded),
    };
    for member in &mut after {
        member.request.stand(status, now);
    }
    *members = after;
    Ok(transition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Actor, Verdict};

    fn member(id: &str, group: &str) -> Member {
        let rule: Rule = toml::from_str(&format!(
            "name = '{id}'\nrequesters = ['*']\nrepos = ['*']\naccounts = ['*']\nwhole = true\n\
             approvals = [{{from = ['group:{group}']}}]"
        ))
        .unwrap();
        let ask = serde_json::from_str(r#"{"repo":"s","account":"a","resources":[],"duration":"2h"}"#);
        let filed = (&rule, Verdict::Review);
        let request =
            Request::file(id.into(), "alice".into(), "alice", ask.unwrap(), filed, Moment::default());
        Member { request, rule: Some(rule) }
    }

    fn review(
        members: &mut Vec<Member>,
        by: &str,
        group: &str,
        decision: Decision,
    ) -> Result<Transition, Refusal> {
        let by = Actor::Identity(Person { name: by.to_owned(), groups: vec![group.to_owned()] });
        let opinion = Opinion { by: &by, decision, reason: "", duration: None, resources: None };
        let alice = Person { name: "alice".to_owned(), groups: vec![] };
        review_together(members, &alice, &opinion, Moment::default())
    }

    fn all(members: &[Member], status: RequestStatus) -> bool {
        members.iter().all(|member| member.request.status == status)
    }

    #[test]
    fn of_a_bundle_some_parts_can_be_asked_for() {
        let part = |repo: &str| Part { repo: repo.into(), account: "a".into(), resources: vec![] };
        let parts = vec![part("x"), part("y"), part("z")];
        let bundle = Bundle {
            name: "b".to_owned(),
            description: String::new(),
            parts,
            owner: Owner::rest(),
            updated_at: Moment::default(),
        };
        let repos = |names: &[PartName]| {
            let parts = bundle.clone().only(names)?.parts;
            Ok(parts.iter().map(|part| part.repo.to_string()).collect::<Vec<_>>().concat())
        };
        assert_eq!(repos(&[part("z").name(), part("x").name()]), Ok("xz".to_owned()));
        assert_eq!(repos(&[]), Ok("xyz".to_owned()));
        let none = repos(&[part("x").name(), part("w").name()]);
        assert_eq!(none, Err(Refusal::Invalid("parts: a of w is not in the bundle".to_owned())));
    }

    #[test]
    fn a_bundle_is_approved_when_every_part_is_and_not_before() {
        let mut members = vec![member("r_1", "dba"), member("r_2", "security")];
        assert_eq!(
            review(&mut members, "eve", "guests", Decision::Approve).unwrap_err().slug(),
            "not-an-approver"
        );
        assert_eq!(review(&mut members, "alice", "dba", Decision::Approve), Err(Refusal::OwnRequest));
        assert_eq!(review(&mut members, "bob", "dba", Decision::Approve), Ok(Transition::Recorded));
        assert!(all(&members, RequestStatus::Pending));
        assert_eq!(
            review(&mut members, "bob", "dba", Decision::Approve).unwrap_err().slug(),
            "already-reviewed"
        );
        assert_eq!(review(&mut members, "dave", "security", Decision::Approve), Ok(Transition::Approved));
        assert!(all(&members, RequestStatus::Approved));
    }

    #[test]
    fn one_denial_rejects_the_whole_bundle() {
        let mut members = vec![member("r_1", "dba"), member("r_2", "security")];
        review(&mut members, "bob", "dba", Decision::Approve).unwrap();
        assert_eq!(review(&mut members, "dave", "security", Decision::Deny), Ok(Transition::Rejected));
        assert!(all(&members, RequestStatus::Rejected));
    }

    #[test]
    fn a_rule_that_was_withdrawn_keeps_the_bundle_open() {
        let mut members = vec![member("r_1", "dba"), member("r_2", "security")];
        review(&mut members, "bob", "dba", Decision::Approve).unwrap();
        members[0].rule = None;
        assert_eq!(review(&mut members, "dave", "security", Decision::Approve), Ok(Transition::Recorded));
        assert!(all(&members, RequestStatus::Pending));
    }
}
