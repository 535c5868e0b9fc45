//! Lists of what has states: grants and requests, by whom and where they are for, the newest first.
//!
//! In: which records are wanted. Out: one statement that looks at no record that it does not give, however many there are
//! and whatever they have in common. A list over several states is put together from one for each, so that one index
//! serves it with and without a state: with the state behind what is asked by, and the order behind the state.

use super::{
    Filter, Order, Table,
    statement::{Statement, literals},
};
use crate::domain::{GrantState, RequestStatus};

/// The states of the lists to be put together, if the records are a list of this kind.
pub(super) fn states(table: Table, filter: &Filter) -> Option<Vec<&'static str>> {
    let Filter {
        ids: None,
        lookup: None,
        keyed: false,
        identity,
        listed: None,
        repo,
        states,
        state: None,
        owner,
        not_owned_by,
        due_by: None,
        due_after: None,
        order: Order::Newest,
        after: _,
        limit: Some(_),
    } = filter
    else {
        return None;
    };
    let by_something = identity.is_some() || repo.is_some() || owner.is_some();
    if !not_owned_by.is_empty() || states.len() == 1 || (states.is_empty() && !by_something) {
        return None;
    }
    let all = if table == Table::Grants {
        GrantState::ALL.map(GrantState::as_str).to_vec()
    } else if table == Table::Requests {
        RequestStatus::ALL.map(RequestStatus::as_str).to_vec()
    } else {
        return None;
    };
    Some(if states.is_empty() { all } else { states.clone() })
}

