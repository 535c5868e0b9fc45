//! The judge of MySQL and MariaDB statements.
//!
//! In: the bytes of a `COM_QUERY` or `COM_STMT_PREPARE`, and the [`Ground`] that they are judged on. Out: a
//! [`Judgement`] (what is sent, and what it means for the session), or a denial.
//!
//! The servers' own column privileges leak in places, so what is judged here is all there is. Grammar and lexer are our
//! own: what they do not know is refused, and no token of a statement is passed over.

mod catalog;
mod ctes;
mod expr;
mod filtered;
mod from;
mod functions;
mod guard;
mod judge;
mod letters;
mod lexer;
mod mode;
mod parse;
mod query;
mod scope;
mod set;
mod set_mode;
mod settings;
mod show;
#[cfg(test)]
mod tests;
mod told;
mod tree;
mod walk;
mod write;

use std::{borrow::Cow, sync::Arc};

pub(crate) use catalog::{Catalog, Column, Kind, Parts, Server, Table};
pub(crate) use guard::{Guard, Judged, Kept, Over, Pace, Session, redact};
pub(crate) use judge::judge;
pub(crate) use mode::{Modes, SqlMode};
pub(crate) use told::told;

use super::{Footing, Limits, Uses};

/// What a statement is judged on. The session's `character_set_client` is one of the UTF-8 ones.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// What the server knows.
    pub(crate) catalog: Arc<Catalog>,
    /// What the grant covers.
    pub(crate) limits: Arc<Limits>,
    /// The current database, by the name that the catalog gives it.
    pub(crate) database: Option<Arc<str>>,
    /// The session's `sql_mode`.
    pub(crate) mode: SqlMode,
    /// The one that it began with.
    pub(crate) begun: Modes,
    /// Whether one text may hold several statements: `CLIENT_MULTI_STATEMENTS`, and not for `COM_STMT_PREPARE`.
    pub(crate) several: bool,
    /// Who the session is at the database, as its errors say it: `'app_ro'@'%'`.
    pub(crate) user: Arc<str>,
}

impl Footing for Ground {
    type Judgement = Judgement;
    type Rest = (Option<Arc<str>>, SqlMode, Modes, bool, Arc<str>);

    fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    fn catalog(&self) -> u64 {
        self.catalog.version()
    }

    fn rest(&self) -> Self::Rest {
        (self.database.clone(), self.mode, self.begun, self.several, Arc::clone(&self.user))
    }

    fn room(judgement: &Judgement) -> usize {
        judgement.instead.as_deref().map_or(0, <[u8]>::len)
    }

    fn uses(judgement: &Judgement) -> &Uses {
        &judgement.uses
    }
}

/// What a statement does to the session, if it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing that later statements are judged by.
    Nothing,
    /// `USE`: the current database, by the catalog's name.
    Database(Arc<str>),
    /// `SET sql_mode`
    Mode(SqlMode),
    /// `PREPARE`: this text has been judged on this ground; it is judged again when either has changed.
    Prepare(Box<str>, Box<[u8]>),
    /// `EXECUTE`: refused unless the session itself prepared it, and its text is still good.
    Execute(Box<str>),
    /// `DEALLOCATE PREPARE`
    Deallocate(Box<str>),
    /// `KILL`: refused unless this connection is a session of the same client. Whether only its statement.
    Kill(u64, bool),
}

/// What a statement does, in the broadest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It reads tables, and whatever the server remembers of the statement before is gone.
    Read,
    /// It computes, and reads no table.
    Compute,
    /// It writes tables of the grant.
    Write,
    /// It asks the server about itself or its structure.
    Ask,
    /// It asks for the warnings and errors of the statement before.
    Report,
    /// It concerns the session or its transaction.
    Session,
}

/// Whether the origins that the server gives for the columns of a result can be compared with the grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origins {
    /// Every column that names a table is one of that table's: [`Ground::may_show`].
    Tables,
    /// There are derived tables or the server's own: servers give their columns made-up origins.
    Mixed,
}

/// One statement that may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) class: Class,
    pub(crate) change: Change,
    pub(crate) origins: Origins,
    /// Whether its errors and warnings may quote values that the session may not read: it writes beside them, or reads
    /// what is computed from them.
    pub(crate) quotes: bool,
}

impl Step {
    /// Whether its errors and warnings may quote what the session may not read, or those of what it executes.
    fn may_quote(&self) -> bool {
        self.quotes || matches!(self.change, Change::Execute(_))
    }
}

/// Leave to send a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// What is sent in place of the client's text; nothing when that goes as it is.
    pub(crate) instead: Option<Box<[u8]>>,
    /// One for each statement of the text, in order. None for an empty text.
    pub(crate) steps: Box<[Step]>,
    /// What it reads and writes of what the grant covers.
    pub(crate) uses: Arc<Uses>,
}

impl Judgement {
    /// Whether the same is sent, and changes the session in the same way.
    fn does_the_same(&self, other: &Self) -> bool {
        let changes =
            |judgement: &Self| judgement.steps.iter().map(|step| step.change.clone()).collect::<Vec<_>>();
        self.instead == other.instead && changes(self) == changes(other)
    }
}

/// Upper and lower case made one, letter by letter.
fn fold(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
        return name.into();
    }
    let one = |letter: char, many: &mut dyn Iterator<Item = char>| match (many.next(), many.next()) {
        (Some(folded), None) => folded,
        _ => letter,
    };
    let folded = |letter: char| {
        let upper = one(letter, &mut letter.to_uppercase());
        one(upper, &mut upper.to_lowercase())
    };
    name.chars().map(folded).collect::<String>().into()
}

/// Whether two names of columns are the same.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || !(one.is_ascii() && other.is_ascii()) && fold(one) == fold(other)
}
