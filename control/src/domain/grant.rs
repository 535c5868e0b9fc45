//! A grant: what an approved request becomes.

use postern_protocol::{
    duration::Span,
    gate::{
        self, AccountName, Change, EndCause, GrantId, Identity, RepoName, RequestId, ResourceGrant, Scope,
        SessionTerms, Stretch, Terms,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Moment, Refusal, Request,
    hours::{Window, stretches},
    rule::SessionRule,
    scope::holds,
};

/// Where a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum GrantState {
    /// `not_before` is ahead.
    Scheduled,
    /// May be used.
    Active,
    /// Its time is up.
    Expired,
    /// Somebody ended it.
    Revoked,
}

impl GrantState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Scheduled, Self::Active, Self::Expired, Self::Revoked];

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::Active => "ACTIVE",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
        }
    }
}

/// How a grant ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    /// Revoked or expired.
    pub cause: EndCause,
    /// Who; empty when time did.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Moment,
}

/// A grant. Every change of it raises `revision`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// `g_…`
    pub id: GrantId,
    /// What it came from.
    pub request: RequestId,
    /// Who filed that.
    pub filed_by: String,
    /// The rule that it was given under.
    pub rule: String,
    /// Who may connect.
    pub identity: Identity,
    /// To which repo.
    pub repo: RepoName,
    /// As which account.
    pub account: AccountName,
    /// With what.
    pub scope: Scope,
    /// On what terms.
    #[serde(default)]
    pub terms: Terms,
    /// When its sessions may live, as the rule had it.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// The stretches that these come to; absent without any.
    #[serde(default)]
    pub hours: Option<Vec<Stretch>>,
    /// How its sessions live.
    #[serde(default)]
    pub session: SessionRule,
    /// From when on.
    pub not_before: Moment,
    /// Until when.
    pub expires_at: Moment,
    /// Grows with every change.
    pub revision: u64,
    /// What was written down last; [`Grant::state_at`] tells the truth.
    pub state: GrantState,
    /// Set when it is over.
    pub ended: Option<Ending>,
    /// When it was given.
    pub created_at: Moment,
    /// The end that was announced.
    #[serde(default)]
    pub announced: Option<Moment>,
}

impl Grant {
    /// The grant of an approved request.
    pub(crate) fn of(id: GrantId, request: &Request, now: Moment) -> Self {
        let not_before = request.not_before.map_or(now, |wanted| wanted.max(now));
        let state = if not_before > now { GrantState::Scheduled } else { GrantState::Active };
        let expires_at = not_before.plus(request.granted_duration());
        Self {
            id,
            request: request.id.clone(),
            filed_by: request.filed_by.clone(),
            rule: request.rule.clone(),
            identity: request.identity.clone(),
            repo: request.repo.clone(),
            account: request.account.clone(),
            scope: request.granted_scope(),
            terms: request.terms.clone(),
            windows: request.windows.clone(),
            hours: hours(&request.windows, not_before, expires_at),
            session: request.session.clone(),
            not_before,
            expires_at,
            revision: 1,
            state,
            ended: None,
            created_at: now,
            announced: None,
        }
    }

    /// What would have to be asked for to get it again.
    pub(crate) fn ask(&self) -> Ask {
        let resources = match &self.scope {
            Scope::Whole => Vec::new(),
            Scope::Limited(list) => list.clone(),
        };
        Ask {
            repo: self.repo.clone(),
            account: self.account.clone(),
            resources,
            duration: Span::from_secs(0),
            reason: String::new(),
            not_before: None,
            break_glass: false,
        }
    }

    /// Where it stands at this moment, whether or not that was written down yet.
    pub(crate) fn state_at(&self, now: Moment) -> GrantState {
        match self.state {
            over @ (GrantState::Expired | GrantState::Revoked) => over,
            GrantState::Scheduled | GrantState::Active if now >= self.expires_at => GrantState::Expired,
            GrantState::Scheduled | GrantState::Active if now >= self.not_before => GrantState::Active,
            GrantState::Scheduled | GrantState::Active => GrantState::Scheduled,
        }
    }

    /// The next moment at which time alone changes it.
    pub(crate) fn due_at(&self) -> Moment {
        match (self.state, &self.ended) {
            (_, Some(ending)) => ending.at,
            (GrantState::Scheduled, None) => self.not_before,
            (GrantState::Active | GrantState::Expired | GrantState::Revoked, None) => self.expires_at,
        }
    }

