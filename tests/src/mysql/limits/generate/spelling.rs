//! The same statement in another hand: quoting, case, white space, comments, literals.

use crate::limits::generate::{
    dice::Dice,
    spelling::{Token, tokens, written},
};

/// Aliases of the generator's that must stand in quotes.
const RESERVED: [&str; 4] = ["select", "rank", "key", "user"];
const BLANKS: [&str; 10] = [
    " ",
    " ",
    " ",
    "\n",
    "\t",
    " /* , card_number */ ",
    " -- from employees\n",
    " # x '\n",
    " /*!99999 , card_number */ ",
    " /**/ ",
];

/// The same statement, names in backticks.
pub(super) fn plainly(text: &str) -> String {
    written(&tokens(text), plain)
}

/// The same statement, differently written.
pub(super) fn disguised(text: &str, dice: &mut Dice) -> String {
    let tokens = tokens(text);
    match dice.below(3) {
        0 => written(&tokens, plain),
        1 => written(&tokens, |token| odd(token, dice)),
        _ => written(&tokens, |token| if dice.one_in(6) { odd(token, dice) } else { plain(token) }),
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn plain(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Literal(text) | Token::Number(text) | Token::Sign(text) => text.clone(),
        Token::Name(name) if RESERVED.contains(&&**name) => quoted(name),
        Token::Name(name) => name.clone(),
        Token::Space => " ".to_owned(),
    }
}

fn odd(token: &Token, dice: &mut Dice) -> String {
    match token {
        Token::Word(text) if dice.one_in(8) => format!("/*!{text}*/"),
        Token::Word(text) => dice.pick(&[text.clone(), text.to_uppercase(), text.clone()]),
        Token::Name(name) if RESERVED.contains(&&**name) => quoted(name),
        Token::Name(name) => dice.pick(&[name.clone(), quoted(name), quoted(name), quoted(name)]),
        Token::Space => dice.pick(&BLANKS).to_owned(),
        Token::Literal(text) if dice.one_in(4) && !text.contains("''") => text.replace('\'', "\""),
        Token::Literal(_) | Token::Number(_) | Token::Sign(_) => plain(token),
    }
}
