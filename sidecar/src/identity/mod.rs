//! Who is there: from a credential to an identity.
//!
//! In: the text that a client gave as its password. Out: the identity that it proves, or nothing; never why not.

use postern_protocol::gate::{Identity, TOKEN_PREFIX};

use crate::grants::Book;

/// The longest access token.
const MAX_TOKEN: usize = 64;

/// Whose credential this is.
pub(crate) fn authenticate(book: &Book, credential: &str) -> Option<Identity> {
    let token = credential.len() <= MAX_TOKEN && credential.starts_with(TOKEN_PREFIX);
    // Looked up by its hash: how long that takes says nothing about any token that exists.
    token.then(|| book.identify(credential)).flatten()
}
