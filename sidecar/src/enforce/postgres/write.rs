//! INSERT, UPDATE, DELETE, MERGE and COPY: what is written, and what is read on the way.

use pg_raw_parse::{
    Node,
    list::NodeList,
    nodes::{
        CopyStmt, DeleteStmt, InferClause, InsertStmt, MergeStmt, MergeWhenClause, OnConflictClause,
        RangeVar, ResTarget, ReturningClause, SelectStmt, UpdateStmt,
    },
    raw::{CmdType, MergeMatchKind, OnConflictAction, ReturningOptionKind, SetOperation},
};
use postern_protocol::gate::Privilege;

use super::{
    catalog::Relation,
    expr::Place,
    names::is_system,
    outputs::is_star,
    query::Output,
    scope::{Base, Item, Read, Scope},
    walk::{self, Ctes, Walk, refuse},
};
use crate::enforce::{Denial, Notes, TableLimits};

/// A table that is written to.
#[derive(Clone, Copy)]
struct Target<'a> {
    relation: &'a Relation,
    limits: &'a TableLimits,
    notes: &'a Notes,
}

impl<'a> Target<'a> {
    fn base(self) -> Base<'a> {
        Base { relation: self.relation, read: Read::Granted(self.limits), notes: self.notes }
    }

    /// Leave to do this to any part of the table.
    fn any(self, privilege: Privilege) -> Result<(), Denial> {
        if !self.limits.of(privilege).any() {
            return Err(self.relation.deny());
        }
        self.base().note(privilege, None);
        Ok(())
    }

    /// Leave to do this to one column.
    fn column(self, privilege: Privilege, name: &str) -> Result<(), Denial> {
        exists(self.relation, name)?;
        if !self.limits.of(privilege).covers(name) {
            return Err(self.relation.deny_column(name));
        }
        self.base().note(privilege, Some(name));
        Ok(())
    }
}

impl<'a> Walk<'a> {
    fn target(&mut self, range: Option<&'a RangeVar>) -> Result<Target<'a>, Denial> {
        let range = range.ok_or_else(|| refuse("a statement without a table"))?;
        self.claim_range(range);
        let relation = self.ground.relation(range)?;
        let deny = || relation.deny();
        // What a view writes with the session's own rights would have to be granted as well.
        let invoker = self.ground.catalog.has_invokers(relation.oid);
        if is_system(relation) || invoker || !matches!(relation.kind, b'r' | b'p' | b'v' | b'f') {
            return Err(deny());
        }
        let limits = self.ground.limits.table(&relation.schema, &relation.name).ok_or_else(deny)?;
        Ok(Target { relation, limits, notes: self.notes })
    }

    pub(super) fn insert(
        &mut self,
        insert: &'a InsertStmt,
        place: Place<'_, 'a>,
    ) -> Result<Output<'a>, Denial> {
        let ctes = Ctes::inside(place.ctes);
        let place = Place { ctes: Some(&ctes), ..place };
        self.with(insert.with_clause(), place)?;
        let target = self.target(insert.relation())?;
        target.any(Privilege::Insert)?;
        let width = self.source(insert.select_stmt(), place)?;
        if insert.cols().is_empty() {
            let columns = target.relation.columns.iter();
            columns.take(width).try_for_each(|column| target.column(Privilege::Insert, &column.name))?;
        }
        self.assigned(insert.cols(), target, Privilege::Insert, place)?;
        let item = self.based(target.base(), insert.relation().and_then(RangeVar::alias));
        if let Some(conflict) = insert.on_conflict_clause() {
            self.conflict(conflict, target, &item, place)?;
        }
        self.returning(insert.returning_clause(), target, vec![item], place)
    }

    /// What is inserted, and how many columns of it there may be.
    fn source(&mut self, node: Node<'a>, place: Place<'_, 'a>) -> Result<usize, Denial> {
        match node {
            Node::None => Ok(0),
            Node::SelectStmt(select) => {
                let (columns, vague) = self.deeper(|walk| walk.select(select, place))?;
                Ok(if vague { usize::MAX } else { widest(select).unwrap_or(columns.len()) })
            }
            _ => Err(refuse("an INSERT of this kind")),
        }
    }

