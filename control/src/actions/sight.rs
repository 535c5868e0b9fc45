//! Which repos a caller may see: all of them with the permission, otherwise those that rules let it ask for or decide
//! on.

use postern_protocol::glob::glob_matches;

use super::{Caller, Failure};
use crate::{
    domain::{Permission, Rule, StoredRule},
    store::{Filter, Read, find_all},
};

/// What a caller sees.
#[derive(Debug)]
pub(crate) enum Sight {
    /// Every repo.
    All,
    /// Those that one of these rules names.
    Rules(Vec<Rule>),
}

impl Sight {
    /// Looks the rules up that concern the caller.
    pub(crate) async fn of(tx: &mut dyn Read, caller: &Caller) -> Result<Self, Failure> {
        let any = [Permission::ViewSidecarsAndRepositories, Permission::ModifySidecarsAndRepositories];
        if any.into_iter().any(|permission| caller.may(permission)) {
            return Ok(Self::All);
        }
        let person = caller.actor().person();
        let stored: Vec<StoredRule> = find_all(tx, &Filter::default()).await?;
        let rules = stored.into_iter().map(|stored| stored.rule).filter(|rule| rule.concerns(&person));
        Ok(Self::Rules(rules.collect()))
    }

    /// Whether the repo is among them.
    pub(crate) fn has(&self, repo: &str) -> bool {
        match self {
            Self::All => true,
            Self::Rules(rules) => {
                rules.iter().any(|rule| rule.repos.iter().any(|glob| glob_matches(glob, repo)))
            }
        }
    }
}
