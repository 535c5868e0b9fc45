//! `INSERT`, `UPDATE`, `DELETE`, `MERGE`.

use super::{
    Writer,
    schema::{Kind, TABLES},
    scope::{Field, Item, Level, Shelved},
};

impl Writer {
    /// A statement that changes something.
    pub(crate) fn change(&mut self) -> String {
        if self.dice.one_in(6) {
            self.with();
        }
        let text = match self.dice.below(10) {
            0..=3 => self.insert().0,
            4..=7 => self.update().0,
            8 => self.merge(),
            _ if self.foul => self.delete(),
            _ => self.update().0,
        };
        format!("{}{text}", self.unshelved(0))
    }

    /// A query over what a statement within it returns.
    pub(crate) fn reading_what_changed(&mut self) -> String {
        let name = self.alias(&[]);
        let (change, fields) = if self.dice.one_in(2) { self.insert() } else { self.update() };
        let item = Item { name: name.clone(), schema: None, fields, whole: true };
        // It is executed whether anything reads it or not.
        self.shelf.push(Shelved { item, text: String::new(), read: true });
        let (query, _) = self.select(None);
        self.shelf.clear();
        let with = format!("with \"{name}\" as ({change})");
        match query.strip_prefix("with ") {
            Some(rest) if !rest.starts_with("recursive") => format!("{with}, {rest}"),
            Some(_) => format!("{with} select 1"),
            None => format!("{with} {query}"),
        }
    }

    /// What is written to: its text with an alias, and how its columns are seen.
    fn target(&mut self) -> (String, Item) {
        let table = if self.slips() {
            self.dice.pick(&[&TABLES[0], &TABLES[2], &TABLES[5], &TABLES[6]])
        } else {
            &TABLES[1]
        };
        let mut item = Item::of(table);
        let hidden = self.shelf.iter().any(|shelved| shelved.item.name == item.name);
        let mut text = format!("\"{}\"", item.name);
        if hidden || table.schema != "public" || self.dice.one_in(2) {
            text = format!("\"{}\".{text}", table.schema);
        }
        if self.dice.one_in(2) {
            item.name = self.alias(&["excluded".to_owned(), "old".to_owned(), "new".to_owned()]);
            item.schema = None;
            text = format!("{text} as \"{}\"", item.name);
        }
        (text, item)
    }

    fn returning(&mut self) -> (String, Vec<Field>) {
        if self.dice.one_in(2) {
            return (String::new(), Vec::new());
        }
        let whole = self.levels.last().is_some_and(|level| level.items.iter().all(|item| item.whole));
        if (whole || self.slips()) && self.dice.one_in(4) {
            return (" returning *".to_owned(), Vec::new());
        }
        let mut fields = Vec::new();
        let mut parts = Vec::new();
        for kind in [Kind::Int, Kind::Text].into_iter().take(self.dice.between(1, 2)) {
            let value = self.expression(kind, 2);
            let name = format!("r{}", fields.len());
            parts.push(format!("{value} as \"{name}\""));
            fields.push(Field { name, kind, granted: true });
        }
        (format!(" returning {}", parts.join(", ")), fields)
    }

    fn insert(&mut self) -> (String, Vec<Field>) {
        let (text, item) = self.target();
        let number = 1000 + self.dice.below(1000);
        let columns =
            self.dice.pick(&["(\"id\", \"sale_id\", \"qty\")", "(\"id\", \"sale_id\", \"qty\")", ""]);
        let source = match self.dice.below(3) {
            0 => format!("values ({number}, {}, {})", self.sale(), self.expression(Kind::Int, 3)),
            1 => {
                let (first, second) = (self.expression(Kind::Int, 2), self.expression(Kind::Int, 2));
                format!("values ({number}, 1, ({first})::int), ({}, null, {second})", number + 1)
            }
            _ => {
                self.depth += 1;
                let (from, level) = self.from(&[]);
                self.depth -= 1;
                self.levels.push(level);
                let (value, condition) = (self.expression(Kind::Int, 2), self.expression(Kind::Bool, 2));
                self.levels.pop();
                format!("select {number} + row_number() over (), 1, {value} from {from} where {condition}")
            }
        };
        let mut level = Level { items: vec![item.clone()], merged: Vec::new() };
        let conflict = self.conflict(&mut level);
        self.levels.push(Level { items: vec![item], merged: Vec::new() });
        let (returning, fields) = self.returning();
        self.levels.pop();
        (format!("insert into {text} {columns} {source}{conflict}{returning}"), fields)
    }

