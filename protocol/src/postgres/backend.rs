//! What a server says, decoded from an exact body with nothing left over.

use super::startup::CancelKey;

/// A server's message does not have the layout that its kind demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server sent a malformed message of kind '{}'", .0.escape_ascii())]
pub struct InvalidMessage(pub u8);

/// `Authentication…`: what the server wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticationRequest<'a> {
    /// It is satisfied.
    Ok,
    /// The password itself.
    CleartextPassword,
    /// The password hashed with this salt.
    Md5Password([u8; 4]),
    /// A SASL exchange by one of these mechanisms.
    Sasl(Vec<&'a str>),
    /// The next step of the exchange.
    SaslContinue(&'a [u8]),
    /// The last step.
    SaslFinal(&'a [u8]),
    /// Kerberos, GSSAPI, SSPI or something newer, by its number.
    Unsupported(u32),
}

impl<'a> AuthenticationRequest<'a> {
    /// Decodes the body of an `R` message.
    pub fn decode(body: &'a [u8]) -> Result<Self, InvalidMessage> {
        let invalid = InvalidMessage(b'R');
        let (code, data) = body.split_first_chunk::<4>().ok_or(invalid)?;
        match (u32::from_be_bytes(*code), data) {
            (0, []) => Ok(Self::Ok),
            (3, []) => Ok(Self::CleartextPassword),
            (5, salt) => salt.try_into().map(Self::Md5Password).map_err(|_| invalid),
            (10, list) => mechanisms(list).map(Self::Sasl).ok_or(invalid),
            (11, data) => Ok(Self::SaslContinue(data)),
            (12, data) => Ok(Self::SaslFinal(data)),
            (0 | 3, [_, ..]) => Err(invalid),
            (other, _) => Ok(Self::Unsupported(other)),
        }
    }
}

fn mechanisms(list: &[u8]) -> Option<Vec<&str>> {
    let names = std::str::from_utf8(list.strip_suffix(b"\0\0")?).ok()?;
    Some(names.split('\0').collect())
}

/// `BackendKeyData`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendKeyData(pub CancelKey);

impl BackendKeyData {
    /// Decodes the body of a `K` message.
    pub fn decode(body: &[u8]) -> Result<Self, InvalidMessage> {
        let invalid = InvalidMessage(b'K');
        let (pid, secret) = body.split_first_chunk::<4>().ok_or(invalid)?;
        if !(4..=256).contains(&secret.len()) {
            return Err(invalid);
        }
        Ok(Self(CancelKey { pid: i32::from_be_bytes(*pid), secret: secret.into() }))
    }
}

/// The fields of an `ErrorResponse` or `NoticeResponse` body: a code byte and a text each.
pub fn split_error(body: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    body.split(|byte| *byte == 0).filter_map(|field| field.split_first().map(|(code, text)| (*code, text)))
}

/// Whether this is the body of an error that a client can make something of: terminated fields, among them severity,
/// SQLSTATE and message.
#[must_use]
pub fn is_error(body: &[u8]) -> bool {
    let has = |code: u8| split_error(body).any(|(found, _)| found == code);
    body.ends_with(b"\0\0") && has(b'S') && has(b'C') && has(b'M')
}

/// One field of an error as text, such as `b'C'` (SQLSTATE) or `b'M'` (message).
#[must_use]
pub fn error_field(body: &[u8], code: u8) -> Option<String> {
    split_error(body)
        .find(|(found, _)| *found == code)
        .map(|(_, text)| String::from_utf8_lossy(text).into_owned())
}

/// Where a column of a result comes from, as `RowDescription` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultColumn {
    /// The table's OID; 0 for an expression.
    pub table: u32,
    /// The column's number in it.
    pub number: i16,
}

/// The columns in the body of a `T` message.
pub fn result_columns(body: &[u8]) -> Result<Vec<ResultColumn>, InvalidMessage> {
    read_columns(body).ok_or(InvalidMessage(b'T'))
}

fn read_columns(body: &[u8]) -> Option<Vec<ResultColumn>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let name = rest.iter().position(|byte| *byte == 0)?;
        let (column, next) = rest.get(name + 1..)?.split_first_chunk::<18>()?;
        let [a, b, c, d, e, f, ..] = *column;
        let (table, number) = (u32::from_be_bytes([a, b, c, d]), i16::from_be_bytes([e, f]));
        columns.push(ResultColumn { table, number });
        rest = next;
    }
    rest.is_empty().then_some(columns)
}