    fn must_live(&self, now: Moment) -> Result<(), Refusal> {
        match self.state_at(now) {
            GrantState::Scheduled | GrantState::Active => Ok(()),
            over @ (GrantState::Expired | GrantState::Revoked) => Err(Refusal::GrantEnded(over)),
        }
    }

    fn end(&mut self, state: GrantState, ending: Ending) {
        self.state = state;
        self.ended = Some(ending);
        self.revision += 1;
    }

    /// Ends it before its time.
    pub(crate) fn revoke(&mut self, by: &str, reason: &str, now: Moment) -> Result<(), Refusal> {
        self.must_live(now)?;
        let ending =
            Ending { cause: EndCause::Revoked, by: by.to_owned(), reason: reason.to_owned(), at: now };
        self.end(GrantState::Revoked, ending);
        Ok(())
    }

    /// Writes down what time has done: that it began, or that it is over. `None` when nothing is due.
    pub(crate) fn settle(&mut self, now: Moment) -> Option<GrantState> {
        let state = self.state_at(now);
        if state == self.state {
            return None;
        }
        if state == GrantState::Expired {
            let ending = Ending {
                cause: EndCause::Expired,
                by: String::new(),
                reason: String::new(),
                at: self.expires_at,
            };
            self.end(state, ending);
        } else {
            self.state = state;
        }
        Some(state)
    }

    /// Announces its end, once for each end; one that is given for no longer than that is not announced.
    pub(crate) fn announce(&mut self, ahead: Span, now: Moment) -> bool {
        let near = self.state_at(now) == GrantState::Active && self.expires_at <= now.plus(ahead);
        let brief = self.not_before.plus(ahead) >= self.expires_at;
        if !near || brief || self.announced == Some(self.expires_at) {
            return false;
        }
        self.announced = Some(self.expires_at);
        true
    }

    /// Gives it more time, up to `longest` from now on (or from its beginning, when that is ahead).
    pub(crate) fn extend(&mut self, by: Span, longest: Span, now: Moment) -> Result<(), Refusal> {
        self.must_live(now)?;
        if by.as_secs() == 0 {
            return Err(Refusal::Invalid("duration: must be longer than nothing".to_owned()));
        }
        let expires_at = self.expires_at.plus(by);
        if expires_at > self.not_before.max(now).plus(longest) {
            let rule = &self.rule;
            return Err(Refusal::Forbidden(format!(
                "the grant would last longer than the {longest} that the rule {rule} allows"
            )));
        }
        self.expires_at = expires_at;
        self.hours = hours(&self.windows, self.not_before, expires_at);
        self.revision += 1;
        Ok(())
    }

    /// Takes away all but these resources. They must be part of what it has.
    pub(crate) fn shrink(&mut self, resources: Vec<ResourceGrant>, now: Moment) -> Result<(), Refusal> {
        self.must_live(now)?;
        if resources.is_empty() {
            return Err(Refusal::Invalid("resources: name what is left, or revoke the grant".to_owned()));
        }
        if let Some(more) = resources.iter().find(|wanted| !holds(&self.scope, wanted)) {
            let resource = &more.resource;
            return Err(Refusal::Invalid(format!(
                "resources: the grant does not hold all of that on {resource}"
            )));
        }
        self.scope = Scope::Limited(resources);
        self.revision += 1;
        Ok(())
    }

    /// As the feed carries it.
    pub(crate) fn wire(&self) -> gate::Grant {
        gate::Grant {
            id: self.id.clone(),
            revision: self.revision,
            identity: self.identity.clone(),
            repo: self.repo.clone(),
            account: self.account.clone(),
            scope: self.scope.clone(),
            terms: self.terms.clone(),
            session: SessionTerms {
                hours: self.hours.clone(),
                max_idle: self.session.max_idle,
                max_sessions: self.session.max_sessions,
            },
            not_before: self.not_before.as_millis(),
            expires_at: self.expires_at.as_millis(),
        }
    }

