//! What is to be said in Slack, and to whom, when something has happened.
//!
//! In: events. Out: parcels for the outbox, each with an order that names the message; what it says is made when it goes
//! out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::message::{LinkChange, Notice};
use crate::{
    domain::{Parcel, Request},
    events::Event,
    store::{Read, StoreError, load},
};

pub(super) const NAME: &str = "slack";

const TARGETS: u8 = 4;

/// A message, by what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "piece", rename_all = "snake_case")]
pub(super) enum Piece {
    /// The one in the approvers' channel, which follows its request.
    Card { request: String },
    /// One to the requester.
    Notice { request: String },
    /// A loud one.
    Alarm { request: String },
    /// One to a Slack user who was connected, or is so no longer.
    Link { link: LinkChange },
}

/// What a delivery says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    #[serde(flatten)]
    pub piece: Piece,
    /// The event's type and number.
    pub kind: String,
    pub event: String,
}

impl Order {
    fn new(piece: Piece, event: &Event) -> Self {
        Self { piece, kind: event.kind.clone(), event: event.id.clone() }
    }

    /// For the outbox. A request that is decided with others goes by the `lead` of them.
    fn parcel(&self, lead: &str) -> Result<Parcel, StoreError> {
        let (target, subject) = match &self.piece {
            // A card and its alarms stand in one channel, in order; what the requester is told waits for neither.
            Piece::Card { .. } | Piece::Alarm { .. } => (target(lead), lead.to_owned()),
            Piece::Notice { .. } => (target(lead), format!("{lead}/notice")),
            Piece::Link { link } => (target(&link.slack), format!("link/{}", link.slack)),
        };
        let body = serde_json::to_string(self)?;
        Ok(Parcel { target, subject, kind: self.kind.clone(), body })
    }
}

/// What a stretch of events brings about. A card shows how things stand when it goes out, so one is enough, and what
/// befalls a bundle's requests together is said aloud once.
pub(super) async fn parcels(tx: &mut dyn Read, events: &[Event]) -> Result<Vec<Parcel>, StoreError> {
    let (mut parcels, mut leads, mut there) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for order in events.iter().flat_map(orders) {
        let lead = match &order.piece {
            Piece::Link { .. } => String::new(),
            Piece::Card { request } | Piece::Notice { request } | Piece::Alarm { request } => {
                lead(tx, &mut leads, request).await?
            }
        };
        let once = match &order.piece {
            Piece::Card { .. } => Some("card"),
            Piece::Alarm { .. } => Some(order.kind.as_str()),
            Piece::Notice { .. } | Piece::Link { .. } => None,
        };
        if once.is_none_or(|what| there.insert((lead.clone(), what.to_owned()))) {
            parcels.push(order.parcel(&lead)?);
        }
    }
    Ok(parcels)
}

/// The first of the requests that are decided with this one: itself, unless it is a part of a bundle.
async fn lead(
    tx: &mut dyn Read,
    known: &mut BTreeMap<String, String>,
    request: &str,
) -> Result<String, StoreError> {
    if let Some(lead) = known.get(request) {
        return Ok(lead.clone());
    }
    let bundled = load::<Request>(tx, request).await?.and_then(|request| request.bundle);
    let first = bundled.and_then(|bundled| bundled.requests.first().map(ToString::to_string));
    let lead = first.unwrap_or_else(|| request.to_owned());
    known.insert(request.to_owned(), lead.clone());
    Ok(lead)
}

/// What an event brings about: the card follows everything, some of it is told to the requester, some aloud.
fn orders(event: &Event) -> Vec<Order> {
    let family = event.kind.split('.').next().unwrap_or_default();
    if family == "slack" {
        let change = LinkChange::of(event).into_iter();
        return change.map(|link| Order::new(Piece::Link { link }, event)).collect();
    }
    let Some(request) = event.request.clone() else { return Vec::new() };
    if !["request", "grant"].contains(&family) || event.kind == "request.refused" {
        return Vec::new();
    }
    let mut pieces = vec![Piece::Card { request: request.clone() }];
    if Notice::of(&event.kind).is_some() {
        pieces.push(Piece::Notice { request: request.clone() });
    }
    if ["request.escalated", "request.glass_broken"].contains(&event.kind.as_str()) {
        pieces.push(Piece::Alarm { request });
    }
    pieces.into_iter().map(|piece| Order::new(piece, event)).collect()
}

