//! Expressions. Names are written in double quotes here; how they look in the end is the spelling's business.

use super::{
    Writer,
    schema::{Kind, POOL},
    scope::{Item, columns, hidden},
};

/// What hides in an expression that must be refused. `{}` is an item in sight that may not be read as a whole, `{c}` a
/// column of it that may not be read.
const FOUL_ROWS: &[&str] = &[
    "(\"{}\"::text)",
    "(\"{}\".*::text)",
    "((\"{}\").\"{c}\"::text)",
    "((\"{}\".*).\"{c}\"::text)",
    "(\"{}\".\"to_jsonb\"::text)",
    "(\"{}\".\"row_to_json\"::text)",
    "(\"{c}\"(\"{}\")::text)",
    "(to_jsonb(\"{}\") ->> '{c}')",
    "(row_to_json(\"{}\")::text)",
    "concat(\"{}\")",
    "format('%s', \"{}\")",
    "(count(\"{}\") over ())::text",
    "(\"{}\".\"ctid\"::text)",
    "(\"{}\".\"tableoid\"::text)",
    "(\"{}\".\"{c}\"::text)",
    "(\"{c}\"::text)",
    "(\"public\".\"{}\".\"{c}\"::text)",
    "(select \"{}\".\"{c}\"::text)",
    "(select \"{c}\"::text from \"orders\" limit 1)",
    "(select \"x\".\"{c}\"::text from (select \"{}\".*) as \"x\")",
    "(select max(\"v\"::text) from (values (\"{}\".\"{c}\")) as \"x\"(\"v\"))",
];
const FOUL_TEXTS: &[&str] = &[
    "(select max(\"ssn\") from \"employees\")",
    "(select string_agg(\"body\", ',') from \"hr\".\"reviews\")",
    "(select count(*)::text from \"employees\")",
    "(query_to_xml('select card_number from sales', true, false, '')::text)",
    "(select \"sku\"::text from \"public\".\"sales\" as \"sales\"(\"id\", \"price\", \"prod_name\", \"sku\") limit 1)",
    "(select (select \"card_number\" from \"public\".\"orders\" limit 1) from \"public\".\"sales\" limit 1)",
    "(select \"x\".\"prod_name\" from \"employees\" as \"x\"(\"id\", \"prod_name\") limit 1)",
    "(table_to_xml('employees', true, false, '')::text)",
    "(select \"x\".\"a\" from json_to_recordset((select json_agg(\"e\") from \"employees\" \"e\")) as \"x\"(\"a\" text) limit 1)",
    "pg_read_file('PG_VERSION')",
];
const WHOLE_ROWS: &[&str] = &[
    "(\"{}\"::text)",
    "(row_to_json(\"{}\")::text)",
    "(to_jsonb(\"{}\")::text)",
    "(\"{}\".*::text)",
    "concat(\"{}\".*)",
    "(row(\"{}\".*)::text)",
];
const WORDS: &[&str] = &["a", "SKU-1", "card_number", "Product 2", "from employees", "it''s", "%", ""];

impl Writer {
    /// An expression of this kind that reads what is in sight, at most so deep.
    pub(crate) fn expression(&mut self, kind: Kind, depth: usize) -> String {
        if self.slips() {
            return self.fouled(kind);
        }
        if depth == 0 {
            return self.leaf(kind);
        }
        match kind {
            Kind::Bool => self.condition(depth - 1),
            Kind::Int => self.number(depth - 1),
            Kind::Text | Kind::Other => self.text(depth - 1),
        }
    }

    fn fouled(&mut self, kind: Kind) -> String {
        let hidden = hidden(&self.levels);
        let text = if hidden.is_empty() || self.dice.one_in(4) {
            self.dice.pick(FOUL_TEXTS).to_owned()
        } else {
            let (item, column) = self.dice.pick(&hidden);
            self.dice.pick(FOUL_ROWS).replace("{}", &item).replace("{c}", &column)
        };
        match kind {
            Kind::Bool => format!("({text} like '%1%')"),
            Kind::Int => format!("length({text})"),
            Kind::Text | Kind::Other => text,
        }
    }

    fn leaf(&mut self, kind: Kind) -> String {
        if kind == Kind::Bool {
            return self.dice.pick(&["true", "false", "(1 = 1)", "null::bool"]).to_owned();
        }
        let columns = self.columns(kind);
        if !columns.is_empty() && !self.dice.one_in(8) {
            return self.dice.pick(&columns);
        }
        match kind {
            Kind::Int => {
                self.dice.pick(&["0", "1", "2", "7", "10", "(-3)", "null::int", "'4'::int4"]).to_owned()
            }
            Kind::Text | Kind::Bool | Kind::Other => {
                format!("{}'{}'", self.dice.pick(&["", "", "", "E", "text "]), self.dice.pick(WORDS))
            }
        }
    }

    /// Every way to write a column of this kind that may be read.
    pub(crate) fn columns(&self, kind: Kind) -> Vec<String> {
        columns(&self.levels, kind)
    }

