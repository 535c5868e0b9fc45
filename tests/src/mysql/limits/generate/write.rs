//! `INSERT`, `REPLACE`, `UPDATE`, `DELETE`, and statements about the session and the structure.

use super::{Writer, schema::TABLES};
use crate::limits::generate::{
    schema::Kind,
    scope::{Item, Level},
};

fn alone(item: Item) -> Level {
    Level { items: vec![item], merged: Vec::new() }
}

impl Writer {
    /// A statement that changes something.
    pub(super) fn change(&mut self) -> String {
        match self.dice.below(10) {
            0..=3 => self.insert(),
            4..=6 => self.update(),
            7 => self.update_of_several(),
            _ if self.foul => self.delete(),
            _ => self.update(),
        }
    }

    /// What is written to: its text, and how its columns are seen.
    fn target(&mut self, alias: bool) -> (String, Item) {
        let foul = [&TABLES[0], &TABLES[2], &TABLES[5], &TABLES[6]];
        let table = if self.slips() { self.dice.pick(&foul) } else { &TABLES[1] };
        let mut item = Item::of(table);
        let mut text = format!("\"{}\"", item.name);
        if self.dice.one_in(2) {
            text = format!("\"{}\".{text}", table.schema);
        }
        if alias && self.dice.one_in(2) {
            item.name = self.alias(&[]);
            item.schema = None;
            text = format!("{text} as \"{}\"", item.name);
        }
        (text, item)
    }

