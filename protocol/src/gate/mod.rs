//! What control plane and sidecar say to each other.
//!
//! In: nothing but these types. Out: JSON, which the control plane signs and the sidecar verifies.
//! Both sides refuse a field that they do not know: a sidecar older than a restriction must not serve without it.

mod feed;
mod grant;
mod issuer;
mod knock;
mod names;
pub mod naming;
mod report;
mod resource;
mod token;

pub use feed::{Change, Drain, EndCause, Envelope, FEED_EVENT, Message, Position, Snapshot};
pub use grant::{Grant, MovementLimits, ResourceGrant, Scope, SessionTerms, Star, Stretch, Terms};
pub use issuer::{Issuer, Naming};
pub use knock::{Knock, KnockState, Knocked};
pub use names::{AccountName, GrantId, Identity, RepoName, RequestId, SessionId, SidecarName, TokenId};
pub use naming::InvalidName;
pub use report::{
    Ack, AuditBatch, Engine, FoundColumn, FoundTable, Hello, Pulse, ResourceReport, ServedRepo, SessionEnd,
    SessionReport, SessionStart, TableKind, Welcome,
};
pub use resource::{InvalidResource, Privilege, Resource};
pub use token::{AccessToken, InvalidSidecarToken, SidecarToken, TOKEN_PREFIX};
