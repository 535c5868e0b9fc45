//! `SELECT` and everything around it.

use std::mem;

use super::Writer;
use crate::limits::generate::{
    schema::Kind,
    scope::{Field, Item, Level, Shelved, unique},
};

/// What a query gives.
struct Core {
    text: String,
    fields: Vec<Field>,
    /// Whether rows of granted tables alone are read, which may be locked.
    lockable: bool,
}

impl Writer {
    /// A query on its own.
    pub(super) fn query(&mut self) -> String {
        match self.dice.below(40) {
            0 if !self.maria => {
                self.dice.pick(&["table \"orders\"", "table \"shop\".\"orders\" limit 2"]).to_owned()
            }
            1 if !self.maria => {
                format!("values row({}, {})", self.expression(Kind::Int, 1), self.sub_select(Kind::Text))
            }
            _ => self.select(None).0,
        }
    }

    /// One value from a query, in parentheses.
    pub(super) fn sub_select(&mut self, kind: Kind) -> String {
        if self.room == 0 {
            return self.expression(kind, 0);
        }
        self.room -= 1;
        format!("({} order by 1 limit 1)", self.core(Some(&[kind])).text)
    }

    /// Several values from a query, in parentheses.
    pub(super) fn rows_of(&mut self, kind: Kind) -> String {
        if self.room == 0 {
            return format!("(select {})", self.expression(kind, 0));
        }
        self.room -= 1;
        format!("({})", self.core(Some(&[kind])).text)
    }

    /// A query that gives these kinds, or whatever it likes.
    pub(super) fn select(&mut self, wanted: Option<&[Kind]>) -> (String, Vec<Field>) {
        let shelf = self.shelf.len();
        if self.room > 0 && self.dice.one_in(6) {
            self.with();
        }
        let core = self.core(wanted);
        let kinds: Vec<Kind> = core.fields.iter().map(|field| field.kind).collect();
        let mut text = core.text;
        if self.dice.one_in(8) && !kinds.contains(&Kind::Other) && !kinds.is_empty() {
            let other = self.core(Some(&kinds)).text;
            let how = self.dice.pick(&["union", "union all", "union distinct", "intersect", "except"]);
            text = if self.dice.one_in(3) {
                format!("({text}) {how} ({other})")
            } else {
                format!("{text} {how} {other}")
            };
            text += &self.ordered(&core.fields, true);
        } else {
            text += &self.ordered(&core.fields, false);
            if core.lockable && self.levels.is_empty() && self.depth == 0 && self.dice.one_in(3) {
                text += self.dice.pick(&[" for update", " lock in share mode", " for update"]);
            }
        }
        (format!("{}{text}", self.unshelved(shelf)), core.fields)
    }

    fn ordered(&mut self, fields: &[Field], merged: bool) -> String {
        if fields.is_empty() || self.dice.one_in(2) {
            return String::new();
        }
        let all: Vec<String> = (1..=fields.len()).map(|at| at.to_string()).collect();
        let mut text = format!(" order by {}", all.join(", "));
        // By a label, which an unlabelled item of the outermost query has not got.
        if self.depth > 0 && !merged && self.dice.one_in(2) {
            text = format!(" order by \"{}\", {}", self.dice.pick(fields).name, all.join(" desc, "));
        }
        if self.dice.one_in(4) {
            text += self.dice.pick(&[" limit 5", " limit 1, 2", " limit 3 offset 1"]);
        }
        text
    }

    /// Puts common table expressions on the shelf.
    pub(super) fn with(&mut self) {
        self.depth += 1;
        let recursive = self.dice.one_in(5);
        let mut names = Vec::new();
        for _ in 0..self.dice.pick(&[1, 1, 2]) {
            self.room = self.room.saturating_sub(1);
            let name = self.alias(&names);
            names.push(name.clone());
            let (text, fields) = if recursive { counting(&name) } else { self.named_query(&name) };
            let item = Item { name, schema: None, fields, whole: true };
            self.shelf.push(Shelved { item, text, read: false });
        }
        self.depth -= 1;
    }

