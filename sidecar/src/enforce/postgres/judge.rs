//! Statement by statement: what kind it is, and who looks at the rest of it.

use pg_raw_parse::{
    Node,
    nodes::{ExecuteStmt, ExplainStmt, PrepareStmt, RawStmt, TransactionStmt},
    raw::{DiscardMode, TransactionStmtKind, VariableSetKind},
};

use super::{
    Ground, Judgement, Step, account,
    catalog::{PG_CATALOG, Relation},
    expr::Place,
    scope::Base,
    settings::{self, SESSION_AUTHORIZATION, deny},
    shape::shape,
    walk::{Edit, Walk, refuse},
};
use crate::enforce::{Denial, Notes, Reason};

/// A text may have so many tokens, and what is more makes a tree of several hundred megabytes. Long constants are one.
const TOKENS: usize = 2 * 1024 * 1024;

/// Judges all statements of a text. A panic of the parser is a refusal.
pub(crate) fn judge(text: &str, ground: &Ground) -> Result<Judgement, Denial> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge_text(text, ground)))
        .unwrap_or_else(|_| Err(Denial::unclear(Reason::Syntax, "", "the statement could not be read")))
}

/// The same, with whatever a panic does.
pub(super) fn judge_text(text: &str, ground: &Ground) -> Result<Judgement, Denial> {
    if text.len() > TOKENS && !account::has_at_most(text, TOKENS) {
        let message = "statement is too long for a limited session";
        return Err(Denial::in_words(Reason::Statement, "54000", message, ""));
    }
    let tree = match pg_raw_parse::parse(text) {
        Ok(tree) => tree,
        Err(error) => {
            return without_comments(text, ground).unwrap_or_else(|| Err(unreadable(&error)));
        }
    };
    let notes = Notes::default();
    let mut walk = Walk::new(ground, &notes, text.len());
    let (mut steps, mut ends) = (Vec::new(), Vec::new());
    for raw in tree.iter() {
        walk.begin = usize::try_from(raw.stmt_location).unwrap_or(0);
        let behind = ends.last().copied().unwrap_or_default();
        walk.statement(raw.stmt(), &mut steps).map_err(|denial| denial.behind(behind))?;
        ends.push(end(raw, text));
    }
    settings::named_once(text, &steps)?;
    account::identifiers(text, &walk.claims)?;
    // Together they are what pools send in the place of `DISCARD ALL`.
    if walk.returns && !steps.contains(&Step::ResetAll) {
        return Err(deny(SESSION_AUTHORIZATION));
    }
    let ends = if steps.iter().any(needs_name) { ends.into() } else { Box::default() };
    if walk.edits.is_empty() {
        let alike = steps.iter().all(|step| *step == Step::Plain) && walk.has_passed_all_numbers(text);
        let (steps, uses) = (steps.into(), notes.into_uses().into());
        return Ok(Judgement { instead: None, steps, uses, alike, ends });
    }
    in_other_words(text, &walk.edits, ends, ground)
}

/// What is sent in the place of a text. It is judged as well; nothing in it is left to be changed.
fn in_other_words(
    text: &str,
    edits: &[(usize, Edit)],
    ends: Box<[usize]>,
    ground: &Ground,
) -> Result<Judgement, Denial> {
    let sent = account::edited(text, edits)?;
    match judge_text(&sent, ground).map_err(|denial| denial.behind(0))? {
        Judgement { instead: None, steps, uses, .. } => {
            Ok(Judgement { instead: Some(sent), steps, uses, alike: false, ends })
        }
        Judgement { .. } => Err(refuse("a part of it")),
    }
}

/// Where a statement ends that another one stands behind: at its semicolon. 0 where that is not clear.
fn end(raw: &RawStmt, text: &str) -> usize {
    let place = |at: i32| usize::try_from(at).unwrap_or_default();
    let end = place(raw.stmt_location) + place(raw.stmt_len);
    if text.as_bytes().get(end) == Some(&b';') { end } else { 0 }
}

