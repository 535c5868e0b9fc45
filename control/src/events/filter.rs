//! Which events somebody wants.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::domain::{Refusal, canonical, glob_matches};

const MOST_TYPES: usize = 64;
const LONGEST_TYPE: usize = 128;

/// Which events are wanted; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventFilter {
    /// Of one of these types; `grant.*` stands for all of a family.
    pub types: Vec<String>,
    /// About this identity.
    pub identity: Option<String>,
    /// About this repo.
    pub repo: Option<String>,
}

impl EventFilter {
    /// Refuses patterns that no type can fit.
    pub(crate) fn new(
        types: Vec<String>,
        identity: Option<&str>,
        repo: Option<String>,
    ) -> Result<Self, Refusal> {
        if types.len() > MOST_TYPES {
            return Err(Refusal::Invalid(format!("types: more than {MOST_TYPES}")));
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || b"._*".contains(&byte);
        let odd = types
            .iter()
            .find(|text| text.is_empty() || text.len() > LONGEST_TYPE || !text.bytes().all(plain));
        if let Some(odd) = odd {
            let shown = odd.escape_debug();
            return Err(Refusal::Invalid(format!(
                "types: `{shown}` is no event type: write `grant.revoked` or `grant.*`"
            )));
        }
        Ok(Self { types, identity: identity.map(canonical), repo })
    }

    /// Whether this event is wanted.
    pub(crate) fn wants(&self, event: &Event) -> bool {
        let by_type = self.types.is_empty() || self.types.iter().any(|glob| glob_matches(glob, &event.kind));
        by_type
            && fits(self.identity.as_deref(), event.identity.as_deref())
            && fits(self.repo.as_deref(), event.repo.as_deref())
    }
}

fn fits(wanted: Option<&str>, found: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| found == Some(wanted))
}