    fn named_query(&mut self, name: &str) -> (String, Vec<Field>) {
        let levels = mem::take(&mut self.levels);
        let (query, fields) = self.select(None);
        self.levels = levels;
        (format!("\"{name}\" as ({query})"), fields)
    }

    /// Takes everything from the shelf but so many, as `WITH …`. What a foul statement does not read is left out.
    pub(super) fn unshelved(&mut self, keep: usize) -> String {
        let taken = self.shelf.split_off(keep);
        let foul = self.foul;
        let read = taken.into_iter().filter(|shelved| shelved.read || !foul);
        let texts: Vec<String> = read.map(|shelved| shelved.text).collect();
        match texts.first() {
            None => String::new(),
            Some(first) if first.contains("(\"i\") as (select 1") => {
                format!("with recursive {} ", texts.join(", "))
            }
            Some(_) => format!("with {} ", texts.join(", ")),
        }
    }

    fn core(&mut self, wanted: Option<&[Kind]>) -> Core {
        self.depth += 1;
        let (from, level) = if self.dice.one_in(20) {
            (String::new(), Level::default())
        } else {
            let (text, level) = self.from(&[]);
            (format!(" from {text}"), level)
        };
        let own = |item: &Item| item.whole && item.schema.is_some();
        let lockable = !level.items.is_empty() && level.items.iter().all(own);
        self.levels.push(level);
        let core = if self.dice.one_in(6) {
            self.grouped(&from, wanted)
        } else {
            self.plain(&from, wanted, lockable)
        };
        self.levels.pop();
        self.depth -= 1;
        core
    }

    pub(super) fn condition_if_any(&mut self) -> String {
        if self.dice.one_in(2) { format!(" where {}", self.expression(Kind::Bool, 3)) } else { String::new() }
    }

    fn plain(&mut self, from: &str, wanted: Option<&[Kind]>, lockable: bool) -> Core {
        let (list, fields) = match wanted {
            None if self.dice.one_in(5) => self.star().unwrap_or_else(|| self.list(&[Kind::Int])),
            None => {
                let kinds: Vec<Kind> =
                    (0..self.dice.between(1, 4)).map(|_| self.dice.pick(&[Kind::Int, Kind::Text])).collect();
                self.list(&kinds)
            }
            Some(kinds) => self.list(kinds),
        };
        let condition = if from.is_empty() { String::new() } else { self.condition_if_any() };
        let options = ["", "", "", "", "", "distinct ", "all ", "sql_no_cache ", "straight_join "];
        let option = self.dice.pick(&options);
        Core { text: format!("select {option}{list}{from}{condition}"), fields, lockable }
    }

    fn star(&mut self) -> Option<(String, Vec<Field>)> {
        let slips = self.slips();
        let level = self.levels.last()?.clone();
        if level.items.is_empty() {
            return None;
        }
        let all = level.items.iter().all(|item| item.whole);
        let fields: Vec<Field> = level.items.iter().flat_map(|item| item.fields.clone()).collect();
        // Columns of one name may stand side by side in the outermost query alone.
        let clear = self.depth == 1 || unique(fields.iter().cloned()).len() == fields.len();
        if (all || slips) && clear && level.merged.is_empty() && self.dice.one_in(2) {
            return Some(("*".to_owned(), unique(fields.into_iter())));
        }
        let items: Vec<&Item> = level.items.iter().filter(|item| item.whole || slips).collect();
        if items.is_empty() {
            return None;
        }
        let item = self.dice.pick(&items);
        Some((format!("\"{}\".*", item.name), unique(item.fields.iter().cloned())))
    }

    fn list(&mut self, kinds: &[Kind]) -> (String, Vec<Field>) {
        let mut fields: Vec<Field> = Vec::new();
        let mut parts = Vec::new();
        for kind in kinds {
            let value = if self.dice.one_in(9) { self.window(*kind) } else { self.expression(*kind, 3) };
            parts.push(self.labelled(value, *kind, &mut fields));
        }
        (parts.join(", "), fields)
    }

