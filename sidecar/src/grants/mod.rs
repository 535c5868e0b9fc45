//! What is granted now.
//!
//! In: the control plane's signed feed. Out: admissions for those who log in, and the end of sessions whose grant is
//! gone. The book knows; the feed writes it; the lease says whether the book may still be trusted.

mod apply;
mod book;
mod clock;
mod drain;
mod feed;
mod held;
mod lease;
mod picture;
mod report;
mod sse;
mod tallies;
mod verify;

pub(crate) use book::{Access, Book, Denied, Standing};
pub(crate) use drain::Draining;
pub(crate) use feed::{Feed, FeedState};
pub(crate) use lease::Lease;
pub(crate) use report::{NoAnswer, Reports};
pub(crate) use tallies::Used;
