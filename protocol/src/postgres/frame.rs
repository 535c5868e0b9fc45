//! Where one message ends and the next begins.
//!
//! A regular message is a kind byte, a length of four bytes that counts itself, and the body. The walker follows a
//! stream of them across any division into chunks, without copying and without waiting for a body to be complete.

/// Kind byte and length.
pub const HEADER_LEN: usize = 5;

/// The longest message that PostgreSQL itself accepts (`PQ_LARGE_MESSAGE_LIMIT`, `MaxAllocSize - 1`), without the kind byte.
pub const MAX_FRAME_LEN: u32 = 0x3fff_ffff;

/// The stream is no sequence of messages; nothing behind this point can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is less than the four bytes that it takes itself, or more than any message may have.
    #[error("message of kind 0x{kind:02x} claims an impossible length of {length}")]
    Length {
        /// The kind byte.
        kind: u8,
        /// What the length field says.
        length: u32,
    },
}

/// The header of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The kind byte.
    pub kind: u8,
    /// Length of the body, without kind and length field.
    pub body: u32,
}

impl Header {
    /// Decodes a header and checks its length.
    pub const fn decode(bytes: [u8; HEADER_LEN]) -> Result<Self, FrameError> {
        let [kind, a, b, c, d] = bytes;
        let length = u32::from_be_bytes([a, b, c, d]);
        if length < 4 || length > MAX_FRAME_LEN {
            return Err(FrameError::Length { kind, length });
        }
        Ok(Self { kind, body: length - 4 })
    }
}

/// Follows a stream of messages by their headers.
#[derive(Debug, Clone, Default)]
pub struct FrameWalker {
    header: [u8; HEADER_LEN],
    header_have: usize,
    body_left: u32,
}

impl FrameWalker {
    /// Walks the next bytes of the stream and calls `seen` for each message whose header is completed by them, with
    /// that part of its body that is already here.
    pub fn walk(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Header, &[u8])) -> Result<(), FrameError> {
        loop {
            if self.body_left > 0 {
                let here = bytes.len().min(self.body_left as usize);
                self.body_left -= u32::try_from(here).unwrap_or(self.body_left);
                bytes = bytes.get(here..).unwrap_or_default();
            }
            if bytes.is_empty() {
                return Ok(());
            }
            bytes = self.take_header(bytes);
            if self.header_have < HEADER_LEN {
                return Ok(());
            }
            let header = Header::decode(self.header)?;
            self.header_have = 0;
            self.body_left = header.body;
            let here = bytes.len().min(header.body as usize);
            seen(header, bytes.get(..here).unwrap_or_default());
        }
    }

    fn take_header<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let wanted = self.header.get_mut(self.header_have..).unwrap_or_default();
        let here = wanted.len().min(bytes.len());
        let (now, later) = bytes.split_at(here);
        for (place, byte) in wanted.iter_mut().zip(now) {
            *place = *byte;
        }
        self.header_have += here;
        later
    }

    /// Whether the next byte begins a message.
    #[must_use]
    pub const fn at_boundary(&self) -> bool {
        self.header_have == 0 && self.body_left == 0
    }

    /// How many bytes of the current message are still to come; none when even its header is incomplete, and so its
    /// length unknown. Zero at a boundary.
    #[must_use]
    pub const fn left(&self) -> Option<u32> {
        if self.header_have == 0 { Some(self.body_left) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind];
        frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        frame.extend_from_slice(body);
        frame
    }

    #[test]
    fn every_division_into_chunks_gives_the_same_frames() {
        let stream =
            [frame(b'Q', b"select 1\0"), frame(b'S', b""), frame(b'd', &[7; 300]), frame(b'X', b"")].concat();
        for size in 1..=stream.len() {
            let (mut walker, mut kinds) = (FrameWalker::default(), Vec::new());
            for chunk in stream.chunks(size) {
                walker.walk(chunk, |header, _| kinds.push((header.kind, header.body))).unwrap();
            }
            assert_eq!(kinds, [(b'Q', 9), (b'S', 0), (b'd', 300), (b'X', 0)], "chunks of {size}");
            assert!(walker.at_boundary());
        }
    }

    #[test]
    fn the_part_of_the_body_that_is_here_is_shown() {
        let mut walker = FrameWalker::default();
        let mut bodies = Vec::new();
        walker.walk(&frame(b'Z', b"I"), |_, body| bodies.push(body.to_vec())).unwrap();
        assert_eq!(bodies, [b"I".to_vec()]);
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for length in [0_u32, 1, 3, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut bytes = vec![b'Q'];
            bytes.extend_from_slice(&length.to_be_bytes());
            let result = FrameWalker::default().walk(&bytes, |_, _| {});
            assert_eq!(result, Err(FrameError::Length { kind: b'Q', length }), "{length}");
        }
    }

    #[test]
    fn the_rest_of_a_message_is_known_once_its_header_is() {
        let mut walker = FrameWalker::default();
        let bytes = frame(b'D', b"0123456789");
        walker.walk(&bytes[..3], |_, _| {}).unwrap();
        assert_eq!(walker.left(), None);
        walker.walk(&bytes[3..8], |_, _| {}).unwrap();
        assert_eq!(walker.left(), Some(7));
        walker.walk(&bytes[8..], |_, _| {}).unwrap();
        assert_eq!(walker.left(), Some(0));
    }
}