/// The outbox has few attempts of one target under way at once: some targets more make a crowd of messages pass
/// quicker, and no message waits for its turn longer than an attempt may take.
fn target(subject: &str) -> String {
    let digit = subject.bytes().last().unwrap_or_default() % TARGETS;
    format!("{NAME}-{digit}")
}

#[cfg(test)]
mod tests {
    use postern_service::audit::{Chain, Event as Recorded};

    use super::*;

    fn event(recorded: Recorded) -> Event {
        let record = Chain::new("control").append(jiff::Timestamp::UNIX_EPOCH, recorded);
        Event::of(7, record).unwrap()
    }

    fn pieces(kind: &'static str, request: bool) -> Vec<&'static str> {
        let recorded = Recorded::new(kind);
        let recorded = if request { recorded.with("request", "r_1") } else { recorded };
        let name = |order: Order| match order.piece {
            Piece::Card { .. } => "card",
            Piece::Notice { .. } => "notice",
            Piece::Alarm { .. } => "alarm",
            Piece::Link { .. } => "link",
        };
        orders(&event(recorded)).into_iter().map(name).collect()
    }

    #[test]
    fn the_card_follows_everything_and_people_are_told_what_concerns_them() {
        for (kind, told) in [
            ("request.created", vec!["card", "notice"]),
            ("request.reviewed", vec!["card"]),
            ("request.rejected", vec!["card", "notice"]),
            ("request.expired", vec!["card", "notice"]),
            ("request.escalated", vec!["card", "alarm"]),
            ("request.glass_broken", vec!["card", "alarm"]),
            ("request.refused", vec![]),
            ("grant.created", vec!["card", "notice"]),
            ("grant.revoked", vec!["card", "notice"]),
            ("session.opened", vec![]),
        ] {
            assert_eq!(pieces(kind, true), told, "{kind}");
        }
        assert_eq!(pieces("grant.created", false), Vec::<&str>::new());
    }

    #[test]
    fn an_order_that_waits_in_the_outbox_can_still_be_read() {
        let before = r#"{"piece":"notice","request":"r_1","kind":"grant.created","event":"7","link":null}"#;
        let order: Order = serde_json::from_str(before).unwrap();
        assert_eq!(order.piece, Piece::Notice { request: "r_1".to_owned() });
        let again: Order = serde_json::from_str(&order.parcel("r_1").unwrap().body).unwrap();
        assert_eq!(again, order);
    }

    #[test]
    fn who_was_connected_hears_of_it_and_so_does_who_was_replaced() {
        let told = |kind: &'static str, more: Option<(&str, &str)>| {
            let recorded = Recorded { identity: "alice".to_owned(), ..Recorded::new(kind) };
            let recorded = recorded.with("slack", "T1/U1");
            let recorded =
                more.into_iter().fold(recorded, |recorded, (name, text)| recorded.with(name, text));
            let Piece::Link { link } = orders(&event(recorded)).pop()?.piece else { return None };
            let (user, said) = link.told("T1")?;
            assert_eq!(user, "U1");
            Some(said.text)
        };
        assert!(told("slack.linked", Some(("by", "browser"))).unwrap().contains("`alice`"));
        assert!(told("slack.unlinked", Some(("replaced_by", "T1/U2"))).unwrap().contains("<@U2>"));
        assert!(told("slack.unlinked", Some(("by", "browser"))).unwrap().contains("no longer"));
        assert!(told("slack.unlinked", Some(("by", "administrator"))).unwrap().contains("administrator"));
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