    fn sale(&mut self) -> &'static str {
        self.dice.pick(&[
            "1",
            "3",
            "null",
            "(select min(\"id\") from \"shop\".\"sales\")",
            "(select max(\"id\") from \"shop\".\"sales\" where \"sku\" like 'SKU%')",
        ])
    }

    fn insert(&mut self) -> String {
        let (text, item) = self.target(false);
        let number = 1000 + self.dice.below(1000);
        let verb =
            if self.slips() { "replace" } else { self.dice.pick(&["insert", "insert", "insert ignore"]) };
        let columns =
            self.dice.pick(&[" (\"id\", \"sale_id\", \"qty\")", " (\"id\", \"sale_id\", \"qty\")", ""]);
        let sale = self.sale();
        let source = match self.dice.below(4) {
            0 => format!("{columns} values ({number}, {sale}, {})", self.expression(Kind::Int, 2)),
            1 => {
                let value = self.expression(Kind::Int, 2);
                format!("{columns} values ({number}, 1, {value}), ({}, null, default)", number + 1)
            }
            2 => format!(" set \"id\" = {number}, \"qty\" = {}", self.expression(Kind::Int, 2)),
            _ => {
                self.depth += 1;
                let (from, level) = self.from(&[]);
                self.depth -= 1;
                self.levels.push(level);
                let (value, condition) = (self.expression(Kind::Int, 2), self.expression(Kind::Bool, 2));
                self.levels.pop();
                format!(
                    "{columns} select {number} + row_number() over (), 1, {value} from {from} where {condition}"
                )
            }
        };
        let conflict = if verb == "insert" { self.conflict(&item) } else { String::new() };
        let returning = if self.maria { self.returning(&item) } else { String::new() };
        format!("{verb} into {text}{source}{conflict}{returning}")
    }

    fn conflict(&mut self, item: &Item) -> String {
        if !self.dice.one_in(3) {
            return String::new();
        }
        self.levels.push(alone(item.clone()));
        let value = self.dice.pick(&["values(\"qty\")", "\"qty\"", "values(\"sale_id\") + 1", "3"]);
        let value = if self.dice.one_in(2) { value.to_owned() } else { self.expression(Kind::Int, 2) };
        self.levels.pop();
        format!(" on duplicate key update \"qty\" = {value}")
    }

    fn returning(&mut self, item: &Item) -> String {
        if !self.dice.one_in(3) {
            return String::new();
        }
        if self.dice.one_in(4) && (item.whole || self.slips()) {
            return " returning *".to_owned();
        }
        self.levels.push(alone(item.clone()));
        let (number, text) = (self.expression(Kind::Int, 2), self.expression(Kind::Text, 2));
        self.levels.pop();
        format!(" returning {number} as \"r\", {text}")
    }

    fn condition_or_none(&mut self) -> String {
        if self.dice.one_in(3) { String::new() } else { format!(" where {}", self.expression(Kind::Bool, 3)) }
    }

    fn update(&mut self) -> String {
        let (text, item) = self.target(true);
        self.levels.push(alone(item));
        let value = self.expression(Kind::Int, 2);
        let sale = self.sale();
        let set = match self.dice.below(5) {
            0 => format!("\"sale_id\" = {sale}, \"qty\" = {value}"),
            1 => format!("\"qty\" = default, \"sale_id\" = {sale}"),
            2 => format!("\"orders\".\"qty\" = {value}"),
            _ => format!("\"qty\" = {value}"),
        };
        let condition = self.condition_or_none();
        let order =
            self.dice.pick(&["", "", " order by \"qty\"", " order by \"id\" desc limit 2", " limit 1"]);
        self.levels.pop();
        format!("update {text} set {set}{condition}{order}")
    }

    fn update_of_several(&mut self) -> String {
        let (text, item) = self.target(true);
        let (more, beside) = self.from(std::slice::from_ref(&item.name));
        let name = item.name.clone();
        let mut level = alone(item);
        level.take(beside);
        self.levels.push(level);
        let (condition, value) = (self.expression(Kind::Bool, 2), self.expression(Kind::Int, 2));
        self.levels.pop();
        match self.dice.below(3) {
            0 => format!("update {text}, {more} set \"{name}\".\"qty\" = {value} where {condition}"),
            1 => format!("update {text} join {more} on {condition} set \"{name}\".\"qty\" = {value}"),
            _ => {
                format!("update {more} cross join {text} set \"{name}\".\"qty\" = {value} where {condition}")
            }
        }
    }

    fn delete(&mut self) -> String {
        let (text, item) = self.target(false);
        let name = item.name.clone();
        self.levels.push(alone(item));
        let condition = self.condition_or_none();
        self.levels.pop();
        match self.dice.below(3) {
            0 => format!("delete \"{name}\" from {text} join \"orders\" as \"z\" on 1 = 1{condition}"),
            _ => format!("delete from {text}{condition}"),
        }
    }

    /// A question about the structure, which shows what the grant covers.
    pub(super) fn question(&mut self) -> String {
        let table = self.table();
        let (schema, name) = (table.schema, table.name);
        let condition = self.dice.pick(&[
            " where table_schema = 'shop'",
            " where table_schema in ('shop', 'hr') and table_name like '%s'",
        ]);
        match self.dice.below(8) {
            0 => format!("show columns from \"{schema}\".\"{name}\""),
            1 => format!("describe \"{schema}\".\"{name}\""),
            2 => "show tables".to_owned(),
            3 => "show databases like '%h%'".to_owned(),
            4 => format!("select table_name from information_schema.tables{condition} order by 1"),
            5 => format!(
                "select table_name, column_name from information_schema.columns{condition} order by 1, 2"
            ),
            6 => {
                "select schema_name from information_schema.schemata where schema_name in ('shop', 'hr') order by 1"
                    .to_owned()
            }
            _ => format!(
                "select count(*) from information_schema.columns where table_schema = 'shop' and table_name = '{name}'"
            ),
        }
    }

    /// A statement that computes for the session.
    pub(super) fn session(&mut self) -> String {
        let kind = self.dice.pick(&[Kind::Int, Kind::Text]);
        let value = self.sub_select(kind);
        if self.dice.one_in(2) { format!("do {value}") } else { format!("set @v = {value}") }
    }
}
