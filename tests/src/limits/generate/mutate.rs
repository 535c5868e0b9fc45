//! One token of a statement becomes another.

use super::{
    dice::Dice,
    schema::{POOL, TABLES},
    spelling::{Token, plain, tokens, written},
};

/// Words that stand in each other's place without breaking the syntax.
const FAMILIES: &[&[&str]] = &[
    &["left", "right", "full", "inner", "natural", "cross"],
    &["union", "intersect", "except"],
    &["and", "or"],
    &["asc", "desc"],
    &["any", "all", "some"],
    &["update", "share"],
    &["insert", "update", "delete"],
    &["max", "min", "count", "to_jsonb", "row_to_json", "upper", "length", "abs", "md5", "concat", "ssn"],
    &["true", "false", "null", "current_user", "current_schema"],
    &["where", "having", "on"],
    &["materialized", "lateral"],
    &["rollup", "cube"],
    &["nothing", "update"],
    &["int", "text", "integer", "employees", "sales", "regclass"],
    &["select", "table", "values"],
    &["public", "hr", "pg_catalog"],
];
const KEYWORDS: &[&str] = &[
    "select",
    "from",
    "where",
    "group",
    "by",
    "order",
    "as",
    "union",
    "intersect",
    "except",
    "all",
    "join",
    "left",
    "right",
    "full",
    "inner",
    "outer",
    "natural",
    "cross",
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
    "recursive",
    "only",
    "null",
    "is",
    "returning",
    "set",
    "default",
    "any",
    "limit",
    "offset",
    "fetch",
    "first",
    "rows",
    "over",
    "partition",
    "filter",
    "within",
    "table",
    "values",
    "update",
    "insert",
    "delete",
    "into",
    "merge",
    "when",
    "matched",
    "then",
    "else",
    "end",
    "case",
    "array",
    "row",
    "for",
    "of",
    "having",
    "collate",
    "copy",
    "to",
    "stdout",
    "explain",
    "conflict",
    "do",
    "nothing",
    "like",
    "between",
    "cast",
    "interval",
    "extract",
    "overlay",
];
const SIGNS: &[&str] = &["*", ".", ",", "=", "<", ">", "+", "-", "||", "->>", "<>", "~", "%", "::"];

/// What stands before a table.
const BEFORE_TABLE: &[&str] = &["from", "join", "into", "update", "table", "only", "public", "hr"];

/// The statement with one token changed, lost, doubled, moved or added; hardly ever is the syntax broken.
pub fn mutated(text: &str, seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut tokens = tokens(text);
    let names: Vec<usize> = (0..tokens.len()).filter(|at| is_name(&tokens[*at])).collect();
    let solid: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at] != Token::Space).collect();
    if solid.is_empty() {
        return text.to_owned();
    }
    let at = if names.is_empty() || dice.one_in(4) { dice.pick(&solid) } else { dice.pick(&names) };
    let new = instead(&tokens, at, &mut dice);
    let sign = |text: &str| Token::Sign(text.to_owned());
    match dice.below(24) {
        0 => drop(tokens.remove(at)),
        1 if !names.is_empty() => tokens.swap(at, dice.pick(&names)),
        2 => drop(tokens.splice(at..at, [new, sign(".")])),
        3 => drop(tokens.splice(at..at, [new, sign(",")])),
        4 => drop(tokens.splice(at..=at, [tokens[at].clone(), sign(".*")])),
        5 => drop(tokens.splice(at..=at, [tokens[at].clone(), sign("::text")])),
        _ => tokens[at] = new,
    }
    written(&tokens, plain)
}

fn is_name(token: &Token) -> bool {
    match token {
        Token::Name(_) => true,
        Token::Word(word) => !KEYWORDS.contains(&&*word.to_lowercase()),
        Token::Literal(_) | Token::Number(_) | Token::Sign(_) | Token::Space => false,
    }
}

fn spelt(token: Option<&Token>) -> String {
    match token {
        Some(Token::Name(text) | Token::Word(text) | Token::Sign(text)) => text.to_lowercase(),
        Some(Token::Literal(_) | Token::Number(_) | Token::Space) | None => String::new(),
    }
}

/// A name that could stand there: a table where a table stands, otherwise one that the statement has, or a column.
fn name(tokens: &[Token], at: usize, dice: &mut Dice) -> String {
    let before: Vec<&Token> =
        tokens[..at].iter().rev().filter(|token| **token != Token::Space).take(2).collect();
    let (last, earlier) = (spelt(before.first().copied()), spelt(before.get(1).copied()));
    // Nobody finds those of `desk` without their schema.
    let near = TABLES.iter().filter(|table| last == "." || table.schema != "desk");
    let table = dice.pick(&near.collect::<Vec<_>>());
    let column = dice.pick(&table.columns.iter().map(|column| column.name).collect::<Vec<_>>());
    if BEFORE_TABLE.contains(&&*if last == "." { earlier } else { last.clone() }) {
        return table.name.to_owned();
    }
    let own: Vec<String> =
        tokens.iter().filter(|token| is_name(token)).map(|token| spelt(Some(token))).collect();
    if own.is_empty() || last == "." || dice.one_in(3) {
        return column.to_owned();
    }
    if dice.one_in(6) { dice.pick(POOL).to_owned() } else { dice.pick(&own) }
}

fn instead(tokens: &[Token], at: usize, dice: &mut Dice) -> Token {
    match &tokens[at] {
        Token::Name(_) => Token::Name(name(tokens, at, dice)),
        Token::Word(word) => {
            let word = word.to_lowercase();
            let family = FAMILIES.iter().filter(|family| family.contains(&&*word));
            let words: Vec<&str> = family.flat_map(|family| family.iter().copied()).collect();
            if words.is_empty() {
                Token::Name(name(tokens, at, dice))
            } else {
                Token::Word(dice.pick(&words).to_owned())
            }
        }
        Token::Literal(_) | Token::Number(_) if dice.one_in(2) => Token::Name(name(tokens, at, dice)),
        Token::Literal(_) => Token::Literal("'x'".to_owned()),
        Token::Number(_) => Token::Number(dice.pick(&["0", "1", "2", "3"]).to_owned()),
        Token::Sign(_) | Token::Space => Token::Sign(dice.pick(SIGNS).to_owned()),
    }
}
