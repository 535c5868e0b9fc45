//! What the columns of a result are called, as the server calls them.
//!
//! A derived table's names decide what an inner name means, so a wrong guess could send a name further out than it seems
//! to go. Where the server's choice cannot be told there is no name.

use pg_raw_parse::{
    Node,
    nodes::TypeName,
    raw::{JsonExprOp, MinMaxOp, SQLValueFunctionOp, SubLinkType, XmlExprOp},
};

/// The server's name for an expression without an alias.
pub(super) fn name_of(node: Node<'_>) -> Option<&str> {
    match figure(node) {
        Figure::Name(name, _) => Some(name),
        Figure::Nothing => Some("?column?"),
        Figure::Unclear => None,
    }
}

enum Figure<'a> {
    /// A name; and whether it is a strong one.
    Name(&'a str, bool),
    Nothing,
    Unclear,
}

const fn strong(name: &str) -> Figure<'_> {
    Figure::Name(name, true)
}

fn last<'a>(nodes: impl Iterator<Item = Node<'a>>) -> Option<&'a str> {
    nodes.filter_map(Node::as_str).last()
}

fn figure(node: Node<'_>) -> Figure<'_> {
    match node {
        Node::ColumnRef(column) => last(column.fields().iter()).map_or(Figure::Nothing, strong),
        Node::A_Indirection(part) => match last(part.indirection().iter()) {
            Some(name) => strong(name),
            None => figure(part.arg()),
        },
        Node::FuncCall(call) => last(call.funcname().iter()).map_or(Figure::Unclear, strong),
        Node::A_Expr(expression) if expression.kind == pg_raw_parse::raw::A_Expr_Kind::AEXPR_NULLIF => {
            strong("nullif")
        }
        Node::TypeCast(cast) => or_weak(figure(cast.arg()), || cast.type_name().and_then(type_word)),
        Node::CollateClause(collate) => figure(collate.arg()),
        Node::GroupingFunc(_) => strong("grouping"),
        Node::MergeSupportFunc(_) => strong("merge_action"),
        Node::SubLink(link) => match link.sub_link_type {
            SubLinkType::EXISTS_SUBLINK => strong("exists"),
            SubLinkType::ARRAY_SUBLINK => strong("array"),
            SubLinkType::EXPR_SUBLINK => first_of(link.subselect()),
            SubLinkType::ANY_SUBLINK | SubLinkType::ALL_SUBLINK | SubLinkType::ROWCOMPARE_SUBLINK => {
                Figure::Nothing
            }
            _ => Figure::Unclear,
        },
        Node::CaseExpr(case) => or_weak(figure(case.defresult()), || Some("case")),
        Node::A_ArrayExpr(_) => strong("array"),
        Node::RowExpr(_) => strong("row"),
        Node::CoalesceExpr(_) => strong("coalesce"),
        Node::MinMaxExpr(expression) if expression.op == MinMaxOp::IS_GREATEST => strong("greatest"),
        Node::MinMaxExpr(_) => strong("least"),
        Node::SQLValueFunction(value) => value_function(value.op).map_or(Figure::Unclear, strong),
        Node::XmlExpr(xml) => xml_word(xml.op),
        Node::XmlSerialize(_) => strong("xmlserialize"),
        Node::JsonParseExpr(_) => strong("json"),
        Node::JsonScalarExpr(_) => strong("json_scalar"),
        Node::JsonSerializeExpr(_) => strong("json_serialize"),
        Node::JsonObjectConstructor(_) => strong("json_object"),
        Node::JsonArrayConstructor(_) | Node::JsonArrayQueryConstructor(_) => strong("json_array"),
        Node::JsonObjectAgg(_) => strong("json_objectagg"),
        Node::JsonArrayAgg(_) => strong("json_arrayagg"),
        Node::JsonFuncExpr(function) => match function.op {
            JsonExprOp::JSON_EXISTS_OP => strong("json_exists"),
            JsonExprOp::JSON_QUERY_OP => strong("json_query"),
            JsonExprOp::JSON_VALUE_OP => strong("json_value"),
            _ => Figure::Unclear,
        },
        Node::A_Const(_)
        | Node::ParamRef(_)
        | Node::A_Expr(_)
        | Node::BoolExpr(_)
        | Node::NullTest(_)
        | Node::BooleanTest(_)
        | Node::JsonIsPredicate(_)
        | Node::None => Figure::Nothing,
        _ => Figure::Unclear,
    }
}

fn or_weak<'a>(inner: Figure<'a>, weak: impl FnOnce() -> Option<&'a str>) -> Figure<'a> {
    match inner {
        Figure::Name(name, true) => strong(name),
        Figure::Unclear => Figure::Unclear,
        Figure::Name(..) | Figure::Nothing => {
            weak().map_or(Figure::Unclear, |name| Figure::Name(name, false))
        }
    }
}

fn type_word(name: &TypeName) -> Option<&str> {
    name.names().iter().filter_map(|part| part.sval()).next_back()
}

/// The name of a scalar sub-select's one column.
fn first_of(query: Node<'_>) -> Figure<'_> {
    let Node::SelectStmt(mut select) = query else { return Figure::Unclear };
    while let Some(left) = select.larg() {
        select = left;
    }
    if !select.values_lists().is_empty() {
        return strong("column1");
    }
    let Some(target) = select.target_list().iter().next() else { return Figure::Unclear };
    match (target.name(), name_of(target.val())) {
        (Some(name), _) => strong(name),
        (None, Some("?column?")) if !is_star(target.val()) => strong("?column?"),
        (None, Some(name)) if !is_star(target.val()) => strong(name),
        (None, _) => Figure::Unclear,
    }
}

/// Whether a target is a star of any kind.
pub(super) fn is_star(node: Node<'_>) -> bool {
    let ends_in_star =
        |list: &pg_raw_parse::list::NodeList| matches!(list.iter().next_back(), Some(Node::A_Star(_)));
    match node {
        Node::ColumnRef(column) => ends_in_star(column.fields()),
        Node::A_Indirection(part) => ends_in_star(part.indirection()),
        _ => false,
    }
}

fn value_function(op: SQLValueFunctionOp::Type) -> Option<&'static str> {
    Some(match op {
        SQLValueFunctionOp::SVFOP_CURRENT_DATE => "current_date",
        SQLValueFunctionOp::SVFOP_CURRENT_TIME | SQLValueFunctionOp::SVFOP_CURRENT_TIME_N => "current_time",
        SQLValueFunctionOp::SVFOP_CURRENT_TIMESTAMP | SQLValueFunctionOp::SVFOP_CURRENT_TIMESTAMP_N => {
            "current_timestamp"
        }
        SQLValueFunctionOp::SVFOP_LOCALTIME | SQLValueFunctionOp::SVFOP_LOCALTIME_N => "localtime",
        SQLValueFunctionOp::SVFOP_LOCALTIMESTAMP | SQLValueFunctionOp::SVFOP_LOCALTIMESTAMP_N => {
            "localtimestamp"
        }
        SQLValueFunctionOp::SVFOP_CURRENT_ROLE => "current_role",
        SQLValueFunctionOp::SVFOP_CURRENT_USER => "current_user",
        SQLValueFunctionOp::SVFOP_USER => "user",
        SQLValueFunctionOp::SVFOP_SESSION_USER => "session_user",
        SQLValueFunctionOp::SVFOP_CURRENT_CATALOG => "current_catalog",
        SQLValueFunctionOp::SVFOP_CURRENT_SCHEMA => "current_schema",
        _ => return None,
    })
}

fn xml_word(op: XmlExprOp::Type) -> Figure<'static> {
    match op {
        XmlExprOp::IS_XMLCONCAT => strong("xmlconcat"),
        XmlExprOp::IS_XMLELEMENT => strong("xmlelement"),
        XmlExprOp::IS_XMLFOREST => strong("xmlforest"),
        XmlExprOp::IS_XMLPARSE => strong("xmlparse"),
        XmlExprOp::IS_XMLPI => strong("xmlpi"),
        XmlExprOp::IS_XMLROOT => strong("xmlroot"),
        XmlExprOp::IS_XMLSERIALIZE => strong("xmlserialize"),
        XmlExprOp::IS_DOCUMENT => Figure::Nothing,
        _ => Figure::Unclear,
    }
}
