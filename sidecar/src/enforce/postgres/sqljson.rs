//! SQL/JSON: constructors, queries and predicates. A server that is too old for one of them reads it as something else.

use pg_raw_parse::{
    Node,
    nodes::{
        JsonAggConstructor, JsonBehavior, JsonKeyValue, JsonOutput, JsonTable, JsonTableColumn, JsonValueExpr,
    },
};

use super::{
    expr::Place,
    scope::Derived,
    walk::{Walk, refuse},
};
use crate::enforce::Denial;

impl<'a> Walk<'a> {
    /// What the server must know to mean the same by it.
    fn since(&self, major: u32) -> Result<(), Denial> {
        if self.ground.catalog.major() >= major {
            Ok(())
        } else {
            Err(refuse("a JSON expression that this server is too old for"))
        }
    }

    /// An expression of SQL/JSON; anything that is none is refused.
    pub(super) fn json_expression(&mut self, node: Node<'a>, place: Place<'_, 'a>) -> Result<(), Denial> {
        match node {
            Node::JsonIsPredicate(predicate) => {
                self.since(16)?;
                self.expression(predicate.expr(), place)
            }
            Node::JsonObjectConstructor(object) => {
                self.since(16)?;
                self.json_output(object.output())?;
                object.exprs().iter().try_for_each(|pair| self.json_pair(Some(pair), place))
            }
            Node::JsonArrayConstructor(array) => {
                self.since(16)?;
                self.json_output(array.output())?;
                array.exprs().iter().try_for_each(|value| self.json_value(Some(value), place))
            }
            Node::JsonArrayQueryConstructor(array) => {
                self.since(16)?;
                self.json_output(array.output())?;
                self.sub_select(array.query(), place).map(drop)
            }
            Node::JsonObjectAgg(aggregate) => {
                self.since(16)?;
                self.json_pair(aggregate.arg(), place)?;
                self.json_aggregate(aggregate.constructor(), place)
            }
            Node::JsonArrayAgg(aggregate) => {
                self.since(16)?;
                self.json_value(aggregate.arg(), place)?;
                self.json_aggregate(aggregate.constructor(), place)
            }
            Node::JsonParseExpr(parse) => {
                self.since(17)?;
                self.json_output(parse.output())?;
                self.json_value(parse.expr(), place)
            }
            Node::JsonScalarExpr(scalar) => {
                self.since(17)?;
                self.json_output(scalar.output())?;
                self.expression(scalar.expr(), place)
            }
            Node::JsonSerializeExpr(serialize) => {
                self.since(17)?;
                self.json_output(serialize.output())?;
                self.json_value(serialize.expr(), place)
            }
            Node::JsonFuncExpr(function) => {
                self.since(17)?;
                self.claim(function.column_name());
                self.json_value(function.context_item(), place)?;
                self.expression(function.pathspec(), place)?;
                self.json_passing(function.passing(), place)?;
                self.json_output(function.output())?;
                self.json_behavior(function.on_empty(), place)?;
                self.json_behavior(function.on_error(), place)
            }
            Node::JsonValueExpr(value) => self.json_value(Some(value), place),
            _ => Err(refuse("an expression of this kind")),
        }
    }

    fn json_value(&mut self, value: Option<&'a JsonValueExpr>, place: Place<'_, 'a>) -> Result<(), Denial> {
        let Some(value) = value else { return Ok(()) };
        self.expression(value.raw_expr(), place)?;
        self.expression(value.formatted_expr(), place)
    }

    fn json_pair(&mut self, pair: Option<&'a JsonKeyValue>, place: Place<'_, 'a>) -> Result<(), Denial> {
        let Some(pair) = pair else { return Ok(()) };
        self.expression(pair.key(), place)?;
        self.json_value(pair.value(), place)
    }

    fn json_output(&mut self, output: Option<&'a JsonOutput>) -> Result<(), Denial> {
        output.and_then(JsonOutput::type_name).map_or(Ok(()), |name| self.type_name(name))
    }

    fn json_behavior(
        &mut self,
        behavior: Option<&'a JsonBehavior>,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        behavior.map_or(Ok(()), |behavior| self.expression(behavior.expr(), place))
    }

    fn json_passing(
        &mut self,
        passing: &'a pg_raw_parse::list::NodeList,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        for argument in passing {
            let Node::JsonArgument(argument) = argument else { return Err(refuse("JSON of this kind")) };
            self.claim(argument.name());
            self.json_value(argument.val(), place)?;
        }
        Ok(())
    }

    fn json_aggregate(
        &mut self,
        aggregate: Option<&'a JsonAggConstructor>,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        let Some(aggregate) = aggregate else { return Ok(()) };
        self.json_output(aggregate.output())?;
        self.expression(aggregate.agg_filter(), place)?;
        self.expressions(aggregate.agg_order(), place)?;
        aggregate.over().map_or(Ok(()), |window| self.window(window, place))
    }

    /// `JSON_TABLE`, and the names of its columns.
    pub(super) fn json_table(
        &mut self,
        table: &'a JsonTable,
        place: Place<'_, 'a>,
    ) -> Result<Vec<Derived<'a>>, Denial> {
        self.since(17)?;
        self.json_value(table.context_item(), place)?;
        if let Some(path) = table.pathspec() {
            self.claim(path.name());
            self.expression(path.string(), place)?;
        }
        self.json_passing(table.passing(), place)?;
        self.json_behavior(table.on_error(), place)?;
        let mut columns = Vec::new();
        self.json_columns(table.columns().iter(), place, &mut columns)?;
        Ok(columns)
    }

    /// The columns of one level: nested ones come behind all others.
    fn json_columns(
        &mut self,
        all: impl Iterator<Item = &'a JsonTableColumn>,
        place: Place<'_, 'a>,
        columns: &mut Vec<Derived<'a>>,
    ) -> Result<(), Denial> {
        let (nested, plain): (Vec<_>, Vec<_>) = all.partition(|column| !column.columns().is_empty());
        for column in plain {
            self.json_column(column, place)?;
            columns.push(Derived::guessed(column.name()));
        }
        for column in nested {
            self.json_column(column, place)?;
            let inside: Vec<&'a JsonTableColumn> = column
                .columns()
                .iter()
                .map(|node| match node {
                    Node::JsonTableColumn(column) => Ok(column),
                    _ => Err(refuse("JSON of this kind")),
                })
                .collect::<Result<_, _>>()?;
            self.deeper(|walk| walk.json_columns(inside.into_iter(), place, columns))?;
        }
        Ok(())
    }

    fn json_column(&mut self, column: &'a JsonTableColumn, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.claim(column.name());
        column.type_name().map_or(Ok(()), |name| self.type_name(name))?;
        if let Some(path) = column.pathspec() {
            self.claim(path.name());
            self.expression(path.string(), place)?;
        }
        self.json_behavior(column.on_empty(), place)?;
        self.json_behavior(column.on_error(), place)
    }
}
