//! The server's stream, and as much of its current message as is of interest.

use std::mem;

use crate::mysql::{Header, PacketWalker};

/// How much of a message is kept: more than servers put into any that is not a row.
pub(super) const KEPT_MAX: usize = 64 * 1024;

/// Follows the server's stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Inbox {
    walker: PacketWalker,
    /// A message has begun and is not yet read.
    open: bool,
    /// Length of its first packet.
    length: u32,
    /// Whether it is of interest, once that was decided.
    interesting: Option<bool>,
    kept: Vec<u8>,
    too_long: bool,
}

/// The next bytes of the current message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'b> {
    /// They.
    pub(super) bytes: &'b [u8],
    /// Length of the message's first packet.
    pub(super) length: u32,
    /// Whether the message ends with them.
    pub(super) last: bool,
}

impl Inbox {
    /// Takes the header with which `bytes` go on, once it is whole; the rest stands behind it. Only between two packets.
    pub(super) fn header<'b>(&mut self, bytes: &'b [u8]) -> Option<(Header, &'b [u8])> {
        let (header, first, rest) = self.walker.header(bytes)?;
        if first {
            *self = Self {
                walker: mem::take(&mut self.walker),
                open: true,
                length: header.length,
                ..Self::default()
            };
        }
        Some((header, rest))
    }

    /// Takes what is here of the current message, if there is one, and gives what is behind it.
    pub(super) fn part<'b>(&mut self, bytes: &'b [u8]) -> Option<(Part<'b>, &'b [u8])> {
        if !self.open {
            return None;
        }
        let rest = self.walker.skip(bytes);
        let bytes = bytes.get(..bytes.len() - rest.len()).unwrap_or_default();
        self.open = !self.walker.at_boundary();
        Some((Part { bytes, length: self.length, last: !self.open }, rest))
    }

    /// Whether the current message is of interest, which its first byte decides.
    pub(super) fn is_interesting(&mut self, part: Part<'_>, decide: impl FnOnce(u8) -> bool) -> bool {
        if let (None, Some(first)) = (self.interesting, part.bytes.first()) {
            self.interesting = Some(decide(*first));
        }
        self.interesting.unwrap_or(true)
    }

    /// Keeps a part that is not the only one of its message, as far as there is room.
    pub(super) fn keep(&mut self, part: Part<'_>) {
        let room = KEPT_MAX.saturating_sub(self.kept.len());
        self.too_long |= part.bytes.len() > room;
        self.kept.extend(part.bytes.iter().take(room));
    }

    /// What was kept, and whether it is not all.
    pub(super) fn take_kept(&mut self) -> (Vec<u8>, bool) {
        (mem::take(&mut self.kept), self.too_long)
    }

    /// Whether nothing was kept yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether the next byte begins a message.
    pub(super) const fn at_boundary(&self) -> bool {
        self.walker.at_boundary() && !self.open
    }

    /// Whether the message goes on in another packet than the current or last one.
    pub(super) const fn continues(&self) -> bool {
        self.walker.continues()
    }

    /// How many bytes of the current packet are still to come, if that is known.
    pub(super) fn left(&self) -> Option<usize> {
        self.walker.left().map(|left| left as usize)
    }
}
