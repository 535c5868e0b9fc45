//! Favourites: what somebody asks for again and again, kept under a name.

use serde::{Deserialize, Serialize};

use super::{Ask, Moment, Refusal, identity::check_name};

/// A request to be filed again, kept by whoever files it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Favourite {
    /// `f_…`
    pub id: String,
    /// Whose.
    pub owner: String,
    /// What they call it.
    pub name: String,
    /// What is asked for.
    pub ask: Ask,
    /// When it was kept.
    pub created_at: Moment,
}

impl Favourite {
    /// A new one.
    pub(crate) fn new(id: String, owner: &str, name: &str, ask: Ask, now: Moment) -> Result<Self, Refusal> {
        check_name("favourite", name)?;
        let (owner, name) = (owner.to_owned(), name.to_owned());
        Ok(Self { id, owner, name, ask: ask.checked()?, created_at: now })
    }
}
