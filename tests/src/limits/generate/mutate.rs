//! One token of a statement becomes another.

use super::{
    dice::Dice,
    schema::{POOL, TABLES},
    spelling::{Token, plain, tokens, written},
};

const WORDS: &[&str] = &[
    "select",
    "from",
    "where",
    "group",
    "order",
    "by",
    "as",
    "union",
    "natural",
    "join",
    "left",
    "using",
    "on",
    "and",
    "or",
    "not",
    "in",
    "exists",
    "lateral",
    "distinct",
    "with",
    "only",
    "null",
    "is",
    "returning",
    "set",
    "default",
    "all",
    "any",
    "limit",
    "over",
    "filter",
    "table",
    "values",
    "update",
    "insert",
    "delete",
    "into",
    "count",
    "max",
    "row",
    "array",
    "cross",
    "full",
    "asc",
    "for",
    "having",
    "collate",
    "current_user",
    "to_jsonb",
    "row_to_json",
];
const SIGNS: &[&str] =
    &["*", ".", ",", "(", ")", "=", "<", ">", "+", "-", "/", "||", "::", "[1]", "->>", "<>", "~", "%", ".*"];

/// The statement with one token changed, lost, doubled, moved or added.
pub fn mutated(text: &str, seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut tokens = tokens(text);
    let solid: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at] != Token::Space).collect();
    if solid.is_empty() {
        return text.to_owned();
    }
    let at = dice.pick(&solid);
    match dice.below(10) {
        0 => drop(tokens.remove(at)),
        1 => {
            let again = tokens[at].clone();
            tokens.splice(at..at, [again, Token::Space]);
        }
        2 => {
            let other = dice.pick(&solid);
            tokens.swap(at, other);
        }
        3 => {
            let new = any(&mut dice);
            tokens.splice(at..at, [new, Token::Space]);
        }
        _ => tokens[at] = instead(&tokens[at].clone(), &mut dice),
    }
    written(&tokens, plain)
}

fn name(dice: &mut Dice) -> String {
    let table = dice.pick(&TABLES.iter().collect::<Vec<_>>());
    let column = dice.pick(&table.columns.iter().map(|column| column.name).collect::<Vec<_>>());
    dice.pick(&[column, column, table.name, dice.clone().pick(POOL)]).to_owned()
}

fn any(dice: &mut Dice) -> Token {
    match dice.below(3) {
        0 => Token::Name(name(dice)),
        1 => Token::Word(dice.pick(WORDS).to_owned()),
        _ => Token::Sign(dice.pick(SIGNS).to_owned()),
    }
}

fn instead(token: &Token, dice: &mut Dice) -> Token {
    match token {
        Token::Name(_) => Token::Name(name(dice)),
        // A bare word may be a name as well as a keyword.
        Token::Word(_) if dice.one_in(2) => Token::Name(name(dice)),
        Token::Word(_) => Token::Word(dice.pick(WORDS).to_owned()),
        Token::Literal(_) | Token::Number(_) if dice.one_in(2) => Token::Name(name(dice)),
        Token::Literal(_) => Token::Literal("'x'".to_owned()),
        Token::Number(_) => Token::Number(dice.pick(&["0", "1", "2", "3"]).to_owned()),
        Token::Sign(_) | Token::Space => Token::Sign(dice.pick(SIGNS).to_owned()),
    }
}