/// The list: of each state as many as are wanted of all, and of those the first.
pub(super) fn statement(table: Table, filter: &Filter, states: &[&'static str]) -> Statement {
    let table = table.as_str();
    let (begun, _) = states.iter().fold(
        (Statement::new(format!("SELECT n, id, body FROM {table} WHERE n IN (")), ""),
        |(statement, union), state| {
            let part = format!("{union}SELECT n FROM (SELECT n FROM {table} WHERE true");
            let part = statement.push(&part).equal(filter);
            let part = part.push(&format!(" AND state IN ({})", literals(&[state]))).page(filter);
            (part.push(") AS part"), " UNION ALL ")
        },
    );
    begun.push(")").first(filter)
}

#[cfg(test)]
mod tests {
    use sqlx::{
        AssertSqlSafe, Connection, PgConnection, SqliteConnection,
        postgres::PgArguments,
        sqlite::{SqliteArguments, SqliteConnectOptions},
    };

    use super::*;
    use crate::{
        domain::{GrantState, RequestStatus},
        store::{Place, statement::arguments},
        tests::Ground,
    };

    /// Twenty thousand records: nearly all of one identity, repo and owner, nearly all in the second of these states.
    fn fill(table: &str, states: &[&str]) -> String {
        let mostly = |name: &str, all: &str, few: &str| {
            format!("CASE WHEN i % 997 = {} THEN '{few}' ELSE '{all}' END", name.len())
        };
        let columns = [
            mostly("who", "alice", "bob"),
            mostly("place", "sales", "shop"),
            mostly("st", states[1], states[0]),
            mostly("filed", "client:bot", "alice"),
        ];
        format!(
            "INSERT INTO {table} (id, identity, repo, state, owner, due, body)
             WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000)
             SELECT CAST(i AS TEXT), {}, i, 'b' FROM c",
            columns.join(", ")
        )
    }

    /// Every list that `/v1/grants` and `/v1/requests` can be asked for.
    fn every_list() -> Vec<(Table, Filter)> {
        let mut all = every_list_of(Table::Grants, &GrantState::ALL.map(GrantState::as_str));
        all.extend(every_list_of(Table::Requests, &RequestStatus::ALL.map(RequestStatus::as_str)));
        all
    }

    fn every_list_of(table: Table, all: &[&'static str]) -> Vec<(Table, Filter)> {
        let name = |names: &[&str]| -> Vec<Option<String>> {
            names.iter().map(|name| (!name.is_empty()).then(|| (*name).to_owned())).collect()
        };
        let one = Filter { limit: Some(11), ..Filter::default() };
        let mut filters = vec![one];
        let each = |filters: &[Filter], change: &dyn Fn(&mut Filter)| -> Vec<Filter> {
            let changed = filters.iter().cloned().map(|mut filter| {
                change(&mut filter);
                filter
            });
            changed.collect()
        };
        for (values, set) in [
            (
                name(&["", "bob"]),
                (|filter, value| filter.identity = value) as fn(&mut Filter, Option<String>),
            ),
            (name(&["", "sales", "shop"]), |filter, value| filter.repo = value),
            (name(&["", "client:bot"]), |filter, value| filter.owner = value),
        ] {
            filters =
                values.iter().flat_map(|value| each(&filters, &|one| set(one, value.clone()))).collect();
        }
        let some_states = [vec![], all[..2].to_vec()].into_iter().chain(all.iter().map(|state| vec![*state]));
        let filters: Vec<Filter> =
            some_states.flat_map(|states| each(&filters, &|one| one.states.clone_from(&states))).collect();
        let behind = each(&filters, &|one| one.after = Some(15_000));
        filters.into_iter().chain(behind).map(|filter| (table, filter)).collect()
    }

    fn fillings() -> [String; 2] {
        [fill("grants", &["SCHEDULED", "EXPIRED"]), fill("requests", &["PENDING", "APPROVED"])]
    }

    #[tokio::test]
    async fn no_list_in_a_file_looks_at_what_it_does_not_give() {
        let ground = Ground::sqlite();
        drop(ground.open().await);
        let Place::Sqlite(file) = ground.place() else { panic!("this is a file") };
        let mut file =
            SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap();
        for filling in fillings() {
            sqlx::query(AssertSqlSafe(filling)).execute(&mut file).await.unwrap();
        }
        for (table, filter) in every_list() {
            let Statement { text, values, .. } = Statement::records(table, &filter);
            let values: SqliteArguments = arguments(values).unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as_with(explain, values).fetch_all(&mut file).await.unwrap();
            let searches: Vec<String> = steps
                .into_iter()
                .map(|(_, _, _, step)| step)
                .filter(|step| step.contains(table.as_str()) || step.contains("B-TREE"))
                .collect();
            let by = [("identity=?", &filter.identity), ("repo=?", &filter.repo), ("owner=?", &filter.owner)];
            let wanted = by.iter().filter(|(_, value)| value.is_some()).map(|(column, _)| *column);
            let wanted: Vec<&str> = wanted.chain((!filter.states.is_empty()).then_some("state=?")).collect();
            for search in &searches {
                let by_number = search.contains("INTEGER PRIMARY KEY") && searches.len() > 1;
                let is_exact = wanted.iter().all(|column| search.contains(column));
                let in_order = wanted.is_empty() && search.starts_with("SCAN");
                assert!(by_number || is_exact || in_order, "{filter:?}: {searches:?}");
            }
        }
    }

    #[tokio::test]
    async fn no_list_on_a_server_looks_at_what_it_does_not_give() {
        let ground = Ground::postgres().await;
        drop(ground.open().await);
        let Place::Postgres(options) = ground.place() else { panic!("this is a server") };
        let mut server = PgConnection::connect_with(options).await.unwrap();
        for filling in fillings() {
            sqlx::query(AssertSqlSafe(filling)).execute(&mut server).await.unwrap();
        }
        sqlx::query("ANALYZE").execute(&mut server).await.unwrap();
        for (table, filter) in every_list() {
            let Statement { text, values, .. } = Statement::records(table, &filter);
            let values: PgArguments = arguments(values).unwrap();
            let explain =
                AssertSqlSafe(format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {text}"));
            let lines: Vec<String> = sqlx::query_scalar_with(explain, values)
                .persistent(false)
                .fetch_all(&mut server)
                .await
                .unwrap();
            let plan = lines.join("\n");
            let removed =
                lines.iter().filter_map(|line| line.trim().strip_prefix("Rows Removed by Filter: "));
            let removed: u64 = removed.map(|count| count.parse::<u64>().unwrap()).sum();
            assert!(removed < 50 && !plan.contains("Seq Scan"), "{filter:?}: {plan}");
        }
    }

    #[test]
    fn a_list_over_several_states_takes_of_each_as_many_as_of_all() {
        let filter = Filter {
            repo: Some("sales".to_owned()),
            states: vec!["ACTIVE", "SCHEDULED"],
            after: Some(7),
            limit: Some(3),
            ..Filter::default()
        };
        let statement = Statement::records(Table::Grants, &filter);
        let part = |state: &str, first: u8| {
            format!(
                "SELECT n FROM (SELECT n FROM grants WHERE true AND repo = ${first} AND state IN ('{state}') \
                 AND n < ${} ORDER BY n DESC LIMIT ${}) AS part",
                first + 1,
                first + 2
            )
        };
        assert_eq!(
            statement.text,
            format!(
                "SELECT n, id, body FROM grants WHERE n IN ({} UNION ALL {}) ORDER BY n DESC LIMIT $7",
                part("ACTIVE", 1),
                part("SCHEDULED", 4)
            )
        );
        assert_eq!(statement.values.len(), 7);
    }
}
