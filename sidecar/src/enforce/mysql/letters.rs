//! Letters whose case servers see otherwise than this program does.
//!
//! Names of columns know no case, and beyond ASCII every server goes by tables of its own: to MySQL `İ` is an `i`, and
//! `ẞ` is no `ß`. Where two names are one by some table and two by another, nobody can tell what they stand for.

use std::{borrow::Cow, collections::HashMap};

use super::{Ground, fold, lexer::Tokens, scope::UNNAMED, told::unclear};
use crate::enforce::{Denial, Reason};

/// Letters with case of which all tables say the same, from and to: of Latin, Greek, Cyrillic and Armenian.
#[rustfmt::skip]
const CERTAIN: &[(u32, u32)] = &[
    (0xc0, 0xd6), (0xd8, 0xf6), (0xf8, 0x12f), (0x132, 0x137), (0x139, 0x17e), (0x386, 0x386), (0x388, 0x38a),
    (0x38c, 0x38c), (0x38e, 0x3a1), (0x3a3, 0x3c1), (0x3c3, 0x3ce), (0x400, 0x481), (0x48c, 0x4bf),
    (0x531, 0x556), (0x561, 0x587), (0x1e00, 0x1e9a), (0x1ea0, 0x1ef9), (0xff21, 0xff3a), (0xff41, 0xff5a),
];

fn is_certain(letter: char) -> bool {
    let has_case = || !(letter.to_uppercase().eq([letter]) && letter.to_lowercase().eq([letter]));
    let number = u32::from(letter);
    letter.is_ascii() || CERTAIN.iter().any(|(from, to)| (*from..=*to).contains(&number)) || !has_case()
}

/// Whether servers may differ in what this name is equal to.
pub(super) fn is_uncertain(name: &str) -> bool {
    !name.is_ascii() && !name.chars().all(is_certain)
}

/// One for all names that some server may take for the same.
fn broad(name: &str) -> Cow<'_, str> {
    if name.is_ascii() { fold(name) } else { fold(name).replace('İ', "i").replace('ϲ', "σ").into() }
}

/// One for all names that every server takes for the same.
fn strict(name: &str) -> String {
    name.chars()
        .map(|letter| {
            if is_certain(letter) {
                fold(letter.encode_utf8(&mut [0; 4])).into_owned()
            } else {
                letter.to_string()
            }
        })
        .collect()
}

/// Names that servers may take for others than they are.
#[derive(Debug, Default)]
struct Uncertain(HashMap<Box<str>, Box<str>>);

impl Uncertain {
    /// Keeps a name in mind, if it is one of them. Whether it may be taken for another one that is kept.
    fn keep(&mut self, name: &str) -> bool {
        let doubted = self.doubts(name);
        if is_uncertain(name) {
            self.0.entry(broad(name).into()).or_insert_with(|| strict(name).into());
        }
        doubted
    }

    /// Whether one of them may be taken for this one, or it for one of them, and they are not the same everywhere.
    fn doubts(&self, name: &str) -> bool {
        !self.0.is_empty() && self.0.get(&*broad(name)).is_some_and(|known| **known != *strict(name))
    }
}

impl Ground {
    /// Leave to compare the names of a text with each other and with those of the tables that it may be about.
    pub(super) fn tells_names_apart(&self, text: &[u8], tokens: &Tokens<'_>) -> Result<(), Denial> {
        if text.is_ascii() && !self.catalog.has_uncertain_names() {
            return Ok(());
        }
        let names: Vec<Cow<'_, str>> = (0..tokens.len()).filter_map(|at| tokens.name(at)).collect();
        if !self.catalog.has_uncertain_names() && !names.iter().any(|name| is_uncertain(name)) {
            return Ok(());
        }
        let granted = self.granted();
        let columns = granted.iter().flat_map(|granted| granted.table.columns.iter());
        let columns: Vec<&str> = columns.map(|column| &*column.name).chain(UNNAMED).collect();
        let (mut said, mut known) = (Uncertain::default(), Uncertain::default());
        let twice = names.iter().fold(false, |twice, name| said.keep(name) | twice);
        for column in &columns {
            known.keep(column);
        }
        let doubted = names.iter().find(|name| known.doubts(name) || said.doubts(name));
        if twice || doubted.is_some() || columns.iter().any(|column| said.doubts(column)) {
            let why = "a name holds letters that servers take for others";
            return Err(unclear(Reason::Name, doubted.map_or("", |name| name), why));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_one_to_some_servers_and_two_to_others_are_found() {
        let doubtful = |one: &str, other: &str| {
            let mut names = Uncertain::default();
            let first = names.keep(one);
            assert!(!first);
            names.keep(other) || names.doubts(one) || names.doubts(other)
        };
        for (one, other) in
            [("pr\u{130}ce", "PRICE"), ("straße", "STRA\u{1e9e}E"), ("τίτλος", "ΤΊΤΛΟΣ"), ("K", "\u{212a}")]
        {
            assert!(doubtful(one, other) && doubtful(other, one), "{one} {other}");
        }
        for (one, other) in
            [("größe", "GRÖßE"), ("τίτλος", "τίτλος"), ("имя", "ИМЯ"), ("日付", "日時"), ("price", "prıme")]
        {
            assert!(!doubtful(one, other) && !doubtful(other, one), "{one} {other}");
        }
    }
}
