//! Who acts, and who is meant.

use std::fmt;

use postern_protocol::gate::Identity;
use serde::{Deserialize, Serialize};

use super::{Moment, Refusal};

/// An API client acts under its name with this before it.
pub(crate) const CLIENT_PREFIX: &str = "client:";

const GROUP_PREFIX: &str = "group:";
/// What records name beside identities.
const RESERVED_PREFIXES: [&str; 4] = [CLIENT_PREFIX, GROUP_PREFIX, "rule:", "file:"];
const RESERVED: [&str; 2] = ["control", "system"];

const EVERYBODY: &str = "*";
const LONGEST_NAME: usize = 256;

/// A person or workload as the control plane knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdentityRecord {
    /// E-mail address or `sub`.
    pub name: Identity,
    /// The groups that an administrator put it in, without `group:`. See [`IdentityRecord::all_groups`].
    pub groups: Vec<String>,
    /// Those that the directory put it in, by SCIM.
    #[serde(default)]
    pub provisioned: Vec<String>,
    /// Those that the SSO provider claimed when it last signed in.
    #[serde(default)]
    pub claimed: Vec<String>,
    /// False when deactivated.
    pub enabled: bool,
    /// When it last signed in by SSO.
    #[serde(default)]
    pub last_login: Option<Moment>,
    /// First seen.
    pub created_at: Moment,
}

impl IdentityRecord {
    /// Somebody new without groups. The name must be one that no list could take for something else.
    pub(crate) fn new(name: &str, now: Moment) -> Result<Self, Refusal> {
        check_name("identity", name)?;
        let lower = name.to_lowercase();
        if RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) || RESERVED.contains(&&*lower) {
            return Err(Refusal::Invalid(format!("`{name}` is reserved and names no identity")));
        }
        Ok(Self {
            name: canonical(name).into(),
            groups: Vec::new(),
            provisioned: Vec::new(),
            claimed: Vec::new(),
            enabled: true,
            last_login: None,
            created_at: now,
        })
    }

    /// The groups that rules know it by: all that anybody put it in, each once.
    pub(crate) fn all_groups(&self) -> Vec<String> {
        let mut all = [&*self.groups, &*self.provisioned, &*self.claimed].concat();
        all.sort();
        all.dedup();
        all
    }

    /// Replaces the groups that an administrator put it in.
    pub(crate) fn set_groups(&mut self, groups: Vec<String>) -> Result<(), Refusal> {
        for group in &groups {
            check_name("group", group)?;
        }
        self.groups = groups;
        self.groups.sort();
        self.groups.dedup();
        Ok(())
    }

    /// As somebody who is judged by a rule.
    pub(crate) fn person(&self) -> Person {
        Person { name: self.name.as_str().to_owned(), groups: self.all_groups() }
    }
}

/// The one spelling of an identity's name. Nobody tells e-mail addresses apart by their case, so they have one.
pub(crate) fn canonical(name: &str) -> String {
    if name.contains('@') && !name.starts_with(CLIENT_PREFIX) { name.to_lowercase() } else { name.to_owned() }
}

/// Whether there are characters that a reader does not see, or that change how the others are shown.
pub(crate) fn has_unseen(text: &str) -> bool {
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

/// Refuses what could not be told apart in a list, a log or a user name.
pub(crate) fn check_name(kind: &str, name: &str) -> Result<(), Refusal> {
    let odd = name.is_empty()
        || name.len() > LONGEST_NAME
        || name == EVERYBODY
        || name.trim() != name
        || has_unseen(name);
    if odd {
        return Err(Refusal::Invalid(format!(
            "`{}` is no name for a {kind}: 1 to {LONGEST_NAME} bytes, no control or invisible characters, no blanks around it, not `*`",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// A name with the groups that it has now: what lists in rules are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// The identity, or `client:NAME`.
    pub name: String,
    /// Without `group:`.
    pub groups: Vec<String>,
}

impl Person {
    /// Whether a list of identities, `group:NAME` and `*` has this one in it.
    pub(crate) fn is_listed(&self, list: &[String]) -> bool {
        list.iter().any(|entry| match entry.strip_prefix(GROUP_PREFIX) {
            Some(group) => self.groups.iter().any(|own| own == group),
            None => entry == EVERYBODY || canonical(entry) == canonical(&self.name),
        })
    }
}

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// An API client by itself; named `client:NAME`.
    Client(String),
    /// An identity, for which an API client speaks.
    Identity(Person),
}

impl Actor {
    /// An API client of this name.
    pub(crate) fn client(name: &str) -> Self {
        Self::Client(format!("{CLIENT_PREFIX}{name}"))
    }

    /// The name that records and messages carry.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Client(name) => name,
            Self::Identity(person) => &person.name,
        }
    }

    /// As somebody who is judged by a rule.
    pub(crate) fn person(&self) -> Person {
        match self {
            Self::Client(name) => Person { name: name.clone(), groups: Vec::new() },
            Self::Identity(person) => person.clone(),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_identities_groups_and_everybody() {
        let alice = Person { name: "alice@example.com".to_owned(), groups: vec!["dba".to_owned()] };
        for (list, listed) in [
            (vec!["alice@example.com"], true),
            (vec!["group:dba"], true),
            (vec!["dba"], false),
            (vec!["group:alice@example.com"], false),
            (vec!["*"], true),
            (vec!["Alice@Example.COM"], true),
            (vec!["group:DBA"], false),
            (vec!["bob@example.com", "group:ops"], false),
            (vec![], false),
        ] {
            let list: Vec<String> = list.into_iter().map(str::to_owned).collect();
            assert_eq!(alice.is_listed(&list), listed, "{list:?}");
        }
    }

    #[test]
    fn rules_know_an_identity_by_every_group_that_anybody_put_it_in() {
        let mut alice = IdentityRecord::new("Alice@Example.com", Moment::default()).unwrap();
        alice.set_groups(vec!["engineering".to_owned(), "dba".to_owned()]).unwrap();
        alice.provisioned = vec!["dba".to_owned(), "oncall".to_owned()];
        alice.claimed = vec!["staff".to_owned()];
        assert_eq!(alice.person().groups, ["dba", "engineering", "oncall", "staff"]);
    }

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
            assert!(IdentityRecord::new(name, Moment::default()).is_err(), "{name:?}");
        }
        assert!(IdentityRecord::new("auth0|123", Moment::default()).is_ok());
    }
}
