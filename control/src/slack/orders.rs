//! What is to be said in Slack, and to whom, when something has happened.
//!
//! In: events. Out: parcels for the outbox, each with an order that names the message; what it says is made when it goes
//! out.

use serde::{Deserialize, Serialize};

use super::message::{LinkChange, Notice};
use crate::{domain::Parcel, events::Event, store::StoreError};

pub(super) const NAME: &str = "slack";

const TARGETS: u8 = 4;

/// The kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Piece {
    /// The one in the approvers' channel, which follows its request.
    Card,
    /// One to the requester.
    Notice,
    /// A loud one.
    Alarm,
    /// One to a Slack user who was connected, or is so no longer.
    Link,
}

/// What a delivery says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub piece: Piece,
    #[serde(default)]
    pub request: String,
    /// The event's type and number.
    pub kind: String,
    pub event: String,
    #[serde(default)]
    pub link: Option<LinkChange>,
}

impl Order {
    fn new(piece: Piece, event: &Event, request: &str, link: Option<LinkChange>) -> Self {
        let (kind, event) = (event.kind.clone(), event.id.clone());
        Self { piece, request: request.to_owned(), kind, event, link }
    }

    /// For the outbox.
    fn parcel(self, target: String, subject: String) -> Result<Parcel, StoreError> {
        let body = serde_json::to_string(&self)?;
        Ok(Parcel { target, subject, kind: self.kind, body })
    }
}

/// What an event brings about: the card follows everything, some of it is told to the requester, some aloud.
pub(super) fn parcels(event: &Event) -> Vec<Result<Parcel, StoreError>> {
    let family = event.kind.split('.').next().unwrap_or_default();
    if family == "slack" {
        return LinkChange::of(event).map(|change| change.parcel(event)).into_iter().collect();
    }
    let Some(request) = &event.request else { return Vec::new() };
    if !["request", "grant"].contains(&family) || event.kind == "request.refused" {
        return Vec::new();
    }
    let mut pieces = vec![Piece::Card];
    if Notice::of(&event.kind).is_some() {
        pieces.push(Piece::Notice);
    }
    if ["request.escalated", "request.glass_broken"].contains(&event.kind.as_str()) {
        pieces.push(Piece::Alarm);
    }
    let parcel = |piece: Piece| {
        // A card and its alarms stand in one channel, in order; what the requester is told waits for neither.
        let subject = if piece == Piece::Notice { format!("{request}/notice") } else { request.clone() };
        Order::new(piece, event, request, None).parcel(target(request), subject)
    };
    pieces.into_iter().map(parcel).collect()
}

/// The outbox has few attempts of one target under way at once: some targets more make a crowd of messages pass
/// quicker, and no message waits for its turn longer than an attempt may take.
fn target(request: &str) -> String {
    let digit = request.bytes().last().unwrap_or_default() % TARGETS;
    format!("{NAME}-{digit}")
}

impl LinkChange {
    fn parcel(self, event: &Event) -> Result<Parcel, StoreError> {
        let (target, subject) = (target(&self.slack), format!("link/{}", self.slack));
        Order::new(Piece::Link, event, "", Some(self)).parcel(target, subject)
    }
}

#[cfg(test)]
mod tests {
    use postern_service::audit::{Chain, Event as Recorded};

    use super::*;

    fn pieces(kind: &'static str, request: bool) -> Vec<Piece> {
        let recorded = Recorded::new(kind);
        let recorded = if request { recorded.with("request", "r_1") } else { recorded };
        let record = Chain::new("control").append(jiff::Timestamp::UNIX_EPOCH, recorded);
        let event = Event::of(7, record).unwrap();
        let body = |parcel: Result<Parcel, StoreError>| {
            serde_json::from_str::<Order>(&parcel.unwrap().body).unwrap()
        };
        parcels(&event).into_iter().map(|parcel| body(parcel).piece).collect()
    }

    #[test]
    fn the_card_follows_everything_and_people_are_told_what_concerns_them() {
        use Piece::{Alarm, Card, Notice};
        for (kind, told) in [
            ("request.created", vec![Card, Notice]),
            ("request.reviewed", vec![Card]),
            ("request.rejected", vec![Card, Notice]),
            ("request.expired", vec![Card, Notice]),
            ("request.escalated", vec![Card, Alarm]),
            ("request.glass_broken", vec![Card, Alarm]),
            ("request.refused", vec![]),
            ("grant.created", vec![Card, Notice]),
            ("grant.revoked", vec![Card, Notice]),
            ("session.opened", vec![]),
        ] {
            assert_eq!(pieces(kind, true), told, "{kind}");
        }
        assert_eq!(pieces("grant.created", false), vec![]);
    }

    #[test]
    fn who_was_connected_hears_of_it_and_so_does_who_was_replaced() {
        let told = |kind: &'static str, more: Option<(&str, &str)>| {
            let recorded = Recorded { identity: "alice".to_owned(), ..Recorded::new(kind) };
            let recorded = recorded.with("slack", "T1/U1");
            let recorded =
                more.into_iter().fold(recorded, |recorded, (name, text)| recorded.with(name, text));
            let record = Chain::new("control").append(jiff::Timestamp::UNIX_EPOCH, recorded);
            let parcel = parcels(&Event::of(7, record).unwrap()).pop()?.unwrap();
            let (user, said) = serde_json::from_str::<Order>(&parcel.body).unwrap().link?.told("T1")?;
            assert_eq!(user, "U1");
            Some(said.text)
        };
        assert!(told("slack.linked", Some(("by", "browser"))).unwrap().contains("`alice`"));
        assert!(told("slack.unlinked", Some(("replaced_by", "T1/U2"))).unwrap().contains("<@U2>"));
        assert!(told("slack.unlinked", Some(("by", "browser"))).unwrap().contains("no longer"));
        for (kind, more) in [
            ("slack.unlinked", Some(("by", "slack"))),
            ("slack.linked", Some(("by", "email"))),
            ("slack.unlinked", None),
            ("slack.unlinked", Some(("replaced_by", "T1/U1"))),
            ("slack.link_declined", None),
        ] {
            assert_eq!(told(kind, more), None, "{kind} {more:?}");
        }
    }
}
