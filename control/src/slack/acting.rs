//! What a linked Slack user does: the actions of REST, as their identity and nobody else.

use postern_protocol::duration::Span;

use super::{desk::Slack, records::Link, text::elided};
use crate::{
    actions::{
        Caller, Failure, bundles, drafts, extensions, favourites, grants,
        requests::{self, Filed},
        reviews::{self, Said},
    },
    domain::{Ask, Decision, Favourite, PartName, Refusal, Seen, Versioned},
};

/// What a favourite is called after, in characters: with a number it is still a name.
const LONGEST_PLACE: usize = 50;

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

    /// Says no.
    pub(super) async fn deny(&self, request: &str, reason: String) -> Result<Filed, Failure> {
        let said = Said { decision: Decision::Deny, reason, duration: None, resources: None };
        reviews::review(&self.slack.plane, &self.caller, request, None, said).await
    }

    /// Approves what a message shows; nothing, if something else is asked for by now.
    pub(super) async fn approve(
        &self,
        (request, asked): (&str, Option<&str>),
        reason: &str,
        duration: Option<Span>,
    ) -> Result<Option<Filed>, Failure> {
        let reason = reason.to_owned();
        let said = Said { decision: Decision::Approve, reason, duration, resources: None };
        loop {
            let seen = match (asked, self.show(request).await) {
                (Some(asked), Ok(filed)) if filed.request.asked() != asked => return Ok(None),
                (Some(_), Ok(filed)) => Seen::OneOf(vec![filed.request.version()]),
                // Who may not see it may not review it either, and is told so.
                (None, _) | (Some(_), Err(Failure::Refused(_))) => Seen::Unsaid,
                (Some(_), Err(failure)) => return Err(failure),
            };
            let (plane, caller) = (&self.slack.plane, &self.caller);
            match reviews::review_as_seen(plane, caller, (request, &seen), None, said.clone()).await {
                // Somebody else has reviewed it in between: what is asked for is looked at again.
                Err(Failure::Refused(Refusal::Stale)) => {}
                outcome => return outcome.map(Some),
            }
        }
    }

    /// Asks for more time for a grant.
    pub(super) async fn extend(&self, grant: &str, by: Span, reason: &str) -> Result<Filed, Failure> {
        extensions::extend(&self.slack.plane, &self.caller, grant, by, reason).await
    }

    /// Asks for what is in a bundle, or for these parts of it.
    pub(super) async fn file_bundle(
        &self,
        name: &str,
        parts: &[PartName],
        ask: Ask,
    ) -> Result<Filed, Failure> {
        bundles::file(&self.slack.plane, &self.caller, (name, parts), ask, None).await
    }

    /// What they keep to ask for again, the newest first.
    pub(super) async fn favourites(&self) -> Result<Vec<Favourite>, Failure> {
        let mut kept = favourites::list(&self.slack.plane, &self.caller).await?;
        kept.reverse();
        Ok(kept)
    }

    /// Keeps what a request asked for, under a name of its own; what is kept already is not kept twice.
    pub(super) async fn keep(&self, request: &str) -> Result<(), Failure> {
        let before = self.show(request).await?.request.ask();
        let ask = Ask { reason: String::new(), not_before: None, break_glass: false, ..before };
        let kept = self.favourites().await?;
        if kept.iter().any(|favourite| favourite.ask == ask) {
            return Ok(());
        }
        let place = elided(&format!("{} of {}", ask.account, ask.repo), LONGEST_PLACE);
        let names = std::iter::once(place.clone()).chain((2..).map(|number| format!("{place} ({number})")));
        let free = |name: &String| kept.iter().all(|favourite| favourite.name != *name);
        let name = names.take(kept.len() + 1).find(free).unwrap_or(place);
        favourites::keep(&self.slack.plane, &self.caller, &name, ask).await.map(drop)
    }

    /// Keeps it no longer.
    pub(super) async fn forget(&self, favourite: &str) -> Result<(), Failure> {
        favourites::forget(&self.slack.plane, &self.caller, favourite).await
    }

    /// Ends a grant.
    pub(super) async fn revoke(&self, grant: &str, reason: &str) -> Result<(), Failure> {
        grants::revoke(&self.slack.plane, &self.caller, grant, reason).await.map(drop)
    }

    /// Ends every grant that came of a bundle, by one of its requests.
    pub(super) async fn revoke_all(&self, request: &str) -> Result<(), Failure> {
        bundles::revoke(&self.slack.plane, &self.caller, request, "").await
    }
}
