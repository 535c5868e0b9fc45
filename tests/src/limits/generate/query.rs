//! `SELECT` and everything around it.

use super::{
    Writer,
    schema::Kind,
    scope::{Field, Item, Level, Shelved, unique},
};

/// What a query gives, and whether `ORDER BY` and `LIMIT` may follow freely.
struct Core {
    text: String,
    fields: Vec<Field>,
    /// What must be sorted by first, because of `DISTINCT ON`.
    first: Option<String>,
    /// What may be locked.
    lockable: Option<String>,
}

impl Writer {
    /// A query on its own.
    pub(crate) fn query(&mut self) -> String {
        match self.dice.below(40) {
            0 => "table \"orders\"".to_owned(),
            1 => format!("values ({}, {})", self.leaf_number(), self.sub_select(Kind::Text)),
            2 => self.reading_what_changed(),
            _ => self.select(None).0,
        }
    }

    fn leaf_number(&mut self) -> String {
        self.expression(Kind::Int, 1)
    }

    /// One value from a query, in parentheses.
    pub(crate) fn sub_select(&mut self, kind: Kind) -> String {
        if self.room == 0 {
            return self.expression(kind, 0);
        }
        self.room -= 1;
        let core = self.core(Some(&[kind]));
        match core.first {
            Some(first) => format!("({} order by {first} limit 1)", core.text),
            None => format!("({} order by 1 limit 1)", core.text),
        }
    }

    /// Several values from a query, in parentheses.
    pub(crate) fn rows_of(&mut self, kind: Kind) -> String {
        if self.room == 0 {
            let value = self.expression(kind, 0);
            return format!("(values ({value}))");
        }
        self.room -= 1;
        format!("({})", self.select(Some(&[kind])).0)
    }

    /// A query that gives these kinds, or whatever it likes.
    pub(crate) fn select(&mut self, wanted: Option<&[Kind]>) -> (String, Vec<Field>) {
        let shelf = self.shelf.len();
        if self.room > 0 && self.dice.one_in(6) {
            self.with();
        }
        let core = self.core(wanted);
        let kinds: Vec<Kind> = core.fields.iter().map(|field| field.kind).collect();
        let mut text = core.text;
        if self.dice.one_in(8) && core.first.is_none() && !kinds.contains(&Kind::Other) && !kinds.is_empty() {
            let other = self.core(Some(&kinds));
            let other = if other.first.is_some() { format!("({})", other.text) } else { other.text };
            let how = self.dice.pick(&["union", "union all", "intersect", "except", "except all"]);
            text = format!("{text} {how} {other}");
            text += &self.ordered(None, kinds.len());
        } else {
            text += &self.ordered(core.first, kinds.len());
            if let Some(name) = core.lockable.filter(|_| self.levels.is_empty() && self.dice.one_in(3)) {
                let how = self.dice.pick(&["update", "share", "no key update", "key share"]);
                text = format!("{text} for {how} of \"{name}\"");
            }
        }
        (format!("{}{text}", self.unshelved(shelf)), core.fields)
    }

    fn ordered(&mut self, first: Option<String>, columns: usize) -> String {
        let mut text = match first {
            Some(first) => format!(" order by {first}"),
            None if columns > 0 && self.dice.one_in(2) => {
                let all: Vec<String> = (1..=columns).map(|at| at.to_string()).collect();
                format!(" order by {}", all.join(", "))
            }
            None => return String::new(),
        };
        if self.dice.one_in(4) {
            text +=
                self.dice.pick(&[" limit 5", " limit (select 3)", " offset 1", " fetch first 2 rows only"]);
        }
        text
    }

    /// Puts common table expressions on the shelf.
    pub(crate) fn with(&mut self) {
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
        // What is outside is out of sight for nobody: correlated names are refused by the server.
        let levels = std::mem::take(&mut self.levels);
        let (query, fields) = self.select(None);
        self.levels = levels;
        let how = self.dice.pick(&["as", "as", "as materialized", "as not materialized"]);
        (format!("\"{name}\" {how} ({query})"), fields)
    }

