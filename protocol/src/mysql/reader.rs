//! The protocol's basic types: little-endian integers, length-encoded ones, and texts.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html>

/// Takes one field after another from a slice. Every answer is none where the slice is too short.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been taken yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Succeeds if nothing is left.
    #[must_use]
    pub const fn end(&self) -> Option<()> {
        if self.0.is_empty() { Some(()) } else { None }
    }

    /// So many bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// All that is left.
    pub const fn take_rest(&mut self) -> &'a [u8] {
        let rest = self.0;
        self.0 = &[];
        rest
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    /// An integer of one byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// An integer of two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// An integer of three bytes.
    pub fn u24(&mut self) -> Option<u32> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// An integer of four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// An integer of eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length-encoded integer. Servers take one that is longer than it need be, and so do we; NULL (0xFB) is none.
    pub fn lenenc(&mut self) -> Option<u64> {
        match self.u8()? {
            small @ 0..=0xfa => Some(u64::from(small)),
            0xfc => self.u16().map(u64::from),
            0xfd => self.u24().map(u64::from),
            0xfe => self.u64(),
            0xfb | 0xff => None,
        }
    }

    /// A text with a length-encoded length before it.
    pub fn lenenc_bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.lenenc()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// The same, or NULL (0xFB), which is the inner none.
    pub fn nullable_bytes(&mut self) -> Option<Option<&'a [u8]>> {
        if self.0.first() == Some(&0xfb) {
            self.take(1)?;
            return Some(None);
        }
        self.lenenc_bytes().map(Some)
    }

    /// A text with a length of one byte before it.
    pub fn short_bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// A text that a NUL ends.
    pub fn c_string(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }
}

/// Writes a length-encoded integer, as short as it can be.
pub fn put_lenenc(into: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    let (mark, length): (&[u8], usize) = match value {
        0..=0xfa => (&[], 1),
        0xfb..=0xffff => (&[0xfc], 2),
        0x1_0000..=0xff_ffff => (&[0xfd], 3),
        0x100_0000.. => (&[0xfe], 8),
    };
    into.extend_from_slice(mark);
    into.extend_from_slice(bytes.get(..length).unwrap_or_default());
}

/// Writes a text with its length-encoded length.
pub fn put_lenenc_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put_lenenc(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

/// Writes a text and the NUL that ends it. A NUL within would end it early and let the rest pass for another field,
/// so the text ends before it.
pub(super) fn put_c_string(into: &mut Vec<u8>, text: &[u8]) {
    into.extend(text.iter().take_while(|byte| **byte != 0));
    into.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_encoded_integer_is_as_short_as_it_can_be_and_reads_back() {
        let cases: [(u64, &[u8]); 8] = [
            (0, &[0]),
            (250, &[250]),
            (251, &[0xfc, 251, 0]),
            (0xffff, &[0xfc, 0xff, 0xff]),
            (0x1_0000, &[0xfd, 0, 0, 1]),
            (0xff_ffff, &[0xfd, 0xff, 0xff, 0xff]),
            (0x100_0000, &[0xfe, 0, 0, 0, 1, 0, 0, 0, 0]),
            (u64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (value, expected) in cases {
            let mut bytes = Vec::new();
            put_lenenc(&mut bytes, value);
            assert_eq!(bytes, expected);
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.lenenc(), reader.end()), (Some(value), Some(())));
        }
    }

    #[test]
    fn what_is_cut_short_is_no_field() {
        for bytes in [&b""[..], b"\xfb", b"\xff", b"\xfc\x01", b"\xfd\0\0", b"\xfe\0\0\0\0\0\0\0"] {
            assert_eq!(Reader::new(bytes).lenenc(), None, "{bytes:?}");
        }
        let huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffx";
        for bytes in [&b"\x05four"[..], b"\xfc\x05\0four", huge] {
            assert_eq!(Reader::new(bytes).lenenc_bytes(), None, "{bytes:?}");
        }
        assert_eq!(Reader::new(b"no end").c_string(), None);
        assert_eq!(Reader::new(b"\x02x").short_bytes(), None);
    }

    #[test]
    fn fields_are_taken_in_order() {
        let mut reader = Reader::new(b"\x01\x02\0\x03\0\0\x04\0\0\0\x02ab\xfbcd\0rest");
        assert_eq!(
            (reader.u8(), reader.u16(), reader.u24(), reader.u32()),
            (Some(1), Some(2), Some(3), Some(4))
        );
        assert_eq!(reader.nullable_bytes(), Some(Some(&b"ab"[..])));
        assert_eq!(reader.nullable_bytes(), Some(None));
        assert_eq!(reader.c_string(), Some(&b"cd"[..]));
        assert_eq!(reader.end(), None);
        assert_eq!((reader.take_rest(), reader.end()), (&b"rest"[..], Some(())));
    }
}
