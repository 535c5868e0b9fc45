//! The judge of PostgreSQL statements.
//!
//! In: the text of a `Query` or `Parse` message, and the [`Ground`] that it is judged on. Out: a [`Judgement`] (what is
//! sent, and what it means for the session's names), or a denial.
//!
//! The parse tree has some 250 kinds of nodes. A wildcard over them always refuses, or names nothing.
#![allow(clippy::wildcard_enum_match_arm)]

mod account;
mod builtin;
pub(crate) mod catalog;
mod closed;
mod expr;
mod from;
mod guard;
mod judge;
mod keywords;
mod missing;
mod names;
mod objects;
mod outputs;
mod path;
mod query;
mod results;
mod rows;
mod scope;
pub(crate) mod settings;
mod shape;
mod sqljson;
mod stars;
#[cfg(test)]
mod tests;
mod viewdef;
mod walk;
mod withheld;
mod write;

use std::sync::Arc;

use catalog::Catalog;
pub(crate) use guard::{Guard, Judged, Pace, Pinned, redact};
pub(crate) use judge::judge;

use super::{Denial, Footing, Limits, Reason, Uses};

/// The first version that tells its clients when the search path changes.
const REPORTS_SEARCH_PATH: u32 = 18;

/// What a statement is judged on.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// What the database knows.
    pub(crate) catalog: Arc<Catalog>,
    /// What the grant covers.
    pub(crate) limits: Arc<Limits>,
    /// The schemas that names are looked up in, in order, `pg_catalog` included: what `current_schemas(true)` says.
    pub(crate) path: Arc<[Arc<str>]>,
    /// The role that the statement runs as: what `"$user"` stands for.
    pub(crate) user: Arc<str>,
    /// How the session began.
    pub(crate) start: Arc<Start>,
}

/// What was so when a session began, and is what it returns to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Start {
    /// `search_path`, as the server writes it.
    pub(crate) search_path: Box<str>,
    /// When the server had read its configuration: [`Catalog::loaded`].
    pub(crate) loaded: Box<str>,
    /// `session_authorization`: who logged in.
    pub(crate) account: Box<str>,
}

impl Start {
    /// Of this account's session with this search path, on a server that read its configuration then.
    pub(crate) fn new(search_path: &str, loaded: &str, account: &str) -> Self {
        Self { search_path: search_path.into(), loaded: loaded.into(), account: account.into() }
    }
}

impl Footing for Ground {
    type Judgement = Judgement;
    type Rest = (Arc<[Arc<str>]>, Arc<str>, Arc<Start>);

    fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    fn catalog(&self) -> u64 {
        self.catalog.version()
    }

    fn rest(&self) -> Self::Rest {
        (Arc::clone(&self.path), Arc::clone(&self.user), Arc::clone(&self.start))
    }

    fn room(judgement: &Judgement) -> usize {
        judgement.instead.as_deref().map_or(0, str::len)
    }

    fn uses(judgement: &Judgement) -> &Uses {
        &judgement.uses
    }
}

/// What a statement does to the names that a session holds at the server. Prepared statements of the protocol and of
/// SQL share one namespace, portals and cursors another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Plain,
    /// `PREPARE`
    Prepare(Box<str>),
    /// `EXECUTE`, or `EXPLAIN EXECUTE`: refused unless the session itself prepared it.
    Execute(Box<str>),
    /// `DEALLOCATE`
    Deallocate(Box<str>),
    /// `DEALLOCATE ALL`
    DeallocateAll,
    /// `DECLARE`
    Declare(Box<str>),
    /// `FETCH` and `MOVE`: refused unless the session itself opened it.
    Fetch(Box<str>),
    /// `WHERE CURRENT OF`, likewise. No statement of its own: it stands before the step of the one that holds it.
    Through(Box<str>),
    /// `current_setting($1)`: refused unless what is bound to the parameter of this number names a setting that may be read.
    /// No statement of its own, either.
    Reads(u16),
    /// `CLOSE`
    Close(Box<str>),
    /// `CLOSE ALL`
    CloseAll,
    /// `RESET ALL`: every setting follows the server's configuration.
    ResetAll,
    /// `DISCARD ALL`: the same, and no name is left.
    DiscardAll,
    /// `COPY … FROM STDIN` or `TO STDOUT`: the one statement behind which data follow.
    Copy,
}

impl Step {
    /// Whether this is what a statement does, and no part of that which stands before it.
    const fn is_statement(&self) -> bool {
        !matches!(self, Self::Through(_) | Self::Reads(_))
    }
}

/// Leave to send a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// What is sent in place of the client's text; nothing when that goes as it is.
    pub(crate) instead: Option<Box<str>>,
    /// One for each statement of the text, in order. None for an empty text.
    pub(crate) steps: Box<[Step]>,
    /// What it reads and writes of what the grant covers.
    pub(crate) uses: Arc<Uses>,
    /// Whether the same holds for every text of this one's shape.
    alike: bool,
    /// Where each statement of the client's text ends, if what one of them names may turn out not to be there.
    ends: Box<[usize]>,
}

impl Judgement {
    /// One that holds for its text alone.
    #[cfg(test)]
    pub(crate) fn new(instead: Option<Box<str>>, steps: Box<[Step]>) -> Self {
        Self { instead, steps, uses: Arc::default(), alike: false, ends: Box::default() }
    }

    /// How many bytes of the client's text hold the statements before the one with this step.
    fn behind(&self, step: usize) -> usize {
        let before = self.steps.iter().take(step).filter(|step| step.is_statement()).count();
        before.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or_default()
    }
}

/// The types of parameters that leave it to the server: none, and `unknown`.
const UNSAID: [u32; 2] = [0, 705];

impl Ground {
    /// Whether the server's defaults may have become others since the session began, without a word of the server.
    pub(crate) fn has_moved(&self) -> bool {
        *self.catalog.loaded() != *self.start.loaded && self.catalog.major() < REPORTS_SEARCH_PATH
    }

    /// Whether a client may declare parameters of these types.
    pub(crate) fn parameters(&self, types: impl IntoIterator<Item = u32>) -> Result<(), Denial> {
        match types.into_iter().find(|oid| !UNSAID.contains(oid) && !self.catalog.type_is_harmless(*oid)) {
            None => Ok(()),
            Some(oid) => Err(Denial::unclear(
                Reason::Type,
                &oid.to_string(),
                format!("parameter type {oid} is not one of the server's own"),
            )),
        }
    }

    /// Whether a result may hold this column, as `RowDescription` names it. What the verdict let through does; this
    /// is the wire across the threshold behind it.
    pub(crate) fn may_show(&self, table: u32, column: i16) -> bool {
        if table == 0 {
            return true;
        }
        let Some(relation) = self.catalog.relation_of(table) else { return false };
        if table < catalog::FIRST_USER_OID {
            return true;
        }
        let Some(limits) = self.limits.table(&relation.schema, &relation.name) else { return false };
        let covers_all = || relation.columns.iter().all(|column| limits.select.covers(&column.name));
        match relation.columns.iter().find(|known| known.number == column) {
            Some(known) => limits.select.covers(&known.name),
            None => covers_all(),
        }
    }
}
