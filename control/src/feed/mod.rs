//! The feed: pushes grants to the sidecars, and waits for their word.
//!
//! In: positions of the change log, from committed work; acknowledgements, from the sidecars. Out: signed messages.
//! The log is the truth: a feed that is slow, was cut off or missed a wake-up reads on where it stopped.

mod acks;
mod hub;
mod signer;
mod snapshot;
mod stream;

pub(crate) use acks::Outcome;
pub(crate) use hub::{FeedKey, Hub, Live, Retirement};
pub(crate) use signer::{Signer, SignerError};
pub(crate) use stream::{Opening, is_true, open};
