//! Bytes of one side, cut into messages.
//!
//! A message that has to be judged is held until it is whole, or until so much of it is here as the judgement needs;
//! the rest of it, and messages of which nothing but the kind matters, stream through.

use bytes::{Bytes, BytesMut};
use postern_protocol::postgres::{FrameError, HEADER_LEN, Header};

/// How much of a message has to be here before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Its header.
    Header,
    /// So many C strings at the beginning of its body.
    Strings(usize),
    /// All of it.
    Whole,
}

/// A message, or the beginning of one.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) kind: u8,
    /// Header and so much of the body as is here.
    pub(super) bytes: Bytes,
    /// How much of the body is yet to come.
    pub(super) rest: usize,
}

impl Piece {
    /// Behind the header.
    pub(super) fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// How long the body is, with what is yet to come.
    pub(super) fn body_len(&self) -> usize {
        self.body().len() + self.rest
    }
}

/// One side's bytes that nothing was decided about, and what becomes of those that are still to come.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    held: BytesMut,
    /// So many of the next bytes go on.
    passing: usize,
    /// So many of the next bytes go nowhere, once none is passing.
    dropping: usize,
}

impl Inbox {
    /// Takes bytes in. Those of a message that was decided go where they belong at once.
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut BytesMut) {
        let (passing, rest) = bytes.split_at(self.passing.min(bytes.len()));
        out.extend_from_slice(passing);
        self.passing -= passing.len();
        let (dropping, rest) = rest.split_at(self.dropping.min(rest.len()));
        self.dropping -= dropping.len();
        self.held.extend_from_slice(rest);
    }

    /// How many of these bytes, from the first on, belong to messages that stream through anyway; they count as taken.
    /// None while anything is held.
    pub(super) fn take_streaming(
        &mut self,
        bytes: &[u8],
        mut streams: impl FnMut(u8) -> bool,
    ) -> Result<usize, FrameError> {
        if !self.held.is_empty() || self.dropping > 0 {
            return Ok(0);
        }
        let mut here = self.passing.min(bytes.len());
        self.passing -= here;
        while let Some(header) = bytes.get(here..).and_then(<[u8]>::first_chunk::<HEADER_LEN>) {
            let header = Header::decode(*header)?;
            if !streams(header.kind) {
                break;
            }
            let whole = HEADER_LEN + header.body as usize;
            let available = whole.min(bytes.len() - here);
            self.passing = whole - available;
            here += available;
        }
        Ok(here)
    }

    /// The next message, as soon as what `need` says is here. It is told the message's header and how much of the body
    /// there is.
    pub(super) fn next<E: From<FrameError>>(
        &mut self,
        need: impl FnOnce(Header, usize) -> Result<Need, E>,
    ) -> Result<Option<Piece>, E> {
        let Some(header) = self.held.first_chunk::<HEADER_LEN>() else {
            if self.held.is_empty() {
                self.held = BytesMut::new();
            }
            return Ok(None);
        };
        let header = Header::decode(*header)?;
        let whole = HEADER_LEN + header.body as usize;
        let available = whole.min(self.held.len());
        let body = self.held.get(HEADER_LEN..available).unwrap_or_default();
        let enough = match need(header, body.len())? {
            Need::Header => true,
            Need::Strings(count) => body.split(|byte| *byte == 0).count() > count,
            Need::Whole => false,
        };
        if !enough && available < whole {
            return Ok(None);
        }
        let bytes = self.held.split_to(available).freeze();
        Ok(Some(Piece { kind: header.kind, bytes, rest: whole - available }))
    }

    /// The message whose beginning was taken last goes on.
    pub(super) fn pass(&mut self, piece: &Piece, out: &mut BytesMut) {
        if out.is_empty() {
            // Nearly always all that is here goes on.
            out.reserve(piece.bytes.len() + self.held.len());
        }
        out.extend_from_slice(&piece.bytes);
        self.passing = piece.rest;
    }

    /// It goes nowhere.
    pub(super) const fn drop(&mut self, piece: &Piece) {
        self.dropping = piece.rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_division_into_chunks_gives_the_same_messages() {
        let stream = b"Q\0\0\0\x07ab\0d\0\0\0\x09long!B\0\0\0\x0bp\0s\0valS\0\0\0\x04";
        for size in 1..=stream.len() {
            let (mut inbox, mut out, mut kinds) = (Inbox::default(), BytesMut::new(), Vec::new());
            for chunk in stream.chunks(size) {
                inbox.take(chunk, &mut out);
                let need = |header: Header, _| match header.kind {
                    b'd' => Ok::<_, FrameError>(Need::Header),
                    b'B' => Ok(Need::Strings(2)),
                    _ => Ok(Need::Whole),
                };
                while let Some(piece) = inbox.next(need).unwrap() {
                    kinds.push((piece.kind, piece.body_len()));
                    inbox.pass(&piece, &mut out);
                }
            }
            assert_eq!(kinds, [(b'Q', 3), (b'd', 5), (b'B', 7), (b'S', 0)], "chunks of {size}");
            assert_eq!(&out[..], stream, "chunks of {size}");
        }
    }

    #[test]
    fn a_message_that_is_dropped_leaves_nothing_behind() {
        let (mut inbox, mut out) = (Inbox::default(), BytesMut::new());
        inbox.take(b"B\0\0\0\x0bp\0s\0v", &mut out);
        let names = |_, _| Ok::<_, FrameError>(Need::Strings(2));
        let piece = inbox.next(names).unwrap().unwrap();
        inbox.drop(&piece);
        inbox.take(b"alS\0\0\0\x04", &mut out);
        assert_eq!(inbox.next(names).unwrap().unwrap().kind, b'S');
        assert!(out.is_empty());
    }

    #[test]
    fn rows_stream_through_up_to_the_first_message_that_is_looked_at() {
        let mut inbox = Inbox::default();
        let rows = b"D\0\0\0\x06\0\0D\0\0\0\x08\0";
        assert_eq!(inbox.take_streaming(rows, |kind| kind == b'D'), Ok(rows.len()));
        assert_eq!(inbox.take_streaming(b"\0\0\0C\0\0\0\x04", |kind| kind == b'D'), Ok(3));
    }
}
