//! Statements without their literals, for the audit.

use crate::enforce::mysql::{
    Server, SqlMode,
    lexer::{Kind, Tokens},
};

/// The text with `?` in the place of strings and numbers. Of a text that cannot be read only the first word is told.
pub(crate) fn redact(text: &str) -> String {
    // What stands in double quotes may be a string or a name: it is taken for a string.
    let Ok(tokens) = Tokens::read(text.as_bytes(), Server::default(), SqlMode::default()) else {
        let first = text.split_ascii_whitespace().next().unwrap_or_default();
        let word: String = first.chars().take_while(char::is_ascii_alphabetic).collect();
        return format!("{word} …");
    };
    let (mut redacted, mut end) = (String::with_capacity(text.len()), 0);
    for at in 0..tokens.len() {
        let Some(token) = tokens.get(at) else { break };
        // Comments between tokens may hold anything.
        if token.start > end && !redacted.is_empty() {
            redacted.push(' ');
        }
        match token.kind {
            Kind::Word
            | Kind::Quoted
            | Kind::Symbol(_)
            | Kind::Parameter
            | Kind::Variable
            | Kind::Setting => {
                redacted.push_str(text.get(token.start..token.end).unwrap_or_default());
            }
            Kind::Number | Kind::Text => redacted.push('?'),
        }
        end = token.end;
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_are_left_out() {
        let text = "SELECT `id` FROM sales WHERE ssn = 'S\\'1' AND n=12 /* S2 */ AND c = \"S3\" -- S4";
        assert_eq!(redact(text), "SELECT `id` FROM sales WHERE ssn = ? AND n=? AND c = ?");
        assert_eq!(redact("SELECT 'open S5"), "SELECT …");
        assert_eq!(redact("'S6 is no word"), " …");
    }
}