    /// The columns that are set, by name; what stands in brackets behind one is read.
    fn assigned(
        &mut self,
        columns: &'a NodeList,
        target: Target<'a>,
        privilege: Privilege,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        walk::width(columns.len())?;
        for node in columns {
            let Node::ResTarget(column) = node else { return Err(refuse("a column of this kind")) };
            self.assign(column, target, privilege, place)?;
        }
        Ok(())
    }

    fn assign(
        &mut self,
        column: &'a ResTarget,
        target: Target<'a>,
        privilege: Privilege,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        let name = column.name().unwrap_or_default();
        self.claim(column.name());
        self.spend(target.relation.columns.len())?;
        target.column(privilege, name)?;
        if !column.indirection().is_empty() {
            target.base().column(name)?;
        }
        for step in column.indirection() {
            match step {
                Node::String(field) => self.claim(field.sval()),
                Node::A_Indices(_) => self.expression(step, place)?,
                _ => return Err(refuse("an assignment of this kind")),
            }
        }
        self.expression(column.val(), place)
    }

    fn conflict(
        &mut self,
        conflict: &'a OnConflictClause,
        target: Target<'a>,
        item: &Item<'a>,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        if let Some(infer) = conflict.infer() {
            self.arbiter(infer, target, item, place)?;
        }
        if conflict.action != OnConflictAction::ONCONFLICT_UPDATE {
            return Ok(());
        }
        target.any(Privilege::Update)?;
        let excluded = Item { name: Some("excluded"), by_schema: false, open: false, ..item.clone() };
        let items = [item.clone(), excluded];
        let scope = Scope { outer: place.scope, items: &items };
        let here = Place { scope: Some(&scope), ..place };
        for column in conflict.target_list().iter() {
            self.assign(column, target, Privilege::Update, here)?;
        }
        self.expression(conflict.where_clause(), here)
    }

    /// The index that a conflict is about: its columns are read.
    fn arbiter(
        &mut self,
        infer: &'a InferClause,
        target: Target<'a>,
        item: &Item<'a>,
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        self.claim(infer.conname());
        if infer.conname().is_some() {
            target.base().row()?;
        }
        let items = [item.clone()];
        let scope = Scope { outer: place.scope, items: &items };
        let here = Place { scope: Some(&scope), ..place };
        for node in infer.index_elems() {
            let Node::IndexElem(element) = node else { return Err(refuse("a conflict of this kind")) };
            self.claim(element.name());
            self.claim_all(element.collation());
            self.claim_all(element.opclass());
            if let Some(name) = element.name() {
                self.spend(target.relation.columns.len())?;
                target.column(Privilege::Select, name)?;
            }
            self.expression(element.expr(), here)?;
        }
        self.expression(infer.where_clause(), here)
    }

    pub(super) fn update(
        &mut self,
        update: &'a UpdateStmt,
        place: Place<'_, 'a>,
    ) -> Result<Output<'a>, Denial> {
        let ctes = Ctes::inside(place.ctes);
        let place = Place { ctes: Some(&ctes), ..place };
        self.with(update.with_clause(), place)?;
        let target = self.target(update.relation())?;
        target.any(Privilege::Update)?;
        let mut items = vec![self.based(target.base(), update.relation().and_then(RangeVar::alias))];
        items.extend(self.from(update.from_clause(), place)?);
        let scope = Scope { outer: place.scope, items: &items };
        let here = Place { scope: Some(&scope), ..place };
        for column in update.target_list().iter() {
            self.assign(column, target, Privilege::Update, here)?;
        }
        self.expression(update.where_clause(), here)?;
        self.returning(update.returning_clause(), target, items, place)
    }

    pub(super) fn delete(
        &mut self,
        delete: &'a DeleteStmt,
        place: Place<'_, 'a>,
    ) -> Result<Output<'a>, Denial> {
        let ctes = Ctes::inside(place.ctes);
        let place = Place { ctes: Some(&ctes), ..place };
        self.with(delete.with_clause(), place)?;
        let target = self.target(delete.relation())?;
        target.any(Privilege::Delete)?;
        let mut items = vec![self.based(target.base(), delete.relation().and_then(RangeVar::alias))];
        items.extend(self.from(delete.using_clause(), place)?);
        let scope = Scope { outer: place.scope, items: &items };
        self.expression(delete.where_clause(), Place { scope: Some(&scope), ..place })?;
        self.returning(delete.returning_clause(), target, items, place)
    }

    pub(super) fn merge(&mut self, merge: &'a MergeStmt, place: Place<'_, 'a>) -> Result<Output<'a>, Denial> {
        let ctes = Ctes::inside(place.ctes);
        let place = Place { ctes: Some(&ctes), ..place };
        self.with(merge.with_clause(), place)?;
        let target = self.target(merge.relation())?;
        let mut items = vec![self.based(target.base(), merge.relation().and_then(RangeVar::alias))];
        items.extend(self.item_of(merge.source_relation(), &[], place)?);
        let scope = Scope { outer: place.scope, items: &items };
        self.expression(merge.join_condition(), Place { scope: Some(&scope), ..place })?;
        for when in merge.merge_when_clauses().iter() {
            self.merge_action(when, target, &items, place)?;
        }
        if merge.returning_clause().is_some() && self.ground.catalog.major() < 17 {
            return Err(refuse("MERGE with RETURNING on this server"));
        }
        // RETURNING names the source's columns first and the target's behind them.
        items.rotate_left(1);
        self.returning(merge.returning_clause(), target, items, place)
    }

    fn merge_action(
        &mut self,
        when: &'a MergeWhenClause,
        target: Target<'a>,
        items: &[Item<'a>],
        place: Place<'_, 'a>,
    ) -> Result<(), Denial> {
        let (first, rest) = items.split_at(items.len().min(1));
        let seen = match when.match_kind {
            MergeMatchKind::MERGE_WHEN_MATCHED => items,
            MergeMatchKind::MERGE_WHEN_NOT_MATCHED_BY_SOURCE => first,
            MergeMatchKind::MERGE_WHEN_NOT_MATCHED_BY_TARGET => rest,
            _ => return Err(refuse("a MERGE of this kind")),
        };
        let scope = Scope { outer: place.scope, items: seen };
        let here = Place { scope: Some(&scope), ..place };
        self.expression(when.condition(), here)?;
        match when.command_type {
            CmdType::CMD_NOTHING => Ok(()),
            CmdType::CMD_DELETE => target.any(Privilege::Delete),
            CmdType::CMD_UPDATE => {
                target.any(Privilege::Update)?;
                self.assigned(when.target_list(), target, Privilege::Update, here)
            }
            CmdType::CMD_INSERT => {
                target.any(Privilege::Insert)?;
                if when.target_list().is_empty() {
                    let width = width_of(when.values());
                    let columns = target.relation.columns.iter().take(width);
                    columns
                        .into_iter()
                        .try_for_each(|column| target.column(Privilege::Insert, &column.name))?;
                }
                self.assigned(when.target_list(), target, Privilege::Insert, here)?;
                self.expressions(when.values(), here)
            }
            _ => Err(refuse("a MERGE of this kind")),
        }
    }

    /// RETURNING: a select list over what was written, `old` and `new` included where the server knows them.
    fn returning(
        &mut self,
        clause: Option<&'a ReturningClause>,
        target: Target<'a>,
        mut items: Vec<Item<'a>>,
        place: Place<'_, 'a>,
    ) -> Result<Output<'a>, Denial> {
        let Some(clause) = clause else { return Ok((Vec::new(), false)) };
        let mut states = [("old", false), ("new", false)];
        let mut names: Vec<&'a str> = Vec::new();
        for option in clause.options().iter() {
            self.claim(option.value());
            let at = usize::from(option.option == ReturningOptionKind::RETURNING_OPTION_NEW);
            if let Some(state) = states.get_mut(at) {
                state.1 = true;
            }
            names.extend(option.value());
        }
        if self.ground.catalog.major() >= 18 {
            let taken = |name: &str| items.iter().any(|item| item.name == Some(name));
            let plain: Vec<&'static str> =
                states.iter().filter(|(name, given)| !given && !taken(name)).map(|(name, _)| *name).collect();
            for name in plain.into_iter().chain(names) {
                let item = Item::base(target.base(), Some(name), [].into());
                items.push(Item { open: false, ..item });
            }
        } else if !clause.options().is_empty() {
            return Err(refuse("RETURNING WITH on this server"));
        }
        let scope = Scope { outer: place.scope, items: &items };
        let mut targets = Vec::new();
        for node in clause.exprs() {
            let Node::ResTarget(target) = node else { return Err(refuse("RETURNING of this kind")) };
            targets.push(target);
        }
        self.targets(targets.into_iter(), &items, Place { scope: Some(&scope), ..place })
    }

    pub(super) fn copy(&mut self, copy: &'a CopyStmt) -> Result<(), Denial> {
        if copy.is_program || copy.filename().is_some() {
            return Err(refuse("COPY with a file or a program of the server"));
        }
        for option in copy.options().iter() {
            self.copy_option(option)?;
        }
        let Some(range) = copy.relation() else {
            return self.query(copy.query(), Place::NOWHERE).map(drop);
        };
        if copy.is_from {
            let target = self.target(Some(range))?;
            target.any(Privilege::Insert)?;
            let item = self.based(target.base(), None);
            let scope_items = [item];
            let scope = Scope { outer: None, items: &scope_items };
            self.copied(copy.attlist(), target.relation, |name| target.column(Privilege::Insert, name))?;
            return self.expression(copy.where_clause(), Place { scope: Some(&scope), ctes: None });
        }
        self.claim_range(range);
        let base = self.reading(self.ground.relation(range)?)?;
        if copy.attlist().is_empty() {
            return base.whole();
        }
        self.copied(copy.attlist(), base.relation, |name| base.column(name))
    }

    /// The columns of a COPY: those that are listed, or all.
    fn copied(
        &mut self,
        list: &'a NodeList,
        relation: &'a Relation,
        allowed: impl Fn(&str) -> Result<(), Denial>,
    ) -> Result<(), Denial> {
        self.claim_all(list);
        if list.is_empty() {
            return relation.columns.iter().try_for_each(|column| allowed(&column.name));
        }
        self.spend(list.len().saturating_mul(relation.columns.len()))?;
        list.iter().filter_map(Node::as_str).try_for_each(|name| {
            exists(relation, name)?;
            allowed(name)
        })
    }

    fn copy_option(&mut self, option: &'a pg_raw_parse::nodes::DefElem) -> Result<(), Denial> {
        self.claim(option.defname());
        let words: Vec<&'a str> = match option.arg() {
            Node::String(word) => word.sval().into_iter().collect(),
            Node::NodeList(list) => list.iter().filter_map(Node::as_str).collect(),
            _ => Vec::new(),
        };
        self.claims.extend(&words);
        let utf8 = || {
            words.iter().all(|word| word.eq_ignore_ascii_case("utf8") || word.eq_ignore_ascii_case("utf-8"))
        };
        match option.defname().unwrap_or_default() {
            "format" | "delimiter" | "null" | "default" | "header" | "quote" | "escape" | "force_quote"
            | "force_not_null" | "force_null" | "on_error" | "reject_limit" | "log_verbosity" => Ok(()),
            "encoding" if utf8() => Ok(()),
            _ => Err(refuse("COPY with this option")),
        }
    }
}

/// Fails, as the database would, where the relation has no such column.
fn exists(relation: &Relation, name: &str) -> Result<(), Denial> {
    if relation.column(name).is_some() {
        return Ok(());
    }
    let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name);
    Err(Denial::missing("42703", message, name))
}

/// How many columns the rows of a VALUES list have.
fn widest(select: &SelectStmt) -> Option<usize> {
    if select.op != SetOperation::SETOP_NONE {
        return None;
    }
    let rows = select.values_lists().iter().filter_map(|row| row.as_node_list());
    rows.map(width_of).max()
}

/// How many columns a row has; as many as there can be where a star may stand for several.
fn width_of(row: &NodeList) -> usize {
    if row.iter().any(is_star) { usize::MAX } else { row.len() }
}
