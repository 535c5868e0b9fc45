//! Bytes that nobody sends on purpose: samples, changed a little again and again.
//!
//! The same samples give the same inputs. There is no looking into the program for new paths as `make fuzz` does it; but
//! it runs wherever tests run.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::limits::{generate::dice::Dice, number};

/// Numbers at which something changes.
const EDGES: [u8; 12] = [0, 1, 2, 0x20, 0x27, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfe, 0xff];
/// An input grows no longer.
const LONGEST: usize = 4096;
/// So many changed inputs are kept to be changed further.
const KEPT: usize = 256;

/// Shows a target so many inputs, or as many as `POSTERN_TEST_STORM` says. What makes it panic is printed.
pub fn storm(samples: &[Vec<u8>], count: u64, target: impl Fn(&[u8])) {
    let show = |input: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
            eprintln!("the input: {}", input.escape_ascii());
            resume_unwind(panic);
        }
    };
    for sample in samples {
        show(sample);
    }
    let mut dice = Dice::new(1);
    let mut kept: Vec<Vec<u8>> = vec![Vec::new()];
    for _ in 0..number("POSTERN_TEST_STORM", count) {
        let from = if samples.is_empty() || dice.one_in(3) { dice.pick(&kept) } else { dice.pick(samples) };
        let other = if samples.is_empty() { Vec::new() } else { dice.pick(samples) };
        let input = changed(from, &other, &mut dice);
        show(&input);
        if kept.len() < KEPT {
            kept.push(input);
        } else {
            let at = dice.below(KEPT);
            kept[at] = input;
        }
    }
}

/// One to six changes.
fn changed(mut bytes: Vec<u8>, other: &[u8], dice: &mut Dice) -> Vec<u8> {
    for _ in 0..dice.between(1, 6) {
        let at = dice.below(bytes.len() + 1);
        let end = bytes.len().min(at + dice.below(12));
        match dice.below(10) {
            0..=2 => set(&mut bytes, at, |byte, dice| byte ^ (1 << dice.below(8)), dice),
            3 => set(&mut bytes, at, |_, dice| dice.pick(&EDGES), dice),
            4 => set(&mut bytes, at, |byte, dice| byte.wrapping_add(dice.pick(&[1, 0xff])), dice),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let part = bytes[at..end].to_vec();
                let place = dice.below(bytes.len() + 1);
                bytes.splice(place..place, part);
            }
            7 => {
                let from = dice.below(other.len() + 1);
                let part = other[from..other.len().min(from + dice.below(40))].to_vec();
                bytes.splice(at..end, part);
            }
            8 => bytes.insert(at, dice.pick(&EDGES)),
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn set(bytes: &mut [u8], at: usize, new: impl Fn(u8, &mut Dice) -> u8, dice: &mut Dice) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = new(*byte, dice);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_breaks_on_a_changed_byte_is_found() {
        let seen = Cell::new(0_u32);
        let broken = catch_unwind(AssertUnwindSafe(|| {
            storm(&[b"select 1".to_vec()], 5_000, |input| {
                seen.set(seen.get() + 1);
                assert!(!input.starts_with(b"sel") || !input.contains(&0xff));
            });
        }));
        assert!(broken.is_err() && seen.get() > 1);
    }
}
