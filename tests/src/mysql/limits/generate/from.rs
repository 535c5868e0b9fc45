//! `FROM`: tables, queries, joins of them.

use std::mem;

use super::Writer;
use crate::limits::generate::{
    schema::Kind,
    scope::{Field, Item, Level},
};

impl Writer {
    /// A list of things, and what a query over them can see.
    pub(super) fn from(&mut self, taken: &[String]) -> (String, Level) {
        let mut level = Level::default();
        let mut parts = Vec::new();
        for _ in 0..self.dice.pick(&[1, 1, 1, 1, 1, 2]) {
            let names = names(taken, &level);
            let (text, more) =
                if self.dice.one_in(3) { self.join(&names, &level) } else { self.single(&names, &level) };
            level.take(more);
            parts.push(text);
        }
        (parts.join(", "), level)
    }

    /// One thing. `beside` is what a `LATERAL` may look at.
    fn single(&mut self, taken: &[String], beside: &Level) -> (String, Level) {
        let (text, item) = match self.dice.below(14) {
            0 | 1 if self.room > 0 => self.derived(taken, None),
            2 if self.room > 0 && !self.maria => self.derived(taken, Some(beside)),
            3 => self.values(taken),
            4 => self.json(taken),
            5..=8 if !self.shelf.is_empty() => self.shelved(taken),
            _ => self.stored(taken),
        };
        (text, Level { items: vec![item], merged: Vec::new() })
    }

    /// A query in parentheses. What is around it is in sight for `LATERAL` alone.
    fn derived(&mut self, taken: &[String], beside: Option<&Level>) -> (String, Item) {
        self.room -= 1;
        let ((query, fields), lateral) = if let Some(level) = beside {
            self.levels.push(level.clone());
            let query = self.select(None);
            self.levels.pop();
            (query, "lateral ")
        } else {
            let levels = if self.slips() { Vec::new() } else { mem::take(&mut self.levels) };
            let query = self.select(None);
            self.levels = levels;
            (query, "")
        };
        let name = self.alias(taken);
        let mut item = Item { name, schema: None, fields, whole: true };
        let text = format!("{lateral}({query}) as \"{}\"", item.name);
        if self.dice.one_in(6) && !self.maria && !query.contains('*') {
            let list = self.renamed(&mut item);
            return (format!("{text}{list}"), item);
        }
        (text, item)
    }

    fn values(&mut self, taken: &[String]) -> (String, Item) {
        let name = self.alias(taken);
        let (number, text) = (self.alias(&[]), "v".to_owned());
        let rows =
            format!("(select 1 as \"{number}\", 'SKU-1' as \"v\" union all select 2, 'x') as \"{name}\"");
        let field = |name, kind| Field { name, kind, granted: true };
        let fields = vec![field(number, Kind::Int), field(text, Kind::Text)];
        (rows, Item { name, schema: None, fields, whole: true })
    }

    /// What `JSON_TABLE` makes of a constant.
    fn json(&mut self, taken: &[String]) -> (String, Item) {
        let (name, column) = (self.alias(taken), self.alias(&[]));
        let text = format!(
            "json_table('[{{\"a\": 1}}, {{\"a\": 2}}]', '$[*]' columns (\"{column}\" int path '$.a')) as \"{name}\""
        );
        let fields = vec![Field { name: column, kind: Kind::Int, granted: true }];
        (text, Item { name, schema: None, fields, whole: true })
    }

    fn shelved(&mut self, taken: &[String]) -> (String, Item) {
        let wanted = self.dice.below(self.shelf.len());
        // A later one of the same name hides it.
        let name = self.shelf[wanted].item.name.clone();
        let Some(found) = self.shelf.iter_mut().rev().find(|shelved| shelved.item.name == name) else {
            return self.stored(taken);
        };
        found.read = true;
        let item = found.item.clone();
        if !taken.contains(&name) && self.dice.one_in(2) {
            return (format!("\"{name}\""), item);
        }
        let alias = self.alias(taken);
        (format!("\"{name}\" as \"{alias}\""), Item { name: alias, ..item })
    }

    fn stored(&mut self, taken: &[String]) -> (String, Item) {
        let table = self.table();
        let hidden = self.shelf.iter().any(|shelved| shelved.item.name == table.name);
        let qualified = table.schema != "shop" || hidden || self.dice.one_in(3);
        let mut text = format!("\"{}\"", table.name);
        if qualified {
            text = format!("\"{}\".{text}", table.schema);
        }
        let mut item = Item::of(table);
        if taken.contains(&item.name) || self.dice.one_in(2) {
            item.name = self.alias(taken);
            item.schema = None;
            text = format!("{text} {}\"{}\"", self.dice.pick(&["as ", "as ", ""]), item.name);
        }
        if !table.name.starts_with("v_") && self.dice.one_in(20) {
            text += self.dice.pick(&[" force index (primary)", " use index ()", " ignore index (primary)"]);
        }
        (text, item)
    }

    /// Other names for all columns.
    fn renamed(&mut self, item: &mut Item) -> String {
        let mut names: Vec<String> = Vec::new();
        for field in &mut item.fields {
            let name = self.alias(&names);
            field.name.clone_from(&name);
            names.push(name);
        }
        format!("(\"{}\")", names.join("\", \""))
    }

    fn join(&mut self, taken: &[String], beside: &Level) -> (String, Level) {
        let (mut text, mut level) = self.single(taken, beside);
        for _ in 0..self.dice.pick(&[1, 1, 1, 2]) {
            let (right, more) = self.single(&names(taken, &level), &Level::default());
            let kind = self.dice.pick(&["join", "inner join", "left join", "right outer join"]);
            let slips = self.slips();
            let item = more.items[0].clone();
            text = match self.dice.below(8) {
                0 => format!("{text} cross join {right}"),
                1 => format!("{text} straight_join {right}"),
                2 if level.natural(&item, slips) => {
                    format!("{text} natural {} {right}", kind.trim_start_matches("inner "))
                }
                3 | 4 => match self.using(&mut level, &item, slips) {
                    Some(name) => format!("{text} {kind} {right} using (\"{name}\")"),
                    None => format!("{text} cross join {right}"),
                },
                _ => format!("{text} {kind} {right} on {}", self.on(&level, &more)),
            };
            level.take(more);
        }
        match self.dice.below(20) {
            0 | 1 => (format!("({text})"), level),
            _ => (text, level),
        }
    }

    fn on(&mut self, left: &Level, right: &Level) -> String {
        let mut both = left.clone();
        both.take(right.clone());
        self.levels.push(both);
        let condition = self.expression(Kind::Bool, 2);
        self.levels.pop();
        condition
    }

    fn using(&mut self, left: &mut Level, item: &Item, slips: bool) -> Option<String> {
        let fields = left.shared(item, slips);
        if fields.is_empty() {
            return None;
        }
        let field = self.dice.pick(&fields);
        left.merge(item, field.clone());
        Some(field.name)
    }
}

fn names(taken: &[String], level: &Level) -> Vec<String> {
    [taken.to_vec(), level.names().map(str::to_owned).collect()].concat()
}
