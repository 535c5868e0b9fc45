//! What the control plane decides: pure state machines without I/O, to which time comes in as an argument.
//!
//! In: what is asked, what is stored, the time. Out: the next state, or a [`Refusal`] that says why not.

mod account;
mod glob;
mod grant;
mod identity;
mod moment;
mod pattern;
mod permission;
mod refusal;
mod request;
mod review;
mod rule;
mod rule_set;
mod sidecar;

pub use account::{ApiClient, ApiToken, IssuedToken, Replay, TokenUse};
pub use glob::glob_matches;
pub use grant::{Ending, Grant, GrantState};
pub use identity::{Actor, CLIENT_PREFIX, IdentityRecord, Person};
pub use moment::Moment;
pub use pattern::{InvalidPattern, ResourcePattern};
pub use permission::{Permission, Permissions};
pub use refusal::Refusal;
pub use request::{Ask, Request, RequestStatus, Scoped};
pub use review::{Decision, Opinion, Progress, Review, Tally, Transition};
pub use rule::{
    Approval, BreakGlass, Escalation, Limits, Notify, ReasonRule, Rule, RuleOwner, SessionRule, Star,
    StoredRule, Window,
};
pub use rule_set::RuleSet;
pub use sidecar::{Kill, Repo, Session, Sidecar};
