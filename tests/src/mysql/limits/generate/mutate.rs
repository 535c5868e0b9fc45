//! Pieces of a statement become others: words, quotes, comments, introducers, whole clauses.

use super::schema::TABLES;
use crate::limits::generate::dice::Dice;

/// What is put between two pieces.
const SPLICES: &[&str] = &[
    "/**/",
    "/*!*/",
    "/*! ",
    "/*!50000 ",
    "/*!99999 ",
    "/*M!100100 ",
    "/*M!50701 ",
    "/*!050000",
    "/*!1",
    "*/",
    "-- \n",
    "--",
    "#\n",
    "`",
    "'",
    "\"",
    "\\",
    "\\'",
    "_latin1",
    "_utf8mb4",
    "_binary",
    "N",
    "x",
    "b",
    "0x",
    "{d ",
    "{x ",
    "}",
    "(",
    ")",
    ".",
    ",",
    ";",
    "@",
    "@@",
    ":=",
    "\u{a0}",
    "\u{b}",
    "\0",
    "*",
    "é",
    "\u{200b}",
    " as ",
    " not ",
    " binary ",
    " all ",
    " distinct ",
    " union select card_number from sales",
    " (select max(ssn) from employees) ",
    " order by price",
    " , card_number ",
    " group by card_number",
    " procedure analyse()",
    " into @v",
    " into outfile '/tmp/x'",
    " for update",
    " lock in share mode",
    " with rollup",
    " limit 1",
    " offset ",
    " partition (p2024) ",
    " natural join employees",
    " cross join employees",
    " using (card_number)",
    " and price > 1",
    " or card_number like '%'",
    " collate utf8mb4_bin ",
    " as card_number ",
    " returning card_number",
    " over (order by price)",
    " , (select body from hr.reviews limit 1) ",
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
    "all",
    "join",
    "left",
    "natural",
    "using",
    "on",
    "and",
    "or",
    "not",
    "in",
    "exists",
    "distinct",
    "with",
    "recursive",
    "null",
    "is",
    "set",
    "default",
    "any",
    "limit",
    "values",
    "table",
    "update",
    "insert",
    "replace",
    "delete",
    "into",
    "case",
    "when",
    "then",
    "else",
    "end",
    "like",
    "between",
    "cast",
    "interval",
    "binary",
    "having",
    "over",
    "explain",
    "lateral",
    "row",
    "div",
    "xor",
    "regexp",
];
const FUNCTIONS: &[&str] = &[
    "max",
    "count",
    "concat",
    "hex",
    "group_concat",
    "load_file",
    "first_card",
    "sleep",
    "values",
    "default",
    "if",
    "json_arrayagg",
    "extractvalue",
    "name_const",
    "char",
    "quote",
    "any_value",
    "match",
];

/// Words, blanks, and single other characters.
fn pieces(text: &str) -> Vec<String> {
    let class = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' || c == '$' => 'w',
        c if c.is_whitespace() => ' ',
        other => other,
    };
    let mut pieces: Vec<String> = Vec::new();
    for letter in text.chars() {
        let last = pieces.last_mut().filter(|last| {
            let same = last.chars().next().is_some_and(|first| class(first) == class(letter));
            same && matches!(class(letter), 'w' | ' ')
        });
        match last {
            Some(last) => last.push(letter),
            None => pieces.push(letter.to_string()),
        }
    }
    pieces
}

/// The statement with one to three of its pieces changed.
pub fn mutated(text: &str, seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut pieces = pieces(text);
    for _ in 0..dice.pick(&[1, 1, 1, 2, 3]) {
        let words: Vec<usize> = (0..pieces.len()).filter(|at| is_word(&pieces[*at])).collect();
        if words.is_empty() {
            break;
        }
        let (word, any) = (dice.pick(&words), dice.below(pieces.len()));
        match dice.below(16) {
            0 => drop(pieces.remove(any)),
            1 => pieces.insert(any, pieces[any].clone()),
            2 => pieces.swap(word, dice.pick(&words)),
            3..=6 => pieces.insert(any, dice.pick(SPLICES).to_owned()),
            choice => {
                let new = instead(&pieces, word, dice.pick(&words), choice, &mut dice);
                pieces.splice(word..=word, [new]);
            }
        }
    }
    pieces.concat()
}

/// What stands in the place of a word: the same in another hand, another one of the statement's, or one from elsewhere.
fn instead(pieces: &[String], word: usize, other: usize, choice: usize, dice: &mut Dice) -> String {
    match choice {
        7 | 8 => wrapped(&pieces[word], dice),
        9 => pieces[other].clone(),
        10 => dice.pick(KEYWORDS).to_owned(),
        11 => dice.pick(FUNCTIONS).to_owned(),
        _ => name(dice),
    }
}

fn is_word(piece: &str) -> bool {
    piece.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn name(dice: &mut Dice) -> String {
    let table = dice.pick(&TABLES.iter().collect::<Vec<_>>());
    let column = dice.pick(&table.columns.iter().map(|column| column.name).collect::<Vec<_>>());
    dice.pick(&[
        table.name.to_owned(),
        column.to_owned(),
        column.to_owned(),
        format!("{}.{column}", table.name),
    ])
}

/// The statement with one of its words in letters that some servers take for others, wherever it stands.
pub fn respelled(text: &str, seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut pieces = pieces(text);
    let words: Vec<String> = pieces.iter().filter(|piece| is_word(piece)).cloned().collect();
    if words.is_empty() {
        return text.to_owned();
    }
    let old = dice.pick(&words);
    let new = dice.pick(&[
        old.replace('i', "\u{130}"),
        old.replace('s', "\u{17f}"),
        old.replace('e', "😀"),
        format!("{old}😎"),
        format!("`{old} `"),
    ]);
    pieces.iter_mut().filter(|piece| **piece == old).for_each(|piece| piece.clone_from(&new));
    pieces.concat()
}

/// The same word, read otherwise or not.
fn wrapped(word: &str, dice: &mut Dice) -> String {
    dice.pick(&[
        format!("\"{word}\""),
        format!("`{word}`"),
        format!("'{word}'"),
        format!("/*!{word}*/"),
        format!("/*!99999 {word}*/"),
        format!("/*!040100 {word}*/"),
        format!("/*M! {word}*/"),
        format!("/*{word}*/"),
        format!("({word})"),
        format!("{{x {word}}}"),
        format!("{{fn {word}}}"),
        format!("_utf8mb4'{word}'"),
        format!("N'{word}'"),
        format!("@{word}"),
        format!("@@{word}"),
        format!("@`{word}`"),
        word.to_uppercase(),
        word.replace('a', "á"),
        format!("{word}("),
        format!("{word}.*"),
        format!("1.e({word}"),
        format!("shop.{word}"),
        format!("hr.{word}"),
        format!("sales.{word}"),
        format!(".{word}"),
        format!("{word}``"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_loses_nothing() {
        let text = "select `a`.b , 'x''y' /* c */ from  t -- d\n where é = 1.5";
        assert_eq!(pieces(text).concat(), text);
    }
}