    /// What the feed says of it now.
    pub(crate) fn change(&self) -> Change {
        match &self.ended {
            None => Change::Grant(self.wire()),
            Some(Ending { cause, by, reason, .. }) => Change::GrantEnded {
                grant: self.id.clone(),
                revision: self.revision,
                cause: *cause,
                by: by.clone(),
                reason: reason.clone(),
            },
        }
    }
}

fn hours(windows: &[Window], from: Moment, to: Moment) -> Option<Vec<Stretch>> {
    (!windows.is_empty()).then(|| stretches(windows, from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Span = Span::from_secs(3_600);

    fn grant(scope: &str) -> Grant {
        serde_json::from_str(&format!(
            r#"{{"id":"g","request":"r","filed_by":"","rule":"r","identity":"alice","repo":"s","account":"a",
                "scope":{scope},"not_before":1000,"expires_at":3601000,"revision":1,"state":"SCHEDULED",
                "ended":null,"created_at":0}}"#
        ))
        .unwrap()
    }

    #[test]
    fn time_alone_moves_a_grant_through_its_states_once_each() {
        let mut grant = grant("\"whole\"");
        for (millis, state, settled) in [
            (999, GrantState::Scheduled, None),
            (1_000, GrantState::Active, Some(GrantState::Active)),
            (3_600_999, GrantState::Active, None),
            (3_601_000, GrantState::Expired, Some(GrantState::Expired)),
            (9_000_000, GrantState::Expired, None),
        ] {
            let now = Moment::from_millis(millis);
            assert_eq!(grant.state_at(now), state, "{millis}");
            assert_eq!(grant.settle(now), settled, "{millis}");
        }
        assert_eq!(grant.ended.as_ref().unwrap().at.as_millis(), 3_601_000);
        assert_eq!(grant.revision, 2);
    }

    #[test]
    fn a_grant_that_is_over_cannot_be_changed() {
        let (before, after) = (Moment::from_millis(2_000), Moment::from_millis(3_601_000));
        let mut revoked = grant("\"whole\"");
        revoked.revoke("bob", "", before).unwrap();
        assert_eq!(revoked.revoke("bob", "", before), Err(Refusal::GrantEnded(GrantState::Revoked)));
        assert_eq!(revoked.extend(HOUR, HOUR, before), Err(Refusal::GrantEnded(GrantState::Revoked)));
        let mut expired = grant("\"whole\"");
        assert_eq!(expired.revoke("bob", "", after), Err(Refusal::GrantEnded(GrantState::Expired)));
        assert_eq!(expired.shrink(vec![], after), Err(Refusal::GrantEnded(GrantState::Expired)));
    }

    #[test]
    fn a_grant_only_ever_shrinks_to_what_it_holds() {
        let now = Moment::from_millis(2_000);
        let whole = "\"whole\"";
        let table = r#"{"limited":[{"resource":"p.t","privileges":["SELECT","UPDATE"]}]}"#;
        let column = r#"{"limited":[{"resource":"p.t.c","privileges":["SELECT"]}]}"#;
        for (scope, resource, privileges, fits) in [
            (whole, "p.t", r#"["DELETE"]"#, true),
            (table, "p.t", r#"["SELECT"]"#, true),
            (table, "p.t.c", r#"["SELECT","UPDATE"]"#, true),
            (table, "p.t", r#"["SELECT","INSERT"]"#, false),
            (table, "p.u", r#"["SELECT"]"#, false),
            (column, "p.t", r#"["SELECT"]"#, false),
            (column, "p.t.c", r#"["SELECT"]"#, true),
            (column, "p.t.d", r#"["SELECT"]"#, false),
        ] {
            let wanted = format!(r#"[{{"resource":"{resource}","privileges":{privileges}}}]"#);
            let done = grant(scope).shrink(serde_json::from_str(&wanted).unwrap(), now);
            assert_eq!(done.is_ok(), fits, "{scope} {wanted}");
        }
        assert!(grant(whole).shrink(vec![], now).is_err());
    }

    #[test]
    fn an_extension_stays_within_what_the_rule_allows_from_now_on() {
        let mut grant = grant("\"whole\"");
        let now = Moment::from_millis(1_800_000);
        let longest = Span::from_secs(2 * 3_600);
        assert!(grant.extend(longest, longest, now).is_err());
        grant.extend(HOUR, longest, now).unwrap();
        assert_eq!(grant.expires_at.as_millis(), 3_601_000 + 3_600_000);
    }
}
