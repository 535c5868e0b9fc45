//! The words of a filter.

use serde_json::Value;

use crate::scim::error::ScimError;

/// The longest filter that is read, in bytes.
const LONGEST: usize = 4_096;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// An attribute, an operator, `and`.
    Word(String),
    /// A value: text, number, true, false, null.
    Literal(Value),
}

/// All words of a filter.
pub(super) fn words(text: &str) -> Result<Vec<Token>, ScimError> {
    if text.len() > LONGEST {
        return Err(ScimError::filter(format!("a filter has {LONGEST} bytes at most")));
    }
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenBracket, 1),
            ']' => (Token::CloseBracket, 1),
            '"' => quoted(rest)?,
            _ => word(rest)?,
        };
        words.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(words)
}

/// A text as JSON writes it.
fn quoted(rest: &str) -> Result<(Token, usize), ScimError> {
    let mut read = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    match read.next() {
        Some(Ok(text)) => Ok((Token::Literal(Value::String(text)), read.byte_offset())),
        Some(Err(_)) | None => {
            Err(ScimError::filter("a text has no end, or an escape that JSON does not know"))
        }
    }
}

fn word(rest: &str) -> Result<(Token, usize), ScimError> {
    let is_part = |letter: &char| letter.is_ascii_alphanumeric() || "-_.:$+".contains(*letter);
    let length = rest.chars().take_while(is_part).count();
    let Some(text) = rest.get(..length).filter(|text| !text.is_empty()) else {
        let odd: String = rest.chars().take(1).collect();
        return Err(ScimError::filter(format!("`{}` has no meaning in a filter", odd.escape_debug())));
    };
    let token = match text {
        "true" | "True" => Token::Literal(Value::Bool(true)),
        "false" | "False" => Token::Literal(Value::Bool(false)),
        "null" => Token::Literal(Value::Null),
        _ => match text.parse::<serde_json::Number>() {
            Ok(number) => Token::Literal(Value::Number(number)),
            Err(_) => Token::Word(text.to_owned()),
        },
    };
    Ok((token, length))
}
