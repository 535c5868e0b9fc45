//! The text of views in metadata queries: told of those that may be read.
//!
//! Tools ask for it along with the list of relations (`pg_get_viewdef(c.oid)`). What is sent is `CASE WHEN c.oid IN (…) THEN
//! pg_get_viewdef(c.oid) END` with the numbers of granted views: `CASE` computes nothing of rows that its condition leaves
//! out, and the same column is the same in both places.

use pg_raw_parse::{
    ConstValue, Node,
    nodes::{CaseWhen, ColumnRef, FuncCall},
    raw::A_Expr_Kind,
};

use super::{
    catalog::PG_CATALOG,
    expr::Place,
    names::texts,
    scope::{Base, Found, Read},
    walk::Walk,
    withheld::quoted,
};
use crate::enforce::Denial;

/// `oid`
const OID: u32 = 26;
/// So many views may be told of in one place.
const MOST: usize = 256;

impl<'a> Walk<'a> {
    /// What tells the text of granted views, and of no others, in the place of this call; nothing if there are none, or it
    /// is not asked for by a number in one of the server's own tables.
    pub(super) fn granted_texts(
        &mut self,
        call: &'a FuncCall,
        place: Place<'_, 'a>,
    ) -> Result<Option<String>, Denial> {
        let Some(column) = self.numbering(call, place)? else { return Ok(None) };
        let Some(views) = self.granted_views()? else { return Ok(None) };
        let column = texts(column.fields()).iter().map(|part| quoted(part)).collect::<Vec<_>>().join(".");
        let mut arguments = column.clone();
        for argument in call.args().iter().skip(1) {
            let Some(words) = written(argument) else { return Ok(None) };
            arguments.push_str(", ");
            arguments.push_str(&words);
        }
        let list = views.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let function = format!("{}.{}", quoted(PG_CATALOG), quoted("pg_get_viewdef"));
        Ok(Some(format!("CASE WHEN {column} IN ({list}) THEN {function}({arguments}) END")))
    }

    /// Whether a branch gives the text of granted views, and of no others.
    pub(super) fn is_of_granted_views(
        &mut self,
        when: &'a CaseWhen,
        place: Place<'_, 'a>,
    ) -> Result<bool, Denial> {
        let (Node::A_Expr(test), Node::FuncCall(call)) = (when.expr(), when.result()) else {
            return Ok(false);
        };
        let Some(column) = self.numbering(call, place)? else { return Ok(false) };
        let (Node::ColumnRef(tested), Node::NodeList(views)) = (test.lexpr(), test.rexpr()) else {
            return Ok(false);
        };
        let is_in = test.kind == A_Expr_Kind::AEXPR_IN && texts(test.name()).as_slice() == ["="];
        let same = texts(tested.fields()) == texts(column.fields());
        // Other numbers are other views.
        self.numbers = None;
        let is_number = |view: Node<'_>| matches!(view, Node::A_Const(view) if matches!(view.val(), Some(ConstValue::Integer(_))));
        let granted = |view: Node<'_>| is_number(view) && self.ground.is_granted_view(view);
        Ok(is_in && same && views.iter().all(granted))
    }

    /// The column by which a call asks for the text of a view, if that is a number in one of the server's own tables.
    fn numbering(
        &mut self,
        call: &'a FuncCall,
        place: Place<'_, 'a>,
    ) -> Result<Option<&'a ColumnRef>, Denial> {
        if !self.ground.is_own(call, "pg_get_viewdef") || !self.is_withheld_text(call) {
            return Ok(None);
        }
        let Some(Node::ColumnRef(column)) = call.args().first() else { return Ok(None) };
        let found = self.found(column, place)?;
        let is_number = matches!(found, Some(Found::Column(Base { read: Read::Open(_), .. }, column)) if column.type_oid == OID);
        Ok(is_number.then_some(column))
    }

    /// The numbers of the views that may be read; nothing if there are none, or too many.
    fn granted_views(&mut self) -> Result<Option<Vec<u32>>, Denial> {
        let ground = self.ground;
        self.spend(ground.limits.tables().count())?;
        let mut views: Vec<u32> = ground
            .limits
            .tables()
            .filter(|(.., limits)| limits.select.any())
            .filter_map(|(schema, name, _)| ground.catalog.relation(schema, name))
            .filter(|relation| matches!(relation.kind, b'v' | b'm') && i32::try_from(relation.oid).is_ok())
            .map(|relation| relation.oid)
            .collect();
        views.sort_unstable();
        let some = !views.is_empty() && views.len() <= MOST;
        if some {
            self.keep(views.len())?;
        }
        Ok(some.then_some(views))
    }
}

/// A constant as it is written; nothing if it is a string, or one of another kind.
fn written(node: Node<'_>) -> Option<String> {
    let Node::A_Const(constant) = node else { return None };
    match constant.val() {
        Some(ConstValue::Integer(number)) => Some(number.to_string()),
        Some(ConstValue::Boolean(value)) => Some(value.to_string()),
        Some(_) | None => None,
    }
}
