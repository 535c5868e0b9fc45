//! Common table expressions: which ones a part of a statement knows, and which ones the server does not look at.

use std::cell::RefCell;

use super::{
    lexer::Kind,
    same,
    tree::{Cte, Output, Term, With},
    walk::{Ctes, Known, Place, Walk},
};
use crate::enforce::Denial;

/// So many of one statement are left out, for to see that takes a look at all of it.
const MOST_LEFT_OUT: u32 = 8;

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
        for cte in &with.ctes {
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
                Err(_) if self.is_left_out(cte) => self.leave_out(cte, edits),
                Err(denial) => return Err(denial),
            }
        }
        Ok(())
    }

    /// Whether nothing in the statement can name a common table expression, but for itself. MySQL reads the grammar of
    /// such a one and nothing more, whatever stands in it.
    fn is_left_out(&mut self, cte: &Cte<'_>) -> bool {
        self.left_out += 1;
        if self.ground.catalog.server().is_maria() || self.left_out > MOST_LEFT_OUT {
            return false;
        }
        let (from, to) = cte.body;
        let here = |at: &usize| self.tokens.kind(*at).is_some_and(|kind| kind != Kind::Symbol(";"));
        let before = (0..cte.name.at).rev().take_while(here);
        let behind = (cte.name.at + 1..).take_while(here).filter(|at| !(from..to).contains(at));
        !before.chain(behind).any(|at| self.may_be_table(at, &cte.name.text))
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
