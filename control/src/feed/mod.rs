//! The feed: pushes grants to the sidecars, and waits for their word.
//!
//! In: positions of the change log, from committed work; acknowledgements, from the sidecars. Out: signed messages.
//! The log is the truth: a feed that is slow, was cut off or missed a wake-up reads on where it stopped.

mod acks;
pub(crate) mod bus;
mod hub;
pub(crate) mod presence;
mod signer;
mod snapshot;
mod stream;
mod tail;

pub(crate) use acks::Outcome;
pub(crate) use bus::{Bus, Notice, Outbox};
pub(crate) use hub::{FeedKey, Hub};
pub(crate) use presence::{Live, concerned};
pub(crate) use signer::{Signer, SignerError};
pub(crate) use stream::{Opening, is_true, open};
pub(crate) use tail::Tail;
