//! Who is there: from a credential to an identity.
//!
//! In: what a client shows (a password, a bearer token, a certificate). Out: the identity that it proves, and until
//! when; or why it proves nothing, which the operator reads and the client never does. `entry` calls this and nobody
//! else.

mod certificate;
mod credential;
mod throttle;

use certificate::{Certified, NoName};
pub(crate) use credential::{Credential, Known, Unproven, authenticate};
pub(crate) use throttle::Throttle;