/// The columns in the body of a `DataRow`, in text format; empty where they are null.
pub fn text_columns(body: &[u8]) -> Result<Vec<String>, InvalidMessage> {
    read_row(body).ok_or(InvalidMessage(b'D'))
}

fn read_row(body: &[u8]) -> Option<Vec<String>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, next) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        let (text, next) = next.split_at_checked(length)?;
        columns.push(std::str::from_utf8(text).ok()?.to_owned());
        rest = next;
    }
    rest.is_empty().then_some(columns)
}

/// Name and value in the body of an `S` message.
pub fn parameter_status(body: &[u8]) -> Result<(&str, &str), InvalidMessage> {
    let text = body.strip_suffix(b"\0").and_then(|text| std::str::from_utf8(text).ok());
    let pair = text.and_then(|text| text.split_once('\0')).filter(|(_, value)| !value.contains('\0'));
    pair.ok_or(InvalidMessage(b'S'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_authentication_request_of_a_server_is_known() {
        let cases: [(&[u8], AuthenticationRequest<'_>); 6] = [
            (&[0, 0, 0, 0], AuthenticationRequest::Ok),
            (&[0, 0, 0, 3], AuthenticationRequest::CleartextPassword),
            (&[0, 0, 0, 5, 1, 2, 3, 4], AuthenticationRequest::Md5Password([1, 2, 3, 4])),
            (
                b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0",
                AuthenticationRequest::Sasl(vec!["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]),
            ),
            (b"\0\0\0\x0br=x", AuthenticationRequest::SaslContinue(b"r=x")),
            (&[0, 0, 0, 7], AuthenticationRequest::Unsupported(7)),
        ];
        for (body, expected) in cases {
            assert_eq!(AuthenticationRequest::decode(body), Ok(expected));
        }
    }

    #[test]
    fn leftovers_and_short_bodies_are_refused() {
        for body in [&b""[..], &[0, 0, 0], &[0, 0, 0, 0, 0], &[0, 0, 0, 5, 1, 2, 3], b"\0\0\0\x0aSCRAM"] {
            assert_eq!(AuthenticationRequest::decode(body), Err(InvalidMessage(b'R')), "{body:?}");
        }
        assert!(BackendKeyData::decode(&[0, 0, 0, 1, 1, 2, 3]).is_err());
    }

    #[test]
    fn an_error_gives_its_fields() {
        let body = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0";
        assert_eq!(error_field(body, b'C').as_deref(), Some("57P03"));
        assert_eq!(error_field(body, b'H'), None);
        assert!(is_error(body));
    }

    #[test]
    fn what_is_no_error_is_not_taken_for_one() {
        for body in [&b""[..], b"\0", b"nonsense", b"SFATAL\0C57P03\0Mcut off", b"SFATAL\0Mno state\0\0"] {
            assert!(!is_error(body), "{body:?}");
        }
    }

    #[test]
    fn a_row_description_tells_where_each_column_comes_from() {
        let column = |name: &[u8], table: u32, number: i16| {
            [name, b"\0", &table.to_be_bytes(), &number.to_be_bytes(), &[0; 12]].concat()
        };
        let body = [&[0, 2][..], &column(b"id", 16_400, 1), &column(b"?column?", 0, 0)].concat();
        let (id, expression) =
            (ResultColumn { table: 16_400, number: 1 }, ResultColumn { table: 0, number: 0 });
        assert_eq!(result_columns(&body), Ok(vec![id, expression]));
        assert_eq!(result_columns(&[0, 0]), Ok(Vec::new()));
        for bad in [&body[..body.len() - 1], &[&body[..], b"x"].concat(), b"\0\x01", b""] {
            assert_eq!(result_columns(bad), Err(InvalidMessage(b'T')));
        }
    }

    #[test]
    fn a_row_gives_its_columns_as_text() {
        let row = b"\0\x02\0\0\0\x02ab\xff\xff\xff\xff";
        assert_eq!(text_columns(row), Ok(vec!["ab".to_owned(), String::new()]));
        for bad in [&b""[..], b"\0\x01", b"\0\x01\0\0\0\x02a", b"\0\0x", b"\0\x01\0\0\0\x01\xff"] {
            assert_eq!(text_columns(bad), Err(InvalidMessage(b'D')));
        }
    }

    #[test]
    fn a_parameter_status_is_a_name_and_a_value() {
        assert_eq!(parameter_status(b"TimeZone\0UTC\0"), Ok(("TimeZone", "UTC")));
        for bad in [&b""[..], b"TimeZone\0", b"TimeZone\0UTC", b"a\0b\0c\0"] {
            assert!(parameter_status(bad).is_err());
        }
    }
}
