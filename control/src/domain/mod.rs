//! What the control plane decides: pure state machines without I/O, to which time comes in as an argument.
//!
//! In: what is asked, what is stored, the time. Out: the next state, or a [`Refusal`] that says why not.

mod account;
mod bundle;
mod condition;
mod delivery;
mod device;
mod directory;
mod favourite;
mod grant;
mod hours;
mod identity;
mod login;
mod moment;
mod offer;
mod owner;
mod pattern;
mod permission;
mod presence;
mod refusal;
mod request;
mod review;
mod rule;
mod scope;
mod sidecar;
#[cfg(test)]
mod states;
mod usage;
mod version;
mod webhook;

pub(crate) use account::{ApiClient, ApiToken, FormerSecret, Holder, IssuedToken, Replay, TokenUse};
pub(crate) use bundle::{Bundle, Bundled, Member, Part, PartName, review_together};
pub(crate) use condition::{Condition, Facts};
pub(crate) use delivery::{Delivery, DeliveryState, Outcome, Parcel};
pub(crate) use device::{
    Answer as DeviceAnswer, Approval as DeviceApproval, DeviceLogin, NotYet, PATIENCE as DEVICE_PATIENCE,
    shown, typed, user_code,
};
pub(crate) use directory::{DirectoryGroup, DirectoryUser, Membership};
pub(crate) use favourite::Favourite;
pub(crate) use grant::{Grant, GrantState};
pub(crate) use identity::{
    Actor, Authority, CLIENT_PREFIX, IdentityRecord, Person, canonical, check_name, folded,
};
pub(crate) use login::{Login, LoginKind, permissions_of, subject};
pub(crate) use moment::Moment;
pub(crate) use offer::Offer;
pub(crate) use owner::Owner;
pub(crate) use pattern::ResourcePattern;
pub(crate) use permission::{Permission, Permissions};
pub(crate) use postern_protocol::glob::glob_matches;
pub(crate) use presence::{Process, RunningPlane, Standing};
pub(crate) use refusal::Refusal;
pub(crate) use request::{Ask, Request, RequestStatus, Scoped};
pub(crate) use review::{Decision, Opinion, Progress, Review, Tally, Transition};
pub(crate) use rule::{Approval, Judgement, Rule, RuleSet, StoredRule, Verdict};
pub(crate) use sidecar::{Draining, Kill, Repo, Session, Sidecar};
pub(crate) use usage::{Names, Touched, Usage};
pub(crate) use version::{Seen, Versioned};
pub(crate) use webhook::{Format, Key, Webhook, WebhookSpec};
