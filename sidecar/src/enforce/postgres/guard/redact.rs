//! A statement's text for the audit, without its values.
//!
//! Every constant becomes `?` and every comment goes. Where the text is odd too much is taken out rather than too little.

/// The longest text that is kept.
const LONGEST: usize = 2048;

/// The text with every constant replaced.
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if out.len() >= LONGEST {
            out.truncate(out.floor_char_boundary(LONGEST));
            return out + "…";
        }
        let length = match first {
            '\'' => {
                out.push('?');
                quoted(rest, '\'', escapes(&out))
            }
            '"' => {
                let length = quoted(rest, '"', false);
                out.push_str(rest.get(..length).unwrap_or_default());
                length
            }
            '$' => dollar(rest, &mut out),
            '0'..='9' => {
                out.push('?');
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))
                    .unwrap_or(rest.len())
            }
            '-' if rest.starts_with("--") => {
                out.push(' ');
                rest.find(['\n', '\r']).unwrap_or(rest.len())
            }
            '/' if rest.starts_with("/*") => {
                out.push(' ');
                comment(rest)
            }
            letter if letter.is_alphabetic() || letter == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
                let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                out.push_str(word);
                word.len()
            }
            other => {
                out.push(if other.is_control() { ' ' } else { other });
                other.len_utf8()
            }
        };
        rest = rest.get(length.max(first.len_utf8())..).unwrap_or_default();
    }
    out
}

/// Whether the literal behind this is one in which a backslash escapes: the mark that was put out for it follows `e`.
fn escapes(out: &str) -> bool {
    let before = out.trim_end_matches('?');
    before.ends_with(['e', 'E'])
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
    let tag = behind.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(behind.len());
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
