//! Things that may stand in FROM, whose columns are called by the server's rules and not by the text alone.
//!
//! Whoever reckons wrongly with these rules finds a name in such a thing that is not there, and the server looks for it
//! further out. In: a seed. Out: the text of one thing, in which a few names stand in every place that may name a column.

use super::dice::Dice;

/// The names that stand everywhere; no table has a column that is called so.
pub const NAMES: [&str; 7] = ["ka", "kb", "kc", "kd", "ke", "kf", "kg"];
/// What the server itself calls columns.
pub const ITS_OWN: [&str; 33] = [
    "text",
    "case",
    "coalesce",
    "now",
    "current_date",
    "nullif",
    "array",
    "row",
    "exists",
    "date",
    "int4",
    "extract",
    "greatest",
    "column1",
    "column2",
    "bool",
    "json_array_elements",
    "json_each",
    "unnest",
    "generate_series",
    "ordinality",
    "key",
    "value",
    "x",
    "n",
    "json",
    "regclass",
    "xmltable",
    "json_table",
    "json_array",
    "current_user",
    "word",
    "relid",
];

const CALLS: [&str; 36] = [
    "json_array_elements('[1]'::json)",
    "generate_series(1, 2)",
    "unnest(array[1, 2])",
    "unnest(array[1], array[2])",
    "unnest('{[1,2)}'::int4multirange)",
    "unnest('a:1'::tsvector)",
    "json_each('{\"a\": 1}'::json)",
    "jsonb_array_elements_text('[1]')",
    "json_object_keys('{\"a\": 1}')",
    "json_populate_record(null::record, '{}')",
    "jsonb_path_query('[1]', '$')",
    "information_schema._pg_expandarray(array[1])",
    "pg_get_keywords()",
    "pg_partition_ancestors('orders')",
    "aclexplode('{}'::aclitem[])",
    "pg_options_to_table('{a=b}'::text[])",
    "string_to_table('a', 'b')",
    "regexp_matches('a', 'a')",
    "upper('a')",
    "abs(1)",
    "now()",
    "to_json(1)",
    "text(1::bool)",
    "int4(1.5)",
    "date('2020-01-01'::text)",
    "lower('[1,2)'::int4range)",
    "current_date",
    "current_user",
    "coalesce(1, 2)",
    "nullif(1, 2)",
    "greatest(1, 2)",
    "cast(1 as int)",
    "cast(json_array_elements('[1]'::json) as json)",
    "text(cast(json_array_elements_text('[\"a\"]'::json) as text))",
    "cast(('[1]'::json).json_array_elements as json)",
    "cast(pg_partition_ancestors('orders') as regclass)",
];
const SINCE_17: [&str; 4] =
    ["json_value(jsonb '1', '$')", "json_query(jsonb '1', '$')", "json_scalar(1)", "json_object('a': 1)"];

const VALUES: [&str; 22] = [
    "1",
    "cast(1 as text)",
    "(select 1)",
    "case when true then 1 else 2 end",
    "array[1]",
    "(array[1])[1]",
    "coalesce(1, 2)",
    "now()",
    "current_date",
    "nullif(1, 2)",
    "(select ka from (select 1) x(ka))",
    "row(1, 2)",
    "exists(select 1)",
    "'a' collate \"C\"",
    "true",
    "date '2020-01-01'",
    "(1)::text::int",
    "extract(year from now())",
    "greatest(1, 2)",
    "(values (1))",
    "sum(1)",
    "to_json(1)",
];

/// Makes one thing.
struct Maker {
    dice: Dice,
    major: u32,
}

/// What stands in FROM for this seed, on a server of this version.
pub fn item(seed: u64, major: u32) -> String {
    Maker { dice: Dice::new(seed), major }.item(3)
}

/// The names of a text that stand nowhere among these columns.
pub fn missing<'a>(text: &str, columns: &[String]) -> Vec<&'a str> {
    let words: Vec<&str> =
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect();
    let all = NAMES.into_iter().chain(ITS_OWN);
    all.filter(|name| words.contains(name) && !columns.iter().any(|column| column == name)).collect()
}

