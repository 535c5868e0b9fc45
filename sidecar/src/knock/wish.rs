//! What a client wants, as it says in start-up options or connection attributes.

use postern_protocol::duration::Span;

/// For how long somebody wants access who does not say so.
const USUAL_DURATION: &str = "1h";

/// What a client wants if it has no grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Why.
    pub(super) reason: String,
    /// For how long, as the client wrote it.
    duration: String,
}

impl Wish {
    /// What the options of a client come to; nothing when it has none.
    pub(crate) fn new(reason: Option<String>, duration: Option<String>) -> Option<Self> {
        let wished = reason.is_some() || duration.is_some();
        wished.then(|| Self {
            reason: reason.unwrap_or_default(),
            duration: duration.unwrap_or_else(|| USUAL_DURATION.to_owned()),
        })
    }

    /// For how long, or what the client wrote that is no duration.
    pub(super) fn span(&self) -> Result<Span, String> {
        self.duration.parse().map_err(|_| self.duration.chars().take(40).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_says_neither_why_nor_how_long_wants_nothing() {
        assert_eq!(Wish::new(None, None), None);
        let wish = Wish::new(Some("INC-42".to_owned()), None).unwrap();
        assert_eq!((wish.reason.as_str(), wish.span().unwrap().as_secs()), ("INC-42", 3_600));
        assert_eq!(Wish::new(None, Some("soon".to_owned())).unwrap().span(), Err("soon".to_owned()));
    }
}
