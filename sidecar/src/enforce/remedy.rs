//! What somebody can do about a denial.
//!
//! The hint says what the grant covers and how the rest is asked for. Beyond what the grant covers it repeats names that
//! the statement itself held, and no others.

use std::fmt::Write;

use super::{Columns, Denial, Limits, Reason, TableLimits};

/// So many tables are listed.
const TABLES: usize = 12;

/// For what access would have to be asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remedy {
    pub(crate) repo: String,
    pub(crate) account: String,
}

fn list(columns: &Columns) -> String {
    match columns {
        Columns::None => String::new(),
        Columns::All => "all columns".to_owned(),
        Columns::Some(names) => names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", "),
    }
}

/// Such as `public.sales (SELECT id, sku; INSERT all columns)`.
fn covered(schema: &str, table: &str, limits: &TableLimits) -> String {
    let mut privileges: Vec<String> =
        [("SELECT", &limits.select), ("INSERT", &limits.insert), ("UPDATE", &limits.update)]
            .into_iter()
            .filter(|(_, columns)| columns.any())
            .map(|(privilege, columns)| format!("{privilege} {}", list(columns)))
            .collect();
    if limits.delete {
        privileges.push("DELETE".to_owned());
    }
    format!("{schema}.{table} ({})", privileges.join("; "))
}

impl Remedy {
    /// A hint for a table or column that the grant does not cover.
    pub(crate) fn hint(&self, denial: &Denial, limits: &Limits) -> Option<String> {
        let column = match denial.reason {
            Reason::Table => None,
            Reason::Column => denial.culprit.rsplit_once('.').map(|(_, column)| column),
            Reason::Name
            | Reason::Function
            | Reason::Operator
            | Reason::Type
            | Reason::Setting
            | Reason::Statement
            | Reason::Syntax
            | Reason::Protocol
            | Reason::Rate => return None,
        };
        let (schema, table) = denial.table.as_ref()?;
        let mut all: Vec<_> = limits.tables().collect();
        all.sort_unstable_by_key(|(schema, table, _)| (*schema, *table));
        let same = |(known, name, _): &(&str, &str, &TableLimits)| *known == &**schema && *name == &**table;
        let same: Vec<_> = all.iter().copied().filter(same).collect();
        // Where the table is, the grant tells only of those that it covers.
        let schema = if same.is_empty() { "SCHEMA" } else { schema };
        let shown = if same.is_empty() { &all } else { &same };
        let mut hint = match shown.as_slice() {
            [] => "The grant covers no table.".to_owned(),
            shown => {
                let tables =
                    shown.iter().take(TABLES).map(|(schema, table, limits)| covered(schema, table, limits));
                let more = if shown.len() > TABLES { ", and more" } else { "" };
                format!("The grant covers {}{more}.", tables.collect::<Vec<_>>().join(", "))
            }
        };
        let column = column.map(|column| format!(".{column}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = write!(
            hint,
            " Ask for more: postern request create --repo {} --account {} --resource {schema}.{table}{column} \
             --duration 1h --reason TEXT",
            self.repo, self.account
        );
        Some(hint)
    }
}

#[cfg(test)]
mod tests {
    use postern_protocol::gate::{Privilege, ResourceGrant, Terms};

    use super::*;

    fn limits() -> Limits {
        let names = ["public.sales.id", "public.sales.sku", "public.orders"];
        let grants = names.map(|name| ResourceGrant {
            resource: name.parse().unwrap(),
            privileges: vec![Privilege::Select],
        });
        Limits::new(&grants, Terms::default())
    }

    fn hint(denial: &Denial) -> Option<String> {
        Remedy { repo: "shop".to_owned(), account: "app_ro".to_owned() }.hint(denial, &limits())
    }

    #[test]
    fn a_column_is_told_with_those_that_are_covered_and_the_way_to_it() {
        let told = hint(&Denial::column("price", "sales").about("public", "sales")).unwrap();
        assert!(told.contains("public.sales (SELECT id, sku)"), "{told}");
        assert!(!told.contains("orders"), "{told}");
        assert!(told.contains("--repo shop --account app_ro --resource public.sales.price "), "{told}");
    }

    #[test]
    fn of_a_table_outside_the_grant_nothing_is_told_but_its_name() {
        let told = hint(&Denial::table("employees").about("hr", "employees")).unwrap();
        assert!(told.contains("public.orders (SELECT all columns), public.sales (SELECT id, sku)"), "{told}");
        assert!(told.contains("--resource SCHEMA.employees ") && !told.contains("hr"), "{told}");
        assert_eq!(hint(&Denial::syntax("nonsense".to_owned())), None);
    }
}
