//! Expressions.

use super::Writer;
use crate::limits::generate::{schema::Kind, scope};

/// What hides in an expression that must be refused. `{}` is a thing in sight, `{c}` a column of it that may not be read.
const FOUL_COLUMNS: &[&str] = &[
    "\"{}\".\"{c}\"",
    "\"{}\".\"{c}\"",
    "\"{c}\"",
    "\"shop\".\"{}\".\"{c}\"",
    "(select \"{}\".\"{c}\")",
    "(select \"{c}\" from \"orders\" limit 1)",
    "(select \"{c}\" from \"shop\".\"orders\" as \"{}\" limit 1)",
    "(select max(\"{c}\") from \"orders\")",
    "(select \"x\".\"y\" from (select \"{c}\" as \"y\" from \"sales\") as \"x\" limit 1)",
    "(with \"w\" as (select \"{c}\" as \"y\" from \"sales\") select max(\"y\") from \"w\")",
    "(select \"{c}\" union select 1 limit 1)",
    "max(\"{}\".\"{c}\") over ()",
    "if(\"{c}\" is null, 1, 2)",
    "case \"{c}\" when 1 then 1 else 2 end",
    "concat(\"{}\".\"{c}\")",
    "hex(\"{c}\")",
    "cast(\"{c}\" as char)",
    "convert(\"{c}\" using utf8mb4)",
    "json_object('k', \"{c}\")",
    "binary \"{c}\"",
    "(\"{c}\" collate utf8mb4_bin)",
    "(\"{c}\" in (1, 2))",
    "(\"{c}\" like '%1%')",
    "(\"{c}\" <=> 1)",
    "(\"{c}\" between 1 and 2)",
    "(\"{c}\" regexp '1')",
    "default(\"{}\".\"{c}\")",
    "exists (select 1 from \"orders\" where \"{c}\" is not null)",
    "(\"{c}\" sounds like 'a')",
    "char_length(\"{c}\")",
];
const FOUL_TEXTS: &[&str] = &[
    "(select max(\"ssn\") from \"employees\")",
    "(select group_concat(\"body\") from \"hr\".\"reviews\")",
    "(select count(*) from \"employees\")",
    "(select count(*) from \"events\" partition (\"p2024\"))",
    "(select \"card_number\" from \"v_sales_all\" limit 1)",
    "(select \"a\" from (select \"card_number\" as \"a\" from \"sales\") as \"y\" limit 1)",
    "(select (select \"card_number\" from \"orders\" limit 1) from \"sales\" limit 1)",
    "(select \"x\".\"name\" from \"employees\" as \"x\" limit 1)",
    "(select \"sku\" from \"sales\" order by \"card_number\" limit 1)",
    "(select \"sku\" from \"sales\" group by \"price\" limit 1)",
    "(select max(\"sku\") from \"sales\" having max(\"price\") > 1)",
    "(select \"sku\" from \"sales\" join \"employees\" using (\"id\") limit 1)",
    "(select \"sku\" from \"sales\" natural join \"v_sales_all\" limit 1)",
    "\"first_card\"()",
    "\"shop\".\"first_card\"()",
    "(select \"User\" from \"mysql\".\"user\" limit 1)",
];
const WORDS: &[&str] = &["a", "SKU-1", "card_number", "Product 2", "from employees", "it''s", "%", "", "1"];

impl Writer {
    /// An expression of this kind that reads what is in sight, at most so deep.
    pub(super) fn expression(&mut self, kind: Kind, depth: usize) -> String {
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
        let hidden = scope::hidden(&self.levels);
        let text = if hidden.is_empty() || self.dice.one_in(4) {
            self.dice.pick(FOUL_TEXTS).to_owned()
        } else {
            let (item, column) = self.dice.pick(&hidden);
            self.dice.pick(FOUL_COLUMNS).replace("{}", &item).replace("{c}", &column)
        };
        match kind {
            Kind::Bool => format!("({text} <> '1')"),
            Kind::Int => format!("length({text})"),
            Kind::Text | Kind::Other => text,
        }
    }

    fn leaf(&mut self, kind: Kind) -> String {
        if kind == Kind::Bool {
            return self.dice.pick(&["true", "false", "(1 = 1)", "(null is null)"]).to_owned();
        }
        let columns = self.columns(kind);
        if !columns.is_empty() && !self.dice.one_in(8) {
            return self.dice.pick(&columns);
        }
        match kind {
            Kind::Int => self.dice.pick(&["0", "1", "2", "7", "10", "-3", "0x0A", "1.5", "1e1"]).to_owned(),
            Kind::Text | Kind::Bool | Kind::Other => {
                format!("{}'{}'", self.dice.pick(&["", "", "", "", "_utf8mb4", "N"]), self.dice.pick(WORDS))
            }
        }
    }

    /// Every way to write a column of this kind that may be read.
    pub(super) fn columns(&self, kind: Kind) -> Vec<String> {
        scope::columns(&self.levels, kind)
    }

