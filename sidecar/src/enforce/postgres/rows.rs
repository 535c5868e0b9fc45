//! Queries of closed tables of the server's own that ask for rows which may be read: settings by their names, and the
//! session itself.
//!
//! What a WHERE clause says is evaluated in whatever order the server likes, and the error of one part tells of rows that
//! another part leaves out. So there must be no other part, in this query or in one around it.

use pg_raw_parse::{
    ConstValue, Node,
    nodes::{Alias, SelectStmt},
    raw::A_Expr_Kind,
};

use super::{names::texts, settings::show};

/// Shows all settings.
pub(super) const SETTINGS: &str = "pg_settings";
/// Shows all sessions.
const ACTIVITY: &str = "pg_stat_activity";

/// The table that may be read in whole, because the query, if it is the outermost one, gives nothing of it but such rows.
pub(super) fn opened(select: &SelectStmt) -> Option<&'static str> {
    let (own, alias) = match select.from_clause().first() {
        Some(Node::RangeVar(table)) => (table.relname(), table.alias()),
        Some(Node::RangeFunction(function)) => (Some("pg_show_all_settings"), function.alias()),
        _ => return None,
    };
    // Under other names `name` might be another column.
    let plain = alias.is_none_or(|alias| alias.colnames().is_empty());
    if !plain || select.from_clause().len() != 1 || !is_simple(select) {
        return None;
    }
    let called = alias.map_or(own, Alias::aliasname);
    let condition = select.where_clause();
    if own == Some(ACTIVITY) {
        return is_own(condition, called).then_some(ACTIVITY);
    }
    by_name(condition, called).then_some(SETTINGS)
}

/// Whether nothing is computed before the condition has been: columns are shown, and that is all.
fn is_simple(select: &SelectStmt) -> bool {
    select.group_clause().is_empty()
        && matches!(select.having_clause(), Node::None)
        && select.window_clause().is_empty()
        && select.distinct_clause().iter().all(|node| matches!(node, Node::None))
        && select.sort_clause().iter().all(|sort| is_shown(sort.node()))
        && select.target_list().iter().all(|target| is_shown(target.val()))
}

/// A column, a constant, either as another type, or a call that is given nothing but constants.
fn is_shown(node: Node<'_>) -> bool {
    match node {
        Node::ColumnRef(_) | Node::A_Const(_) => true,
        Node::TypeCast(cast) => matches!(cast.arg(), Node::ColumnRef(_) | Node::A_Const(_)),
        Node::FuncCall(call) => {
            call.args().iter().all(|arg| matches!(arg, Node::A_Const(_)))
                && call.agg_order().is_empty()
                && matches!(call.agg_filter(), Node::None)
                && call.over().is_none()
        }
        _ => false,
    }
}

/// `name = 'a'`, `name IN ('a', 'b')`, `name = ANY (ARRAY['a', 'b'])`
fn by_name(condition: Node<'_>, called: Option<&str>) -> bool {
    let Node::A_Expr(equal) = condition else { return false };
    let names = match (equal.kind, equal.rexpr()) {
        (A_Expr_Kind::AEXPR_OP, name) => is_readable(name),
        (A_Expr_Kind::AEXPR_IN, Node::NodeList(names)) => names.iter().all(is_readable),
        (A_Expr_Kind::AEXPR_OP_ANY, Node::A_ArrayExpr(names)) => names.elements().iter().all(is_readable),
        _ => false,
    };
    names && texts(equal.name()).as_slice() == ["="] && is_column(equal.lexpr(), "name", called)
}

/// `pid = pg_backend_pid()`
fn is_own(condition: Node<'_>, called: Option<&str>) -> bool {
    let Node::A_Expr(equal) = condition else { return false };
    let own = |node: Node<'_>| match node {
        Node::FuncCall(call) => {
            matches!(texts(call.funcname()).as_slice(), ["pg_backend_pid"] | ["pg_catalog", "pg_backend_pid"])
        }
        _ => false,
    };
    equal.kind == A_Expr_Kind::AEXPR_OP
        && texts(equal.name()).as_slice() == ["="]
        && (is_column(equal.lexpr(), "pid", called) && own(equal.rexpr())
            || is_column(equal.rexpr(), "pid", called) && own(equal.lexpr()))
}

/// This column, of this table and no other.
fn is_column(node: Node<'_>, name: &str, called: Option<&str>) -> bool {
    let Node::ColumnRef(column) = node else { return false };
    match texts(column.fields()).as_slice() {
        [only] => *only == name && column.fields().len() == 1,
        [table, last] => *last == name && column.fields().len() == 2 && called == Some(*table),
        _ => false,
    }
}

/// Whether this is the name of a setting that may be read.
fn is_readable(name: Node<'_>) -> bool {
    let Node::A_Const(constant) = name else { return false };
    matches!(constant.val(), Some(ConstValue::String(name)) if show(name).is_ok())
}