impl Maker {
    fn name(&mut self) -> &'static str {
        self.dice.pick(&NAMES)
    }

    /// So many different ones.
    fn names(&mut self, count: usize) -> Vec<&'static str> {
        let mut all = NAMES.to_vec();
        (0..count).map(|_| all.swap_remove(self.dice.below(all.len()))).collect()
    }

    fn alias(&mut self, most: usize) -> String {
        let name = self.name();
        if self.dice.one_in(3) {
            return format!(" as {name}");
        }
        let count = self.dice.between(1, most);
        format!(" as {name}({})", self.names(count).join(", "))
    }

    fn call(&mut self) -> &'static str {
        if self.major >= 17 && self.dice.one_in(8) {
            self.dice.pick(&SINCE_17)
        } else {
            self.dice.pick(&CALLS)
        }
    }

    fn item(&mut self, depth: usize) -> String {
        let most = if depth == 0 { 6 } else { 11 };
        match self.dice.below(most) {
            0 | 1 => {
                let query = self.query(depth);
                format!("({query}){}", self.alias(3))
            }
            2 | 3 => self.function(),
            4 => self.table(),
            5 => self.table_function(),
            _ => self.join(depth - 1),
        }
    }

    fn function(&mut self) -> String {
        let mut text = if self.dice.one_in(4) {
            format!("rows from ({}, {})", self.call(), self.call())
        } else {
            self.call().to_owned()
        };
        if self.dice.one_in(3) {
            text += " with ordinality";
        }
        if self.dice.one_in(4) { text } else { text + &self.alias(3) }
    }

    fn table(&mut self) -> String {
        let table = self.dice.pick(&["orders", "orders", "desk.own", "desk.over"]);
        format!("{table}{}", self.alias(2))
    }

    fn table_function(&mut self) -> String {
        let [a, b, c, d]: [&str; 4] = self.names(4).try_into().expect("as many as asked for");
        let text = match self.dice.below(if self.major >= 17 { 4 } else { 2 }) {
            0 => return format!("json_to_record('{{}}') as {a}({b} int, {c} int)"),
            1 => format!("xmltable('/a' passing '<a/>' columns {a} int, {b} for ordinality)"),
            2 => format!(
                "json_table(jsonb '{{}}', '$' columns ({a} int, nested '$.a' columns ({b} int), {c} int))"
            ),
            _ => format!(
                "json_table(jsonb '{{}}', '$' columns (nested '$.a' columns ({a} int, \
                 nested '$.b' columns ({b} int), {c} int), {d} for ordinality))"
            ),
        };
        text + &self.alias(3)
    }

    fn join(&mut self, depth: usize) -> String {
        let (left, right) = (self.item(depth), self.item(depth));
        let kind = self.dice.pick(&["", "left ", "full "]);
        let name = self.name();
        let text = match self.dice.below(5) {
            0 | 1 => format!("{left} cross join {right}"),
            2 => format!("{left} natural {kind}join {right}"),
            3 => format!("{left} {kind}join {right} using ({name}){}", self.dice.pick(&["", " as kg"])),
            _ => {
                let query = self.query(depth);
                format!("{left} join lateral ({query}){} on true", self.alias(2))
            }
        };
        if self.dice.one_in(2) { format!("({text}){}", self.alias(4)) } else { format!("({text})") }
    }

    fn query(&mut self, depth: usize) -> String {
        match self.dice.below(if depth == 0 { 4 } else { 8 }) {
            0 | 1 => format!("select {}", self.targets()),
            2 => format!("values (1, {}), (2, 3)", self.dice.pick(&VALUES)),
            3 => format!("select {} union all select 1", self.targets()),
            4 => format!("table {}", self.dice.pick(&["orders", "desk.own"])),
            5 | 6 => {
                let star = self.star("");
                format!("select {star} from {}", self.item(depth - 1))
            }
            _ => self.with(depth),
        }
    }

    fn star(&mut self, of: &str) -> String {
        let name = self.name();
        match self.dice.below(4) {
            0 => format!("*, 1 as {name}"),
            1 => format!("1 as {name}, *"),
            2 if !of.is_empty() => format!("{of}.*"),
            _ => "*".to_owned(),
        }
    }

    fn targets(&mut self) -> String {
        let target = |maker: &mut Self| match maker.dice.below(5) {
            0 | 1 => format!("1 as {}", maker.name()),
            _ => maker.dice.pick(&VALUES).to_owned(),
        };
        let count = self.dice.between(1, 3);
        (0..count).map(|_| target(self)).collect::<Vec<_>>().join(", ")
    }

    fn with(&mut self, depth: usize) -> String {
        if self.dice.one_in(2) {
            let (query, name) = (self.query(depth - 1), self.name());
            let columns = if self.dice.one_in(2) { format!("({name})") } else { String::new() };
            return format!("with c{columns} as ({query}) select {} from c", self.star("c"));
        }
        let [a, b, c]: [&str; 3] = self.names(3).try_into().expect("as many as asked for");
        let more = match self.dice.below(3) {
            0 => String::new(),
            1 => format!(" search depth first by z set {b}"),
            _ => format!(" cycle z set {b} using {c}"),
        };
        let (star, from) = (self.star(""), self.dice.pick(&["c", "c", "(select * from c) y", "(table c) y"]));
        let body = "select 1, 2 union all select z + 1, 2 from c where z < 2";
        format!("with recursive c(z, {a}) as ({body}){more} select {star} from {from}")
    }
}
