//! What names an identity: one spelling, and nothing that a list, a log or a user name could take for something else.
//!
//! In: the text that an SSO provider, an administrator or a client gave. Out: an [`Identity`], or why it is none.
//! Control plane and sidecar name people by this one rule, so that a token means the same person at both.

use super::Identity;

/// An API client acts under its name with this before it.
pub const CLIENT_PREFIX: &str = "client:";
/// A group in a list of identities.
pub const GROUP_PREFIX: &str = "group:";
/// Everybody, in a list of identities.
pub const EVERYBODY: &str = "*";

/// What records name beside identities.
const RESERVED_PREFIXES: [&str; 4] = [CLIENT_PREFIX, GROUP_PREFIX, "rule:", "file:"];
const RESERVED: [&str; 2] = ["control", "system"];

const LONGEST_NAME: usize = 256;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It could not be told apart from others in a list, a log or a user name: choose another.
    #[error(
        "`{}` is no name for a {kind}: 1 to {LONGEST_NAME} bytes, no control or invisible characters, \
         no blanks around it, not `*`",
        name.escape_debug()
    )]
    Odd {
        /// What it should name.
        kind: &'static str,
        /// The text.
        name: String,
    },
    /// Records use it for something else than identities: choose another.
    #[error("`{0}` is reserved and names no identity")]
    Reserved(String),
}

impl Identity {
    /// The identity of this name, in its one spelling.
    pub fn named(name: &str) -> Result<Self, InvalidName> {
        check_name("identity", name)?;
        let lower = name.to_lowercase();
        if RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) || RESERVED.contains(&&*lower) {
            return Err(InvalidName::Reserved(name.to_owned()));
        }
        Ok(canonical(name).into())
    }
}

/// The one spelling of an identity's name. Nobody tells e-mail addresses apart by their case, so they have one.
#[must_use]
pub fn canonical(name: &str) -> String {
    if name.contains('@') && !name.starts_with(CLIENT_PREFIX) { folded(name) } else { name.to_owned() }
}

/// A text without the difference of case. A letter counts as the capital of another only where it is that one's own: the
/// Kelvin sign is no capital `k`, or whoever has it in their address would be somebody else.
#[must_use]
pub fn folded(text: &str) -> String {
    text.chars().map(small).collect()
}

fn small(letter: char) -> char {
    let mut lower = letter.to_lowercase();
    let (Some(small), None) = (lower.next(), lower.next()) else { return letter };
    if small.to_uppercase().eq([letter]) { small } else { letter }
}

/// Refuses what could not be told apart in a list, a log or a user name.
pub fn check_name(kind: &'static str, name: &str) -> Result<(), InvalidName> {
    let odd = name.is_empty()
        || name.len() > LONGEST_NAME
        || name == EVERYBODY
        || name.trim() != name
        || has_unseen(name);
    if odd { Err(InvalidName::Odd { kind, name: name.to_owned() }) } else { Ok(()) }
}

/// Whether there are characters that a reader does not see, or that change how the others are shown.
#[must_use]
pub fn has_unseen(text: &str) -> bool {
    text.chars().any(|letter| letter.is_control() || is_format(letter))
}

/// The general category Cf, the separators of lines and paragraphs, variation selectors, and letters without a shape.
const fn is_format(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_list_would_misread_is_refused() {
        for name in [
            "",
            "*",
            "group:dba",
            "client:bot",
            " alice",
            "a\nb",
            "Client:bot",
            "rule:sales",
            "control",
            "System",
            "alice\u{200b}",
            "\u{202e}ecila",
            &"x".repeat(257),
        ] {
            assert!(Identity::named(name).is_err(), "{name:?}");
        }
        assert_eq!(Identity::named("auth0|123"), Ok("auth0|123".into()));
    }

    #[test]
    fn an_address_has_one_spelling() {
        assert_eq!(Identity::named("Alice@Example.COM"), Ok("alice@example.com".into()));
        assert_eq!(Identity::named("Workload/Build"), Ok("Workload/Build".into()));
        assert_eq!(Identity::named("ÉLODIE@example.com"), Ok("élodie@example.com".into()));
    }

    #[test]
    fn a_letter_that_only_looks_like_another_makes_another_name() {
        for look_alike in ["mi\u{212a}e@example.com", "m\u{130}ke@example.com", "mik\u{435}@example.com"] {
            assert_eq!(Identity::named(look_alike), Ok(look_alike.into()), "{look_alike}");
        }
    }
}
