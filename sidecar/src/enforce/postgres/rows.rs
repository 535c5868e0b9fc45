//! Queries of closed tables of the server's own that ask for rows which may be read: settings by their names, the
//! session itself, and the rules of a view that is granted.
//!
//! What a WHERE clause says is evaluated in whatever order the server likes, and the error of one part tells of rows that
//! another part leaves out. So there must be no other part, in this query or in one around it.

use pg_raw_parse::{
    ConstValue, Node,
    nodes::{Alias, FuncCall, SelectStmt},
    raw::{A_Expr_Kind, BoolExprType},
};

use super::{
    catalog::PG_CATALOG,
    names::texts,
    scope::{Columns, Item},
    settings::show,
    walk::Walk,
};

/// Shows all settings.
pub(super) const SETTINGS: &str = "pg_settings";
/// Show all sessions.
const SESSIONS: [&str; 3] = ["pg_stat_activity", "pg_stat_gssapi", "pg_stat_ssl"];

/// The table that may be read in whole, because the query, if it is the outermost one, gives nothing of it but such rows.
pub(super) fn opened(select: &SelectStmt) -> Option<&'static str> {
    let (own, alias) = match select.from_clause().first() {
        Some(Node::RangeVar(table)) => (table.relname(), table.alias()),
        Some(Node::RangeFunction(function)) => (Some("pg_show_all_settings"), function.alias()),
        _ => return None,
    };
    // Under other names `name` might be another column.
    let plain = alias.is_none_or(|alias| alias.colnames().is_empty());
    if !plain || select.from_clause().len() != 1 || !is_simple(select, is_shown) {
        return None;
    }
    let called = alias.map_or(own, Alias::aliasname);
    let condition = select.where_clause();
    if let Some(sessions) = SESSIONS.into_iter().find(|sessions| own == Some(*sessions)) {
        return is_own(condition, called).then_some(sessions);
    }
    by_name(condition, called).then_some(SETTINGS)
}

/// Whether nothing is computed before the condition has been: columns are shown, and that is all.
fn is_simple(select: &SelectStmt, is_harmless: impl Fn(Node<'_>) -> bool) -> bool {
    select.group_clause().is_empty()
        && matches!(select.having_clause(), Node::None)
        && select.window_clause().is_empty()
        && select.distinct_clause().iter().all(|node| matches!(node, Node::None))
        && select.sort_clause().iter().all(|sort| is_shown(sort.node()))
        && select.target_list().iter().all(|target| is_harmless(target.val()))
}

/// A column, a constant, either as another type, or a call that is given nothing but constants.
fn is_shown(node: Node<'_>) -> bool {
    match node {
        Node::ColumnRef(_) | Node::A_Const(_) => true,
        Node::TypeCast(cast) => matches!(cast.arg(), Node::ColumnRef(_) | Node::A_Const(_)),
        Node::FuncCall(call) => is_plain(call, |arg| matches!(arg, Node::A_Const(_))),
        _ => false,
    }
}

/// Whether a call has such arguments and nothing besides.
fn is_plain(call: &FuncCall, is_harmless: impl Fn(Node<'_>) -> bool) -> bool {
    call.args().iter().all(is_harmless)
        && call.agg_order().is_empty()
        && matches!(call.agg_filter(), Node::None)
        && call.over().is_none()
}

/// Whether this gives the text of a rule, or something that is called so.
fn is_ruledef(call: &FuncCall) -> bool {
    texts(call.funcname()).last() == Some(&"pg_get_ruledef")
}

/// The text of a rule of the row at hand.
fn is_rule(node: Node<'_>, called: Option<&str>) -> bool {
    let Node::FuncCall(call) = node else { return false };
    let of_row = call.args().first().is_some_and(|arg| is_column(arg, "oid", called));
    is_ruledef(call)
        && of_row
        && is_plain(call, |arg| is_column(arg, "oid", called) || matches!(arg, Node::A_Const(_)))
}

/// The constant that this column must be equal to, whatever else is asked for.
fn wanted<'a>(condition: Node<'a>, column: &str, called: Option<&str>) -> Option<Node<'a>> {
    match condition {
        Node::A_Expr(equal) => {
            let is_it = equal.kind == A_Expr_Kind::AEXPR_OP
                && texts(equal.name()).as_slice() == ["="]
                && is_column(equal.lexpr(), column, called);
            is_it.then(|| equal.rexpr()).filter(|value| matches!(value, Node::A_Const(_)))
        }
        Node::BoolExpr(all) if all.boolop == BoolExprType::AND_EXPR => {
            all.args().iter().find_map(|part| match part {
                Node::A_Expr(_) => wanted(part, column, called),
                _ => None,
            })
        }
        _ => None,
    }
}

impl Walk<'_> {
    /// Whether the query, as the outermost one, shows the rules of a view that may be read, and computes nothing of others.
    pub(super) fn shows_rules(&mut self, select: &SelectStmt, items: &[Item<'_>]) -> bool {
        let [Item { name, columns: Columns::Base(base, renamed), .. }] = items else { return false };
        let is_rewrite = *base.relation.schema == *PG_CATALOG && *base.relation.name == *"pg_rewrite";
        let rule = |node: Node<'_>| is_rule(node, *name);
        let shown = |node: Node<'_>| match node {
            Node::FuncCall(call) if is_ruledef(call) => rule(node),
            Node::FuncCall(call) => is_plain(call, |arg| rule(arg) || matches!(arg, Node::A_Const(_))),
            other => is_shown(other),
        };
        if !is_rewrite || !renamed.is_empty() || !self.is_outermost() || !is_simple(select, shown) {
            return false;
        }
        let Some(view) = wanted(select.where_clause(), "ev_class", *name) else { return false };
        self.numbers = None;
        self.ground.is_granted_view(view)
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
