//! Queries: SELECT, VALUES, set operations, WITH.

use std::rc::Rc;

use pg_raw_parse::{
    Node,
    list::NodeList,
    nodes::{CommonTableExpr, LockingClause, ResTarget, SelectStmt, SortBy, WithClause},
    raw::SetOperation,
};
use postern_protocol::gate::Privilege;

use super::{
    Ground,
    expr::Place,
    outputs::{is_star, name_of},
    rows::opened,
    scope::{Certainty, Columns, Derived, Item, Read, Scope},
    walk::{self, Cte, Ctes, Walk, refuse},
};
use crate::enforce::{Denial, Reason};

/// What a query gives: its columns, and whether there may be more of them.
pub(super) type Output<'a> = (Vec<Derived<'a>>, bool);

impl<'a> Walk<'a> {
    /// A query inside an expression.
    pub(super) fn sub_select(&mut self, node: Node<'a>, place: Place<'_, 'a>) -> Result<Output<'a>, Denial> {
        match node {
            Node::SelectStmt(select) => self.deeper(|walk| walk.select(select, place)),
            _ => Err(refuse("a sub-select of this kind")),
        }
    }

    /// A query that may change data: what stands in WITH, COPY, EXPLAIN, PREPARE, DECLARE, or alone.
    pub(super) fn query(&mut self, node: Node<'a>, place: Place<'_, 'a>) -> Result<Output<'a>, Denial> {
        if self.ground.catalog.has_implicit_casts() {
            let why = "the database has an implicit cast from one of the server's own types, or an order for one, that is \
                       not in C: what a statement runs cannot be established";
            return Err(Denial::unclear(Reason::Type, "", why));
        }
        if self.ground.catalog.has_assignment_casts() && !matches!(node, Node::SelectStmt(_)) {
            let why = "the database has a cast for assignment from one of the server's own types that is not in C: \
                       what a statement runs cannot be established";
            return Err(Denial::unclear(Reason::Type, "", why));
        }
        self.deeper(|walk| match node {
            Node::SelectStmt(select) => walk.select(select, place),
            Node::InsertStmt(insert) => walk.insert(insert, place),
            Node::UpdateStmt(update) => walk.update(update, place),
            Node::DeleteStmt(delete) => walk.delete(delete, place),
            Node::MergeStmt(merge) => walk.merge(merge, place),
            _ => Err(refuse("a query of this kind")),
        })
    }

    /// One SELECT, VALUES, or set operation. `place` is what surrounds it.
    pub(super) fn select(
        &mut self,
        select: &'a SelectStmt,
        place: Place<'_, 'a>,
    ) -> Result<Output<'a>, Denial> {
        if select.into_clause().is_some() {
            return Err(refuse("SELECT INTO"));
        }
        let ctes = Ctes::inside(place.ctes);
        self.with(select.with_clause(), Place { ctes: Some(&ctes), ..place })?;
        let place = Place { ctes: Some(&ctes), ..place };
        if select.op != SetOperation::SETOP_NONE {
            return self.set_operation(select, place);
        }
        if !select.values_lists().is_empty() {
            return self.values(select, place);
        }
        self.plain(select, place)
    }

    fn plain(&mut self, select: &'a SelectStmt, place: Place<'_, 'a>) -> Result<Output<'a>, Denial> {
        self.opened = opened(select).filter(|_| self.is_outermost());
        let items = self.from(select.from_clause(), place)?;
        self.opened = None;
        let scope = Scope { outer: place.scope, items: &items };
        let here = Place { scope: Some(&scope), ..place };
        self.table = named_by_table(select);
        self.rules = self.shows_rules(select, &items);
        let output = self.targets(select.target_list().iter(), &items, here)?;
        (self.table, self.rules) = (None, false);
        self.expression(select.where_clause(), here)?;
        for node in select.group_clause() {
            self.grouped(node, &output, here)?;
        }
        self.expression(select.having_clause(), here)?;
        for window in select.window_clause() {
            let Node::WindowDef(window) = window else { return Err(refuse("a window of this kind")) };
            self.window(window, here)?;
        }
        // `DISTINCT` alone is a list that holds an empty node.
        for node in select.distinct_clause() {
            self.ordered(node, &output, here)?;
        }
        for sort in select.sort_clause().iter() {
            self.sorted(sort, &output, here)?;
        }
        self.expression(select.limit_offset(), here)?;
        self.expression(select.limit_count(), here)?;
        for clause in select.locking_clause().iter() {
            self.locked(clause, &items)?;
        }
        Ok(output)
    }

    fn values(&mut self, select: &'a SelectStmt, place: Place<'_, 'a>) -> Result<Output<'a>, Denial> {
        let (mut width, mut vague) = (0, false);
        for row in select.values_lists() {
            let Node::NodeList(row) = row else { return Err(refuse("VALUES of this kind")) };
            width = row.len();
            walk::width(width)?;
            vague |= row.iter().any(is_star);
            self.expressions(row, place)?;
        }
        let names = (1..=width).map(|number| Derived::sure(NUMBERED.get(number - 1).copied()));
        let output = (names.collect(), vague);
        self.tail(select, &output, place)?;
        Ok(output)
    }

    fn set_operation(&mut self, select: &'a SelectStmt, place: Place<'_, 'a>) -> Result<Output<'a>, Denial> {
        let (Some(left), Some(right)) = (select.larg(), select.rarg()) else {
            return Err(refuse("a set operation of this kind"));
        };
        let output = self.deeper(|walk| walk.select(left, place))?;
        self.deeper(|walk| walk.select(right, place))?;
        self.tail(select, &output, place)?;
        Ok(output)
    }

    /// What stands behind VALUES and set operations: it sees the result's columns only.
    fn tail(
        &mut self,
        select: &'a SelectStmt,
        output: &Output<'a>,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        self.keep(output.0.len())?;
        let free = output.0.iter().map(|column| Derived::free(column.name, column.certainty)).collect();
        let items = [Item::derived(None, free, output.1)];
        let scope = Scope { outer: place.scope, items: &items };
        let here = Place { scope: Some(&scope), ..place };
        for sort in select.sort_clause().iter() {
            self.sorted(sort, output, here)?;
        }
        // The result's columns are out of sight again.
        self.expression(select.limit_offset(), place)?;
        self.expression(select.limit_count(), place)?;
        if select.locking_clause().is_empty() { Ok(()) } else { Err(refuse("a lock on a combined result")) }
    }

    /// The select list.
    pub(super) fn targets(
        &mut self,
        targets: impl Iterator<Item = &'a ResTarget>,
        items: &[Item<'a>],
        place: Place<'_, 'a>,
    ) -> Result<Output<'a>, Denial> {
        let (mut output, mut vague) = (Vec::new(), false);
        for target in targets {
            self.claim(target.name());
            if is_star(target.val()) {
                let (columns, more) = self.star(target.val(), items, place)?;
                output.extend(columns);
                vague |= more;
            } else {
                self.shown(target, place)?;
                output.push(match (target.name(), target.val()) {
                    (Some(name), _) => Derived::sure(Some(name)),
                    (None, node @ Node::ColumnRef(_)) => Derived::sure(name_of(node)),
                    (None, node) => Derived::guessed(name_of(node)),
                });
            }
            walk::width(output.len())?;
        }
        Ok((output, vague))
    }

    /// GROUP BY: a bare name is a column first, and an output's name if there is none.
    fn grouped(&mut self, node: Node<'a>, output: &Output<'a>, place: Place<'_, 'a>) -> Result<(), Denial> {
        let mut looks = output.0.len();
        let has_here = |name: &str| place.scope.is_some_and(|scope| scope.has_here(name, &mut looks));
        let is_here = bare_name(node).is_some_and(has_here);
        self.spend(looks)?;
        if let Some(name) = bare_name(node)
            && !is_here
            && self.is_output(name, output, place)?
        {
            return Ok(());
        }
        match node {
            Node::GroupingSet(set) => self
                .deeper(|walk| set.content().iter().try_for_each(|node| walk.grouped(node, output, place))),
            Node::NodeList(list) => list.iter().try_for_each(|node| self.grouped(node, output, place)),
            node => self.expression(node, place),
        }
    }

    /// ORDER BY and DISTINCT ON: a bare name is an output's first.
    fn ordered(&mut self, node: Node<'a>, output: &Output<'a>, place: Place<'_, 'a>) -> Result<(), Denial> {
        self.spend(output.0.len())?;
        if let Some(name) = bare_name(node)
            && self.is_output(name, output, place)?
        {
            return Ok(());
        }
        self.expression(node, place)
    }

    /// Whether this is an output's name. If that is not sure, what else it may mean must be allowed.
    fn is_output(
        &mut self,
        name: &'a str,
        output: &Output<'a>,
        place: Place<'_, 'a>,
    ) -> Result<bool, Denial> {
        let called = |column: &&Derived<'a>| column.name == Some(name);
        let Some(certainty) = output.0.iter().filter(called).map(|column| column.certainty).min() else {
            return Ok(false);
        };
        self.claim(Some(name));
        if certainty != Certainty::Sure
            && let Some(scope) = place.scope
        {
            self.known(scope, name)?;
        }
        Ok(true)
    }

    fn sorted(&mut self, sort: &'a SortBy, output: &Output<'a>, place: Place<'_, 'a>) -> Result<(), Denial> {
        if !sort.use_op().is_empty() {
            self.ground.operator(sort.use_op())?;
        }
        self.ordered(sort.node(), output, place)
    }

    /// FOR UPDATE and its kin: the tables that it locks need a privilege to change them.
    fn locked(&mut self, clause: &'a LockingClause, items: &[Item<'a>]) -> Result<(), Denial> {
        let mut names = Vec::new();
        for node in clause.locked_rels() {
            let Node::RangeVar(range) = node else { return Err(refuse("a lock of this kind")) };
            self.claim(range.relname());
            names.push(range.relname().unwrap_or_default());
        }
        self.spend(items.len().saturating_mul(1 + names.len()))?;
        let meant: Vec<&Item<'a>> = if names.is_empty() {
            items.iter().filter(|item| !item.join || item.named).collect()
        } else {
            items.iter().filter(|item| item.name.is_some_and(|name| names.contains(&name))).collect()
        };
        if meant.len() < names.len() {
            return Err(refuse("a lock on a table that is not in FROM"));
        }
        meant.into_iter().try_for_each(|item| lock(item, self.ground))
    }

    /// WITH: each query sees those before it, and with RECURSIVE itself.
    pub(super) fn with(
        &mut self,
        clause: Option<&'a WithClause>,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        let (Some(clause), Some(ctes)) = (clause, place.ctes) else { return Ok(()) };
        if clause.recursive {
            let pending =
                |cte: &'a CommonTableExpr| Cte { name: cte.ctename().unwrap_or_default(), columns: None };
            ctes.here.borrow_mut().extend(clause.ctes().iter().map(pending));
        }
        for cte in clause.ctes().iter() {
            self.claim(cte.ctename());
            self.claim_all(cte.aliascolnames());
            let output = self.common(cte, clause.recursive, place, ctes)?;
            self.define(cte, output, ctes)?;
        }
        Ok(())
    }

    fn common(
        &mut self,
        cte: &'a CommonTableExpr,
        recursive: bool,
        place: Place<'_, 'a>,
        ctes: &Ctes<'_, 'a>,
    ) -> Result<Output<'a>, Denial> {
        if let Node::SelectStmt(select) = cte.ctequery()
            && recursive
            && select.op == SetOperation::SETOP_UNION
            && let (Some(left), Some(right)) = (select.larg(), select.rarg())
        {
            let inner = Ctes::inside(Some(ctes));
            let place = Place { ctes: Some(&inner), ..place };
            self.with(select.with_clause(), place)?;
            let output = self.deeper(|walk| walk.select(left, place))?;
            // What SEARCH and CYCLE add is not there inside.
            self.keep(output.0.len())?;
            let inside = (renamed(output.0.clone(), cte.aliascolnames()), output.1);
            known(cte, inside, ctes);
            self.deeper(|walk| walk.select(right, place))?;
            self.tail(select, &output, place)?;
            return Ok(output);
        }
        self.query(cte.ctequery(), place)
    }

    /// Makes a common table expression known under its column names.
    fn define(
        &mut self,
        cte: &'a CommonTableExpr,
        output: Output<'a>,
        ctes: &Ctes<'_, 'a>,
    ) -> Result<(), Denial> {
        let (mut columns, vague) = (renamed(output.0, cte.aliascolnames()), output.1);
        // A star of a query further in leaves these out.
        let mut add = |name| columns.push(Derived::free(name, Certainty::Doubtful));
        if let Some(search) = cte.search_clause() {
            self.claim_all(search.search_col_list());
            self.claim(search.search_seq_column());
            add(search.search_seq_column());
        }
        if let Some(cycle) = cte.cycle_clause() {
            self.claim_all(cycle.cycle_col_list());
            self.claim(cycle.cycle_mark_column());
            self.claim(cycle.cycle_path_column());
            self.expression(cycle.cycle_mark_value(), Place::NOWHERE)?;
            self.expression(cycle.cycle_mark_default(), Place::NOWHERE)?;
            add(cycle.cycle_mark_column());
            add(cycle.cycle_path_column());
        }
        self.spend(ctes.len())?;
        known(cte, (columns, vague), ctes);
        Ok(())
    }
}

/// Enters a common table expression under its name.
fn known<'a>(cte: &'a CommonTableExpr, output: Output<'a>, ctes: &Ctes<'_, 'a>) {
    let name = cte.ctename().unwrap_or_default();
    let columns = Some((Rc::from(output.0), output.1));
    let mut here = ctes.here.borrow_mut();
    match here.iter_mut().find(|cte| cte.name == name) {
        Some(cte) => cte.columns = columns,
        None => here.push(Cte { name, columns }),
    }
}

