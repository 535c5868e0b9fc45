//! The states of requests and grants: every short sequence of operations, one after the other, leaves legal ones.

use postern_protocol::{duration::Span, gate::EndCause};

use super::{
    Actor, Ask, Decision, Grant, GrantState, Moment, Opinion, Person, Refusal, Request, RequestStatus, Rule,
    Verdict,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    ApproveAsBob,
    ApproveAsCarol,
    ApproveAsManager,
    ApproveAsAlice,
    DenyAsBob,
    AskForMore,
    AskForLess,
    Cancel,
    Wait,
    WaitLong,
    Settle,
    Revoke,
    Extend,
}

const STEPS: [Step; 13] = [
    Step::ApproveAsBob,
    Step::ApproveAsCarol,
    Step::ApproveAsManager,
    Step::ApproveAsAlice,
    Step::DenyAsBob,
    Step::AskForMore,
    Step::AskForLess,
    Step::Cancel,
    Step::Wait,
    Step::WaitLong,
    Step::Settle,
    Step::Revoke,
    Step::Extend,
];

const MINUTE: u64 = 60;

#[derive(Clone, Debug, PartialEq)]
struct World {
    request: Request,
    grant: Option<Grant>,
    now: Moment,
}

fn rule() -> Rule {
    toml::from_str(
        "name = 'r'\nrequesters = ['*']\nrepos = ['*']\naccounts = ['*']\nwhole = true\nmax_duration = '2h'\n\
         pending_ttl = '1h'\napprovals = [{from = ['group:dba'], count = 2}]\n\
         escalate = {after = '20m', to = ['group:managers']}",
    )
    .unwrap()
}

fn ask(minutes: u64) -> Ask {
    let ask = serde_json::json!({"repo": "s", "account": "a", "resources": [], "duration": minutes * MINUTE});
    serde_json::from_value(ask).unwrap()
}

fn person(name: &str, group: &str) -> Person {
    Person { name: name.to_owned(), groups: vec![group.to_owned()] }
}

impl World {
    fn new(rule: &Rule) -> Self {
        let now = Moment::from_millis(1_000_000);
        let filed = (rule, Verdict::Review);
        let request = Request::file("r_1".into(), "alice".into(), "alice", ask(60), filed, now);
        Self { request, grant: None, now }
    }

    fn review(&mut self, rule: &Rule, by: Person, decision: Decision) -> Result<(), Refusal> {
        let by = Actor::Identity(by);
        let opinion = Opinion { by: &by, decision, reason: "", duration: None, resources: None };
        self.request.review(Some(rule), &person("alice", "dba"), opinion, self.now)?;
        if self.request.status == RequestStatus::Approved && self.grant.is_none() {
            self.grant = Some(Grant::of("g_1".into(), &self.request, self.now));
        }
        Ok(())
    }

    fn take(&mut self, step: Step, rule: &Rule) -> Result<(), Refusal> {
        let (now, gone) = (self.now, || Refusal::not_found("grant", "g_1"));
        let wait = |minutes| now.plus(Span::from_secs(minutes * MINUTE));
        match step {
            Step::ApproveAsBob => self.review(rule, person("bob", "dba"), Decision::Approve),
            Step::ApproveAsCarol => self.review(rule, person("carol", "dba"), Decision::Approve),
            Step::ApproveAsManager => self.review(rule, person("mia", "managers"), Decision::Approve),
            Step::ApproveAsAlice => self.review(rule, person("alice", "dba"), Decision::Approve),
            Step::DenyAsBob => self.review(rule, person("bob", "dba"), Decision::Deny),
            Step::AskForMore => self.request.amend(ask(90), (rule, Verdict::Review), now),
            Step::AskForLess => self.request.amend(ask(30), (rule, Verdict::Review), now),
            Step::Cancel => self.request.cancel(now),
            Step::Wait => {
                self.now = wait(25);
                Ok(())
            }
            Step::WaitLong => {
                self.now = wait(70);
                Ok(())
            }
            Step::Settle => {
                let _ = self.request.expire(now) || self.request.escalate(now);
                if let Some(grant) = &mut self.grant {
                    grant.settle(now);
                }
                Ok(())
            }
            Step::Revoke => self.grant.as_mut().ok_or_else(gone)?.revoke("bob", "", now),
            Step::Extend => {
                let more = Span::from_secs(30 * MINUTE);
                self.grant.as_mut().ok_or_else(gone)?.extend(more, rule.max_duration, now)
            }
        }
    }

    fn check(&self, before: &Self, path: &[Step]) {
        let (was, is) = (before.request.status, self.request.status);
        assert!(was == RequestStatus::Pending || was == is, "{path:?}: {was:?} became {is:?}");
        assert_eq!(is == RequestStatus::Pending, self.request.decided_at.is_none(), "{path:?}");
        assert_eq!(is == RequestStatus::Approved, self.grant.is_some(), "{path:?}");
        assert!(self.request.reviews.iter().all(|review| review.by != "alice"), "{path:?}");
        let approvals =
            self.request.reviews.iter().filter(|review| review.decision == Decision::Approve).count();
        assert!(is != RequestStatus::Approved || approvals == 2, "{path:?}");
        let late = before.request.status_at(self.now) == RequestStatus::Expired;
        assert!(!late || [RequestStatus::Pending, RequestStatus::Expired].contains(&is), "{path:?}");
        if let (Some(before), Some(grant)) = (&before.grant, &self.grant) {
            let over = before.state_at(self.now);
            if [GrantState::Expired, GrantState::Revoked].contains(&over) {
                assert_eq!(grant.state_at(self.now), over, "{path:?}");
            }
            assert!(grant.revision >= before.revision, "{path:?}");
            assert!(grant == before || grant.revision > before.revision || grant.ended.is_none(), "{path:?}");
        }
        if let Some(grant) = &self.grant {
            let revoked = grant.ended.as_ref().is_some_and(|ending| ending.cause == EndCause::Revoked);
            assert_eq!(revoked, grant.state == GrantState::Revoked, "{path:?}");
        }
    }
}

fn walk(world: &World, rule: &Rule, path: &mut Vec<Step>, left: usize, seen: &mut usize) {
    if left == 0 {
        return;
    }
    for step in STEPS {
        let mut next = world.clone();
        path.push(step);
        let outcome = next.take(step, rule);
        if outcome.is_err() {
            assert_eq!(&next, world, "{path:?} was refused and changed something");
        }
        next.check(world, path);
        *seen += 1;
        if outcome.is_ok() {
            walk(&next, rule, path, left - 1, seen);
        }
        path.pop();
    }
}

#[test]
fn every_sequence_of_operations_leaves_a_legal_state_and_what_is_over_stays_over() {
    let (rule, mut seen) = (rule(), 0);
    walk(&World::new(&rule), &rule, &mut Vec::new(), 6, &mut seen);
    assert!(seen > 10_000, "{seen}");
}