    fn sale(&mut self) -> String {
        self.dice
            .pick(&[
                "1",
                "3",
                "null",
                "(select min(\"id\") from \"public\".\"sales\")",
                "(select max(\"id\") from \"public\".\"sales\" where \"sku\" like 'SKU%')",
            ])
            .to_owned()
    }

    fn conflict(&mut self, level: &mut Level) -> String {
        match self.dice.below(4) {
            0 => " on conflict do nothing".to_owned(),
            1 => {
                let mut excluded = level.items[0].clone();
                "excluded".clone_into(&mut excluded.name);
                excluded.schema = None;
                level.items.push(excluded);
                self.levels.push(level.clone());
                let value = self.expression(Kind::Int, 2);
                let condition = self.condition_or_none();
                self.levels.pop();
                format!(" on conflict (\"id\") do update set \"qty\" = {value}{condition}")
            }
            _ => String::new(),
        }
    }

    fn condition_or_none(&mut self) -> String {
        if self.dice.one_in(3) { String::new() } else { format!(" where {}", self.expression(Kind::Bool, 3)) }
    }

    fn update(&mut self) -> (String, Vec<Field>) {
        let (text, item) = self.target();
        let mut level = Level { items: vec![item.clone()], merged: Vec::new() };
        let mut from = String::new();
        if self.dice.one_in(3) {
            let (more, beside) = self.from(std::slice::from_ref(&item.name));
            from = format!(" from {more}");
            level.take(beside);
        }
        self.levels.push(level);
        let value = self.expression(Kind::Int, 3);
        let set = match self.dice.below(5) {
            0 => format!("(\"sale_id\", \"qty\") = ({}, {value})", self.sale()),
            1 => format!("(\"qty\", \"sale_id\") = (select ({value})::int, 2)"),
            2 => format!("\"qty\" = default, \"sale_id\" = {}", self.sale()),
            _ => format!("\"qty\" = {value}"),
        };
        let condition = self.condition_or_none();
        let (returning, fields) = self.returning();
        self.levels.pop();
        (format!("update {text} set {set}{from}{condition}{returning}"), fields)
    }

    fn delete(&mut self) -> String {
        let (text, item) = self.target();
        self.levels.push(Level { items: vec![item], merged: Vec::new() });
        let condition = self.condition_or_none();
        self.levels.pop();
        format!("delete from {text}{condition}")
    }

    fn merge(&mut self) -> String {
        let (text, item) = self.target();
        let (name, key) = (item.name.clone(), item.fields[0].name.clone());
        let (source, mut level) = self.from(std::slice::from_ref(&name));
        let source = if level.items.len() == 1 {
            source
        } else {
            level = Level::default();
            let other = self.alias(std::slice::from_ref(&name));
            level.items.push(Item {
                name: other.clone(),
                schema: None,
                fields: vec![Field { name: "k".to_owned(), kind: Kind::Int, granted: true }],
                whole: true,
            });
            format!("(select \"id\" from \"public\".\"sales\") as \"{other}\"(\"k\")")
        };
        self.levels.push(level.clone());
        let other = self.expression(Kind::Int, 1);
        let inserted = self.expression(Kind::Int, 1);
        self.levels.pop();
        level.items.insert(0, item);
        self.levels.push(level);
        let (value, condition) = (self.expression(Kind::Int, 2), self.expression(Kind::Bool, 2));
        self.levels.pop();
        let gone = if self.slips() { "delete" } else { "do nothing" };
        let number = 5000 + self.dice.below(1000);
        format!(
            "merge into {text} using {source} on \"{name}\".\"{key}\" = {other} \
             when matched and {condition} then update set \"qty\" = {value} when matched then {gone} \
             when not matched and {number} = 1 then insert (\"id\", \"qty\") values ({number}, {inserted})"
        )
    }
}
