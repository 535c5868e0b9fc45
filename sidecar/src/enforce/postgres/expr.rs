//! Expressions: everything that is read in one must be allowed, wherever in it.

use pg_raw_parse::{
    ConstValue, Node,
    list::NodeList,
    nodes::{
        A_Const, A_Expr, A_Indirection, ColumnRef, FuncCall, SortBy, SubLink, TypeCast, WindowDef, XmlExpr,
    },
    raw::{A_Expr_Kind, CoercionForm, SubLinkType},
};

use super::{
    names::{Function, texts},
    outputs::is_star,
    scope::{Item, Known, Scope},
    walk::{Ctes, Walk, refuse},
};
use crate::enforce::{Denial, Reason};

/// Where an expression stands: the names and the common table expressions that it may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'s, 'a> {
    pub(super) scope: Option<&'s Scope<'s, 'a>>,
    pub(super) ctes: Option<&'s Ctes<'s, 'a>>,
}

impl Place<'_, '_> {
    /// Where no name means anything.
    pub(super) const NOWHERE: Self = Self { scope: None, ctes: None };
}

/// Functions that make a row like the one that they are given: a value of each column's type, and a domain's constraints
/// are anybody's functions.
const POPULATE: [&str; 5] = [
    "json_populate_record",
    "json_populate_recordset",
    "jsonb_populate_record",
    "jsonb_populate_record_valid",
    "jsonb_populate_recordset",
];

/// `NULL`, of whatever type.
fn is_null(node: Node<'_>) -> bool {
    matches!(beneath_casts(node), Node::A_Const(constant) if constant.isnull)
}

