//! Something that somebody outside is to be told, and how often that is tried.

use postern_protocol::duration::Span;
use postern_service::random::sha256_hex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, Refusal};

/// Seconds from one attempt to the next. After the last one nothing more is tried.
const PAUSES: [u64; 11] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400];

/// The longest that somebody may ask us to wait.
const LONGEST_PAUSE: u64 = 86_400;

/// How long an attempt may take before another control plane may make the next.
const HELD: Span = Span::from_secs(60);

/// How long a finished delivery can be looked at.
const KEPT: Span = Span::from_secs(7 * 86_400);

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DeliveryState {
    /// An earlier one about the same subject is not through yet.
    Queued,
    /// It is tried when it is due.
    Due,
    /// It was taken.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// As REST and the store write it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Due => "DUE",
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was taken.
    Taken(String),
    /// It may succeed later; the other side may say how many seconds to wait.
    Later(String, Option<u64>),
    /// It will never succeed.
    Never(String),
    /// The target wants to hear nothing any more.
    Gone(String),
}

impl Outcome {
    /// What happened, for people.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Taken(text) | Self::Later(text, _) | Self::Never(text) | Self::Gone(text) => text,
        }
    }
}

/// Something that is to be told to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// `d_…`; the same over all attempts, so that the other side can tell a repetition.
    pub id: String,
    /// Who carries it.
    pub courier: String,
    /// To what: a name that the courier knows.
    pub target: String,
    /// Target and subject. Deliveries of one lane arrive one after the other.
    pub lane: String,
    /// The type of the event.
    pub kind: String,
    /// What is told, as JSON.
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts that were begun.
    pub attempts: u32,
    /// When it is tried next; when it is forgotten, once it is finished.
    pub due: Moment,
    /// When the last attempt was over.
    pub tried_at: Option<Moment>,
    /// What came of that.
    pub outcome: String,
    /// When it was made.
    pub created_at: Moment,
}

/// A delivery that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parcel {
    /// To what.
    pub target: String,
    /// What it is about.
    pub subject: String,
    /// The type of the event.
    pub kind: String,
    /// What is told, as JSON.
    pub body: String,
}

impl Delivery {
    /// A new one; it waits when another of its lane is not through.
    pub(crate) fn new(id: String, courier: &str, parcel: Parcel, now: Moment) -> Self {
        let Parcel { target, subject, kind, body } = parcel;
        Self {
            id,
            courier: courier.to_owned(),
            lane: format!("{courier}/{target}/{subject}"),
            target,
            kind,
            body,
            state: DeliveryState::Due,
            attempts: 0,
            due: now,
            tried_at: None,
            outcome: String::new(),
            created_at: now,
        }
    }

    /// Whether it is still to be made.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, DeliveryState::Queued | DeliveryState::Due)
    }

    /// Begins an attempt. Until it is over, or held for too long, nobody else begins one.
    pub(crate) fn begin(&mut self, now: Moment) {
        self.attempts = self.attempts.saturating_add(1);
        self.due = now.plus(HELD);
    }

    /// An attempt is over.
    pub(crate) fn settle(&mut self, outcome: &Outcome, now: Moment) {
        self.tried_at = Some(now);
        outcome.text().clone_into(&mut self.outcome);
        let pause = match outcome {
            Outcome::Taken(_) => return self.finish(DeliveryState::Delivered, now),
            Outcome::Never(_) | Outcome::Gone(_) => return self.finish(DeliveryState::Failed, now),
            Outcome::Later(_, asked) => self.pause(*asked),
        };
        match pause {
            Some(pause) => self.due = now.plus(pause),
            None => self.finish(DeliveryState::Failed, now),
        }
    }

    fn finish(&mut self, state: DeliveryState, now: Moment) {
        self.state = state;
        self.due = now.plus(KEPT);
    }

    /// How long to wait after this attempt; nothing after the last.
    fn pause(&self, asked: Option<u64>) -> Option<Span> {
        let index = usize::try_from(self.attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let usual = *PAUSES.get(index)?;
        // Between four and six fifths, so that what failed together does not come back together. Even spread is all
        // that is asked of it, and a hash has that.
        let digest = sha256_hex(format!("{}{}", self.id, self.attempts).as_bytes());
        let fifth = digest.bytes().take(4).fold(0_u64, |sum, byte| sum * 31 + u64::from(byte)) % 401;
        let spread = usual * 1_000 * (800 + fifth) / 1_000;
        let asked = asked.unwrap_or(0).min(LONGEST_PAUSE).saturating_mul(1_000);
        Some(Span::from_secs(spread.max(asked).div_ceil(1_000)))
    }

    /// Takes a delivery up once more, from the first attempt on.
    pub(crate) fn again(&mut self, now: Moment) -> Result<(), Refusal> {
        if self.is_open() {
            return Err(Refusal::Conflict(format!(
                "the delivery is {} and still tried",
                self.state.as_str()
            )));
        }
        self.state = DeliveryState::Due;
        self.attempts = 0;
        self.due = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery() -> Delivery {
        let parcel = Parcel {
            target: "w_1".to_owned(),
            subject: "r_1".to_owned(),
            kind: "request.created".to_owned(),
            body: "{}".to_owned(),
        };
        Delivery::new("d_1".to_owned(), "webhook", parcel, Moment::from_millis(0))
    }

    fn later() -> Outcome {
        Outcome::Later("503".to_owned(), None)
    }

    #[test]
    fn it_is_tried_less_and_less_often_and_given_up_in_the_end() {
        let (mut delivery, mut now) = (delivery(), Moment::from_millis(0));
        let mut pauses = Vec::new();
        for _ in PAUSES {
            delivery.begin(now);
            delivery.settle(&later(), now);
            assert_eq!(delivery.state, DeliveryState::Due);
            pauses.push(delivery.due.seconds_since(now));
            now = delivery.due;
        }
        for (pause, usual) in pauses.iter().zip(PAUSES) {
            let usual = f64::from(u32::try_from(usual).unwrap());
            assert!((usual * 0.8..=usual * 1.2 + 1.0).contains(pause), "{pause} for {usual}");
        }
        delivery.begin(now);
        delivery.settle(&later(), now);
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Failed, 12));
    }

    #[test]
    fn who_asks_for_time_gets_it_and_no_more_than_a_day() {
        let mut delivery = delivery();
        for (asked, pause) in [(3_600, 3_600.0), (u64::MAX, 86_400.0)] {
            delivery.begin(Moment::from_millis(0));
            delivery.settle(&Outcome::Later("429".to_owned(), Some(asked)), Moment::from_millis(0));
            let waits = delivery.due.seconds_since(Moment::from_millis(0));
            assert!((waits - pause).abs() < 1.0, "{waits}");
        }
    }

    #[test]
    fn only_what_is_through_is_taken_up_again() {
        let (mut delivery, now) = (delivery(), Moment::from_millis(5));
        assert!(delivery.again(now).is_err());
        delivery.begin(now);
        delivery.settle(&Outcome::Never("410".to_owned()), now);
        assert_eq!(delivery.state, DeliveryState::Failed);
        delivery.again(now).unwrap();
        assert_eq!((delivery.state, delivery.attempts, delivery.due), (DeliveryState::Due, 0, now));
    }
}
