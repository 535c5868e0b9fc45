//! SQL as both databases read it: a text with `$1`, `$2`, … and the values in their place.

use postern_protocol::gate::naming::{EVERYBODY, GROUP_PREFIX, canonical};
use sqlx::{Arguments, Encode, Type, error::BoxDynError};

use super::{AuditFilter, CHAIN, Filter, Order, ResourceFilter, Table, lists};
use crate::domain::Moment;

/// A value in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Text.
    Text(Option<String>),
    /// A whole number.
    Number(Option<i64>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(Some(number.into()))
    }
}

impl From<u64> for Value {
    /// Positions and counts are small; the databases' integers are signed.
    fn from(number: u64) -> Self {
        Self::Number(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<Moment> for Value {
    fn from(at: Moment) -> Self {
        Self::Number(Some(at.as_millis()))
    }
}

impl From<Option<Moment>> for Value {
    fn from(at: Option<Moment>) -> Self {
        Self::Number(at.map(Moment::as_millis))
    }
}

/// The values as a driver takes them.
pub(super) fn arguments<A: Arguments>(values: Vec<Value>) -> Result<A, BoxDynError>
where
    for<'t> Option<String>: Encode<'t, A::Database> + Type<A::Database>,
    for<'t> Option<i64>: Encode<'t, A::Database> + Type<A::Database>,
{
    let mut arguments = A::default();
    for value in values {
        match value {
            Value::Text(text) => arguments.add(text)?,
            Value::Number(number) => arguments.add(number)?,
        }
    }
    Ok(arguments)
}

/// A statement in the making.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// SQL.
    pub text: String,
    /// What stands for `$1` and so on.
    pub values: Vec<Value>,
    /// Whether it comes again and again in the same form, so that it is worth keeping prepared.
    pub frequent: bool,
}

impl Statement {
    /// Begins with this text.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new(), frequent: true }
    }

    /// Goes on with this text.
    pub(super) fn push(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Goes on with a value.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let number = self.values.len().to_string();
        self.text.push('$');
        self.text.push_str(&number);
        self
    }

    /// Goes on with the text and the value, if there is one.
    fn bind_some(self, text: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.push(text).bind(value),
            None => self,
        }
    }

    /// Goes on with a parenthesised list of values.
    fn list(self, values: impl IntoIterator<Item = Value>) -> Self {
        let (statement, _) = values.into_iter().fold((self.push("("), ""), |(statement, comma), value| {
            (statement.push(comma).bind(value), ", ")
        });
        statement.push(")")
    }

    /// Goes on with many lists of values, as `VALUES` takes them.
    pub(super) fn rows(self, rows: impl IntoIterator<Item = Vec<Value>>) -> Self {
        let (statement, count) = rows.into_iter().fold((self, 0), |(statement, count), row| {
            (statement.push(if count == 0 { "" } else { ", " }).list(row), count + 1)
        });
        Self { frequent: count == 1, ..statement }
    }

    /// The records of a table that fit.
    pub(super) fn records(table: Table, filter: &Filter) -> Self {
        if let Some(states) = lists::states(table, filter) {
            return lists::statement(table, filter, &states);
        }
        let select = Self::new(format!("SELECT n, id, body FROM {} WHERE true", table.as_str()));
        let mut statement = select
            .bind_some(" AND lookup = ", filter.lookup.as_deref())
            .equal(filter)
            .bind_some(" AND state = ", filter.state.as_deref());
        if let Some(ids) = &filter.ids {
            statement = statement.push(" AND id IN ").list(ids.iter().map(|id| id.as_str().into()));
            statement.frequent = false;
        }
        if let Some(list) = &filter.listed {
            statement = statement.listed(table, list);
        }
        if !filter.not_owned_by.is_empty() {
            let owners = filter.not_owned_by.iter().map(|owner| owner.as_str().into());
            statement = statement.push(" AND owner NOT IN ").list(owners);
        }
        if filter.keyed {
            statement = statement.push(" AND lookup IS NOT NULL");
        }
        if !filter.states.is_empty() {
            statement = statement.push(&format!(" AND state IN ({})", literals(&filter.states)));
        }
        statement
            .bind_some(" AND due <= ", filter.due_by)
            .bind_some(" AND due > ", filter.due_after)
            .page(filter)
    }

    /// Goes on with whom and where they are for, and who filed them.
    pub(super) fn equal(self, filter: &Filter) -> Self {
        self.bind_some(" AND identity = ", filter.identity.as_deref())
            .bind_some(" AND repo = ", filter.repo.as_deref())
            .bind_some(" AND owner = ", filter.owner.as_deref())
    }

    /// Goes on with those behind the last one that was given, in their order, at most so many.
    pub(super) fn page(self, filter: &Filter) -> Self {
        let behind = match filter.order {
            Order::Newest => " AND n < ",
            Order::Oldest | Order::Due => " AND n > ",
        };
        self.bind_some(behind, filter.after).first(filter)
    }

