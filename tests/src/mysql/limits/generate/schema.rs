//! What the generator knows of `tests/data/mysql_schema.sql`.

use crate::limits::generate::schema::{Kind, Table, granted, hidden};

const fn table(
    schema: &'static str,
    name: &'static str,
    columns: &'static [crate::limits::generate::schema::Column],
) -> Table {
    Table { schema, name, columns }
}

/// Those that are granted come first.
pub(super) const TABLES: &[Table] = &[
    table(
        "shop",
        "sales",
        &[
            granted("id", Kind::Int),
            granted("prod_name", Kind::Text),
            granted("sku", Kind::Text),
            hidden("price", Kind::Other),
            hidden("customer_email", Kind::Text),
            hidden("card_number", Kind::Text),
        ],
    ),
    table(
        "shop",
        "orders",
        &[granted("id", Kind::Int), granted("sale_id", Kind::Int), granted("qty", Kind::Int)],
    ),
    table(
        "shop",
        "employees",
        &[
            hidden("id", Kind::Int),
            hidden("name", Kind::Text),
            hidden("salary", Kind::Other),
            hidden("ssn", Kind::Text),
        ],
    ),
    table(
        "shop",
        "events",
        &[
            hidden("id", Kind::Int),
            hidden("ts", Kind::Other),
            hidden("kind", Kind::Text),
            hidden("payload_secret", Kind::Text),
        ],
    ),
    table(
        "hr",
        "reviews",
        &[hidden("id", Kind::Int), hidden("employee_id", Kind::Int), hidden("body", Kind::Text)],
    ),
    table(
        "shop",
        "v_sales_all",
        &[hidden("id", Kind::Int), hidden("sku", Kind::Text), hidden("card_number", Kind::Text)],
    ),
    table("shop", "v_sales_public", &[hidden("prod_name", Kind::Text), hidden("sku", Kind::Text)]),
];

/// Names for aliases and labels: most mean something else as well.
pub(super) const POOL: &[&str] = &[
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
    "shop",
    "hr",
    "ssn",
    "name",
    "value",
    "select",
    "user",
    "rank",
    "key",
    "v_sales_all",
    "count",
    "version",
    "n",
];
