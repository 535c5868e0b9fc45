//! What can go wrong with a call.

/// One call that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Slack's servers answer with this status and do nothing.
    Status(u16),
    /// Slack says this and does nothing.
    Word(&'static str),
    /// Slack does it, and its answer gets lost.
    Lost,
    /// Slack asks to wait for so many seconds.
    Wait(u64),
}
