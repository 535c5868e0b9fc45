//! The statement that fails at the server in the place of a denied one.
//!
//! It asks for a column that is called by a word which nobody can know before it is sent. From then on the word is no
//! secret: statements before it in the same text may read it (`current_query()`), and what they say of it is theirs. So
//! each has a word of its own, and its error is one that comes when all statements before it have succeeded.

use postern_service::random;

use crate::enforce::{Breach, Denial};

/// So much of a hash is a word: 128 bits, and less than the server keeps of a name.
const LETTERS: usize = 32;

/// The word of this number.
pub(super) fn word(key: &str, serial: u64) -> Box<str> {
    let hash = random::sha256_hex(format!("{key}:{serial}").as_bytes());
    hash.get(..LETTERS).unwrap_or_default().into()
}

/// A statement that is to fail.
#[derive(Debug)]
pub(super) struct StandIn {
    word: Box<str>,
    denial: Denial,
    /// How many statements of the same text have yet to succeed before it is executed.
    behind: usize,
}

impl StandIn {
    /// For a statement with this denial, behind so many others.
    pub(super) fn new(word: Box<str>, denial: Denial, behind: usize) -> Self {
        Self { word, denial, behind }
    }

    /// What is sent.
    pub(super) fn text(&self) -> String {
        format!("SELECT \"{}\"", self.word)
    }

    /// What is sent where a part of the text goes before it.
    pub(super) fn text_behind(&self, part: &str) -> String {
        format!("{part}\n;{}", self.text())
    }

    /// A name that nothing has.
    pub(super) const fn name(&self) -> &[u8] {
        self.word.as_bytes()
    }

    /// A statement before it has succeeded. It does not succeed itself.
    pub(super) fn succeeded(&mut self) -> Result<(), Breach> {
        let left = self.behind.checked_sub(1);
        self.behind = left.ok_or_else(|| {
            Breach::Violation("what stands in the place of a denied statement was executed".to_owned())
        })?;
        Ok(())
    }

    /// Whether this is its error.
    pub(super) fn has_failed_with(&self, error: &[u8]) -> bool {
        let word = self.word.as_bytes();
        self.behind == 0 && error.windows(word.len()).any(|window| window == word)
    }

    /// What the client is told in the place of its error.
    pub(super) fn into_denial(self) -> Denial {
        self.denial
    }
}
