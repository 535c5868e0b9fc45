//! What a client says once it is in, decoded from an exact body with nothing left over.
//!
//! Names and texts are bytes here: whether they are UTF-8 is for those to ask who need to know.

/// Splits off a C string.
fn c_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// The text of a `Query`: exactly one C string.
#[must_use]
pub fn query_text(body: &[u8]) -> Option<&[u8]> {
    match c_string(body)? {
        (text, []) => Some(text),
        (_, [_, ..]) => None,
    }
}

/// `Parse`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty for the unnamed one.
    pub name: &'a [u8],
    /// Its text.
    pub text: &'a [u8],
    /// The OIDs of parameter types, four bytes each.
    types: &'a [u8],
}

impl<'a> Parse<'a> {
    /// Decodes the body of a `P` message.
    #[must_use]
    pub fn decode(body: &'a [u8]) -> Option<Self> {
        let (name, rest) = c_string(body)?;
        let (text, rest) = c_string(rest)?;
        let (count, types) = rest.split_first_chunk::<2>()?;
        let whole = types.len() == usize::from(u16::from_be_bytes(*count)) * 4;
        whole.then_some(Self { name, text, types })
    }

    /// The parameter types that the client names; 0 where it leaves one open.
    pub fn types(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.types.as_chunks::<4>().0.iter().map(|oid| u32::from_be_bytes(*oid))
    }
}

/// Portal and statement of a `Bind` of which perhaps only the beginning is here.
#[must_use]
pub fn bind_names(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (portal, rest) = c_string(body)?;
    let (statement, _) = c_string(rest)?;
    Some((portal, statement))
}

/// So many pairs of bytes as the first one says, and what stands behind them.
fn pairs(bytes: &[u8]) -> Option<&[u8]> {
    let (count, rest) = bytes.split_first_chunk::<2>()?;
    rest.get(usize::from(u16::from_be_bytes(*count)) * 2..)
}

/// The values of a `Bind`, in order, each as it is; `None` stands for NULL. Nothing if not exactly all of it is here.
#[must_use]
pub fn bind_values(body: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let (_, rest) = c_string(body)?;
    let (_, rest) = c_string(rest)?;
    let (count, mut rest) = pairs(rest)?.split_first_chunk::<2>()?;
    let mut values = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = i32::from_be_bytes(*length);
        if length == -1 {
            values.push(None);
            rest = behind;
        } else {
            let (value, behind) = behind.split_at_checked(usize::try_from(length).ok()?)?;
            values.push(Some(value));
            rest = behind;
        }
    }
    pairs(rest)?.is_empty().then_some(values)
}

/// What a `Describe` or `Close` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    /// A prepared statement.
    Statement(&'a [u8]),
    /// A portal.
    Portal(&'a [u8]),
}

impl<'a> Named<'a> {
    /// Decodes the body of a `D` or `C` message.
    #[must_use]
    pub fn decode(body: &'a [u8]) -> Option<Self> {
        let (kind, name) = body.split_first()?;
        let name = query_text(name)?;
        match kind {
            b'S' => Some(Self::Statement(name)),
            b'P' => Some(Self::Portal(name)),
            _ => None,
        }
    }
}

/// The portal of an `Execute`.
#[must_use]
pub fn execute_portal(body: &[u8]) -> Option<&[u8]> {
    let (portal, most_rows) = c_string(body)?;
    (most_rows.len() == 4).then_some(portal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_terminated_text() {
        assert_eq!(query_text(b"select 1\0"), Some(&b"select 1"[..]));
        for body in [&b""[..], b"select 1", b"select 1\0select 2\0", b"select 1\0\0"] {
            assert_eq!(query_text(body), None);
        }
    }

    #[test]
    fn a_parse_names_statement_text_and_types() {
        let parse = Parse::decode(b"s1\0select $1\0\0\x01\0\0\0\x17").unwrap();
        assert_eq!((parse.name, parse.text), (&b"s1"[..], &b"select $1"[..]));
        assert_eq!(parse.types().collect::<Vec<_>>(), [23]);
        for body in [&b""[..], b"\0", b"\0select 1\0", b"\0select 1\0\0\x01", b"\0select 1\0\0\0x"] {
            assert_eq!(Parse::decode(body), None);
        }
    }

    #[test]
    fn the_names_of_a_bind_are_known_before_its_values_are() {
        assert_eq!(bind_names(b"p\0s\0\0\0"), Some((&b"p"[..], &b"s"[..])));
        assert_eq!(bind_names(b"p\0s"), None);
    }

    #[test]
    fn the_values_of_a_bind_are_known_when_all_of_it_is_here() {
        let whole = b"p\0s\0\0\x01\0\x01\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0\0\x01\0\0";
        assert_eq!(bind_values(whole), Some(vec![Some(&b"ab"[..]), None, Some(&b""[..])]));
        assert_eq!(bind_values(b"\0\0\0\0\0\0\0\0"), Some(Vec::new()));
        assert!((0..whole.len()).all(|end| bind_values(&whole[..end]).is_none()));
        assert_eq!(bind_values(&[&whole[..], b"x"].concat()), None);
        assert_eq!(bind_values(b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"), None);
    }

    #[test]
    fn what_is_described_or_closed_is_a_statement_or_a_portal() {
        assert_eq!(Named::decode(b"Ss1\0"), Some(Named::Statement(b"s1")));
        assert_eq!(Named::decode(b"P\0"), Some(Named::Portal(b"")));
        for body in [&b""[..], b"S", b"Xs\0", b"Ss\0x"] {
            assert_eq!(Named::decode(body), None);
        }
        assert_eq!(execute_portal(b"p\0\0\0\0\x02"), Some(&b"p"[..]));
        assert_eq!(execute_portal(b"p\0\0\0\x02"), None);
    }
}
