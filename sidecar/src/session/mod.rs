//! Live sessions, whatever protocol they speak.
//!
//! In: an admission and two connected streams. Out: bytes in both directions until either side is done or the gate
//! falls. The registry knows every session; its leash is the one way to end it.

mod deadline;
mod ending;
mod farewell;
mod leash;
mod registry;
mod relay;
#[cfg(test)]
mod relay_tests;
mod terminator;
mod untold;
mod watch;

pub(crate) use deadline::Deadline;
pub(crate) use ending::Ending;
pub(crate) use farewell::tell;
pub(crate) use leash::Leash;
pub(crate) use registry::{Registered, Registry, Session};
pub(crate) use relay::{Direction, Finish, Left, Passing, Relay, Violation, Wire};
pub(crate) use terminator::{Means, Terminator, Terminators};
pub(crate) use untold::Untold;
pub(crate) use watch::{Event, Watch};
