//! The last few of what a session keeps coming back to: most sessions send the same few texts again and again, and get
//! the same descriptions of results.

use std::collections::VecDeque;

/// So many are kept.
const FEW: usize = 4;
/// Those that are longer than so many bytes are not kept: sessions that do nothing hold them, too.
const LONGEST: usize = 2 * 1024;

/// The last few.
#[derive(Debug)]
pub(super) struct Recent<T>(VecDeque<T>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Recent<T> {
    /// The one that this is true of.
    pub(super) fn find(&self, is_wanted: impl Fn(&T) -> bool) -> Option<&T> {
        self.0.iter().find(|kept| is_wanted(kept))
    }

    /// Keeps one more, which takes so many bytes.
    pub(super) fn keep(&mut self, one: T, length: usize) {
        if length > LONGEST {
            return;
        }
        if self.0.len() == FEW {
            self.0.pop_front();
        }
        self.0.push_back(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_found_and_nothing_long_is_kept() {
        let mut recent = Recent::default();
        for number in 0..10 {
            recent.keep(number, 8);
        }
        recent.keep(10, 1_000_000);
        let found: Vec<i32> = (0..20).filter(|number| recent.find(|kept| kept == number).is_some()).collect();
        assert_eq!(found, [6, 7, 8, 9]);
    }
}
