//! Webhooks: events told to whoever asked for them, in the language that they speak.
//!
//! In: events, from the outbox. Out: signed calls through `outbound`. One file per language; `words` says an event in
//! plain English for those that are read by people.

mod courier;
mod mattermost;
mod pagerduty;
mod sign;
mod teams;
mod words;

pub(crate) use courier::{COURIER, Webhooks};
pub(crate) use sign::{is_signing_key, new_key};
