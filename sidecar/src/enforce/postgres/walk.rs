//! What the walk over a statement carries along.

use std::{cell::RefCell, rc::Rc};

use pg_raw_parse::{Node, list::NodeList};

use super::{Ground, scope::Derived};
use crate::enforce::{Denial, Reason};

/// How deep expressions and queries may be nested.
const DEPTH: u32 = 500;

/// A common table expression, by the name that it is known by.
#[derive(Clone, Debug)]
pub(super) struct Cte<'a> {
    pub(super) name: &'a str,
    /// None while it is being looked at: it cannot be read yet.
    pub(super) columns: Option<(Rc<[Derived<'a>]>, bool)>,
}

/// The common table expressions of a statement, and those around it.
#[derive(Debug)]
pub(super) struct Ctes<'s, 'a> {
    pub(super) outer: Option<&'s Ctes<'s, 'a>>,
    pub(super) here: RefCell<Vec<Cte<'a>>>,
}

impl<'s, 'a> Ctes<'s, 'a> {
    /// A level of its own.
    pub(super) const fn inside(outer: Option<&'s Ctes<'s, 'a>>) -> Self {
        Self { outer, here: RefCell::new(Vec::new()) }
    }

    /// The one of this name that is nearest.
    pub(super) fn find(&'s self, name: &str) -> Option<Cte<'a>> {
        std::iter::successors(Some(self), |ctes| ctes.outer)
            .find_map(|ctes| ctes.here.borrow().iter().rev().find(|cte| cte.name == name).cloned())
    }
}

/// The walk over one text.
pub(super) struct Walk<'a> {
    pub(super) ground: &'a Ground,
    /// Every identifier that was looked at.
    pub(super) claims: Vec<&'a str>,
    /// Where stars stand in the text, and what is put in their place.
    pub(super) edits: Vec<(usize, String)>,
    /// The FROM clause at hand gives nothing but settings that may be read, by their names.
    pub(super) named_settings: bool,
    /// Cursors that `WHERE CURRENT OF` names.
    pub(super) cursors: Vec<&'a str>,
    depth: u32,
}

impl<'a> Walk<'a> {
    /// The beginning.
    pub(super) const fn new(ground: &'a Ground) -> Self {
        Self {
            ground,
            claims: Vec::new(),
            edits: Vec::new(),
            named_settings: false,
            cursors: Vec::new(),
            depth: 0,
        }
    }

    /// An identifier that is accounted for.
    pub(super) fn claim(&mut self, name: Option<&'a str>) {
        self.claims.extend(name);
    }

    /// All identifiers of a list.
    pub(super) fn claim_all(&mut self, list: &'a NodeList) {
        self.claims.extend(list.iter().filter_map(Node::as_str));
    }

    /// Goes one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, Denial>,
    ) -> Result<T, Denial> {
        if self.depth >= DEPTH {
            return Err(Denial::unclear(Reason::Statement, "", "the statement is nested too deeply"));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }
}

/// A part of a statement that is not for limited sessions.
pub(super) fn refuse(what: &str) -> Denial {
    Denial::unclear(
        Reason::Statement,
        "",
        format!("{what} cannot be judged, so it is not for limited sessions"),
    )
}
