//! The shape of a text: what it is when its whole numbers are left out.
//!
//! Clients that write values into their statements send the same one with ever new numbers, and a verdict rarely
//! depends on them. In: a text. Out: the text with a zero byte, which no text holds, for each number of up to nine
//! digits that stands alone. That these are tokens of their own needs no lexer of SQL: a text with quotes, dollars,
//! comments or anything but ASCII has no shape. Texts of one shape have trees that differ in the values of constants
//! alone; [`super::judge`] says whether it has looked at any.

use super::{Ground, Judgement};
use crate::enforce::{LONGEST_KEPT, Verdict, Verdicts};

/// Nine digits are an `int4` for every server.
const MOST_DIGITS: usize = 9;

/// A text without its numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// What stands around them.
    pub(super) frame: Vec<u8>,
    /// Where they begin in the text.
    pub(super) places: Vec<usize>,
}

/// What was found about a text, or about another one of its shape.
pub(super) fn known(verdicts: &Verdicts<Ground>, text: &str, ground: &Ground) -> Option<Verdict<Judgement>> {
    verdicts.find(text, ground).or_else(|| verdicts.find(shape(text)?.frame, ground))
}

/// Remembers what was found about a text, for its whole shape if it is so for that.
pub(super) fn remember(
    verdicts: &Verdicts<Ground>,
    text: &str,
    ground: &Ground,
    verdict: &Verdict<Judgement>,
) {
    match verdict.as_ref().ok().filter(|judgement| judgement.alike).and_then(|_| shape(text)) {
        Some(shape) => verdicts.keep(shape.frame, ground, verdict),
        None => verdicts.keep(text, ground, verdict),
    }
}

/// The text's shape, if it has one that is not the text itself.
pub(super) fn shape(text: &str) -> Option<Shape> {
    if text.len() > LONGEST_KEPT {
        return None;
    }
    let mut frame = Vec::with_capacity(text.len());
    let mut places = Vec::new();
    let (mut rest, mut before) = (text.as_bytes(), None);
    while let [byte, behind @ ..] = rest {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            if is_opaque(before, *byte) {
                return None;
            }
            frame.push(*byte);
            (rest, before) = (behind, Some(*byte));
            continue;
        }
        let (number, behind) = rest.split_at_checked(digits)?;
        if digits <= MOST_DIGITS && opens(before) && closes(behind.first().copied()) {
            places.push(text.len() - rest.len());
            frame.push(0);
        } else {
            frame.extend_from_slice(number);
        }
        (rest, before) = (behind, number.last().copied());
    }
    (!places.is_empty()).then_some(Shape { frame, places })
}

/// What may hold a digit that is no number, or begins to.
const fn is_opaque(before: Option<u8>, byte: u8) -> bool {
    match byte {
        b'\'' | b'"' | b'$' | b'\\' | 0 | 0x80.. => true,
        b'-' => matches!(before, Some(b'-')),
        b'*' => matches!(before, Some(b'/')),
        _ => false,
    }
}

const fn opens(before: Option<u8>) -> bool {
    matches!(before, Some(b' ' | b'\t' | b'\n' | b'\r' | b'(' | b',' | b'=' | b'<' | b'>'))
}

const fn closes(behind: Option<u8>) -> bool {
    matches!(behind, None | Some(b' ' | b'\t' | b'\n' | b'\r' | b')' | b',' | b';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Option<String> {
        shape(text).map(|shape| {
            shape.frame.iter().map(|byte| if *byte == 0 { '#' } else { char::from(*byte) }).collect()
        })
    }

    #[test]
    fn numbers_that_stand_alone_are_left_out() {
        for (text, expected) in [
            ("SELECT a FROM t1 WHERE id = 17;", "SELECT a FROM t1 WHERE id = #;"),
            ("SELECT 1, 22,\n(333) LIMIT 4", "SELECT #, #,\n(#) LIMIT #"),
            ("SELECT 1+1, a-5 FROM t WHERE b>=7", "SELECT 1+1, a-5 FROM t WHERE b>=#"),
            ("SELECT 1.5, .5 , 1e5, 0x1F, 1_000, 9 ", "SELECT 1.5, .5 , 1e5, 0x1F, 1_000, # "),
            ("SELECT 123456789, 1234567890", "SELECT #, 1234567890"),
        ] {
            assert_eq!(frame(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn where_a_number_may_be_something_else_there_is_no_shape() {
        for text in [
            "SELECT '5', 5",
            "SELECT \"a 5\", 5",
            "SELECT $1, 5",
            "SELECT 5 -- 6",
            "SELECT 5 /* 6 */",
            "SELECT E\\ 5",
            "SELECT ä, 5",
            "SELECT a FROM t",
        ] {
            assert_eq!(frame(text), None, "{text}");
        }
    }
}
