//! Who acts, and who is meant.

use std::{collections::BTreeSet, fmt};

pub(crate) use postern_protocol::gate::naming::{CLIENT_PREFIX, canonical, folded, has_unseen};
use postern_protocol::gate::{
    Identity, InvalidName,
    naming::{self, EVERYBODY, GROUP_PREFIX},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, Refusal};

/// A token that names more groups was made to be a burden.
const MOST_CLAIMED: usize = 1_000;

/// Who may shut an identity out. It is let in while nobody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Authority {
    /// A person or program with Modify Users.
    Administrator,
    /// The directory, by SCIM.
    Directory,
}

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
    /// When the provider said so.
    #[serde(default)]
    pub claimed_at: Option<Moment>,
    /// False when deactivated. Changed by [`IdentityRecord::bar`] and [`IdentityRecord::let_in`] alone.
    pub enabled: bool,
    /// Who deactivated it.
    #[serde(default)]
    pub barred_by: BTreeSet<Authority>,
    /// The directory's user that it is, if it is one.
    #[serde(default)]
    pub directory_user: Option<String>,
    /// When it last signed in by SSO.
    #[serde(default)]
    pub last_login: Option<Moment>,
    /// First seen.
    pub created_at: Moment,
}

impl IdentityRecord {
    /// Somebody new without groups. The name must be one that no list could take for something else.
    pub(crate) fn new(name: &str, now: Moment) -> Result<Self, Refusal> {
        Ok(Self {
            name: Identity::named(name)?,
            groups: Vec::new(),
            provisioned: Vec::new(),
            claimed: Vec::new(),
            claimed_at: None,
            enabled: true,
            barred_by: BTreeSet::new(),
            directory_user: None,
            last_login: None,
            created_at: now,
        })
    }

    /// Shuts it out.
    pub(crate) fn bar(&mut self, by: Authority) {
        // Records of old do not say who it was.
        if !self.enabled && self.barred_by.is_empty() {
            self.barred_by.insert(Authority::Administrator);
        }
        self.barred_by.insert(by);
        self.enabled = false;
    }

    /// Takes back what this authority said against it. An administrator may take back the directory's word too once
    /// the directory knows the identity no longer.
    pub(crate) fn let_in(&mut self, by: Authority) {
        if !self.enabled && self.barred_by.is_empty() {
            self.barred_by.insert(Authority::Administrator);
        }
        self.barred_by.remove(&by);
        if by == Authority::Administrator && self.directory_user.is_none() {
            self.barred_by.clear();
        }
        self.enabled = self.barred_by.is_empty();
    }

