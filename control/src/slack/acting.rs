//! What a linked Slack user does: the actions of REST, as their identity and nobody else.

use postern_protocol::duration::Span;

use super::{desk::Slack, records::Link};
use crate::{
    actions::{
        Caller, Failure, drafts, grants,
        requests::{self, Filed},
        reviews::{self, Said},
    },
    domain::{Ask, Decision},
};

/// Somebody in Slack with the rights of their identity.
pub(super) struct Acting<'a> {
    slack: &'a Slack,
    pub caller: Caller,
    pub link: Link,
}

impl Slack {
    /// The identity behind a link, as it is now: its groups, and whether it is let in at all.
    pub(super) async fn acting(&self, link: Link) -> Result<Acting<'_>, Failure> {
        let caller = Caller::person(self.behind(&link).await?.person(), &self.plane.admins);
        Ok(Acting { slack: self, caller, link })
    }
}

impl Acting<'_> {
    /// Files a request.
    pub(super) async fn file(&self, ask: Ask) -> Result<Filed, Failure> {
        requests::file(&self.slack.plane, &self.caller, ask, None).await
    }

    /// What filing it would come to.
    pub(super) async fn forecast(&self, ask: Ask) -> Result<drafts::Forecast, Failure> {
        drafts::forecast(&self.slack.plane, &self.caller, ask, None).await
    }

    /// A request that they may see.
    pub(super) async fn show(&self, request: &str) -> Result<Filed, Failure> {
        requests::show(&self.slack.plane, &self.caller, request).await
    }

    /// Withdraws a request.
    pub(super) async fn cancel(&self, request: &str) -> Result<Filed, Failure> {
        requests::cancel(&self.slack.plane, &self.caller, request).await
    }

    /// Hands in a review.
    pub(super) async fn review(
        &self,
        request: &str,
        decision: Decision,
        reason: String,
        duration: Option<Span>,
    ) -> Result<Filed, Failure> {
        let said = Said { decision, reason, duration, resources: None };
        reviews::review(&self.slack.plane, &self.caller, request, None, said).await
    }

    /// Ends a grant.
    pub(super) async fn revoke(&self, grant: &str, reason: &str) -> Result<(), Failure> {
        grants::revoke(&self.slack.plane, &self.caller, grant, reason).await.map(drop)
    }
}
