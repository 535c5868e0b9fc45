//! What a limited session does not survive.

/// Why it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// One side does not follow the protocol.
    Violation(String),
    /// A result, or the server's state, is not what the verdict said it would be.
    Tripwire(String),
    /// More than the grant allows in number.
    Exceeded(String),
}
