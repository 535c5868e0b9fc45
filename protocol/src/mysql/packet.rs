//! Where one packet ends and the next begins.
//!
//! A physical packet is a length of three bytes, little end first, a sequence id, and the payload. A payload of
//! 0xFFFFFF bytes or more goes on in the next packet, so that a message ends with its first shorter packet, which may
//! be empty. The walker follows a stream of them across any division into chunks, without copying and without
//! waiting for a payload to be complete.

use bytes::{Bytes, BytesMut};

/// Length and sequence id.
pub const HEADER_LEN: usize = 4;

/// The longest payload of one physical packet; one of exactly this length is continued.
pub const MAX_PACKET: usize = 0x00ff_ffff;

/// The header of one physical packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Length of the payload.
    pub length: u32,
    /// Counts up from 0 at each command, and wraps.
    pub sequence: u8,
}

impl Header {
    /// Decodes a header; every four bytes are one.
    #[must_use]
    pub const fn decode([a, b, c, sequence]: [u8; HEADER_LEN]) -> Self {
        Self { length: u32::from_le_bytes([a, b, c, 0]), sequence }
    }

    /// Whether the message goes on in the next packet.
    #[must_use]
    pub const fn continues(self) -> bool {
        self.length as usize == MAX_PACKET
    }

    /// The bytes on the wire.
    #[must_use]
    pub const fn encode(self) -> [u8; HEADER_LEN] {
        let [a, b, c, _] = self.length.to_le_bytes();
        [a, b, c, self.sequence]
    }
}

/// One physical packet as [`PacketWalker::walk`] finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its header.
    pub header: Header,
    /// Whether it begins a message; the continuation of a long one does not.
    pub first: bool,
    /// That part of its payload that is already here.
    pub payload: &'a [u8],
}

/// Follows a stream of packets by their headers.
#[derive(Debug, Clone, Default)]
pub struct PacketWalker {
    header: [u8; HEADER_LEN],
    header_have: usize,
    left: u32,
    /// The current packet, or if none is begun the last one, is continued by the next.
    continues: bool,
}

impl PacketWalker {
    /// Walks the next bytes of the stream and calls `seen` for each physical packet whose header is completed by them.
    pub fn walk(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Packet<'_>)) {
        loop {
            bytes = self.skip(bytes);
            let Some((header, first, rest)) = self.header(bytes) else { return };
            let here = rest.len().min(header.length as usize);
            seen(Packet { header, first, payload: rest.get(..here).unwrap_or_default() });
            bytes = rest;
        }
    }

    /// Passes what is here of the current payload, and gives the bytes behind it.
    pub(super) fn skip<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let here = bytes.len().min(self.left as usize);
        self.left -= u32::try_from(here).unwrap_or(self.left);
        bytes.get(here..).unwrap_or_default()
    }

    /// Takes the header with which `bytes` go on, once it is whole; whether it begins a message; and what is behind.
    /// Only between two packets.
    pub(super) fn header<'b>(&mut self, bytes: &'b [u8]) -> Option<(Header, bool, &'b [u8])> {
        let wanted = self.header.get_mut(self.header_have..).unwrap_or_default();
        let here = wanted.len().min(bytes.len());
        let (now, later) = bytes.split_at(here);
        for (place, byte) in wanted.iter_mut().zip(now) {
            *place = *byte;
        }
        self.header_have += here;
        if self.header_have < HEADER_LEN {
            return None;
        }
        let (header, first) = (Header::decode(self.header), !self.continues);
        self.header_have = 0;
        self.left = header.length;
        self.continues = header.continues();
        Some((header, first, later))
    }

    /// Whether the next byte begins a message. Between the packets of a long message it does not.
    #[must_use]
    pub const fn at_boundary(&self) -> bool {
        self.between_packets() && !self.continues
    }

    /// Whether the next byte begins a physical packet.
    #[must_use]
    pub const fn between_packets(&self) -> bool {
        self.header_have == 0 && self.left == 0
    }

    /// Whether the current physical packet, or if none is begun the last one, is continued by another.
    #[must_use]
    pub const fn continues(&self) -> bool {
        self.continues
    }

    /// How many bytes of the current physical packet are still to come; none while even its header is incomplete, and
    /// so its length unknown. Zero between packets.
    #[must_use]
    pub const fn left(&self) -> Option<u32> {
        if self.header_have == 0 { Some(self.left) } else { None }
    }
}