    fn number(&mut self, depth: usize) -> String {
        match self.dice.below(17) {
            0..=4 => self.leaf(Kind::Int),
            5 => format!("({} + {})", self.expression(Kind::Int, depth), self.leaf(Kind::Int)),
            6 => format!("({} % 7 - {})", self.expression(Kind::Int, depth), self.leaf(Kind::Int)),
            7 => format!("length({})", self.expression(Kind::Text, depth)),
            8 => format!("coalesce({}, {})", self.leaf(Kind::Int), self.expression(Kind::Int, depth)),
            9 => self.either(Kind::Int, depth),
            10 => format!("abs({})", self.expression(Kind::Int, depth)),
            11 => format!(
                "{}({}, 3)",
                self.dice.pick(&["greatest", "least", "nullif"]),
                self.expression(Kind::Int, depth)
            ),
            12 => format!("position('1' in {})", self.expression(Kind::Text, depth)),
            13 => format!("(array[{}, 5])[1]", self.expression(Kind::Int, depth)),
            14 => format!("cast({} as integer)", self.expression(Kind::Int, depth)),
            15 => format!("(round({}::numeric / 3))::int", self.expression(Kind::Int, depth)),
            _ => self.sub_select(Kind::Int),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.dice.below(20) {
            0..=4 => self.leaf(Kind::Text),
            5 => format!(
                "{}({})",
                self.dice.pick(&["upper", "lower", "md5", "initcap", "reverse", "pg_catalog.upper", "btrim"]),
                self.expression(Kind::Text, depth)
            ),
            6 => format!("({} || {})", self.leaf(Kind::Text), self.expression(Kind::Text, depth)),
            7 => format!("substr({}, 1, 3)", self.expression(Kind::Text, depth)),
            8 => format!("substring({} from 2 for 2)", self.expression(Kind::Text, depth)),
            9 => format!("coalesce({}, '')", self.expression(Kind::Text, depth)),
            10 => self.either(Kind::Text, depth),
            11 => format!("({}::text)", self.expression(Kind::Int, depth)),
            12 => format!("replace({}, 'SKU', {})", self.leaf(Kind::Text), self.leaf(Kind::Text)),
            13 => format!("split_part({}, '-', 2)", self.expression(Kind::Text, depth)),
            14 => format!("concat_ws('/', {}, {})", self.leaf(Kind::Text), self.expression(Kind::Int, depth)),
            15 => format!("trim(both ' ' from {})", self.expression(Kind::Text, depth)),
            16 => format!("({} collate \"C\")", self.leaf(Kind::Text)),
            17 => format!("(jsonb_build_object('a', {}) ->> 'a')", self.expression(Kind::Text, depth)),
            18 => self.whole_row().unwrap_or_else(|| self.leaf(Kind::Text)),
            _ => self.sub_select(Kind::Text),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let (number, text) = (Kind::Int, Kind::Text);
        match self.dice.below(16) {
            0 | 1 => format!(
                "({} {} {})",
                self.expression(number, depth),
                self.dice.pick(&["=", "<>", "<", ">=", "is distinct from"]),
                self.leaf(number)
            ),
            2 => format!("({} like {})", self.expression(text, depth), self.leaf(text)),
            3 => format!("({} ~ '[1-3]')", self.expression(text, depth)),
            4 => format!("({} between 0 and {})", self.expression(number, depth), self.leaf(number)),
            5 => format!("({} in (1, {}))", self.leaf(number), self.expression(number, depth)),
            6 => format!("({} in {})", self.leaf(number), self.rows_of(number)),
            7 => format!(
                "({} {} {} {})",
                self.leaf(number),
                self.dice.pick(&["=", "<", ">="]),
                self.dice.pick(&["any", "all"]),
                self.rows_of(number)
            ),
            8 => format!("{}exists {}", self.dice.pick(&["", "not "]), self.rows_of(text)),
            9 => format!("({} is not null)", self.expression(text, depth)),
            10 => format!("({} and {})", self.condition_or_leaf(depth), self.condition_or_leaf(depth)),
            11 => format!("({} or {})", self.condition_or_leaf(depth), self.condition_or_leaf(depth)),
            12 => format!("(not {})", self.condition_or_leaf(depth)),
            13 => format!("(({}, {}) > (1, 'a'))", self.leaf(number), self.leaf(text)),
            14 => format!("({} = any (array[{}]))", self.leaf(text), self.expression(text, depth)),
            _ => format!("({} = {})", self.expression(text, depth), self.leaf(text)),
        }
    }

    fn condition_or_leaf(&mut self, depth: usize) -> String {
        self.expression(Kind::Bool, depth.min(1))
    }

    fn either(&mut self, kind: Kind, depth: usize) -> String {
        let condition = self.expression(Kind::Bool, depth.min(1));
        let (then, other) = (self.expression(kind, depth), self.leaf(kind));
        format!("case when {condition} then {then} else {other} end")
    }

    /// A whole row as text, of something that may be read as a whole. Only where its bare name means the row.
    fn whole_row(&mut self) -> Option<String> {
        let level = self.levels.last()?;
        let fits =
            |item: &&Item| item.whole && self.levels.iter().all(|level| level.meanings(&item.name) == 0);
        let names: Vec<String> = level.items.iter().filter(fits).map(|item| item.name.clone()).collect();
        if names.is_empty() {
            return None;
        }
        let name = self.dice.pick(&names);
        Some(self.dice.pick(WHOLE_ROWS).replace("{}", &name))
    }

    /// A name that another thing may have as well, and that is not among these.
    pub(crate) fn alias(&mut self, taken: &[String]) -> String {
        for _ in 0..4 {
            let name = self.dice.pick(POOL);
            if !taken.iter().any(|other| other == name) {
                return name.to_owned();
            }
        }
        self.names += 1;
        format!("a{}", self.names)
    }
}
