//! What can be done: one function per action, for REST and whatever else comes in front.
//!
//! Each begins a piece of [`crate::work::Work`], asks the domain, writes, tells the sidecars, notes it in the audit
//! trail and commits. In: who calls and what they want. Out: what became of it, or a [`Failure`].

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod bundles;
mod caller;
pub(crate) mod clients;
pub(crate) mod device;
pub(crate) mod directory;
pub(crate) mod drafts;
pub(crate) mod extensions;
pub(crate) mod favourites;
pub(crate) mod fleet;
pub(crate) mod grants;
pub(crate) mod identities;
pub(crate) mod knocks;
pub(crate) mod links;
pub(crate) mod logins;
pub(crate) mod oauth;
pub(crate) mod reports;
pub(crate) mod repos;
pub(crate) mod requests;
pub(crate) mod resources;
pub(crate) mod reviews;
pub(crate) mod rules;
pub(crate) mod sessions;
pub(crate) mod sidecars;
mod sight;
pub(crate) mod timers;
pub(crate) mod tokens;
mod usages;
pub(crate) mod webhooks;

pub(crate) use caller::Caller;
pub(crate) use sight::Sight;

use postern_service::random::NoRandomness;

use crate::{domain::Refusal, store::StoreError};

/// Why an action was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The domain says no; the text is for the caller.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed; the text is for the operator.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No secret could be made; the text is for the operator.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}
