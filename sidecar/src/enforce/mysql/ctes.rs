//! Common table expressions: which ones a part of a statement knows, and which ones the server does not look at.

use std::cell::RefCell;

use super::{
    lexer::Kind,
    same,
    tree::{Cte, Output, Term, With},
    walk::{Ctes, Known, Place, Walk},
};
use crate::enforce::Denial;

/// So many of one statement may be left out, for to see that of one takes a look at all of it.
const MOST_LOOKED_FOR: usize = 16;

impl<'a> Walk<'a> {
    /// The common table expressions of a statement. Each knows those before it; a recursive one itself, too. On MariaDB
    /// they know none of those around.
    pub(super) fn with(
        &mut self,
        with: Option<&'a With<'a>>,
        ctes: &Ctes<'_, 'a>,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        let Some(with) = with else { return Ok(()) };
        self.mixed = true;
        let mut left_out = None;
        for (number, cte) in with.ctes.iter().enumerate() {
            self.claim(&cte.name);
            let mut here = ctes.here.borrow().clone();
            if with.recursive {
                here.push(Known { name: &cte.name.text, columns: first_columns(cte).into() });
            }
            let sealed = self.ground.catalog.server().is_maria();
            let inside = Ctes { outer: ctes.outer, here: RefCell::new(here), sealed };
            let edits = self.edits.len();
            let columns = self.query(&cte.query, Place { ctes: Some(&inside), ..place });
            match columns.and_then(|outcome| self.renamed(&cte.columns, outcome.columns)) {
                Ok(columns) => ctes.here.borrow_mut().push(Known { name: &cte.name.text, columns }),
                Err(_) if self.is_left_out(with, number, &mut left_out) => self.leave_out(cte, edits),
                Err(denial) => return Err(denial),
            }
        }
        Ok(())
    }

    /// Whether nothing that is looked at can name a common table expression. MySQL reads the grammar of such a one and
    /// nothing more, whatever stands in it.
    fn is_left_out(&mut self, with: &With<'_>, number: usize, known: &mut Option<Vec<bool>>) -> bool {
        let known = known.get_or_insert_with(|| self.left_out(with));
        known.get(number).is_some_and(|left_out| *left_out)
    }

    /// Which ones of a `WITH` are left out. The later ones first, for they can name those before them, and not the other
    /// way round: there the name means something else.
    fn left_out(&mut self, with: &With<'_>) -> Vec<bool> {
        self.looked_for += with.ctes.len();
        let mut list = vec![false; with.ctes.len()];
        if self.ground.catalog.server().is_maria() || self.looked_for > MOST_LOOKED_FOR {
            return list;
        }
        let mut deaf: Vec<_> = with.ctes.iter().map(|cte| cte.body).collect();
        for ((number, cte), left_out) in with.ctes.iter().enumerate().zip(&mut list).rev() {
            *left_out = !self.is_named(cte, &deaf);
            if !*left_out {
                deaf.remove(number);
            }
        }
        list
    }

    /// Whether a common table expression may be named elsewhere in its statement than in these parts, which nobody reads or
    /// which do not know it.
    fn is_named(&self, cte: &Cte<'_>, deaf: &[(usize, usize)]) -> bool {
        let here = |at: &usize| self.tokens.kind(*at).is_some_and(|kind| kind != Kind::Symbol(";"));
        let read = |at: usize| !deaf.iter().any(|(from, to)| (*from..*to).contains(&at));
        let before = (0..cte.name.at).rev().take_while(here);
        let behind = (cte.name.at + 1..).take_while(here);
        before.chain(behind).any(|at| self.may_be_table(at, &cte.name.text) && read(at))
    }

    /// Whether this name stands here, and not as another thing's alias or as a part of a longer name.
    fn may_be_table(&self, at: usize, name: &str) -> bool {
        let dot = |at: usize| self.tokens.kind(at) == Some(Kind::Symbol("."));
        let before = at.checked_sub(1);
        let alias = before.is_some_and(|at| self.tokens.reads(at, "AS"));
        self.tokens.name(at).is_some_and(|other| same(&other, name))
            && !alias
            && !dot(at + 1)
            && !before.is_some_and(dot)
    }

    /// What the server does not look at need not be looked at here.
    fn leave_out(&mut self, cte: &Cte<'_>, edits: usize) {
        let (from, to) = cte.body;
        self.claim_all(&cte.columns);
        self.claims.extend(from..to);
        self.edits.truncate(edits);
    }
}

/// The columns of a recursive table expression: those of its first term, which does not know it.
fn first_columns<'a>(cte: &'a Cte<'a>) -> Vec<Option<&'a str>> {
    match cte.query.terms.first() {
        _ if !cte.columns.is_empty() => cte.columns.iter().map(|name| Some(&*name.text)).collect(),
        Some(Term::Select(first)) => first.items.iter().map(Output::name).collect(),
        Some(Term::Query(_) | Term::Values(_) | Term::Table(_)) | None => Vec::new(),
    }
}
