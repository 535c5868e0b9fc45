//! What metadata queries show and are not told: NULL takes its place.
//!
//! Tools ask for the source of functions and views along with everything else, and can do without. What the outermost select
//! list shows of it, a column or a call as it stands, becomes NULL of the same name and type, as a filter would have it;
//! wherever something is computed of it, or compared with it, it is refused. The changed text is judged like any other.

use pg_raw_parse::{
    Node,
    list::NodeList,
    nodes::{CaseExpr, ColumnRef, FuncCall, ResTarget},
};

use super::{
    Ground,
    catalog::{Column, PG_CATALOG},
    expr::Place,
    names::texts,
    outputs::{is_star, name_of},
    scope::{Found, Known},
    walk::{Edit, Walk},
};
use crate::enforce::{Denial, Reason};

/// Functions that give the text of other people's code.
const SOURCES: [&str; 4] =
    ["pg_get_function_sqlbody", "pg_get_functiondef", "pg_get_ruledef", "pg_get_viewdef"];

impl<'a> Walk<'a> {
    /// One item of a select list.
    pub(super) fn shown(&mut self, target: &'a ResTarget, place: Place<'_, 'a>) -> Result<(), Denial> {
        if !self.is_outermost() {
            return self.expression(target.val(), place);
        }
        match target.val() {
            // Without a name it may be called as its last branch is.
            node @ Node::CaseExpr(_) if target.name().is_none() => self.expression(node, place),
            node => self.shown_part(node, target.name().is_none(), place),
        }
    }

    /// What an item shows as it stands. Without another name it is called by what stands there.
    fn shown_part(&mut self, node: Node<'a>, nameless: bool, place: Place<'_, 'a>) -> Result<(), Denial> {
        let (at, null, edit): (_, _, fn(String) -> Edit) = match node {
            Node::CaseExpr(case) => return self.shown_case(case, place),
            Node::ColumnRef(column) => match self.withheld_column(column, place)? {
                Some(withheld) => {
                    self.claim_all(column.fields());
                    (column.location, self.ground.null_for(withheld)?, Edit::Column)
                }
                None => return self.expression(node, place),
            },
            Node::FuncCall(call) if self.is_withheld_text(call) => {
                self.claim_all(call.funcname());
                self.expressions(call.args(), place)?;
                let granted = self.granted_texts(call, place)?;
                (call.location, granted.unwrap_or_else(|| null(PG_CATALOG, "text")), Edit::Call)
            }
            other => return self.expression(other, place),
        };
        let name = name_of(node).filter(|_| nameless);
        let words = name.map_or_else(|| null.clone(), |name| format!("{null} AS {}", quoted(name)));
        self.edits.push((usize::try_from(at).unwrap_or(usize::MAX), edit(words)));
        Ok(())
    }

    /// `CASE`: what it may give is shown, what it looks at is not.
    fn shown_case(&mut self, case: &'a CaseExpr, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.deeper(|walk| {
            if !matches!(case.arg(), Node::None) {
                walk.ground.operator_named("=")?;
            }
            walk.expression(case.arg(), place)?;
            for node in case.args() {
                let Node::CaseWhen(when) = node else { return walk.expression(node, place) };
                walk.expression(when.expr(), place)?;
                match when.result() {
                    Node::FuncCall(call)
                        if matches!(case.arg(), Node::None) && walk.is_of_granted_views(when, place)? =>
                    {
                        walk.claim_all(call.funcname());
                        walk.expressions(call.args(), place)?;
                    }
                    result => walk.shown_part(result, false, place)?,
                }
            }
            walk.shown_part(case.defresult(), false, place)
        })
    }

    /// The column that this stands for, if that is one of the server's own tables in whose place a query gets NULL.
    fn withheld_column(
        &mut self,
        column: &'a ColumnRef,
        place: Place<'_, 'a>,
    ) -> Result<Option<&'a Column>, Denial> {
        Ok(match self.found(column, place)? {
            Some(Found::Column(base, column)) if base.withholds(&column.name) => Some(column),
            Some(Found::Column(..) | Found::Free | Found::System(_)) | None => None,
        })
    }

    /// What this stands for, if that is certain.
    pub(super) fn found(
        &mut self,
        column: &'a ColumnRef,
        place: Place<'_, 'a>,
    ) -> Result<Option<Found<'a>>, Denial> {
        let Some(scope) = place.scope.filter(|_| !is_star(Node::ColumnRef(column))) else { return Ok(None) };
        Ok(match texts(column.fields()).as_slice() {
            [name] => {
                let mut looks = 0;
                let meaning = scope.column(name, &mut looks);
                self.spend(looks)?;
                let meaning = meaning?;
                meaning.column.filter(|_| !meaning.perhaps && meaning.or_else.is_empty())
            }
            [table, name] => sure(self.item(scope, None, table)?.column(name)),
            [schema, table, name] => sure(self.item(scope, Some(schema), table)?.column(name)),
            _ => None,
        })
    }

    /// Whether a call gives the text of whatever code a column numbers.
    pub(super) fn is_withheld_text(&self, call: &FuncCall) -> bool {
        let own = SOURCES.iter().any(|name| self.ground.is_own(call, name));
        own && !self.rules
            && of_column(call.args())
            && call.agg_order().is_empty()
            && matches!(call.agg_filter(), Node::None)
            && call.over().is_none()
    }
}

impl Ground {
    /// NULL of the type of a column of the server's own.
    pub(super) fn null_for(&self, column: &Column) -> Result<String, Denial> {
        let unclear = || {
            let why = format!("the type of column {} is not one of the server's own", column.name);
            Denial::unclear(Reason::Type, &column.name, why)
        };
        let kind = self.catalog.server_type(column.type_oid).ok_or_else(unclear)?;
        Ok(null(&kind.schema, &kind.name))
    }
}

/// What is found once, for certain.
fn sure(known: Known<'_>) -> Option<Found<'_>> {
    match known {
        Known::Once(found) => Some(found),
        Known::No | Known::Perhaps | Known::Unsure(_) | Known::Often => None,
    }
}

/// Whether these are a column, and constants behind it.
fn of_column(args: &NodeList) -> bool {
    let mut args = args.iter();
    matches!(args.next(), Some(Node::ColumnRef(column)) if !is_star(Node::ColumnRef(column)))
        && args.all(|arg| matches!(arg, Node::A_Const(_)))
}

fn null(schema: &str, name: &str) -> String {
    format!("NULL::{}.{}", quoted(schema), quoted(name))
}

/// An identifier in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
