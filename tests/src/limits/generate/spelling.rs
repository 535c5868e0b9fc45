//! The same statement in another hand: quoting, case, escapes, white space, comments.

use super::dice::Dice;

/// A piece of a statement, as PostgreSQL's own lexer would cut it, as far as is needed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword or a bare name.
    Word(String),
    /// A name in double quotes, without them.
    Name(String),
    /// A literal with its quotes.
    Literal(String),
    Number(String),
    /// Operators and punctuation, one character at a time except for the long operators.
    Sign(String),
    Space,
}

const LONG_SIGNS: [&str; 9] = ["->>", "->", "::", "||", "<>", "<=", ">=", "!=", ":="];
const RESERVED: [&str; 4] = ["select", "user", "table", "from"];

fn taken_while(rest: &str, wanted: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !wanted(c)).unwrap_or(rest.len())
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(found) = rest.get(at..).and_then(|rest| rest.find(quote)) {
        at += found + 1;
        if !rest.get(at..).is_some_and(|rest| rest.starts_with(quote)) {
            return at;
        }
        at += 1;
    }
    rest.len()
}

/// Cuts a statement of the generator's own, which has no comments and no escapes.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, token): (usize, fn(&str) -> Token) = match first {
            ' ' | '\n' => (taken_while(rest, char::is_whitespace), |_| Token::Space),
            '\'' => (quoted(rest, '\''), |text| Token::Literal(text.to_owned())),
            'E' if rest.starts_with("E'") => {
                (1 + quoted(rest.trim_start_matches('E'), '\''), |text| Token::Literal(text.to_owned()))
            }
            '"' => (quoted(rest, '"'), |text| Token::Name(text.trim_matches('"').to_owned())),
            c if c.is_ascii_digit() => {
                (taken_while(rest, |c| c.is_ascii_digit() || c == '.'), |text| Token::Number(text.to_owned()))
            }
            c if c.is_alphabetic() || c == '_' => {
                (taken_while(rest, |c| c.is_alphanumeric() || c == '_'), |text| Token::Word(text.to_owned()))
            }
            _ => {
                let long = LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let length = long.map_or(first.len_utf8(), |sign| sign.len());
                (length, |text| Token::Sign(text.to_owned()))
            }
        };
        let (piece, after) = rest.split_at(length);
        tokens.push(token(piece));
        rest = after;
    }
    tokens
}

/// The same statement, differently written.
pub(crate) fn disguised(text: &str, dice: &mut Dice) -> String {
    let tokens = tokens(text);
    match dice.below(3) {
        0 => written(&tokens, plain),
        1 => written(&tokens, |token| odd(token, dice)),
        _ => written(&tokens, |token| if dice.one_in(6) { odd(token, dice) } else { plain(token) }),
    }
}

pub(crate) fn written(tokens: &[Token], spell: impl FnMut(&Token) -> String) -> String {
    tokens.iter().map(spell).collect()
}

fn is_simple(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c == '_';
    name.starts_with(letter)
        && name.chars().all(|c| letter(c) || c.is_ascii_digit())
        && !RESERVED.contains(&name)
}

pub(crate) fn plain(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Literal(text) | Token::Number(text) | Token::Sign(text) => text.clone(),
        Token::Name(name) if is_simple(name) => name.clone(),
        Token::Name(name) => format!("\"{name}\""),
        Token::Space => " ".to_owned(),
    }
}

fn odd(token: &Token, dice: &mut Dice) -> String {
    match token {
        Token::Word(text) => dice.pick(&[text.clone(), text.to_uppercase(), text.clone()]),
        Token::Name(name) => {
            let quoted = format!("\"{name}\"");
            let choices = if is_simple(name) {
                vec![name.clone(), name.to_uppercase(), quoted, escaped(name, dice)]
            } else {
                vec![quoted.clone(), quoted, escaped(name, dice)]
            };
            dice.pick(&choices)
        }
        Token::Space => dice
            .pick(&[
                " ",
                " ",
                "\n",
                "\t",
                "  ",
                " /* , card_number */ ",
                " /* /* from */ employees */ ",
                " --x\n",
                "\r\n",
            ])
            .to_owned(),
        Token::Literal(_) | Token::Number(_) | Token::Sign(_) => plain(token),
    }
}

/// One letter as its code point.
fn escaped(name: &str, dice: &mut Dice) -> String {
    let at = dice.below(name.chars().count());
    let letter = |(index, c): (usize, char)| {
        if index == at { format!("\\{:04x}", u32::from(c)) } else { c.to_string() }
    };
    format!("U&\"{}\"", name.chars().enumerate().map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_and_writing_loses_nothing() {
        let text = "select \"s\".\"sku \" ->> 'it''s', E'x' || 1.5::int from \"select\" where (1) <> 2";
        assert_eq!(written(&tokens(text), plain), text.replace("\"s\".", "s."));
    }
}
