//! Who may change a rule, a bundle, a webhook, or whether a repo is open: whoever calls REST, or a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Refusal, check_name};

const REST: &str = "rest";
const FILE: &str = "file";
const PREFIX: &str = "file:";

/// `rest`; `file`, the rules file of the configuration; `file:NAME`, a file that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Owner(String);

impl Default for Owner {
    fn default() -> Self {
        Self::rest()
    }
}

impl Owner {
    /// Whoever calls REST.
    pub(crate) fn rest() -> Self {
        Self(REST.to_owned())
    }

    /// The rules file of the configuration.
    pub(crate) fn file() -> Self {
        Self(FILE.to_owned())
    }

    /// A file that was applied.
    pub(crate) fn applied(name: &str) -> Result<Self, Refusal> {
        check_name("file", name)?;
        Ok(Self(format!("{PREFIX}{name}")))
    }

    /// Whether whoever calls REST may change it.
    pub(crate) fn is_rest(&self) -> bool {
        self.0 == REST
    }

    /// Refuses whoever calls REST what belongs to a file.
    pub(crate) fn must_be_rest(&self, kind: &str, name: &str) -> Result<(), Refusal> {
        if self.is_rest() {
            return Ok(());
        }
        let owner = self.words();
        Err(Refusal::Conflict(format!("the {kind} `{name}` belongs to {owner}: change it there")))
    }

    /// As the store has it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// For people.
    pub(crate) fn words(&self) -> String {
        match self.0.strip_prefix(PREFIX) {
            Some(name) => format!("the file `{name}`"),
            None if self.is_rest() => "REST".to_owned(),
            None => "the rules file".to_owned(),
        }
    }
}
