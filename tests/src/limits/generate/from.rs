//! `FROM`: tables, queries, joins of them.

use super::{
    Writer,
    schema::Kind,
    scope::{Field, Item, Level},
};

impl Writer {
    /// A list of things, and what a query over them can see.
    pub(crate) fn from(&mut self, taken: &[String]) -> (String, Level) {
        let mut level = Level::default();
        let mut parts = Vec::new();
        for _ in 0..self.dice.pick(&[1, 1, 1, 1, 1, 2]) {
            let names = [taken.to_vec(), level.names().map(str::to_owned).collect()].concat();
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
            2 if self.room > 0 => self.derived(taken, Some(beside)),
            3 => self.values(taken),
            4 => self.function(taken),
            5..=8 if !self.shelf.is_empty() => self.shelved(taken),
            _ => self.stored(taken),
        };
        (text, Level { items: vec![item], merged: Vec::new() })
    }

    fn derived(&mut self, taken: &[String], beside: Option<&Level>) -> (String, Item) {
        self.room -= 1;
        if let Some(level) = beside {
            self.levels.push(level.clone());
        }
        let (query, fields) = self.select(None);
        if beside.is_some() {
            self.levels.pop();
        }
        let name = self.alias(taken);
        let lateral = if beside.is_some() { "lateral " } else { "" };
        (format!("{lateral}({query}) as \"{name}\""), Item { name, schema: None, fields, whole: true })
    }

    fn values(&mut self, taken: &[String]) -> (String, Item) {
        let name = self.alias(taken);
        let (number, text) = (self.alias(&[]), "v".to_owned());
        let rows = format!("(values (1, 'SKU-1'), (2, 'x')) as \"{name}\"(\"{number}\", \"{text}\")");
        let field = |name, kind| Field { name, kind, granted: true };
        let fields = vec![field(number, Kind::Int), field(text, Kind::Text)];
        (rows, Item { name, schema: None, fields, whole: true })
    }

    fn function(&mut self, taken: &[String]) -> (String, Item) {
        let (name, column) = (self.alias(taken), self.alias(&[]));
        let (call, kind) = self.dice.pick(&[
            ("generate_series(1, 3)", Kind::Int),
            ("unnest(array['SKU-1', 'SKU-2'])", Kind::Text),
            ("rows from (generate_series(1, 2))", Kind::Int),
            ("regexp_split_to_table('a-b', '-')", Kind::Text),
            ("json_array_elements_text('[\"x\", \"y\"]')", Kind::Text),
        ]);
        let fields = vec![Field { name: column.clone(), kind, granted: true }];
        (format!("{call} as \"{name}\"(\"{column}\")"), Item { name, schema: None, fields, whole: true })
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
        let qualified = table.schema != "public" || hidden || self.dice.one_in(3);
        let mut text = if qualified {
            format!("\"{}\".\"{}\"", table.schema, table.name)
        } else {
            format!("\"{}\"", table.name)
        };
        if self.dice.one_in(20) {
            text = self.dice.pick(&[format!("only {text}"), format!("{text} *"), format!("only ({text})")]);
        }
        let mut item = Item::of(table);
        if taken.contains(&item.name) || self.dice.one_in(2) {
            item.name = self.alias(taken);
            item.schema = None;
            text = format!("{text} {}\"{}\"", self.dice.pick(&["as ", "as ", ""]), item.name);
            if self.dice.one_in(6) {
                text += &self.renamed(&mut item);
            }
        }
        if self.dice.one_in(25) && table.schema != "desk" {
            text += " tablesample bernoulli (100) repeatable (1)";
        }
        (text, item)
    }

    /// Other names for the first columns.
    fn renamed(&mut self, item: &mut Item) -> String {
        let mut names = Vec::new();
        for at in 0..self.dice.between(1, item.fields.len()) {
            let taken: Vec<String> = item.fields.iter().map(|field| field.name.clone()).collect();
            let name = self.alias(&taken);
            names.push(format!("\"{name}\""));
            item.fields[at].name = name;
        }
        format!("({})", names.join(", "))
    }

    fn join(&mut self, taken: &[String], beside: &Level) -> (String, Level) {
        let (mut text, mut level) = self.single(taken, beside);
        for _ in 0..self.dice.pick(&[1, 1, 1, 2]) {
            let names = [taken.to_vec(), level.names().map(str::to_owned).collect()].concat();
            let (right, more) = self.single(&names, &Level::default());
            let kind = self.dice.pick(&["join", "inner join", "left join", "right outer join", "full join"]);
            text = match self.dice.below(8) {
                0 => format!("{text} cross join {right}"),
                1 | 2 if self.natural(&mut level, &more) => format!("{text} natural {kind} {right}"),
                3 | 4 => match self.using(&mut level, &more) {
                    Some(name) => format!("{text} {kind} {right} using (\"{name}\")"),
                    None => format!("{text} cross join {right}"),
                },
                _ => {
                    let condition = self.on(&level, &more, kind);
                    format!("{text} {kind} {right} on {condition}")
                }
            };
            level.take(more);
        }
        if self.dice.one_in(10) {
            return self.hidden_behind_alias(&text, taken, &level);
        }
        if self.dice.one_in(10) { (format!("({text})"), level) } else { (text, level) }
    }

    fn on(&mut self, left: &Level, right: &Level, kind: &str) -> String {
        let mut both = left.clone();
        both.take(right.clone());
        if kind == "full join" {
            return "1 = 1".to_owned();
        }
        self.levels.push(both);
        let condition = self.expression(Kind::Bool, 2);
        self.levels.pop();
        condition
    }

    fn natural(&mut self, left: &mut Level, right: &Level) -> bool {
        let slips = self.slips();
        let [item] = &right.items[..] else { return false };
        left.natural(item, slips)
    }

    fn using(&mut self, left: &mut Level, right: &Level) -> Option<String> {
        let slips = self.slips();
        let [item] = &right.items[..] else { return None };
        let fields = left.shared(item, slips);
        if fields.is_empty() {
            return None;
        }
        let field = self.dice.pick(&fields);
        left.merge(item, field.clone());
        Some(field.name)
    }

    /// An alias on a join hides the names within.
    fn hidden_behind_alias(&mut self, text: &str, taken: &[String], level: &Level) -> (String, Level) {
        let name = self.alias(taken);
        let mut fields: Vec<Field> = level.merged.iter().map(|merged| merged.field.clone()).collect();
        for field in level.items.iter().flat_map(|item| &item.fields) {
            if level.meanings(&field.name) == 1 && !fields.iter().any(|other| other.name == field.name) {
                fields.push(field.clone());
            }
        }
        let whole = level.items.iter().all(|item| item.whole);
        let item = Item { name: name.clone(), schema: None, fields, whole };
        (format!("({text}) as \"{name}\""), Level { items: vec![item], merged: Vec::new() })
    }
}