/// One message, in as many physical packets as it takes, the first of them with this sequence id.
#[must_use]
pub fn packet(sequence: u8, payload: &[u8]) -> Bytes {
    let parts = payload.len() / MAX_PACKET + 1;
    let mut bytes = BytesMut::with_capacity(payload.len() + parts * HEADER_LEN);
    let (mut sequence, mut rest) = (sequence, payload);
    loop {
        let (part, later) = rest.split_at(rest.len().min(MAX_PACKET));
        let length = u32::try_from(part.len()).unwrap_or_default();
        bytes.extend_from_slice(&Header { length, sequence }.encode());
        bytes.extend_from_slice(part);
        if part.len() < MAX_PACKET {
            return bytes.freeze();
        }
        (sequence, rest) = (sequence.wrapping_add(1), later);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(stream: &[u8], size: usize) -> (Vec<(Header, bool)>, PacketWalker) {
        let (mut walker, mut seen) = (PacketWalker::default(), Vec::new());
        for chunk in stream.chunks(size) {
            walker.walk(chunk, |packet| seen.push((packet.header, packet.first)));
        }
        (seen, walker)
    }

    #[test]
    fn every_division_into_chunks_gives_the_same_packets() {
        let stream =
            [packet(0, b"\x03select 1"), packet(1, b""), packet(2, &[7; 300]), packet(255, b"x")].concat();
        let header = |length, sequence| (Header { length, sequence }, true);
        for size in 1..=stream.len() {
            let (seen, walker) = walked(&stream, size);
            assert_eq!(
                seen,
                [header(9, 0), header(0, 1), header(300, 2), header(1, 255)],
                "chunks of {size}"
            );
            assert!(walker.at_boundary());
        }
    }

    #[test]
    fn the_part_of_the_payload_that_is_here_is_shown() {
        let (mut walker, mut payloads) = (PacketWalker::default(), Vec::new());
        let bytes = packet(0, b"0123456789");
        walker.walk(&bytes[..7], |packet| payloads.push(packet.payload.to_vec()));
        walker.walk(&bytes[7..], |packet| payloads.push(packet.payload.to_vec()));
        assert_eq!(payloads, [b"012".to_vec()]);
    }

    #[test]
    fn the_rest_of_a_packet_is_known_once_its_header_is() {
        let mut walker = PacketWalker::default();
        let bytes = packet(0, b"0123456789");
        for (part, left) in [(&bytes[..3], None), (&bytes[3..8], Some(6)), (&bytes[8..], Some(0))] {
            walker.walk(part, |_| {});
            assert_eq!(walker.left(), left);
        }
    }

    #[test]
    fn a_long_message_ends_with_its_first_shorter_packet() {
        for (length, last) in [(MAX_PACKET, 0), (MAX_PACKET + 5, 5)] {
            let bytes = packet(254, &vec![7; length]);
            let (seen, walker) = walked(&bytes, 65_536);
            let full = Header { length: 0x00ff_ffff, sequence: 254 };
            assert_eq!(seen, [(full, true), (Header { length: last, sequence: 255 }, false)]);
            assert!(walker.at_boundary());
            let (_, between) = walked(&bytes[..HEADER_LEN + MAX_PACKET], 65_536);
            assert!(between.between_packets() && between.continues() && !between.at_boundary());
        }
    }

    #[test]
    fn a_packet_is_its_length_its_number_and_its_payload() {
        assert_eq!(&packet(3, b"\x0e")[..], b"\x01\0\0\x03\x0e");
        assert_eq!(&packet(0, b"")[..], b"\0\0\0\0");
    }
}
