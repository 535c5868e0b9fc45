//! FROM: tables, sub-selects, functions, joins, and which of them sees which.

use std::rc::Rc;

use pg_raw_parse::{
    Node,
    list::NodeList,
    nodes::{
        Alias, ColumnDef, JoinExpr, RangeFunction, RangeSubselect, RangeTableFunc, RangeTableSample, RangeVar,
    },
    raw::JoinType,
};

use super::{
    catalog::PG_CATALOG,
    closed::Shown,
    expr::Place,
    names::texts,
    outputs::name_of,
    query::renamed,
    rows::SETTINGS,
    scope::{Base, Certainty, Derived, Item, Known, Read, Scope},
    walk::{Ctes, Walk, refuse},
};
use crate::enforce::{Denial, Reason};

impl<'a> Walk<'a> {
    /// The items of a FROM clause. `place` is what surrounds the query.
    pub(super) fn from(&mut self, list: &'a NodeList, place: Place<'_, 'a>) -> Result<Vec<Item<'a>>, Denial> {
        let mut items = Vec::new();
        for node in list {
            let more = self.item_of(node, &items, place)?;
            items.extend(more);
            self.items(items.len())?;
        }
        Ok(items)
    }

    /// One item, which may see `before` if it is lateral, and what it adds to the level.
    pub(super) fn item_of(
        &mut self,
        node: Node<'a>,
        before: &[Item<'a>],
        place: Place<'_, 'a>,
    ) -> Result<Vec<Item<'a>>, Denial> {
        self.deeper(|walk| match node {
            Node::RangeVar(range) => walk.table(range, place.ctes).map(|item| vec![item]),
            Node::RangeSubselect(select) => walk.derived(select, before, place).map(|item| vec![item]),
            Node::RangeFunction(function) => walk.function(function, before, place).map(|item| vec![item]),
            Node::RangeTableFunc(table) => walk.xml_table(table, before, place).map(|item| vec![item]),
            Node::JsonTable(table) => {
                let scope = Scope { outer: place.scope, items: before };
                let columns = walk.json_table(table, Place { scope: Some(&scope), ..place })?;
                Ok(vec![walk.with_alias(table.alias(), columns.into(), false)?])
            }
            Node::RangeTableSample(sample) => walk.sample(sample, before, place),
            Node::JoinExpr(join) => walk.join(join, before, place),
            _ => Err(refuse("something of this kind in FROM")),
        })
    }

    /// A common table expression, or a relation.
    fn table(&mut self, range: &'a RangeVar, ctes: Option<&Ctes<'_, 'a>>) -> Result<Item<'a>, Denial> {
        self.claim_range(range);
        let alias = range.alias();
        self.spend(ctes.map_or(0, Ctes::len))?;
        if range.schemaname().is_none()
            && let Some(cte) = ctes.and_then(|ctes| ctes.find(range.relname().unwrap_or_default()))
        {
            let Some((columns, vague)) = cte.columns else {
                return Err(Denial::unclear(
                    Reason::Name,
                    cte.name,
                    "a WITH query that refers to a later one",
                ));
            };
            let item = self.with_alias(alias, columns, vague)?;
            let name = item.name.or(Some(cte.name));
            return Ok(Item { name, named: true, ..item });
        }
        let relation = self.ground.relation(range)?;
        let opened = self.opened == Some(&*relation.name) && *relation.schema == *PG_CATALOG;
        let base = if opened {
            Base { relation, read: Read::Open(Shown::ALL), notes: self.notes }
        } else {
            self.reading(relation)?
        };
        Ok(self.based(base, alias))
    }

    /// The names of a relation as they stand in the text.
    pub(super) fn claim_range(&mut self, range: &'a RangeVar) {
        self.claim(range.catalogname());
        self.claim(range.schemaname());
        self.claim(range.relname());
    }

    /// The item of a relation under an alias.
    pub(super) fn based(&mut self, base: Base<'a>, alias: Option<&'a Alias>) -> Item<'a> {
        self.claim_alias(alias);
        let renamed = alias.map(|alias| texts(alias.colnames())).unwrap_or_default();
        let renamed: Rc<[&str]> = renamed.as_slice().into();
        Item::base(base, alias.and_then(Alias::aliasname), renamed)
    }

    fn claim_alias(&mut self, alias: Option<&'a Alias>) {
        if let Some(alias) = alias {
            self.claim(alias.aliasname());
            self.claim_all(alias.colnames());
        }
    }

    /// The item of these columns under an alias.
    fn with_alias(
        &mut self,
        alias: Option<&'a Alias>,
        columns: Rc<[Derived<'a>]>,
        vague: bool,
    ) -> Result<Item<'a>, Denial> {
        self.claim_alias(alias);
        let Some(alias) = alias else { return Ok(Item::derived(None, columns, vague)) };
        let columns = if columns.is_empty() && vague {
            alias.colnames().iter().map(|name| Derived::sure(name.as_str())).collect()
        } else if alias.colnames().is_empty() {
            columns
        } else {
            self.keep(columns.len())?;
            renamed(columns.to_vec(), alias.colnames()).into()
        };
        Ok(Item::derived(alias.aliasname(), columns, vague))
    }

    fn derived(
        &mut self,
        select: &'a RangeSubselect,
        before: &[Item<'a>],
        place: Place<'_, 'a>,
    ) -> Result<Item<'a>, Denial> {
        let lateral = Scope { outer: place.scope, items: before };
        let scope = if select.lateral { Some(&lateral) } else { place.scope };
        let (columns, vague) = self.sub_select(select.subquery(), Place { scope, ..place })?;
        self.with_alias(select.alias(), columns.into(), vague)
    }

    fn function(
        &mut self,
        range: &'a RangeFunction,
        before: &[Item<'a>],
        place: Place<'_, 'a>,
    ) -> Result<Item<'a>, Denial> {
        let scope = Scope { outer: place.scope, items: before };
        let here = Place { scope: Some(&scope), ..place };
        let alias = range.alias().and_then(Alias::aliasname);
        let (mut columns, mut vague, mut first) = (Vec::new(), false, None);
        let alone = range.functions().len() == 1;
        for entry in range.functions() {
            // Each is a list: the call, and its column definitions.
            let Node::NodeList(entry) = entry else { return Err(refuse("a function of this kind in FROM")) };
            let call = entry.first().unwrap_or(Node::None);
            if !(self.opened == Some(SETTINGS) && self.all_settings(call)) {
                self.expression(call, here)?;
            }
            let before = columns.len();
            if let Some(Node::NodeList(definitions)) = entry.get(1) {
                for definition in definitions {
                    let Node::ColumnDef(column) = definition else {
                        return Err(refuse("a column of this kind"));
                    };
                    columns.push(self.column_definition(column)?);
                }
            }
            if columns.len() == before && range.coldeflist().is_empty() {
                let (more, perhaps) = self.outputs(call, alias.filter(|_| alone), here)?;
                columns.extend(more);
                vague |= perhaps;
            }
            first = first.or(Some(call));
        }
        for column in range.coldeflist().iter() {
            let column = self.column_definition(column)?;
            columns.push(column);
        }
        if range.ordinality {
            columns.push(Derived::sure(Some("ordinality")));
        }
        // Without an alias all is called as the first of them. What is no plain call has a name that nobody uses.
        let called = first.filter(|call| matches!(call, Node::FuncCall(_))).and_then(name_of);
        let name = alias.or(called);
        let item = self.with_alias(range.alias(), columns.into(), vague)?;
        Ok(Item { name, named: name.is_some(), ..item })
    }

    /// Whether this is the server's own function that lists the settings.
    fn all_settings(&mut self, node: Node<'a>) -> bool {
        let Node::FuncCall(call) = node else { return false };
        let parts = texts(call.funcname());
        let named =
            matches!(parts.as_slice(), ["pg_show_all_settings"] | [PG_CATALOG, "pg_show_all_settings"]);
        let own = named && !self.ground.has_foreign_function("pg_show_all_settings");
        if own {
            self.claim_all(call.funcname());
        }
        own && call.args().is_empty()
    }

    fn column_definition(&mut self, column: &'a ColumnDef) -> Result<Derived<'a>, Denial> {
        self.claim(column.colname());
        column.type_name().map_or(Ok(()), |name| self.type_name(name))?;
        if let Some(collate) = column.coll_clause() {
            self.claim_all(collate.collname());
        }
        Ok(Derived::sure(column.colname()))
    }

    fn xml_table(
        &mut self,
        table: &'a RangeTableFunc,
        before: &[Item<'a>],
        place: Place<'_, 'a>,
    ) -> Result<Item<'a>, Denial> {
        let scope = Scope { outer: place.scope, items: before };
        let here = Place { scope: Some(&scope), ..place };
        self.expression(table.docexpr(), here)?;
        self.expression(table.rowexpr(), here)?;
        for namespace in table.namespaces() {
            let Node::ResTarget(namespace) = namespace else { return Err(refuse("XML of this kind")) };
            self.claim(namespace.name());
            self.expression(namespace.val(), here)?;
        }
        let mut columns = Vec::new();
        for column in table.columns().iter() {
            self.claim(column.colname());
            column.type_name().map_or(Ok(()), |name| self.type_name(name))?;
            self.expression(column.colexpr(), here)?;
            self.expression(column.coldefexpr(), here)?;
            columns.push(Derived::sure(column.colname()));
        }
        self.with_alias(table.alias(), columns.into(), false)
    }

    fn sample(
        &mut self,
        sample: &'a RangeTableSample,
        before: &[Item<'a>],
        place: Place<'_, 'a>,
    ) -> Result<Vec<Item<'a>>, Denial> {
        self.claim_all(sample.method());
        if !matches!(
            texts(sample.method()).as_slice(),
            ["bernoulli" | "system"] | ["pg_catalog", "bernoulli" | "system"]
        ) {
            return Err(refuse("a sampling method of this kind"));
        }
        self.expressions(sample.args(), place)?;
        self.expression(sample.repeatable(), place)?;
        self.item_of(sample.relation(), before, place)
    }

    fn join(
        &mut self,
        join: &'a JoinExpr,
        before: &[Item<'a>],
        place: Place<'_, 'a>,
    ) -> Result<Vec<Item<'a>>, Denial> {
        if !matches!(
            join.jointype,
            JoinType::JOIN_INNER | JoinType::JOIN_LEFT | JoinType::JOIN_FULL | JoinType::JOIN_RIGHT
        ) {
            return Err(refuse("a join of this kind"));
        }
        let left = self.item_of(join.larg(), before, place)?;
        self.items(before.len() + left.len())?;
        let seen: Vec<Item<'a>> = before.iter().chain(&left).cloned().collect();
        let right = self.item_of(join.rarg(), &seen, place)?;
        self.items(before.len() + left.len() + right.len())?;
        self.keep(left.iter().chain(&right).filter(|item| item.open).map(Item::width).sum())?;
        let (left_side, right_side) = (side(&left), side(&right));
        let merged = self.merged(join, &left_side, &right_side)?;
        let mut items: Vec<Item<'a>> = left.into_iter().chain(right).collect();
        {
            let scope = Scope { outer: place.scope, items: &items };
            self.expression(join.quals(), Place { scope: Some(&scope), ..place })?;
        }
        let vague = left_side.1 || right_side.1;
        let free = merged.iter().map(|name| Derived::sure(Some(name)));
        let rest = left_side.0.iter().chain(&right_side.0).copied();
        self.spend((left_side.0.len() + right_side.0.len()).saturating_mul(merged.len()))?;
        let rest = rest.filter(|column| column.name.is_none_or(|name| !merged.contains(&name)));
        let columns: Vec<Derived<'a>> = free.chain(rest).collect();
        self.claim_alias(join.join_using_alias());
        let whole = Item { join: true, ..self.with_alias(join.alias(), columns.into(), vague)? };
        if join.alias().is_some() {
            return Ok(vec![whole]);
        }
        // Nobody can call a join without an alias once another one holds its columns.
        items.retain(|item| item.named || !item.join);
        for item in &mut items {
            item.open = false;
        }
        items.push(whole);
        if let Some(alias) = join.join_using_alias() {
            let columns = merged.iter().map(|name| Derived::sure(Some(name))).collect();
            let item = Item::derived(alias.aliasname(), columns, false);
            items.push(Item { open: false, join: true, ..item });
        }
        Ok(items)
    }

    /// The columns that a join compares by name: both sides of each are read.
    fn merged(
        &mut self,
        join: &'a JoinExpr,
        left: &(Vec<Derived<'a>>, bool),
        right: &(Vec<Derived<'a>>, bool),
    ) -> Result<Vec<&'a str>, Denial> {
        self.claims.extend(join.using_clause().iter().filter_map(|name| name.sval()));
        if !join.is_natural && join.using_clause().is_empty() {
            return Ok(Vec::new());
        }
        self.ground.operator_named("=")?;
        // Nothing is merged that is not named, unless the join is natural.
        let certain = |side: &(Vec<Derived<'a>>, bool)| {
            let sure = |column: &Derived<'a>| match column.certainty {
                Certainty::Sure => column.name.is_some(),
                Certainty::Guessed => column.name.is_some() && !join.is_natural,
                Certainty::Doubtful => false,
            };
            !side.1 && side.0.iter().all(sure)
        };
        if !certain(left) || !certain(right) {
            return Err(refuse("a join by name over columns whose names are not known"));
        }
        let wide = left.0.len() + right.0.len();
        let names: Vec<&'a str> = if join.is_natural {
            self.spend(left.0.len().saturating_mul(right.0.len()))?;
            let common = left.0.iter().filter(|column| right.0.iter().any(|other| other.name == column.name));
            common.filter_map(|column| column.name).collect()
        } else {
            join.using_clause().iter().filter_map(|name| name.sval()).collect()
        };
        self.spend(wide.saturating_mul(names.len()))?;
        self.keep(wide)?;
        let sides = [left, right].map(|side| Item::derived(None, side.0.as_slice().into(), false));
        for name in &names {
            for item in &sides {
                match item.column(name) {
                    // A natural join names no columns, so neither does its refusal.
                    Known::Once(found) | Known::Unsure(found) if join.is_natural => found.read("")?,
                    Known::Once(found) | Known::Unsure(found) => found.read(name)?,
                    Known::Often => return Err(Denial::ambiguous(name)),
                    Known::No | Known::Perhaps => {
                        let message = format!("column \"{name}\" specified in USING clause does not exist");
                        return Err(Denial::missing("42703", message, name));
                    }
                }
            }
        }
        Ok(names)
    }
}

/// All columns of one side of a join.
fn side<'a>(items: &[Item<'a>]) -> (Vec<Derived<'a>>, bool) {
    let (mut columns, mut vague) = (Vec::new(), false);
    for item in items.iter().filter(|item| item.open) {
        let (more, perhaps) = item.all();
        columns.extend(more);
        vague |= perhaps;
    }
    (columns, vague)
}
