//! One event, and which audit records are events.

use jiff::Timestamp;
use postern_service::audit::{self, Record};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The words before the point of those audit kinds that tell of a change. The rest of the trail tells of statements
/// and of the trail itself.
const FAMILIES: [&str; 16] = [
    "request",
    "grant",
    "session",
    "identity",
    "directory",
    "group",
    "rule",
    "bundle",
    "repo",
    "sidecar",
    "token",
    "webhook",
    "delivery",
    "api_client",
    "api_token",
    "slack",
];

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Event {
    /// Its place in the order of all events; what `Last-Event-ID` takes.
    pub id: String,
    /// `request.created`, `grant.revoked`, …: a stable word.
    #[serde(rename = "type")]
    pub kind: String,
    /// When, RFC 3339 UTC.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Who did it; absent when time or a rule did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Whom it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Which repo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Which account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Which request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Which grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Which session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Everything else, by kind.
    pub detail: Map<String, Value>,
}

fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

impl Event {
    /// The event that the audit record of this number is, if it is one.
    pub(crate) fn of(number: i64, record: Record) -> Option<Self> {
        let (family, _) = record.kind.split_once('.')?;
        if !FAMILIES.contains(&family) {
            return None;
        }
        let Record { at, kind, actor, identity, repo, account, grant, session, mut detail, .. } = record;
        let request = match detail.remove("request") {
            Some(Value::String(request)) => Some(request),
            Some(other) => {
                detail.insert("request".to_owned(), other);
                None
            }
            None => None,
        };
        Some(Self {
            id: number.to_string(),
            kind,
            at,
            actor: filled(actor),
            identity: filled(identity),
            repo: filled(repo),
            account: filled(account),
            request,
            grant: filled(grant),
            session: filled(session),
            detail,
        })
    }

    /// An event that is in no trail and is told to one alone.
    pub(crate) fn apart(id: &str, at: Timestamp, event: audit::Event) -> Self {
        Self {
            id: id.to_owned(),
            kind: event.kind.to_owned(),
            at,
            actor: filled(event.actor),
            identity: filled(event.identity),
            repo: filled(event.repo),
            account: filled(event.account),
            request: None,
            grant: filled(event.grant),
            session: filled(event.session),
            detail: event.detail,
        }
    }

    /// What it is about: events of one subject are told one after the other.
    pub(crate) fn subject(&self) -> &str {
        [&self.request, &self.grant, &self.session, &self.identity, &self.repo]
            .into_iter()
            .find_map(Option::as_deref)
            .unwrap_or(&self.kind)
    }
}

#[cfg(test)]
mod tests {
    use postern_service::audit::{Chain, Event as Recorded};

    use super::*;

    fn event(recorded: Recorded) -> Option<Event> {
        Event::of(7, Chain::new("control").append(Timestamp::UNIX_EPOCH, recorded))
    }

    #[test]
    fn a_statement_and_a_gap_of_the_trail_are_no_events() {
        assert!(event(Recorded::new("statement.denied")).is_none());
        assert!(event(Recorded::new("records.lost")).is_none());
        assert!(event(Recorded::new("requested")).is_none());
    }

    #[test]
    fn an_event_names_its_request_and_leaves_out_what_it_does_not_have() {
        let recorded = Recorded { repo: "sales".to_owned(), ..Recorded::new("request.created") };
        let event = event(recorded.with("request", "r_1").with("reason", "OPS-1")).unwrap();
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            serde_json::json!({
                "id": "7", "type": "request.created", "at": "1970-01-01T00:00:00Z", "repo": "sales",
                "request": "r_1", "detail": {"reason": "OPS-1"},
            })
        );
    }
}
