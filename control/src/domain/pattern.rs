//! What a rule says about tables and columns: `public.sales.*`, `public.orders`, `public.*`, `*`.

use postern_protocol::{
    gate::{Privilege, Resource},
    glob::glob_matches,
};

/// A pattern over resources, read from its text.
///
/// One part must be `*` (anything); two name tables and with them their columns; three name columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourcePattern {
    schema: String,
    table: String,
    column: Option<String>,
}

/// Why a text is no [`ResourcePattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no resource pattern: write schema.table, schema.table.column, with * and ? as wildcards, or *"
)]
pub(crate) struct InvalidPattern(pub String);

impl ResourcePattern {
    /// Reads a pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if text == "*" {
            return Ok(Self { schema: "*".to_owned(), table: "*".to_owned(), column: None });
        }
        let parts: Resource = text.parse().map_err(|_| InvalidPattern(text.to_owned()))?;
        Ok(Self {
            schema: parts.schema.into(),
            table: parts.table.into(),
            column: parts.column.map(Into::into),
        })
    }

    /// Whether it lets somebody ask for this privilege on this resource.
    ///
    /// Who may have every column may have the table too, but for `DELETE`, which belongs to tables alone.
    pub(crate) fn covers(&self, resource: &Resource, privilege: Privilege) -> bool {
        if !glob_matches(&self.schema, &resource.schema) || !glob_matches(&self.table, &resource.table) {
            return false;
        }
        match (&self.column, &resource.column) {
            (None, None | Some(_)) => true,
            (Some(pattern), Some(column)) => glob_matches(pattern, column),
            (Some(pattern), None) => pattern == "*" && privilege != Privilege::Delete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_covers_its_columns_and_a_column_covers_itself() {
        for (pattern, resource, privilege, covered) in [
            ("public.orders", "public.orders", Privilege::Delete, true),
            ("public.orders", "public.orders.id", Privilege::Select, true),
            ("public.sales.*", "public.sales.id", Privilege::Select, true),
            ("public.sales.*", "public.sales", Privilege::Select, true),
            ("public.sales.*", "public.sales", Privilege::Delete, false),
            ("public.sales.id", "public.sales", Privilege::Select, false),
            ("public.sales.id", "public.sales.name", Privilege::Select, false),
            ("public.*", "public.anything.id", Privilege::Update, true),
            ("public.*", "hr.people", Privilege::Select, false),
            ("*", "hr.people.salary", Privilege::Select, true),
            ("public.ord*", "public.orders", Privilege::Select, true),
            ("public.orders", "public.orders2", Privilege::Select, false),
        ] {
            let pattern_read = ResourcePattern::parse(pattern).unwrap();
            assert_eq!(
                pattern_read.covers(&resource.parse().unwrap(), privilege),
                covered,
                "{pattern} {resource}"
            );
        }
    }

    #[test]
    fn half_a_name_is_no_pattern() {
        for text in ["", "public", "a.b.c.d", "a..b"] {
            assert!(ResourcePattern::parse(text).is_err(), "{text}");
        }
    }
}
