//! What a limited session is told of the server's errors and notices.
//!
//! The account at the database may read more than the session, and the server writes its errors for the account:
//! `Failing row contains (…)` prints every column. Details are kept where they can only speak of what the session
//! itself said or may read, and dropped everywhere else. Context and internal queries speak of other people's code,
//! but for the line of its own data at which a COPY of the session stands.

use bytes::Bytes;
use postern_protocol::postgres::{self, split_error};

/// Classes of errors whose detail tells of the statement, its values or the server, and never of a row.
const SPEAKING: [&[u8]; 13] =
    [b"08", b"0A", b"22", b"25", b"26", b"28", b"34", b"40", b"42", b"53", b"54", b"55", b"57"];

fn field(body: &[u8], wanted: u8) -> Option<&[u8]> {
    split_error(body).find(|(code, _)| *code == wanted).map(|(_, text)| text)
}

/// Whether the detail may be kept. `is_open` says whether the session may read all of a table.
fn may_detail(body: &[u8], is_open: impl Fn((&str, &str)) -> bool) -> bool {
    let text = |code| field(body, code).and_then(|text| std::str::from_utf8(text).ok());
    match (text(b's'), text(b't')) {
        (Some(schema), Some(table)) => is_open((schema, table)),
        (None, None) => {
            let class = field(body, b'C').and_then(|state| state.get(..2)).unwrap_or_default();
            SPEAKING.contains(&class)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Whether this is no more of a context than where in the client's data a COPY stands. Whoever runs inside one, such as a
/// trigger, adds a line.
fn tells_line(context: &[u8]) -> bool {
    context.starts_with(b"COPY ") && !context.contains(&b'\n')
}

fn scrub(kind: u8, body: &[u8], rewritten: bool, is_open: impl Fn((&str, &str)) -> bool) -> Bytes {
    let detail = may_detail(body, is_open);
    let kept = split_error(body).filter(|(code, text)| match code {
        b'D' => detail,
        b'W' => tells_line(text),
        // Where in the text: not in one that the client has not written.
        b'P' => !rewritten,
        b'S' | b'V' | b'C' | b'M' | b'H' | b's' | b't' | b'c' | b'd' | b'n' | b'F' | b'L' | b'R' => true,
        _ => false,
    });
    postgres::fields(kind, kept)
}

/// An `ErrorResponse` for the client.
pub(super) fn error(body: &[u8], rewritten: bool, is_open: impl Fn((&str, &str)) -> bool) -> Bytes {
    scrub(b'E', body, rewritten, is_open)
}

/// A `NoticeResponse` for the client; none where somebody's function speaks.
pub(super) fn notice(body: &[u8], is_open: impl Fn((&str, &str)) -> bool) -> Option<Bytes> {
    field(body, b'W').is_none_or(tells_line).then(|| scrub(b'N', body, false, is_open))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILING: &[u8] = b"SERROR\0C23514\0Mnew row violates check\0DFailing row contains (1, SECRET)\0\
        Wa function\0spublic\0tsales\0nsales_check\0\0";

    fn told(message: &[u8], code: u8) -> Option<String> {
        postgres::error_field(message.get(5..).unwrap(), code)
    }

    #[test]
    fn a_row_is_shown_only_to_those_who_may_read_all_of_it() {
        assert_eq!(told(&error(FAILING, false, |_| false), b'D'), None);
        let open = error(FAILING, false, |table| table == ("public", "sales"));
        assert_eq!(told(&open, b'D').as_deref(), Some("Failing row contains (1, SECRET)"));
        assert_eq!(told(&open, b'W'), None);
        assert_eq!(told(&open, b'n').as_deref(), Some("sales_check"));
    }

    #[test]
    fn details_without_a_table_are_kept_where_they_cannot_hold_a_row() {
        let kept = error(b"SERROR\0C42703\0Mno\0Dmore\0P8\0\0", false, |_| false);
        assert_eq!((told(&kept, b'D').as_deref(), told(&kept, b'P').as_deref()), (Some("more"), Some("8")));
        for body in [&b"SERROR\0C44000\0Mno\0Dmore\0\0"[..], b"SERROR\0CP0001\0Mno\0Dmore\0\0"] {
            assert_eq!(told(&error(body, false, |_| true), b'D'), None);
        }
    }

    #[test]
    fn what_a_function_has_to_say_is_not_heard() {
        assert_eq!(notice(b"SNOTICE\0C00000\0MSECRET\0WPL/pgSQL function f()\0\0", |_| true), None);
        assert!(notice(b"SWARNING\0C25001\0Malready in a transaction\0\0", |_| false).is_some());
        let inside = b"SNOTICE\0C00000\0MSECRET\0WPL/pgSQL function f()\nCOPY orders, line 1: \"a\"\0\0";
        assert_eq!(notice(inside, |_| true), None);
    }

    #[test]
    fn where_in_its_own_data_a_copy_fails_is_told() {
        let failing = b"SERROR\0C22P02\0Minvalid\0WCOPY orders, line 2, column qty: \"x\"\0\0";
        let line = told(&error(failing, false, |_| false), b'W');
        assert_eq!(line.as_deref(), Some("COPY orders, line 2, column qty: \"x\""));
        let inside = b"SERROR\0C22P02\0Minvalid\0WSQL function \"f\"\nCOPY orders, line 2\0\0";
        assert_eq!(told(&error(inside, false, |_| false), b'W'), None);
        assert!(notice(b"SNOTICE\0C00000\0Mskipping row\0WCOPY orders\0\0", |_| false).is_some());
    }
}