/// The columns under the names of an alias list, as far as that goes. A list that is too long is an error, so what is
/// named is there; which column comes behind the last name is as certain as those before.
pub(super) fn renamed<'a>(mut columns: Vec<Derived<'a>>, names: &'a NodeList) -> Vec<Derived<'a>> {
    let doubtful = columns.iter().any(|column| column.certainty == Certainty::Doubtful);
    let last = names.len().min(columns.len());
    let (named, rest) = columns.split_at_mut(last);
    for (column, name) in named.iter_mut().zip(names.iter()) {
        *column = Derived { name: name.as_str(), certainty: Certainty::Sure, ..*column };
    }
    for column in rest.iter_mut().filter(|_| doubtful && last > 0) {
        column.certainty = Certainty::Doubtful;
    }
    columns
}

/// What a lock on an item needs.
fn lock(item: &Item<'_>, ground: &Ground) -> Result<(), Denial> {
    match &item.columns {
        Columns::Base(base, _) => match base.read {
            // What a view locks with the session's own rights would have to be granted as well.
            Read::Granted(limits)
                if limits.update.any() && !ground.catalog.has_invokers(base.relation.oid) =>
            {
                base.note(Privilege::Update, None);
                Ok(())
            }
            Read::Granted(_) | Read::Open(_) => Err(base.relation.deny()),
        },
        Columns::List(..) => Err(Denial::unclear(
            Reason::Statement,
            item.name.unwrap_or_default(),
            "a lock on a sub-select or a join cannot be judged; name the table with FOR UPDATE OF",
        )),
    }
}

