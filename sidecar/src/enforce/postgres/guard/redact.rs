//! A statement's text for the audit, without its values.
//!
//! Every constant becomes `?` and every comment goes. Where the text is odd too much is taken out rather than too little.

/// The longest text that is kept.
const LONGEST: usize = 2048;

/// Whether a name may begin with this letter, to the server.
const fn begins_name(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_' || !letter.is_ascii()
}

fn is_in_name(letter: char) -> bool {
    begins_name(letter) || letter.is_ascii_digit()
}

/// What stands before a token, as far as that says what a literal is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing that matters.
    Other,
    /// `E` right before it: a backslash escapes.
    Mark,
    /// A number or a parameter right before it, which servers read in different ways.
    Number,
    /// A literal in which a backslash escapes; perhaps a new line.
    Escaping { new_line: bool },
}

impl Before {
    /// The same behind this white space.
    const fn behind(self, letter: char) -> Self {
        match self {
            Self::Escaping { new_line } => {
                Self::Escaping { new_line: new_line || matches!(letter, '\n' | '\r') }
            }
            Self::Other | Self::Mark | Self::Number => Self::Other,
        }
    }

    /// Whether a backslash escapes in the literal that begins here; nothing where that is not clear.
    const fn escapes(self) -> Option<bool> {
        match self {
            Self::Other => Some(false),
            // A literal on the next line continues the one before.
            Self::Mark | Self::Escaping { new_line: true } => Some(true),
            Self::Number | Self::Escaping { new_line: false } => None,
        }
    }
}

/// The text with every constant replaced.
pub(crate) fn redact(text: &str) -> String {
    let (mut out, mut rest, mut before) = (String::new(), text, Before::Other);
    while let Some(first) = rest.chars().next() {
        if out.len() >= LONGEST {
            out.truncate(out.floor_char_boundary(LONGEST));
            return out + "…";
        }
        let Some((length, behind)) = token(first, rest, before, &mut out) else { return out + "…" };
        before = behind;
        rest = rest.get(length.max(first.len_utf8())..).unwrap_or_default();
    }
    out
}

/// Puts one token out; how long it is, and what it is for the next one. None where that is not clear.
fn token(first: char, rest: &str, before: Before, out: &mut String) -> Option<(usize, Before)> {
    Some(match first {
        '\'' => {
            let escapes = before.escapes()?;
            out.push('?');
            let behind = if escapes { Before::Escaping { new_line: false } } else { Before::Other };
            (quoted(rest, '\'', escapes), behind)
        }
        '"' => {
            let length = quoted(rest, '"', false);
            out.push_str(rest.get(..length).unwrap_or_default());
            (length, Before::Other)
        }
        '$' => (dollar(rest, out), Before::Number),
        '0'..='9' => {
            out.push('?');
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'));
            (end.unwrap_or(rest.len()), Before::Number)
        }
        '-' if rest.starts_with("--") => {
            out.push(' ');
            (rest.find(['\n', '\r']).unwrap_or(rest.len()), before.behind(' '))
        }
        '/' if rest.starts_with("/*") => {
            out.push(' ');
            (comment(rest), before.behind(' '))
        }
        letter if begins_name(letter) => {
            let end = rest.find(|c: char| !(is_in_name(c) || c == '$'));
            let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            out.push_str(word);
            (word.len(), if word.eq_ignore_ascii_case("e") { Before::Mark } else { Before::Other })
        }
        other => {
            out.push(if other.is_control() { ' ' } else { other });
            let is_space = other.is_ascii_whitespace() || other == '\u{b}';
            (other.len_utf8(), if is_space { before.behind(other) } else { Before::Other })
        }
    })
}

/// The length of what stands in these quotes, the quotes included.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' && escapes {
            letters.next();
        } else if letter == quote {
            if letters.peek().is_some_and(|(_, next)| *next == quote) {
                letters.next();
            } else {
                return at + 1;
            }
        }
    }
    text.len()
}

/// A parameter stays; what stands between dollar quotes becomes a mark.
fn dollar(text: &str, out: &mut String) -> usize {
    let behind = text.get(1..).unwrap_or_default();
    let tag = behind.find(|c: char| !is_in_name(c)).unwrap_or(behind.len());
    let is_quote = behind.get(tag..).is_some_and(|rest| rest.starts_with('$'))
        && !behind.starts_with(|c: char| c.is_ascii_digit());
    if !is_quote {
        let end = 1 + tag;
        out.push_str(text.get(..end).unwrap_or_default());
        return end;
    }
    out.push('?');
    let delimiter = text.get(..tag + 2).unwrap_or_default();
    let body = text.get(delimiter.len()..).unwrap_or_default();
    body.find(delimiter).map_or(text.len(), |end| delimiter.len() * 2 + end)
}

/// The length of a comment, with those inside it.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_left_and_every_name_is() {
        let cases = [
            (
                "select a1, \"b 2\" from t where c = 'SECRET' and d > 12.5e3",
                "select a1, \"b 2\" from t where c = ? and d > ?",
            ),
            ("select 'it''s SECRET', E'\\'SECRET', 'a\\', b", "select ?, E?, ?, b"),
            ("select $1, $$SECRET$$, $x$ $$SECRET$$ $x$ from t", "select $1, ?, ? from t"),
            ("select/* SECRET /* x */ SECRET */1 --SECRET\n from t", "select ?  \n from t"),
            ("select 'SECRET", "select ?"),
            ("select 0xSECRET", "select ?"),
            ("select date'a\\' and b = 'SECRET' and c = 'd'", "select date? and b = ? and c = ?"),
            ("select €e'a\\' and b = 'SECRET'", "select €e? and b = ?"),
            ("select e'a'\n 'b\\' SECRET', 'c'", "select e?\n ?, ?"),
            ("select e'a' 'b\\' SECRET', 'c'", "select e? …"),
            ("select e 'a\\' and b = 'SECRET'", "select e ? and b = ?"),
            ("select 1e'\\' SECRET' SECRET", "select ?…"),
            ("select $1e'\\' SECRET' SECRET", "select $1e…"),
            ("select x from e where f = 'a\\' and b = 'SECRET'", "select x from e where f = ? and b = ?"),
        ];
        for (text, expected) in cases {
            let expected = expected.replace('\n', " ");
            assert_eq!(redact(text), expected, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        assert!(redact(&"select ".repeat(10_000)).len() < 3000);
    }
}