    fn labelled(&mut self, value: String, kind: Kind, fields: &mut Vec<Field>) -> String {
        let taken: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        let name = self.alias(&taken);
        let text =
            if self.depth == 1 && self.dice.one_in(3) { value } else { format!("{value} as \"{name}\"") };
        fields.push(Field { name, kind, granted: true });
        text
    }

    fn window(&mut self, kind: Kind) -> String {
        let (part, order) = (self.expression(Kind::Text, 1), self.expression(Kind::Int, 1));
        let value = self.expression(kind, 1);
        let over = self.dice.pick(&[
            format!("(partition by {part} order by {order}, {part})"),
            format!("(order by {order} desc, {part})"),
            format!("(order by {order}, {part} rows between 1 preceding and current row)"),
        ]);
        match kind {
            Kind::Int => {
                format!("{} over {over}", self.dice.pick(&["count(*)", "rank()", "dense_rank()", "sum(1)"]))
            }
            Kind::Text | Kind::Bool | Kind::Other => format!("max({value}) over {over}"),
        }
    }

    fn grouped(&mut self, from: &str, wanted: Option<&[Kind]>) -> Core {
        let kinds = wanted.map_or_else(|| vec![Kind::Int, Kind::Text], <[Kind]>::to_vec);
        let mut groups = Vec::new();
        for kind in [Kind::Int, Kind::Text] {
            let columns = self.columns(kind);
            if !columns.is_empty() && self.dice.one_in(2) {
                groups.push((kind, self.dice.pick(&columns)));
            }
        }
        let (mut fields, mut parts) = (Vec::new(), Vec::new());
        for kind in kinds {
            let group = groups.iter().find(|(of, _)| *of == kind).map(|(_, column)| column.clone());
            let value = match group.filter(|_| self.dice.one_in(2)) {
                Some(column) => column,
                None => self.aggregate(kind),
            };
            parts.push(self.labelled(value, kind, &mut fields));
        }
        let condition = if from.is_empty() { String::new() } else { self.condition_if_any() };
        let by: Vec<String> = groups.into_iter().map(|(_, column)| column).collect();
        let by = match self.dice.below(3) {
            _ if by.is_empty() => String::new(),
            0 => format!(" group by {} with rollup", by.join(", ")),
            _ => format!(" group by {}", by.join(", ")),
        };
        let having = match self.dice.below(6) {
            0 => format!(" having {} <> 3", self.aggregate(Kind::Int)),
            1 if parts[0].ends_with('"') && !by.contains("rollup") && parts[0].contains(" as ") => {
                format!(" having \"{}\" <> 3", fields[0].name)
            }
            _ => String::new(),
        };
        let text = format!("select {}{from}{condition}{by}{having}", parts.join(", "));
        Core { text, fields, lockable: false }
    }

    fn aggregate(&mut self, kind: Kind) -> String {
        let (number, text) = (self.expression(Kind::Int, 1), self.expression(Kind::Text, 1));
        let condition = self.expression(Kind::Bool, 1);
        match (kind, self.dice.below(6)) {
            (Kind::Int, 0) => "count(*)".to_owned(),
            (Kind::Int, 1) => format!("count(distinct {number}, {text})"),
            (Kind::Int, 2) => format!("sum({number})"),
            (Kind::Int, 3) => format!("bit_or(if({condition}, 1, 2))"),
            (Kind::Int, _) => format!("max({number})"),
            (_, 0) => format!("group_concat({text} order by {text} separator '|')"),
            (_, 1) => format!("group_concat(distinct {number} order by 1)"),
            (_, _) => format!("min({text})"),
        }
    }
}

/// A query that reads itself.
fn counting(name: &str) -> (String, Vec<Field>) {
    let text =
        format!("\"{name}\"(\"i\") as (select 1 union all select \"i\" + 1 from \"{name}\" where \"i\" < 4)");
    (text, vec![Field { name: "i".to_owned(), kind: Kind::Int, granted: true }])
}
