//! Whose tokens count: the SSO providers that the control plane trusts, as the feed tells sidecars of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An issuer of OpenID Connect, and what its tokens say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Its URL, byte for byte as it stands in `iss`.
    pub url: String,
    /// A token must be meant for one of these.
    pub audiences: Vec<String>,
    /// How its tokens name who carries them.
    pub naming: Naming,
    /// Trust anchors for its web server in PEM; those of the machine where absent.
    pub ca: Option<String>,
}

/// How an issuer's tokens name who carries them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Naming {
    /// A person's token names the identity and its groups.
    Person {
        /// The claim that names the identity.
        identity_claim: String,
        /// The claim that lists its groups.
        groups_claim: String,
        /// What to ask the provider for, in words separated by blanks.
        scope: String,
    },
    /// A workload's token must fulfil conditions, and its identity is put together from claims.
    Workload {
        /// For each claim the values that will do; `*` stands for any characters.
        claims: BTreeMap<String, Vec<String>>,
        /// The identity's name; `{claim}` stands for that claim's value.
        identity: String,
        /// Groups of each such identity.
        groups: Vec<String>,
    },
}