/// Whether a statement fails where the session has made nothing of that name.
const fn needs_name(step: &Step) -> bool {
    matches!(step, Step::Execute(_) | Step::Fetch(_) | Step::Through(_))
}

/// What the parser says, in the server's words.
fn unreadable(error: &pg_raw_parse::Error) -> Denial {
    Denial::syntax(match error {
        pg_raw_parse::Error::Parse(said) => said.to_string(),
        other => other.to_string(),
    })
}

/// The parser stumbles over comments where it looks ahead, as in `NULLS /* */ LAST`; the server does not. A text that
/// reads well without its comments is sent without them.
fn without_comments(text: &str, ground: &Ground) -> Option<Result<Judgement, Denial>> {
    let plain = account::without_comments(text)?;
    Some(judge_text(&plain, ground).map(|judgement| Judgement {
        instead: Some(judgement.instead.unwrap_or_else(|| plain.into())),
        steps: judgement.steps,
        uses: judgement.uses,
        alike: false,
        ends: judgement.ends,
    }))
}

impl<'a> Walk<'a> {
    /// Leave to read a relation. What a view reads with the rights of whoever reads it must be granted, too; what that is
    /// the denial does not say.
    pub(super) fn reading(&mut self, relation: &'a Relation) -> Result<Base<'a>, Denial> {
        let base = self.ground.reading(relation, self.notes)?;
        if relation.kind != b'v' {
            return Ok(base);
        }
        for (view, query) in self.ground.catalog.invokers(relation.oid) {
            if self.views.contains(&view) {
                continue;
            }
            self.views.push(view);
            self.spend(query.len())?;
            self.reading_beneath(query).map_err(|_| relation.deny())?;
        }
        Ok(base)
    }

    fn reading_beneath(&mut self, query: &str) -> Result<(), Denial> {
        let tree = pg_raw_parse::parse(query).map_err(|error| unreadable(&error))?;
        let mut statements = tree.iter();
        let (Some(raw), None) = (statements.next(), statements.next()) else {
            return Err(refuse("a view whose query is not known"));
        };
        // The query is written for this path.
        let ground = Ground { path: [PG_CATALOG.into()].into(), ..self.ground.clone() };
        let mut walk = self.beneath(&ground);
        walk.query(raw.stmt(), Place::NOWHERE)?;
        account::identifiers(query, &walk.claims)?;
        let as_it_is = walk.edits.is_empty() && walk.settings.is_empty();
        self.above(walk);
        if as_it_is { Ok(()) } else { Err(refuse("a view of this kind")) }
    }

    /// Whether each number of the text's shape was met as a value that does not matter.
    fn has_passed_all_numbers(&self, text: &str) -> bool {
        let (Some(mut numbers), Some(shape)) = (self.numbers.clone(), shape(text)) else { return false };
        numbers.sort_unstable();
        shape.places.iter().all(|place| numbers.binary_search(place).is_ok())
    }

    fn statement(&mut self, node: Node<'a>, steps: &mut Vec<Step>) -> Result<(), Denial> {
        let step = match node {
            Node::SelectStmt(_)
            | Node::InsertStmt(_)
            | Node::UpdateStmt(_)
            | Node::DeleteStmt(_)
            | Node::MergeStmt(_) => {
                self.query(node, Place::NOWHERE)?;
                Step::Plain
            }
            Node::TransactionStmt(transaction) => self.transaction(transaction)?,
            Node::VariableSetStmt(set) => {
                self.set_statement(set)?;
                if set.kind == VariableSetKind::VAR_RESET_ALL { Step::ResetAll } else { Step::Plain }
            }
            Node::VariableShowStmt(show) => {
                self.show_statement(show)?;
                Step::Plain
            }
            Node::ExplainStmt(explain) => self.explain(explain)?,
            Node::PrepareStmt(prepare) => self.prepare(prepare)?,
            Node::ExecuteStmt(execute) => self.execute(execute)?,
            Node::DeallocateStmt(deallocate) => {
                self.claim(deallocate.name());
                match deallocate.name() {
                    Some(name) if !deallocate.isall => Step::Deallocate(name.into()),
                    _ => Step::DeallocateAll,
                }
            }
            Node::DeclareCursorStmt(declare) => {
                self.claim(declare.portalname());
                self.query(declare.query(), Place::NOWHERE)?;
                Step::Declare(declare.portalname().unwrap_or_default().into())
            }
            Node::FetchStmt(fetch) => {
                self.claim(fetch.portalname());
                Step::Fetch(fetch.portalname().unwrap_or_default().into())
            }
            Node::ClosePortalStmt(close) => {
                self.claim(close.portalname());
                close.portalname().map_or(Step::CloseAll, |name| Step::Close(name.into()))
            }
            Node::CopyStmt(copy) => {
                self.copy(copy)?;
                Step::Copy
            }
            Node::DiscardStmt(discard) if discard.target == DiscardMode::DISCARD_ALL => {
                self.ground.reset_all()?;
                self.ground.return_to_account()?;
                Step::DiscardAll
            }
            Node::DiscardStmt(_) => Step::Plain,
            Node::ConstraintsSetStmt(set) => {
                for constraint in set.constraints() {
                    let Node::RangeVar(constraint) = constraint else {
                        return Err(refuse("this SET CONSTRAINTS"));
                    };
                    self.claim_range(constraint);
                }
                Step::Plain
            }
            Node::UnlistenStmt(unlisten) => {
                self.claim(unlisten.conditionname());
                Step::Plain
            }
            _ => return Err(refuse("this kind of statement")),
        };
        // What a cursor stands on must be the session's own, too.
        steps.extend(self.cursors.drain(..).map(|name| Step::Through(name.into())));
        if step != Step::Plain && !self.settings.is_empty() {
            return Err(settings::unnamed("current_setting"));
        }
        steps.extend(self.settings.drain(..).map(Step::Reads));
        steps.push(step);
        Ok(())
    }

    fn transaction(&mut self, transaction: &'a TransactionStmt) -> Result<Step, Denial> {
        self.claim(transaction.savepoint_name());
        match transaction.kind {
            TransactionStmtKind::TRANS_STMT_BEGIN
            | TransactionStmtKind::TRANS_STMT_START
            | TransactionStmtKind::TRANS_STMT_COMMIT
            | TransactionStmtKind::TRANS_STMT_ROLLBACK
            | TransactionStmtKind::TRANS_STMT_SAVEPOINT
            | TransactionStmtKind::TRANS_STMT_RELEASE
            | TransactionStmtKind::TRANS_STMT_ROLLBACK_TO => Ok(Step::Plain),
            _ => Err(refuse("a transaction in two phases")),
        }
    }

    fn explain(&mut self, explain: &'a ExplainStmt) -> Result<Step, Denial> {
        for option in explain.options().iter() {
            self.claim(option.defname());
            self.claim(option.arg().as_str());
        }
        match explain.query() {
            Node::ExecuteStmt(execute) => self.execute(execute),
            Node::DeclareCursorStmt(declare) => {
                self.claim(declare.portalname());
                self.query(declare.query(), Place::NOWHERE).map(|_| Step::Plain)
            }
            query => self.query(query, Place::NOWHERE).map(|_| Step::Plain),
        }
    }

    fn execute(&mut self, execute: &'a ExecuteStmt) -> Result<Step, Denial> {
        self.claim(execute.name());
        self.expressions(execute.params(), Place::NOWHERE)?;
        Ok(Step::Execute(execute.name().unwrap_or_default().into()))
    }

    fn prepare(&mut self, prepare: &'a PrepareStmt) -> Result<Step, Denial> {
        self.claim(prepare.name());
        prepare.argtypes().iter().try_for_each(|name| self.type_name(name))?;
        self.query(prepare.query(), Place::NOWHERE)?;
        Ok(Step::Prepare(prepare.name().unwrap_or_default().into()))
    }
}
