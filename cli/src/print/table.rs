//! Tables: columns as wide as their widest cell, two blanks between them, nothing behind the last.

use serde_json::Value;

use super::{Column, text, visible};

/// One line per item under a line of titles.
pub(crate) fn listing(columns: &[Column], items: &[Value]) -> String {
    let titles = columns.iter().map(|column| column.title.to_owned()).collect();
    let rows = items.iter().map(|item| columns.iter().map(|column| visible(&(column.cell)(item))).collect());
    lay_out(std::iter::once(titles).chain(rows).collect())
}

/// One line per field, the name first; a list of objects takes a line for each of them.
pub(crate) fn fields(item: &Value) -> String {
    let Some(fields) = item.as_object() else { return format!("{}\n", visible(&text(item))) };
    let is_name = |name: &str| matches!(name, "id" | "name");
    let (first, rest): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| is_name(name));
    lay_out(first.into_iter().chain(rest).flat_map(|(name, value)| field(name, value)).collect())
}

fn field(name: &str, value: &Value) -> Vec<Vec<String>> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() || !items.iter().all(Value::is_object) {
        return vec![vec![name.to_owned(), visible(&nested(value))]];
    }
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    items.iter().zip(names).map(|(item, name)| vec![name.to_owned(), visible(&nested(item))]).collect()
}

fn nested(value: &Value) -> String {
    match value.as_object() {
        Some(fields) if !fields.contains_key("resource") => {
            fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(" ")
        }
        Some(_) | None => text(value),
    }
}

fn lay_out(rows: Vec<Vec<String>>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    format!("{}\n", cells.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: [Column; 2] =
        [Column::new("NAME", |item| text(&item["name"])), Column::new("STATE", |item| text(&item["state"]))];

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let items = [json!({"name": "a", "state": "up"}), json!({"name": "longer", "state": ""})];
        assert_eq!(listing(&COLUMNS, &items), "NAME    STATE\na       up\nlonger\n");
    }

    #[test]
    fn an_object_begins_with_its_name_and_its_lists_take_a_line_each() {
        let item = json!({"account": "app_ro", "id": "r_1", "reviews": [{"by": "bob"}, {"by": "carol"}], "none": null});
        assert_eq!(
            fields(&item),
            "id       r_1\naccount  app_ro\nnone\nreviews  by=bob\n         by=carol\n"
        );
    }

    #[test]
    fn an_empty_listing_still_has_its_titles() {
        assert_eq!(listing(&COLUMNS, &[]), "NAME  STATE\n");
    }

    #[test]
    fn a_cell_cannot_move_the_cursor() {
        let items = [json!({"name": "\u{1b}[2Jx\nroot", "state": "up"})];
        assert!(!listing(&COLUMNS, &items).contains('\u{1b}'));
        assert_eq!(listing(&COLUMNS, &items).lines().count(), 2);
    }
}
