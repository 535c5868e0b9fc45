//! Random statements that know the schema.
//!
//! From a seed comes always the same statement. Most are what a limited session may do, in forms that make it hard to
//! see; the others reach for what it may not, in forms that make it hard to see.

pub mod dice;
mod expression;
mod from;
pub mod items;
mod mutate;
mod query;
pub(crate) mod schema;
pub(crate) mod scope;
pub(crate) mod spelling;
mod write;

use dice::Dice;
pub use mutate::mutated;
use schema::Table;
use scope::Level;

/// How often, one in so many choices, a foul statement reaches for what is not granted.
const FOUL: usize = 7;

/// Makes one statement.
pub(crate) struct Writer {
    dice: Dice,
    /// Reaches for what is not granted.
    foul: bool,
    /// What the innermost and the enclosing queries can see, innermost last.
    levels: Vec<Level>,
    /// Common table expressions in sight, innermost last.
    shelf: Vec<scope::Shelved>,
    /// How many more sub-queries may open.
    room: usize,
    names: usize,
    /// How many queries are being written, one in another.
    depth: usize,
}

fn written(seed: u64, foul: bool) -> String {
    let mut dice = Dice::new(seed);
    let room = 1 + dice.below(4);
    let nothing = (Vec::new(), Vec::new());
    let mut writer = Writer { dice, foul, levels: nothing.0, shelf: nothing.1, room, names: 0, depth: 0 };
    match writer.dice.below(20) {
        0..=13 => writer.query(),
        14..=17 => writer.change(),
        18 => format!("explain (costs off) {}", writer.query()),
        _ => format!("copy ({}) to stdout", writer.query()),
    }
}

/// The statement of this seed. Half of them reach for what is not granted.
pub fn statement(seed: u64) -> String {
    let mut dice = Dice::new(seed ^ 0x5bd1_e995);
    let text = written(seed, dice.one_in(2));
    spelling::disguised(&text, &mut dice)
}

/// One that does not reach for what is not granted, in plain writing, its names in double quotes.
pub fn innocent(seed: u64) -> String {
    written(seed, false)
}

impl Writer {
    /// Whether to reach for what is not granted, this time.
    fn slips(&mut self) -> bool {
        self.foul && self.dice.one_in(FOUL)
    }

    fn table(&mut self) -> &'static Table {
        let slips = self.slips();
        let tables: Vec<&Table> = schema::TABLES.iter().filter(|table| slips || table.granted()).collect();
        self.dice.pick(&tables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_statement_again() {
        assert!((0..200).all(|seed| statement(seed) == statement(seed)));
    }

    #[test]
    fn every_seed_gives_a_statement() {
        for seed in 0..5000 {
            assert!(!statement(seed).is_empty());
        }
    }
}