    /// Goes on with their order, and at most so many.
    pub(super) fn first(self, filter: &Filter) -> Self {
        let order = match filter.order {
            Order::Newest => " ORDER BY n DESC",
            Order::Oldest => " ORDER BY n",
            Order::Due => " ORDER BY due, n",
        };
        self.push(order).bind_some(" LIMIT ", filter.limit)
    }

    /// Goes on with the condition that an identity is on a list, by its name or by one of its groups.
    fn listed(self, table: Table, list: &[String]) -> Self {
        if list.iter().any(|entry| entry == EVERYBODY) {
            return self;
        }
        let column = if table == Table::Identities { "id" } else { "identity" };
        let groups = list.iter().filter_map(|entry| entry.strip_prefix(GROUP_PREFIX));
        let begun =
            self.push(&format!(" AND {column} IN (SELECT identity FROM identity_groups WHERE grp IN (NULL"));
        let grouped = groups.fold(begun, |statement, group| statement.push(", ").bind(group)).push(")");
        let names = list.iter().filter(|entry| !entry.starts_with(GROUP_PREFIX));
        let named =
            names.fold(grouped, |statement, name| statement.push(" UNION ALL SELECT ").bind(canonical(name)));
        Self { frequent: false, ..named.push(")") }
    }

    /// The audit records that fit.
    pub(super) fn audit(filter: &AuditFilter) -> Self {
        let texts = [
            (" AND identity = ", &filter.identity),
            (" AND repo = ", &filter.repo),
            (" AND kind = ", &filter.kind),
            (" AND chain = ", &filter.chain),
        ];
        texts
            .into_iter()
            .fold(Self::new("SELECT n, chain, body FROM audit WHERE true"), |statement, (text, value)| {
                statement.bind_some(text, value.as_deref())
            })
            .bind_some(" AND at >= ", filter.since)
            .bind_some(" AND at < ", filter.until)
            .bind_some(" AND n > ", filter.after)
            .push(" ORDER BY n LIMIT ")
            .bind(filter.limit)
    }

    /// The control plane's own last audit record from before a moment. Its chain stands in the text, for an index is over
    /// that chain alone.
    pub(super) fn audit_before(before: Moment) -> Self {
        Self::new(format!("SELECT n, '', '' FROM audit WHERE chain = '{CHAIN}' AND at < "))
            .bind(before)
            .push(" ORDER BY at DESC, n DESC LIMIT 1")
    }

    /// Goes on with the condition on which resources fit.
    pub(super) fn where_resource(self, filter: &ResourceFilter) -> Self {
        // Names compare by their bytes, and no byte of a text is as high as the last letter's first one.
        let end = filter.prefix.as_ref().map(|prefix| format!("{prefix}{}", char::MAX));
        self.push(" WHERE repo = ")
            .bind(filter.repo.as_str())
            .bind_some(" AND name > ", filter.after.as_deref())
            .bind_some(" AND name <= ", filter.through.as_deref())
            .bind_some(" AND name >= ", filter.prefix.as_deref())
            .bind_some(" AND name < ", end)
    }
}

/// States stand in the text itself, so that indexes over some states only can be used. They are the program's own words.
pub(super) fn literals(states: &[&'static str]) -> String {
    let quoted: Vec<String> = states.iter().map(|state| format!("'{state}'")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_in_the_order_in_which_they_come() {
        let filter = Filter {
            identity: Some("alice".to_owned()),
            states: vec!["ACTIVE"],
            after: Some(7),
            limit: Some(3),
            ..Filter::default()
        };
        let statement = Statement::records(Table::Grants, &filter);
        assert_eq!(
            statement.text,
            "SELECT n, id, body FROM grants WHERE true AND identity = $1 AND state IN ('ACTIVE') AND n < $2 \
             ORDER BY n DESC LIMIT $3"
        );
        assert_eq!(statement.values, ["alice".into(), 7_i64.into(), 3_u32.into()]);
    }

    #[test]
    fn a_list_means_names_and_groups_and_everybody() {
        let listed = |list: &[&str]| {
            let listed = Some(list.iter().map(|entry| (*entry).to_owned()).collect());
            Statement::records(Table::SlackLinks, &Filter { listed, ..Filter::default() })
        };
        let statement = listed(&["group:dba", "Bob@Example.com"]);
        let asked = "AND identity IN (SELECT identity FROM identity_groups WHERE grp IN (NULL, $1) UNION ALL SELECT $2)";
        assert!(statement.text.contains(asked), "{}", statement.text);
        assert_eq!(statement.values, ["dba".into(), "bob@example.com".into()]);
        assert!(!listed(&["group:dba", "*"]).text.contains("identity_groups"));
        assert!(listed(&[]).text.contains("identity_groups WHERE grp IN (NULL))"));
    }
}
