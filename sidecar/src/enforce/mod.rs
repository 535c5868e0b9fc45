//! Holding a session to the tables and columns of its grant.
//!
//! In: a statement's text, what the grant covers, and what the database's catalog says. Out: leave to send exactly this
//! text, or a denial. Nothing here knows a socket; the session's relay asks before it forwards. What cannot be
//! established is denied.

mod breach;
mod denial;
mod limits;
pub(crate) mod mysql;
mod news;
pub(crate) mod postgres;
mod quota;
mod remedy;
mod uses;
mod verdicts;

pub(crate) use breach::Breach;
pub(crate) use denial::{Denial, Reason};
pub(crate) use limits::{Columns, Limits, TableLimits};
pub(crate) use news::News;
pub(crate) use quota::{Quota, Tally};
pub(crate) use remedy::Remedy;
pub(crate) use uses::{Fresh, Notes, Use, Uses};
pub(crate) use verdicts::{Footing, LONGEST_KEPT, Verdict, Verdicts};