    /// Takes everything from the shelf but so many, as `WITH …`. What a foul statement does not read is left out.
    pub(crate) fn unshelved(&mut self, keep: usize) -> String {
        let taken = self.shelf.split_off(keep);
        let foul = self.foul;
        let texts: Vec<String> =
            taken.into_iter().filter(|shelved| shelved.read || !foul).map(|shelved| shelved.text).collect();
        match texts.first() {
            None => String::new(),
            Some(first) if first.contains("(\"i\") as (values") => {
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
        let single = level.items.len() == 1;
        self.levels.push(level);
        let core = match self.dice.below(6) {
            0 => self.grouped(&from, wanted),
            _ => self.plain(&from, wanted, single),
        };
        self.levels.pop();
        self.depth -= 1;
        core
    }

    fn condition_if_any(&mut self) -> String {
        if self.dice.one_in(2) { format!(" where {}", self.expression(Kind::Bool, 3)) } else { String::new() }
    }

    fn plain(&mut self, from: &str, wanted: Option<&[Kind]>, single: bool) -> Core {
        let (list, fields) = match wanted {
            None if self.dice.one_in(5) => self.star().unwrap_or_else(|| self.list(&[Kind::Int])),
            None => {
                let kinds: Vec<Kind> =
                    (0..self.dice.between(1, 4)).map(|_| self.dice.pick(&[Kind::Int, Kind::Text])).collect();
                self.list(&kinds)
            }
            Some(kinds) => self.list(kinds),
        };
        let condition = self.condition_if_any();
        let columns = [self.columns(Kind::Int), self.columns(Kind::Text)].concat();
        let (mut distinct, mut first, mut lockable) = (String::new(), None, None);
        if self.dice.one_in(8) {
            "distinct ".clone_into(&mut distinct);
            if !columns.is_empty() && self.dice.one_in(2) {
                let column = self.dice.pick(&columns);
                distinct = format!("distinct on ({column}) ");
                first = Some(column);
            }
        } else if single
            && (from.starts_with(" from \"orders\"") || from.starts_with(" from \"public\".\"orders\""))
        {
            let shelved = self.shelf.iter().any(|shelved| shelved.item.name == "orders");
            let plain = !shelved && !from.contains("tablesample") && !list.contains(" over ");
            let level = self.levels.last().filter(|_| plain);
            lockable = level.map(|level| level.items[0].name.clone());
        }
        Core { text: format!("select {distinct}{list}{from}{condition}"), fields, first, lockable }
    }

    fn star(&mut self) -> Option<(String, Vec<Field>)> {
        let slips = self.slips();
        let level = self.levels.last()?.clone();
        if level.items.is_empty() {
            return None;
        }
        let all = level.items.iter().all(|item| item.whole);
        if (all || slips) && level.merged.is_empty() && self.dice.one_in(2) {
            let fields = level.items.iter().flat_map(|item| item.fields.clone());
            return Some(("*".to_owned(), unique(fields)));
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

    pub(crate) fn labelled(&mut self, value: String, kind: Kind, fields: &mut Vec<Field>) -> String {
        let taken: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        let name = self.alias(&taken);
        let text =
            if self.depth == 1 && self.dice.one_in(3) { value } else { format!("{value} as \"{name}\"") };
        fields.push(Field { name, kind, granted: true });
        text
    }

    fn window(&mut self, kind: Kind) -> String {
        let part = self.expression(Kind::Text, 1);
        let order = self.expression(Kind::Int, 1);
        let value = self.expression(kind, 1);
        let over = self.dice.pick(&[
            format!("(partition by {part} order by {order}, {part})"),
            format!("(order by {order} desc nulls last, {part})"),
            format!("(order by {order}, {part} rows between 1 preceding and current row)"),
        ]);
        match kind {
            Kind::Int => {
                let call = self.dice.pick(&["count(*)", "rank()", "dense_rank()", "sum(1)"]);
                format!("({call} over {over})::int")
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
        let mut fields = Vec::new();
        let mut parts = Vec::new();
        for kind in kinds {
            let group = groups.iter().find(|(of, _)| *of == kind).map(|(_, column)| column.clone());
            let value = match group.filter(|_| self.dice.one_in(2)) {
                Some(column) => column,
                None => self.aggregate(kind),
            };
            parts.push(self.labelled(value, kind, &mut fields));
        }
        let condition = self.condition_if_any();
        let columns: Vec<String> = groups.into_iter().map(|(_, column)| column).collect();
        let by = self.by(&columns);
        let having = if self.dice.one_in(4) {
            format!(" having {} <> 3", self.aggregate(Kind::Int))
        } else {
            String::new()
        };
        let text = format!("select {}{from}{condition}{by}{having}", parts.join(", "));
        Core { text, fields, first: None, lockable: None }
    }

    fn by(&mut self, columns: &[String]) -> String {
        if columns.is_empty() {
            return String::new();
        }
        let list = columns.join(", ");
        let forms = [
            format!(" group by {list}"),
            format!(" group by {list}"),
            format!(" group by rollup ({list})"),
            format!(" group by cube ({list})"),
            format!(" group by grouping sets (({list}), ())"),
        ];
        self.dice.pick(&forms)
    }

    fn aggregate(&mut self, kind: Kind) -> String {
        let number = self.expression(Kind::Int, 1);
        let text = self.expression(Kind::Text, 1);
        let condition = self.expression(Kind::Bool, 1);
        match (kind, self.dice.below(6)) {
            (Kind::Int, 0) => "count(*)::int".to_owned(),
            (Kind::Int, 1) => format!("count(distinct {number})::int"),
            (Kind::Int, 2) => format!("(sum({number}) filter (where {condition}))::int"),
            (Kind::Int, 3) => format!("percentile_disc(0.5) within group (order by {number})"),
            (Kind::Int, _) => format!("max({number})"),
            (_, 0) => format!("string_agg({text}, ',' order by {text})"),
            (_, 1) => format!("mode() within group (order by {text})"),
            (_, 2) => format!("(array_agg({number} order by {number}))::text"),
            (_, 3) => format!("(max({text}) filter (where {condition}))"),
            (_, _) => format!("min({text})"),
        }
    }
}

/// A query that reads itself.
fn counting(name: &str) -> (String, Vec<Field>) {
    let text = format!(
        "\"{name}\"(\"i\") as (values (1) union all select \"i\" + 1 from \"{name}\" where \"i\" < 4)"
    );
    (text, vec![Field { name: "i".to_owned(), kind: Kind::Int, granted: true }])
}