    fn number(&mut self, depth: usize) -> String {
        let int = Kind::Int;
        match self.dice.below(20) {
            0..=4 => self.leaf(int),
            5 => format!("({} + {})", self.expression(int, depth), self.leaf(int)),
            6 => format!("({} % 7 - {})", self.expression(int, depth), self.leaf(int)),
            7 => format!("length({})", self.expression(Kind::Text, depth)),
            8 => format!("coalesce({}, {})", self.leaf(int), self.expression(int, depth)),
            9 => self.either(int, depth),
            10 => format!("abs({})", self.expression(int, depth)),
            11 => {
                let call = self.dice.pick(&["greatest", "least", "nullif", "ifnull", "mod", "interval"]);
                format!("{call}({}, 3)", self.expression(int, depth))
            }
            12 => format!("position('1' in {})", self.expression(Kind::Text, depth)),
            13 => format!("({} div 2)", self.expression(int, depth)),
            14 => format!("cast({} as signed)", self.expression(int, depth)),
            15 => format!("round({} / 3)", self.expression(int, depth)),
            16 => format!("({} & 6 | {})", self.expression(int, depth), self.leaf(int)),
            17 => format!("field({}, {}, 'x')", self.leaf(Kind::Text), self.expression(Kind::Text, depth)),
            18 => format!("if({}, {}, 2)", self.expression(Kind::Bool, depth), self.leaf(int)),
            _ => self.sub_select(int),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let text = Kind::Text;
        match self.dice.below(20) {
            0..=4 => self.leaf(text),
            5 => {
                let call = self.dice.pick(&["upper", "lower", "md5", "hex", "reverse", "trim", "to_base64"]);
                format!("{call}({})", self.expression(text, depth))
            }
            6 => format!("concat({}, {})", self.leaf(text), self.expression(text, depth)),
            7 => format!("substr({}, 1, 3)", self.expression(text, depth)),
            8 => format!("substring({} from 2 for 2)", self.expression(text, depth)),
            9 => format!("coalesce({}, '')", self.expression(text, depth)),
            10 => self.either(text, depth),
            11 => format!("cast({} as char)", self.expression(Kind::Int, depth)),
            12 => format!("replace({}, 'SKU', {})", self.leaf(text), self.leaf(text)),
            13 => format!("substring_index({}, '-', 1)", self.expression(text, depth)),
            14 => format!("concat_ws('/', {}, {})", self.leaf(text), self.expression(Kind::Int, depth)),
            15 => format!("trim(both ' ' from {})", self.expression(text, depth)),
            16 => format!("convert({} using utf8mb4)", self.leaf(text)),
            17 => format!(
                "json_unquote(json_extract(json_object('a', {}), '$.a'))",
                self.expression(text, depth)
            ),
            18 => format!("lpad({}, 4, {})", self.expression(Kind::Int, depth), self.leaf(text)),
            _ => self.sub_select(text),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let (number, text) = (Kind::Int, Kind::Text);
        match self.dice.below(17) {
            0 | 1 => {
                let sign = self.dice.pick(&["=", "<>", "<", ">=", "<=>", "!="]);
                format!("({} {sign} {})", self.expression(number, depth), self.leaf(number))
            }
            2 => format!("({} like {})", self.expression(text, depth), self.leaf(text)),
            3 => format!("({} regexp '[1-3]')", self.expression(text, depth)),
            4 => format!("({} between 0 and {})", self.expression(number, depth), self.leaf(number)),
            5 => format!("({} in (1, {}))", self.leaf(number), self.expression(number, depth)),
            6 => format!("({} in {})", self.leaf(number), self.rows_of(number)),
            7 => {
                let sign = self.dice.pick(&["= any", "< all", ">= some"]);
                format!("({} {sign} {})", self.leaf(number), self.rows_of(number))
            }
            8 => format!("{}exists {}", self.dice.pick(&["", "not "]), self.rows_of(text)),
            9 => format!("({} is not null)", self.expression(text, depth)),
            10 => format!("({} and {})", self.shallow(depth), self.shallow(depth)),
            11 => format!("({} or {})", self.shallow(depth), self.shallow(depth)),
            12 => format!("(not {})", self.shallow(depth)),
            13 => format!("(({}, {}) > (1, 'a'))", self.leaf(number), self.leaf(text)),
            14 => format!("({} xor {})", self.shallow(depth), self.shallow(depth)),
            15 => format!("({} is true)", self.shallow(depth)),
            _ => format!("({} = {})", self.expression(text, depth), self.leaf(text)),
        }
    }

    fn shallow(&mut self, depth: usize) -> String {
        self.expression(Kind::Bool, depth.min(1))
    }

    fn either(&mut self, kind: Kind, depth: usize) -> String {
        let condition = self.shallow(depth);
        let (then, other) = (self.expression(kind, depth), self.leaf(kind));
        format!("case when {condition} then {then} else {other} end")
    }
}
