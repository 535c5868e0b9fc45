//! A sign-in on the command line that waits for its person in a browser (RFC 8628).
//!
//! The command line holds the device code, the person types the user code; neither can be made from the other.

use std::net::IpAddr;

use postern_protocol::{duration::Span, gate::Identity};
use serde::{Deserialize, Serialize};

use super::Moment;

/// The letters of user codes: no vowels, so that no words come about, and nothing that looks like something else
/// (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// How long a code waits for its person.
pub(crate) const PATIENCE: Span = Span::from_secs(600);
/// How often the command line may ask, at first.
const INTERVAL: Span = Span::from_secs(2);
/// What is added each time that it asks too soon (section 3.5).
const SLOWER: Span = Span::from_secs(5);

/// Whom a code was approved by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Approval {
    /// Who.
    pub identity: Identity,
    /// Issuer and `sub`, as [`super::subject`] writes them.
    pub subject: String,
    /// The provider's session.
    pub sid: Option<String>,
}

/// What the person said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Nothing yet.
    Awaited,
    /// Yes.
    Approved(Approval),
    /// No.
    Denied,
}

/// Why the command line gets no tokens, or not yet (section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotYet {
    /// Ask again.
    #[error("nobody has approved it yet")]
    Pending,
    /// Ask again, less often.
    #[error("asked too soon: wait five seconds longer each time")]
    SlowDown,
    /// The person said no.
    #[error("the sign-in was refused in the browser")]
    Denied,
    /// Nobody answered in time.
    #[error("the code has expired: begin again")]
    Expired,
}

/// A sign-in that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeviceLogin {
    /// SHA-256 of the device code, lower-case hexadecimal.
    pub sha256: String,
    /// What the person types, without the dash.
    pub user_code: String,
    /// Where the command line runs.
    pub address: IpAddr,
    /// Since when.
    pub created_at: Moment,
    /// Until when.
    pub expires_at: Moment,
    /// How long the command line has to wait between two questions.
    pub interval: Span,
    /// When it asked last.
    pub asked_at: Option<Moment>,
    /// What the person said.
    pub answer: Answer,
}

impl DeviceLogin {
    /// A new one.
    pub(crate) fn new(sha256: String, user_code: String, address: IpAddr, now: Moment) -> Self {
        Self {
            sha256,
            user_code,
            address,
            created_at: now,
            expires_at: now.plus(PATIENCE),
            interval: INTERVAL,
            asked_at: None,
            answer: Answer::Awaited,
        }
    }

    /// Whether a person may still answer.
    pub(crate) fn is_open(&self, now: Moment) -> bool {
        self.answer == Answer::Awaited && now < self.expires_at
    }

    /// The command line asks.
    pub(crate) fn ask(&mut self, now: Moment) -> Result<Approval, NotYet> {
        if now >= self.expires_at {
            return Err(NotYet::Expired);
        }
        let too_soon = self.asked_at.is_some_and(|before| now < before.plus(self.interval));
        self.asked_at = Some(now);
        match &self.answer {
            Answer::Denied => Err(NotYet::Denied),
            Answer::Approved(approval) => Ok(approval.clone()),
            Answer::Awaited if too_soon => {
                self.interval = Span::from_secs(self.interval.as_secs().saturating_add(SLOWER.as_secs()));
                Err(NotYet::SlowDown)
            }
            Answer::Awaited => Err(NotYet::Pending),
        }
    }
}

/// A user code from random bytes. Twelve of them, since those that would favour some letters are passed over.
pub(crate) fn user_code(random: &[u8]) -> Option<String> {
    let fair = random.iter().filter(|byte| **byte < 240);
    let code: String = fair
        .filter_map(|byte| LETTERS.get(usize::from(byte % 20)))
        .take(LENGTH)
        .map(|byte| char::from(*byte))
        .collect();
    (code.len() == LENGTH).then_some(code)
}

/// A code as people read it: `BDWP-HQPK`.
pub(crate) fn shown(code: &str) -> String {
    let (front, back): (String, String) = (code.chars().take(4).collect(), code.chars().skip(4).collect());
    format!("{front}-{back}")
}

/// A code as somebody typed it, in its one spelling; nothing when it cannot be one.
pub(crate) fn typed(text: &str) -> Option<String> {
    let letters = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    let code: String = letters.map(|letter| letter.to_ascii_uppercase()).take(LENGTH + 1).collect();
    (code.len() == LENGTH && code.bytes().all(|byte| LETTERS.contains(&byte))).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::default().plus(Span::from_secs(seconds))
    }

    fn waiting() -> DeviceLogin {
        DeviceLogin::new("x".to_owned(), "BCDFGHJK".to_owned(), [10, 0, 0, 1].into(), at(0))
    }

    #[test]
    fn whoever_asks_too_soon_has_to_wait_longer() {
        let mut login = waiting();
        assert_eq!(login.ask(at(1)), Err(NotYet::Pending));
        assert_eq!(login.ask(at(2)), Err(NotYet::SlowDown));
        assert_eq!(login.ask(at(8)), Err(NotYet::SlowDown));
        assert_eq!(login.ask(at(20)), Err(NotYet::Pending));
        assert_eq!(login.ask(at(600)), Err(NotYet::Expired));
    }

    #[test]
    fn an_answer_comes_through_once_it_is_there() {
        let approval = Approval { identity: "alice".into(), subject: "i s".to_owned(), sid: None };
        let mut login = waiting();
        login.answer = Answer::Approved(approval.clone());
        assert_eq!(login.ask(at(1)), Ok(approval));
        login.answer = Answer::Denied;
        assert_eq!(login.ask(at(2)), Err(NotYet::Denied));
    }

    #[test]
    fn codes_are_read_as_people_type_them() {
        let code = user_code(&[0, 1, 2, 3, 250, 4, 5, 6, 7, 8, 9, 10]).unwrap();
        assert_eq!(shown(&code), "BCDF-GHJK");
        for text in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk "] {
            assert_eq!(typed(text).as_ref(), Some(&code), "{text:?}");
        }
        for text in ["", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "BCDF-GHJ1", "ÄCDF-GHJK"] {
            assert_eq!(typed(text), None, "{text:?}");
        }
    }
}
