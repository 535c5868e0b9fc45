//! What the walk over a statement carries along.

use std::{cell::RefCell, rc::Rc};

use super::{
    Ground,
    lexer::Tokens,
    same,
    scope::{Base, Scope},
    told::refuse,
    tree::{Name, Path},
};
use crate::enforce::{Denial, Notes};

/// The names of a derived table's columns; none where the server's choice cannot be told.
pub(super) type Columns<'a> = Rc<[Option<&'a str>]>;

/// A common table expression.
#[derive(Clone, Debug)]
pub(super) struct Known<'a> {
    pub(super) name: &'a str,
    pub(super) columns: Columns<'a>,
}

/// The common table expressions of a query, and those around it.
#[derive(Debug)]
pub(super) struct Ctes<'s, 'a> {
    pub(super) outer: Option<&'s Ctes<'s, 'a>>,
    pub(super) here: RefCell<Vec<Known<'a>>>,
    /// Whether servers differ in whether those around it are seen from here.
    pub(super) sealed: bool,
}

/// Where a part of a statement stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'s, 'a> {
    pub(super) scope: Option<&'s Scope<'s, 'a>>,
    pub(super) ctes: Option<&'s Ctes<'s, 'a>>,
}

impl<'s, 'a> Place<'s, 'a> {
    /// Where no names are known.
    pub(super) const NOWHERE: Self = Self { scope: None, ctes: None };

    /// The same place, seen from inside a query.
    pub(super) const fn within(self, scope: &'s Scope<'s, 'a>) -> Self {
        Self { scope: Some(scope), ctes: self.ctes }
    }

    /// The common table expression of this name that is nearest.
    pub(super) fn cte(self, ground: &Ground, name: &str) -> Result<Option<Known<'a>>, Denial> {
        let server = ground.catalog.server();
        let mut doubtful = false;
        for ctes in std::iter::successors(self.ctes, |ctes| ctes.outer) {
            let here = ctes.here.borrow();
            // Some servers tell these names apart by case, others do not.
            if let Some(known) = here.iter().rev().find(|cte| same(cte.name, name)) {
                return if doubtful || !server.same_table(known.name, name) {
                    Err(refuse("a name that stands for two things"))
                } else {
                    Ok(Some(known.clone()))
                };
            }
            doubtful |= ctes.sealed;
        }
        Ok(None)
    }
}

/// So many bytes may be put in the place of others.
const MOST_PUT: usize = 1024 * 1024;

/// What is put in the place of a part of the text.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    /// The tokens, from and up to.
    pub(super) tokens: (usize, usize),
    pub(super) text: String,
}

/// The walk over one statement.
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub(super) struct Walk<'a> {
    pub(super) ground: &'a Ground,
    pub(super) tokens: &'a Tokens<'a>,
    /// What it uses.
    pub(super) notes: &'a Notes,
    /// Every identifier that was looked at.
    pub(super) claims: Vec<usize>,
    pub(super) edits: Vec<Edit>,
    /// The table whose rows are being inserted.
    pub(super) inserting: Option<Base<'a>>,
    /// Whether something else than tables gives rows.
    pub(super) mixed: bool,
    /// Whether a view does.
    pub(super) views: bool,
    /// Whether one gives rows whose columns may be computed from those that the session may not read.
    pub(super) computed: bool,
    /// Whether a table does.
    pub(super) tables: bool,
    /// What views of the server are called here.
    pub(super) system: Vec<&'a str>,
    /// Whether the statement asks for warnings or errors.
    pub(super) reports: bool,
    /// How many bytes have been put in the place of others.
    pub(super) put: usize,
    /// Of how many common table expressions it was asked whether they are left out.
    pub(super) looked_for: usize,
}

impl<'a> Walk<'a> {
    /// The beginning.
    pub(super) const fn new(ground: &'a Ground, tokens: &'a Tokens<'a>, notes: &'a Notes) -> Self {
        Self {
            ground,
            tokens,
            notes,
            claims: Vec::new(),
            edits: Vec::new(),
            inserting: None,
            mixed: false,
            views: false,
            computed: false,
            tables: false,
            system: Vec::new(),
            reports: false,
            put: 0,
            looked_for: 0,
        }
    }

    /// An identifier that is accounted for.
    pub(super) fn claim(&mut self, name: &Name<'_>) {
        self.claims.push(name.at);
    }

    /// All identifiers of a list.
    pub(super) fn claim_all<'n, 't: 'n>(&mut self, names: impl IntoIterator<Item = &'n Name<'t>>) {
        self.claims.extend(names.into_iter().map(|name| name.at));
    }

    /// Puts something in the place of tokens.
    pub(super) fn edit(&mut self, tokens: (usize, usize), text: String) -> Result<(), Denial> {
        self.put += text.len();
        if self.put > MOST_PUT {
            return Err(refuse("a statement that would become so long"));
        }
        self.edits.push(Edit { tokens, text });
        Ok(())
    }
}

/// The last part of a path, and those before.
pub(super) fn split<'p, 't>(path: &'p Path<'t>) -> (&'p [Name<'t>], &'p str) {
    match path.split_last() {
        Some((last, before)) => (before, &last.text),
        None => (&[], ""),
    }
}

/// A name in back quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
