//! Who acts, and who is meant.

use std::fmt;

use postern_protocol::gate::Identity;
use serde::{Deserialize, Serialize};

use super::{Moment, Refusal};

/// An API client acts under its name with this before it.
pub(crate) const CLIENT_PREFIX: &str = "client:";

const GROUP_PREFIX: &str = "group:";
const EVERYBODY: &str = "*";
const LONGEST_NAME: usize = 256;

/// A person or workload as the control plane knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdentityRecord {
    /// E-mail address or `sub`.
    pub name: Identity,
    /// Its groups, without `group:`.
    pub groups: Vec<String>,
    /// False when deactivated.
    pub enabled: bool,
    /// First seen.
    pub created_at: Moment,
}

impl IdentityRecord {
    /// Somebody new without groups. The name must be one that no list could take for something else.
    pub(crate) fn new(name: &str, now: Moment) -> Result<Self, Refusal> {
        check_name("identity", name)?;
        if name.starts_with(CLIENT_PREFIX) || name.starts_with(GROUP_PREFIX) {
            return Err(Refusal::Invalid(format!(
                "`{name}` names an API client or a group, not an identity"
            )));
        }
        Ok(Self { name: name.into(), groups: Vec::new(), enabled: true, created_at: now })
    }

    /// Replaces the groups.
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
        Person { name: self.name.as_str().to_owned(), groups: self.groups.clone() }
    }
}

/// Refuses what could not be told apart in a list, a log or a user name.
pub(crate) fn check_name(kind: &str, name: &str) -> Result<(), Refusal> {
    let odd = name.is_empty()
        || name.len() > LONGEST_NAME
        || name == EVERYBODY
        || name.trim() != name
        || name.chars().any(char::is_control);
    if odd {
        return Err(Refusal::Invalid(format!(
            "`{}` is no name for a {kind}: 1 to {LONGEST_NAME} bytes, no control characters, no blanks around it, not `*`",
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
            None => entry == EVERYBODY || *entry == self.name,
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
            (vec!["bob@example.com", "group:ops"], false),
            (vec![], false),
        ] {
            let list: Vec<String> = list.into_iter().map(str::to_owned).collect();
            assert_eq!(alice.is_listed(&list), listed, "{list:?}");
        }
    }

    #[test]
    fn a_name_that_a_list_would_misread_is_refused() {
        for name in ["", "*", "group:dba", "client:bot", " alice", "a\nb", &"x".repeat(257)] {
            assert!(IdentityRecord::new(name, Moment::default()).is_err(), "{name:?}");
        }
        assert!(IdentityRecord::new("auth0|123", Moment::default()).is_ok());
    }
}