    /// Forgets every group: whoever has the name next is somebody else.
    pub(crate) fn empty(&mut self) {
        self.groups.clear();
        self.provisioned.clear();
        self.claimed.clear();
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

    /// Whether the provider named just these groups at the last sign-in.
    pub(crate) fn claims(&self, groups: &[String]) -> bool {
        self.claimed == named_groups(groups)
    }

    /// Whether a token of this time may still say in which groups it is. One that is older than what the provider said
    /// last may not: whoever left a group could come back to it with a token that they kept.
    pub(crate) fn hears(&self, issued_at: Option<Moment>) -> bool {
        self.claimed_at.is_none_or(|last| issued_at.is_some_and(|at| last <= at))
    }

    /// Takes the provider's word at a sign-in, unless it is an old one. What is no name for a group is left out: no rule
    /// could name it.
    pub(crate) fn signed_in(&mut self, groups: &[String], issued_at: Option<Moment>, now: Moment) {
        if self.hears(issued_at) {
            self.claimed = named_groups(groups);
            self.claimed_at = issued_at;
        }
        self.last_login = Some(now);
    }

    /// As somebody who is judged by a rule.
    pub(crate) fn person(&self) -> Person {
        Person { name: self.name.as_str().to_owned(), groups: self.all_groups() }
    }

    /// The same, for this once also in the groups that a credential of this time lists.
    pub(crate) fn person_with(&self, listed: &[String], issued_at: Option<Moment>) -> Person {
        let listed = if self.hears(issued_at) { named_groups(listed) } else { Vec::new() };
        let mut groups = [self.all_groups(), listed].concat();
        groups.sort();
        groups.dedup();
        Person { groups, ..self.person() }
    }
}

impl From<InvalidName> for Refusal {
    fn from(invalid: InvalidName) -> Self {
        Self::Invalid(invalid.to_string())
    }
}

fn named_groups(groups: &[String]) -> Vec<String> {
    let named = groups.iter().filter(|group| check_name("group", group).is_ok());
    let mut named: Vec<String> = named.take(MOST_CLAIMED).cloned().collect();
    named.sort();
    named.dedup();
    named
}

/// Refuses what could not be told apart in a list, a log or a user name.
pub(crate) fn check_name(kind: &'static str, name: &str) -> Result<(), Refusal> {
    Ok(naming::check_name(kind, name)?)
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
    /// An identity: one that has signed in, or for which an API client speaks.
    Identity(Person),
    /// An identity that has signed in and may decide what no rule gives to others.
    Admin(Person),
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
            Self::Identity(person) | Self::Admin(person) => &person.name,
        }
    }

    /// As somebody who is judged by a rule.
    pub(crate) fn person(&self) -> Person {
        match self {
            Self::Client(name) => Person { name: name.clone(), groups: Vec::new() },
            Self::Identity(person) | Self::Admin(person) => person.clone(),
        }
    }

    /// Whether it may stand in for an approver whom a rule names.
    pub(crate) const fn stands_in(&self) -> bool {
        match self {
            Self::Client(_) | Self::Admin(_) => true,
            Self::Identity(_) => false,
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
    fn an_identity_is_let_in_while_nobody_shuts_it_out() {
        let mut alice = IdentityRecord::new("alice@example.com", Moment::default()).unwrap();
        alice.directory_user = Some("u_1".to_owned());
        alice.bar(Authority::Administrator);
        alice.bar(Authority::Directory);
        alice.let_in(Authority::Directory);
        assert!(!alice.enabled);
        alice.bar(Authority::Directory);
        alice.let_in(Authority::Administrator);
        assert!(!alice.enabled);
        alice.directory_user = None;
        alice.let_in(Authority::Administrator);
        assert!(alice.enabled);
        alice.enabled = false;
        alice.let_in(Authority::Directory);
        assert!(!alice.enabled, "an old record says that somebody shut it out");
    }

    #[test]
    fn a_token_that_was_kept_brings_nobody_back_into_a_group() {
        let at = |seconds: i64| Some(Moment::from_millis(seconds * 1_000));
        let (dba, staff) = (["dba".to_owned()], ["staff".to_owned()]);
        let mut alice = IdentityRecord::new("alice@example.com", Moment::default()).unwrap();
        alice.signed_in(&dba, at(10), Moment::default());
        alice.signed_in(&staff, at(20), Moment::default());
        for old in [at(10), None] {
            alice.signed_in(&dba, old, Moment::default());
            assert_eq!(alice.person_with(&dba, old).groups, staff, "{old:?}");
        }
        assert_eq!(alice.person_with(&dba, at(20)).groups, ["dba", "staff"]);
    }

    #[test]
    fn rules_know_an_identity_by_every_group_that_anybody_put_it_in() {
        let mut alice = IdentityRecord::new("Alice@Example.com", Moment::default()).unwrap();
        alice.set_groups(vec!["engineering".to_owned(), "dba".to_owned()]).unwrap();
        alice.provisioned = vec!["dba".to_owned(), "oncall".to_owned()];
        alice.claimed = vec!["staff".to_owned()];
        assert_eq!(alice.person().groups, ["dba", "engineering", "oncall", "staff"]);
    }
}
