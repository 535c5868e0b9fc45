//! What the walk over a statement carries along.

use std::{cell::RefCell, rc::Rc};

use pg_raw_parse::{Node, list::NodeList};

use super::{Ground, scope::Derived};
use crate::enforce::{Denial, Notes, Reason};

/// How deep expressions and queries may be nested.
pub(super) const DEPTH: u32 = 500;
/// So many columns and items are looked at for a text of whatever length, so many more for each of its bytes, and never
/// more than this.
const LOOKS: usize = 2_000_000;
const LOOKS_PER_BYTE: usize = 64;
const MOST_LOOKS: usize = 32_000_000;
/// A column that is kept, in looks.
const KEPT: usize = 16;
/// So many columns may a result have, as at the server.
const WIDEST: usize = 1_664;
/// So many items may a FROM clause have.
const ITEMS: usize = 400;

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
        self.levels().find_map(|ctes| ctes.here.borrow().iter().rev().find(|cte| cte.name == name).cloned())
    }

    /// How many there are to look through.
    pub(super) fn len(&'s self) -> usize {
        self.levels().map(|ctes| 1 + ctes.here.borrow().len()).sum()
    }

    fn levels(&'s self) -> impl Iterator<Item = &'s Self> {
        std::iter::successors(Some(self), |ctes| ctes.outer)
    }
}

/// Other words for a part of the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edit {
    /// In the place of a column reference that ends in a star.
    Star(String),
    /// In the place of a column reference.
    Column(String),
    /// In the place of a function's name and its arguments.
    Call(String),
    /// In the place of the word `TABLE` before a name.
    Table(String),
    /// In the place of one constant.
    Constant(String),
    /// In the place of all up to the end of the statement.
    Rest(String),
}

/// The walk over one text.
pub(super) struct Walk<'a> {
    pub(super) ground: &'a Ground,
    /// What it uses.
    pub(super) notes: &'a Notes,
    /// Every identifier that was looked at.
    pub(super) claims: Vec<&'a str>,
    /// What is put in the place of parts of the text, by where these begin.
    pub(super) edits: Vec<(usize, Edit)>,
    /// Where the table's name stands, in a query that is written as `TABLE name`.
    pub(super) table: Option<usize>,
    /// Where the statement at hand begins.
    pub(super) begin: usize,
    /// The closed table of the server's own of which the query at hand reads rows that it may.
    pub(super) opened: Option<&'static str>,
    /// Whether the query at hand shows the rules of a view that may be read, and `pg_get_ruledef` gives no others.
    pub(super) rules: bool,
    /// Whether the text holds `SET SESSION AUTHORIZATION DEFAULT`.
    pub(super) returns: bool,
    /// Cursors that `WHERE CURRENT OF` names.
    pub(super) cursors: Vec<&'a str>,
    /// The numbers of the parameters that name settings to be read.
    pub(super) settings: Vec<u16>,
    /// Where the whole numbers stand that it has passed without a look at their values; nothing when it has looked.
    pub(super) numbers: Option<Vec<usize>>,
    /// Views that read with the session's rights and were looked at, so that each is once.
    pub(super) views: Vec<u32>,
    depth: u32,
    /// How much may still be looked at.
    fuel: usize,
}

impl<'a> Walk<'a> {
    /// The beginning, for a text of this length.
    pub(super) fn new(ground: &'a Ground, notes: &'a Notes, length: usize) -> Self {
        Self {
            fuel: length.saturating_mul(LOOKS_PER_BYTE).saturating_add(LOOKS).min(MOST_LOOKS),
            ground,
            notes,
            claims: Vec::new(),
            edits: Vec::new(),
            table: None,
            begin: 0,
            opened: None,
            rules: false,
            returns: false,
            cursors: Vec::new(),
            settings: Vec::new(),
            numbers: Some(Vec::new()),
            views: Vec::new(),
            depth: 0,
        }
    }

    /// A walk over the query of a view that stands in a place of this one. It spends what this one has left.
    pub(super) fn beneath<'b>(&mut self, ground: &'b Ground) -> Walk<'b>
    where
        'a: 'b,
    {
        let views = std::mem::take(&mut self.views);
        Walk { views, depth: self.depth + 1, fuel: self.fuel, ..Walk::new(ground, self.notes, 0) }
    }

    /// Back from there.
    pub(super) fn above(&mut self, beneath: Walk<'_>) {
        (self.views, self.fuel) = (beneath.views, beneath.fuel);
    }

    /// An identifier that is accounted for.
    pub(super) fn claim(&mut self, name: Option<&'a str>) {
        self.claims.extend(name);
    }

    /// All identifiers of a list.
    pub(super) fn claim_all(&mut self, list: &'a NodeList) {
        self.claims.extend(list.iter().filter_map(Node::as_str));
    }

    /// So much was looked at, or is about to be.
    pub(super) fn spend(&mut self, looks: usize) -> Result<(), Denial> {
        self.fuel = self.fuel.checked_sub(looks).ok_or_else(too_complex)?;
        Ok(())
    }

    /// So many columns are kept.
    pub(super) fn keep(&mut self, columns: usize) -> Result<(), Denial> {
        self.spend(columns.saturating_mul(KEPT))
    }

    /// A FROM clause has this many items.
    pub(super) fn items(&mut self, items: usize) -> Result<(), Denial> {
        if items > ITEMS { Err(too_complex()) } else { self.spend(items) }
    }

    /// Whether this is the level of the statement itself.
    pub(super) const fn is_outermost(&self) -> bool {
        self.depth == 1
    }

    /// Goes one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, Denial>,
    ) -> Result<T, Denial> {
        if self.depth >= DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }
}

/// A list of results has this many columns.
pub(super) fn width(columns: usize) -> Result<(), Denial> {
    if columns <= WIDEST {
        return Ok(());
    }
    let message = format!("target lists can have at most {WIDEST} entries");
    Err(Denial::in_words(Reason::Statement, "54011", message, ""))
}

/// There is too much inside one another.
pub(super) fn too_deep() -> Denial {
    Denial::unclear(Reason::Statement, "", "the statement is nested too deeply")
}

fn too_complex() -> Denial {
    let message = "statement is too complex for a limited session";
    Denial::in_words(Reason::Statement, "54001", message, "")
}

/// A part of a statement that is not for limited sessions.
pub(super) fn refuse(what: &str) -> Denial {
    Denial::unclear(
        Reason::Statement,
        "",
        format!("{what} cannot be judged, so it is not for limited sessions"),
    )
}
