//! How a record is shown.

use serde_json::Value;

use crate::print::{Column, text, time};

/// The columns of `audit`.
pub(super) const COLUMNS: [Column; 8] = [
    Column::new("AT(UTC)", |record| time(&record["at"])),
    Column::new("KIND", |record| text(&record["kind"])),
    Column::new("ACTOR", |record| text(&record["actor"])),
    Column::new("IDENTITY", |record| text(&record["identity"])),
    Column::new("REPO", |record| text(&record["repo"])),
    Column::new("ACCOUNT", |record| text(&record["account"])),
    Column::new("GRANT", |record| text(&record["grant"])),
    Column::new("DETAIL", detail),
];

fn detail(record: &Value) -> String {
    let fields = record["detail"].as_object().into_iter().flatten();
    fields.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(" ")
}

/// One record on one line, for a listing that has no end and so no widths.
pub(super) fn line(record: &Value) -> String {
    let cells: Vec<String> =
        COLUMNS.iter().map(|column| (column.cell)(record)).filter(|cell| !cell.is_empty()).collect();
    crate::print::visible(&cells.join("  ")) + "\n"
}
