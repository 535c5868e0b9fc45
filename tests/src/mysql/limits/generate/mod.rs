//! Random statements that know the schema, in MySQL's and MariaDB's own language.
//!
//! From a seed comes always the same statement. Most are what a limited session may do, in forms that make it hard to
//! see; the others reach for what it may not. Names are written in double quotes until [`spelling`] decides.

mod expression;
mod from;
mod mutate;
mod query;
mod schema;
mod spelling;
mod write;

pub use mutate::{mutated, respelled};

use crate::limits::generate::{
    dice::Dice,
    schema::Table,
    scope::{Level, Shelved},
};

/// How often, one in so many choices, a foul statement reaches for what is not granted.
const FOUL: usize = 7;

/// Makes one statement.
struct Writer {
    dice: Dice,
    /// Whether it is for MariaDB.
    maria: bool,
    /// Reaches for what is not granted.
    foul: bool,
    /// What the innermost and the enclosing queries can see, innermost last.
    levels: Vec<Level>,
    /// Common table expressions in sight, innermost last.
    shelf: Vec<Shelved>,
    /// How many more sub-queries may open.
    room: usize,
    names: usize,
    /// How many queries are being written, one in another.
    depth: usize,
}

fn written(seed: u64, foul: bool, maria: bool) -> String {
    let mut dice = Dice::new(seed);
    let room = 1 + dice.below(4);
    let (levels, shelf) = (Vec::new(), Vec::new());
    let mut writer = Writer { dice, maria, foul, levels, shelf, room, names: 0, depth: 0 };
    match writer.dice.below(40) {
        0..=26 => writer.query(),
        27..=36 => writer.change(),
        37 => format!("explain {}", writer.query()),
        38 => writer.question(),
        _ => writer.session(),
    }
}

/// The statement of this seed. Half of them reach for what is not granted.
pub fn statement(seed: u64, maria: bool) -> String {
    let mut dice = Dice::new(seed ^ 0x5bd1_e995);
    let text = written(seed, dice.one_in(2), maria);
    spelling::disguised(&text, &mut dice)
}

/// One that does not reach for what is not granted, in plain writing.
pub fn innocent(seed: u64, maria: bool) -> String {
    spelling::plainly(&written(seed, false, maria))
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

    /// A name that another thing may have as well, and that is not among these.
    fn alias(&mut self, taken: &[String]) -> String {
        for _ in 0..4 {
            let name = self.dice.pick(schema::POOL);
            if !taken.iter().any(|other| other == name) {
                return name.to_owned();
            }
        }
        self.names += 1;
        format!("a{}", self.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_statement_again() {
        assert!((0..200).all(|seed| statement(seed, true) == statement(seed, true)));
    }

    #[test]
    fn every_seed_gives_a_statement() {
        for seed in 0..3000 {
            assert!(!statement(seed, seed % 2 == 0).is_empty());
        }
    }
}
