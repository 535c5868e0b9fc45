//! What the generator knows of `tests/data/pg_schema.sql`, and of the views beside it.

/// What kind of value, as far as expressions care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Bool,
    /// Anything that expressions are not built on: `numeric`, `timestamptz`, rows.
    Other,
}

/// A column and whether it may be read.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) granted: bool,
}

/// A table.
pub(crate) struct Table {
    pub(crate) schema: &'static str,
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
}

impl Table {
    /// Whether anything of it may be read.
    pub(crate) fn granted(&self) -> bool {
        self.columns.iter().any(|column| column.granted)
    }

    /// Whether all of it may be read.
    pub(crate) fn whole(&self) -> bool {
        self.columns.iter().all(|column| column.granted)
    }
}

pub(crate) const fn granted(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, granted: true }
}

pub(crate) const fn hidden(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, granted: false }
}

pub(crate) const TABLES: &[Table] = &[
    Table {
        schema: "public",
        name: "sales",
        columns: &[
            granted("id", Kind::Int),
            granted("prod_name", Kind::Text),
            granted("sku", Kind::Text),
            hidden("price", Kind::Other),
            hidden("customer_email", Kind::Text),
            hidden("card_number", Kind::Text),
        ],
    },
    Table {
        schema: "public",
        name: "orders",
        columns: &[granted("id", Kind::Int), granted("sale_id", Kind::Int), granted("qty", Kind::Int)],
    },
    Table {
        schema: "public",
        name: "employees",
        columns: &[
            hidden("id", Kind::Int),
            hidden("name", Kind::Text),
            hidden("salary", Kind::Other),
            hidden("ssn", Kind::Text),
        ],
    },
    Table {
        schema: "public",
        name: "events",
        columns: &[
            hidden("id", Kind::Int),
            hidden("ts", Kind::Other),
            hidden("kind", Kind::Text),
            hidden("payload_secret", Kind::Text),
        ],
    },
    Table {
        schema: "hr",
        name: "reviews",
        columns: &[hidden("id", Kind::Int), hidden("employee_id", Kind::Int), hidden("body", Kind::Text)],
    },
    Table {
        schema: "public",
        name: "v_sales_all",
        columns: &[hidden("id", Kind::Int), hidden("sku", Kind::Text), hidden("card_number", Kind::Text)],
    },
    // Those of `views`. What they read beneath decides which may be read.
    Table {
        schema: "desk",
        name: "own",
        columns: &[granted("id", Kind::Int), granted("prod_name", Kind::Text), granted("sku", Kind::Text)],
    },
    Table {
        schema: "desk",
        name: "pairs",
        columns: &[granted("id", Kind::Int), granted("sku", Kind::Text), granted("qty", Kind::Int)],
    },
    Table { schema: "desk", name: "over", columns: &[granted("id", Kind::Int), granted("sku", Kind::Text)] },
    Table {
        schema: "desk",
        name: "part",
        columns: &[
            granted("id", Kind::Int),
            granted("prod_name", Kind::Text),
            hidden("card_number", Kind::Text),
        ],
    },
    Table { schema: "desk", name: "more", columns: &[hidden("sku", Kind::Text), hidden("id", Kind::Int)] },
    Table { schema: "desk", name: "beneath", columns: &[hidden("id", Kind::Int), hidden("sku", Kind::Text)] },
    Table { schema: "desk", name: "chosen", columns: &[hidden("id", Kind::Int), hidden("sku", Kind::Text)] },
];

/// Names for aliases and labels: most mean something else as well.
pub(crate) const POOL: &[&str] = &[
    "s",
    "o",
    "t",
    "x",
    "sales",
    "orders",
    "employees",
    "price",
    "card_number",
    "qty",
    "id",
    "sku",
    "public",
    "hr",
    "ssn",
    "name",
    "value",
    "select",
    "user",
    "Sales",
    "sku ",
    "excluded",
    "old",
    "new",
    "to_jsonb",
    "count",
];