/// Where the table's name stands, if the query is written as `TABLE name`: then its star stands nowhere.
fn named_by_table(select: &SelectStmt) -> Option<usize> {
    let Node::ColumnRef(star) = select.target_list().iter().next()?.val() else { return None };
    let Some(Node::RangeVar(range)) = select.from_clause().first() else { return None };
    (star.location < 0).then(|| usize::try_from(range.location).ok()).flatten()
}

/// A name that stands alone.
fn bare_name(node: Node<'_>) -> Option<&str> {
    let Node::ColumnRef(column) = node else { return None };
    let mut fields = column.fields().iter();
    match (fields.next(), fields.next()) {
        (Some(Node::String(name)), None) => name.sval(),
        _ => None,
    }
}

#[rustfmt::skip]
const NUMBERED: [&str; 64] = [
    "column1", "column2", "column3", "column4", "column5", "column6", "column7", "column8", "column9", "column10", "column11",
    "column12", "column13", "column14", "column15", "column16", "column17", "column18", "column19", "column20", "column21",
    "column22", "column23", "column24", "column25", "column26", "column27", "column28", "column29", "column30", "column31",
    "column32", "column33", "column34", "column35", "column36", "column37", "column38", "column39", "column40", "column41",
    "column42", "column43", "column44", "column45", "column46", "column47", "column48", "column49", "column50", "column51",
    "column52", "column53", "column54", "column55", "column56", "column57", "column58", "column59", "column60", "column61",
    "column62", "column63", "column64",
];