/// What a chain of casts is made of. No recursion: how deep it goes may not be known yet.
pub(super) fn beneath_casts(mut node: Node<'_>) -> Node<'_> {
    while let Node::TypeCast(cast) = node {
        node = cast.arg();
    }
    node
}

impl<'a> Walk<'a> {
    /// All of these.
    pub(super) fn expressions(&mut self, list: &'a NodeList, place: Place<'_, 'a>) -> Result<(), Denial> {
        list.iter().try_for_each(|node| self.expression(node, place))
    }

    /// One expression. Every kind of node that may stand in one is named; any other is refused.
    pub(super) fn expression(&mut self, node: Node<'a>, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.deeper(|walk| match node {
            Node::A_Const(constant) => {
                walk.number(constant);
                Ok(())
            }
            Node::None | Node::ParamRef(_) | Node::SetToDefault(_) | Node::SQLValueFunction(_) => Ok(()),
            Node::ColumnRef(column) => walk.column(column, place),
            Node::A_Expr(expression) => walk.operation(expression, place),
            Node::BoolExpr(expression) => walk.expressions(expression.args(), place),
            Node::NullTest(test) => walk.expression(test.arg(), place),
            Node::BooleanTest(test) => walk.expression(test.arg(), place),
            Node::FuncCall(call) => walk.call(call, place),
            Node::TypeCast(cast) => walk.cast(cast, place),
            Node::CollateClause(collate) => {
                walk.claim_all(collate.collname());
                walk.expression(collate.arg(), place)
            }
            Node::SubLink(link) => walk.sub_link(link, place),
            Node::CaseExpr(case) => {
                if !matches!(case.arg(), Node::None) {
                    walk.ground.operator_named("=")?;
                }
                walk.expression(case.arg(), place)?;
                walk.expressions(case.args(), place)?;
                walk.expression(case.defresult(), place)
            }
            Node::CaseWhen(when) => {
                walk.expression(when.expr(), place)?;
                walk.expression(when.result(), place)
            }
            Node::CoalesceExpr(expression) => walk.expressions(expression.args(), place),
            Node::MinMaxExpr(expression) => walk.expressions(expression.args(), place),
            Node::A_ArrayExpr(array) => walk.expressions(array.elements(), place),
            Node::RowExpr(row) => {
                walk.claims.extend(row.colnames().iter().filter_map(|name| name.sval()));
                walk.expressions(row.args(), place)
            }
            Node::A_Indirection(part) => walk.indirection(part, place),
            Node::A_Indices(indices) => {
                walk.expression(indices.lidx(), place)?;
                walk.expression(indices.uidx(), place)
            }
            Node::NamedArgExpr(arg) => {
                walk.claim(arg.name());
                walk.expression(arg.arg(), place)
            }
            Node::GroupingFunc(grouping) => walk.expressions(grouping.args(), place),
            Node::GroupingSet(set) => walk.expressions(set.content(), place),
            Node::SortBy(sort) => walk.sort(sort, place),
            Node::NodeList(list) => walk.expressions(list, place),
            Node::MultiAssignRef(assign) => walk.expression(assign.source(), place),
            Node::CurrentOfExpr(current) => {
                walk.claim(current.cursor_name());
                walk.cursors.extend(current.cursor_name());
                Ok(())
            }
            Node::MergeSupportFunc(_) if walk.ground.catalog.major() >= 17 => Ok(()),
            Node::XmlExpr(xml) => walk.xml(xml, place),
            Node::XmlSerialize(xml) => {
                xml.type_name().map_or(Ok(()), |name| walk.type_name(name))?;
                walk.expression(xml.expr(), place)
            }
            other => walk.json_expression(other, place),
        })
    }

    /// Sorting, by an expression.
    pub(super) fn sort(&mut self, sort: &'a SortBy, place: Place<'_, 'a>) -> Result<(), Denial> {
        if !sort.use_op().is_empty() {
            self.claim_all(sort.use_op());
            self.ground.operator(sort.use_op())?;
        }
        self.expression(sort.node(), place)
    }

    /// A column, a whole row, or something that looks like one of them.
    fn column(&mut self, column: &'a ColumnRef, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.claim_all(column.fields());
        let whole = is_star(Node::ColumnRef(column));
        let parts = texts(column.fields());
        let nowhere =
            || Denial::missing("42703", format!("column \"{}\" does not exist", parts.join(".")), "");
        let Some(scope) = place.scope else { return Err(nowhere()) };
        match (parts.as_slice(), whole) {
            ([name], false) => self.bare(scope, name),
            ([table], true) => self.item(scope, None, table)?.row(),
            ([table, column], false) => {
                let item = self.item(scope, None, table)?;
                self.of_item(item, column)
            }
            ([schema, table], true) => self.item(scope, Some(schema), table)?.row(),
            ([schema, table, column], false) => {
                let item = self.item(scope, Some(schema), table)?;
                self.of_item(item, column)
            }
            _ => Err(Denial::unclear(
                Reason::Name,
                parts.last().copied().unwrap_or_default(),
                "a name of this form cannot be established",
            )),
        }
    }

    /// A column of a named item; what no item has could be a function that is called on its row.
    fn of_item(&self, item: &Item<'a>, name: &str) -> Result<(), Denial> {
        match item.column(name) {
            Known::Once(found) => found.read(name),
            Known::Often => Err(Denial::ambiguous(name)),
            Known::Unsure(found) => {
                found.read(name)?;
                item.row()?;
                self.ground.attribute(name)
            }
            Known::Perhaps => {
                item.row()?;
                self.ground.attribute(name)
            }
            Known::No => {
                let table = item.name.unwrap_or_default();
                let message = format!("column {table}.{name} does not exist");
                Err(Denial::missing("42703", message, name))
            }
        }
    }

    /// A name that stands alone: a column of this level or one around it, else a whole row.
    fn bare(&mut self, scope: &Scope<'_, 'a>, name: &str) -> Result<(), Denial> {
        if self.known(scope, name)? {
            return Ok(());
        }
        Err(Denial::missing("42703", format!("column \"{name}\" does not exist"), name))
    }

    /// Leave to read whatever a name that stands alone may mean; whether it may mean anything.
    pub(super) fn known(&mut self, scope: &Scope<'_, 'a>, name: &str) -> Result<bool, Denial> {
        let mut looks = 0;
        let meaning = scope.column(name, &mut looks);
        self.spend(looks)?;
        let meaning = meaning?;
        if let Some(found) = meaning.column {
            found.read(name)?;
            meaning.or_else.iter().try_for_each(|found| found.read(name))?;
            if !meaning.perhaps {
                return Ok(true);
            }
        }
        let mut looks = 0;
        let item = scope.item(None, name, &mut looks);
        self.spend(looks)?;
        match item? {
            Some(item) => {
                self.spend(item.width())?;
                item.row().map(|()| true)
            }
            None => Ok(meaning.perhaps || meaning.column.is_some()),
        }
    }

    /// The item of this name; its columns are about to be looked at.
    pub(super) fn item<'s>(
        &mut self,
        scope: &'s Scope<'s, 'a>,
        schema: Option<&str>,
        name: &str,
    ) -> Result<&'s Item<'a>, Denial> {
        let mut looks = 0;
        let found = scope.item(schema, name, &mut looks)?.ok_or_else(|| {
            Denial::missing("42P01", format!("missing FROM-clause entry for table \"{name}\""), name)
        });
        self.spend(looks + found.as_ref().map_or(0, |item| item.width()))?;
        found
    }

    /// `(expression).field`, `(expression)[1]`, `(expression).*`
    fn indirection(&mut self, part: &'a A_Indirection, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.expression(part.arg(), place)?;
        for step in part.indirection() {
            match step {
                Node::A_Star(_) => {}
                Node::A_Indices(_) => self.expression(step, place)?,
                Node::String(field) => {
                    self.claim(field.sval());
                    self.ground.attribute(field.sval().unwrap_or_default())?;
                }
                _ => return Err(refuse("a selection of this kind")),
            }
        }
        Ok(())
    }

    fn operation(&mut self, expression: &'a A_Expr, place: Place<'_, 'a>) -> Result<(), Denial> {
        let used: &[&str] = match expression.kind {
            A_Expr_Kind::AEXPR_BETWEEN
            | A_Expr_Kind::AEXPR_NOT_BETWEEN
            | A_Expr_Kind::AEXPR_BETWEEN_SYM
            | A_Expr_Kind::AEXPR_NOT_BETWEEN_SYM => &["<", "<=", ">", ">="],
            A_Expr_Kind::AEXPR_OP
            | A_Expr_Kind::AEXPR_OP_ANY
            | A_Expr_Kind::AEXPR_OP_ALL
            | A_Expr_Kind::AEXPR_DISTINCT
            | A_Expr_Kind::AEXPR_NOT_DISTINCT
            | A_Expr_Kind::AEXPR_NULLIF
            | A_Expr_Kind::AEXPR_IN
            | A_Expr_Kind::AEXPR_LIKE
            | A_Expr_Kind::AEXPR_ILIKE
            | A_Expr_Kind::AEXPR_SIMILAR => {
                self.ground.operator(expression.name())?;
                if expression.name().len() > 1 {
                    self.claim_all(expression.name());
                }
                &[]
            }
            _ => return Err(refuse("an operation of this kind")),
        };
        used.iter().try_for_each(|name| self.ground.operator_named(name))?;
        self.expression(expression.lexpr(), place)?;
        self.expression(expression.rexpr(), place)
    }

    fn call(&mut self, call: &'a FuncCall, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.claim_all(call.funcname());
        if call.funcformat == CoercionForm::COERCE_SQL_SYNTAX {
            self.claim_words(call.args());
        }
        let name = texts(call.funcname()).last().copied().unwrap_or_default();
        if POPULATE.contains(&name) && !call.args().first().is_some_and(is_null) {
            return Err(refuse("a row that is made of another one"));
        }
        match self.ground.function(call) {
            Ok(Function::Harmless) => {}
            Ok(Function::Introspection) => self.about_objects(name, call.args())?,
            Ok(Function::Setting) => self.setting_call(name, call.args())?,
            // What the session itself has put into a granted table's column is its own to know.
            Err(_) if self.ground.is_own(call, "currval") && self.ground.is_serial(call.args()) => {}
            Err(_) if self.is_open_text(call) => self.numbers = None,
            Err(denial) => return Err(self.missing_function(call, place)?.unwrap_or(denial)),
        }
        if name == "system_user" && self.ground.catalog.major() < 16 {
            return Err(refuse("a word that this server does not know"));
        }
        self.expressions(call.args(), place)?;
        call.agg_order().iter().try_for_each(|sort| self.sort(sort, place))?;
        self.expression(call.agg_filter(), place)?;
        call.over().map_or(Ok(()), |window| self.window(window, place))
    }

    /// Whether a call gives the text of a view, or of its rules, to a session that may read the view.
    fn is_open_text(&self, call: &FuncCall) -> bool {
        let ground = self.ground;
        ground.is_own(call, "pg_get_viewdef")
            && call.args().first().is_some_and(|view| ground.is_granted_view(view))
            || self.rules && ground.is_own(call, "pg_get_ruledef")
    }

    /// A constant; its value does not matter.
    fn number(&mut self, constant: &A_Const) {
        if let (Some(numbers), Some(ConstValue::Integer(_))) = (&mut self.numbers, constant.val()) {
            numbers.extend(usize::try_from(constant.location));
        }
    }

    /// Words that the grammar has turned into constants, such as the field of `EXTRACT`.
    fn claim_words(&mut self, args: &'a NodeList) {
        for arg in args {
            if let Node::A_Const(constant) = arg
                && let Some(ConstValue::String(word)) = constant.val()
            {
                self.claims.push(word);
            }
        }
    }

    /// A window, by name or by description.
    pub(super) fn window(&mut self, window: &'a WindowDef, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.claim(window.name());
        self.claim(window.refname());
        self.expressions(window.partition_clause(), place)?;
        window.order_clause().iter().try_for_each(|sort| self.sort(sort, place))?;
        self.expression(window.start_offset(), place)?;
        self.expression(window.end_offset(), place)
    }

    fn cast(&mut self, cast: &'a TypeCast, place: Place<'_, 'a>) -> Result<(), Denial> {
        if let Some(name) = cast.type_name() {
            if self.ground.is_pseudo_type(name) {
                self.claims.extend(name.names().iter().filter_map(|part| part.sval()));
            } else {
                self.type_of(cast.arg(), name)?;
                self.object_cast(cast, name)?;
            }
        }
        self.expression(cast.arg(), place)
    }

    fn sub_link(&mut self, link: &'a SubLink, place: Place<'_, 'a>) -> Result<(), Denial> {
        match link.sub_link_type {
            SubLinkType::EXISTS_SUBLINK | SubLinkType::EXPR_SUBLINK | SubLinkType::ARRAY_SUBLINK => {}
            SubLinkType::ANY_SUBLINK | SubLinkType::ALL_SUBLINK | SubLinkType::ROWCOMPARE_SUBLINK => {
                if link.oper_name().is_empty() {
                    self.ground.operator_named("=")?;
                } else {
                    self.ground.operator(link.oper_name())?;
                    if link.oper_name().len() > 1 {
                        self.claim_all(link.oper_name());
                    }
                }
            }
            _ => return Err(refuse("a sub-select of this kind")),
        }
        self.expression(link.testexpr(), place)?;
        self.sub_select(link.subselect(), place).map(drop)
    }

    fn xml(&mut self, xml: &'a XmlExpr, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.claim(xml.name());
        self.claims.extend(xml.arg_names().iter().filter_map(|name| name.sval()));
        for named in xml.named_args() {
            let Node::ResTarget(target) = named else { return Err(refuse("XML of this kind")) };
            self.claim(target.name());
            self.expression(target.val(), place)?;
        }
        self.expressions(xml.args(), place)
    }
}
