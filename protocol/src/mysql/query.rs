//! `COM_QUERY`: where the text of the statement begins.
//!
//! With `QUERY_ATTRIBUTES` named values stand ahead of it, encoded like those of a prepared statement. Whoever takes one
//! of them for the text judges something else than the server executes; so types whose length is not known for
//! certain are refused.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html>

use super::{Capabilities, Malformed, Reader};

/// The body of a `COM_QUERY`, behind the command's byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// What stands ahead of the text, not to be looked at.
    pub attributes: &'a [u8],
    /// The text, in the session's character set.
    pub text: &'a [u8],
}

impl<'a> Query<'a> {
    /// Decodes a body, as it is sent where these capabilities were agreed upon.
    pub fn decode(body: &'a [u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        if capabilities.has(Capabilities::QUERY_ATTRIBUTES) {
            skip_attributes(&mut reader).ok_or(Malformed("COM_QUERY"))?;
        }
        let (attributes, text) = body.split_at(body.len() - reader.rest().len());
        Ok(Self { attributes, text })
    }
}

fn skip_attributes(reader: &mut Reader<'_>) -> Option<()> {
    let count = usize::try_from(reader.lenenc()?).ok()?;
    if reader.lenenc()? != 1 {
        return None;
    }
    if count == 0 {
        return Some(());
    }
    let nulls = reader.take(count.div_ceil(8))?;
    // Servers demand that the types are sent with the values.
    if reader.u8()? != 1 {
        return None;
    }
    let kinds = (0..count).map(|_| attribute_kind(reader)).collect::<Option<Vec<u8>>>()?;
    for (index, kind) in kinds.into_iter().enumerate() {
        let null = nulls.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1);
        if !null {
            skip_value(reader, kind)?;
        }
    }
    Some(())
}

/// Type and name of an attribute.
fn attribute_kind(reader: &mut Reader<'_>) -> Option<u8> {
    let [kind, _unsigned] = reader.u16()?.to_le_bytes();
    reader.lenenc_bytes()?;
    Some(kind)
}

fn skip_value(reader: &mut Reader<'_>, kind: u8) -> Option<()> {
    let taken = match kind {
        // TINY
        1 => reader.take(1),
        // SHORT
        2 => reader.take(2),
        // LONG, FLOAT
        3 | 4 => reader.take(4),
        // DOUBLE, LONGLONG
        5 | 8 => reader.take(8),
        // DECIMAL, TIMESTAMP, DATE, TIME, DATETIME, VARCHAR, NEWDECIMAL, JSON, blobs, VAR_STRING, STRING
        0 | 7 | 10..=12 | 15 | 245 | 246 | 249..=254 => reader.lenenc_bytes(),
        _ => None,
    };
    taken.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH: Capabilities = Capabilities::QUERY_ATTRIBUTES;
    const TEXT: &[u8] = b"SELECT ssn FROM employees";

    fn text(body: &[u8]) -> Option<&[u8]> {
        Query::decode(body, WITH).ok().map(|query| query.text)
    }

    #[test]
    fn without_attributes_all_is_text() {
        let query = Query::decode(b"\0\x01SELECT 1", Capabilities::NONE).unwrap();
        assert_eq!((query.attributes, query.text), (&b""[..], &b"\0\x01SELECT 1"[..]));
        assert_eq!(text(&[b"\0\x01", TEXT].concat()), Some(TEXT));
    }

    #[test]
    fn the_text_is_not_what_an_attribute_says() {
        let decoy = [&b"\x01\x01\0\x01\xfe\0\x04name\x0cSELECT 1 -- "[..], TEXT].concat();
        let query = Query::decode(&decoy, WITH).unwrap();
        assert_eq!((query.text, query.attributes.len()), (TEXT, decoy.len() - TEXT.len()));
    }

    #[test]
    fn null_values_take_no_room_and_fixed_ones_what_their_type_takes() {
        // Nine attributes take two bytes of NULL flags; the first one is NULL.
        let mut body = b"\x09\x01\x01\0\x01".to_vec();
        for kind in [254_u8, 1, 2, 3, 4, 5, 8, 12, 3] {
            body.extend_from_slice(&[kind, 0, 1, b'n']);
        }
        body.extend_from_slice(b"1");
        body.extend_from_slice(b"22");
        body.extend_from_slice(b"44444444");
        body.extend_from_slice(b"8888888888888888");
        body.extend_from_slice(b"\x04date4444");
        body.extend_from_slice(TEXT);
        assert_eq!(text(&body), Some(TEXT));
    }

    #[test]
    fn malformed_attributes_are_refused() {
        let whole = [&b"\x01\x01\0\x01\xfe\0\x04name\x05value"[..], TEXT].concat();
        for cut in 0..17 {
            assert_eq!(text(&whole[..cut]), None, "{cut}");
        }
        let cases: [&[u8]; 7] = [
            b"\0\x02SELECT 1",
            b"\0\0SELECT 1",
            b"\x01\x01\0\0\xfe\0\0\0SELECT 1",
            b"\x01\x01\0\x01\x06\0\0SELECT 1",
            b"\x01\x01\0\x01\xfe\0\0\xfbSELECT 1",
            b"\xfb\x01SELECT 1",
            b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01SELECT 1",
        ];
        for body in cases {
            assert_eq!(text(body), None, "{body:?}");
        }
    }
}
