//! A transaction in SQL that both databases understand.
//!
//! What differs between them (how a transaction begins and ends, how a driver takes values) is a [`Connection`].

use std::collections::BTreeMap;

use postern_protocol::gate::Position;
use postern_service::audit::Record;

use super::{
    Answer, AuditFilter, AuditReach, ClockMark, Columns, Filter, Head, LogReach, LogRow, Put, Read,
    ResourceFilter, ResourceRow, Row, StoreError, Table, Write,
    clock_mark::{self, Reference},
    statement::{Statement, Value},
};
use crate::domain::Moment;

const CLOCK_MARK: &str = "clock_mark";
const AUDIT_PRUNED: &str = "audit_pruned_to";
const PRUNED: &str = "log_pruned_to";

/// Audit records that are not the last of their chain, up to a number.
const OLD: &str =
    " WHERE seq < (SELECT count - 1 FROM audit_heads WHERE audit_heads.chain = audit.chain) AND n <= ";

/// So many rows go into one statement.
const ROWS: usize = 500;

/// What every question here is answered with: a number, a key and a text.
pub(super) type Found = (i64, String, String);

/// A connection with an open transaction; dropped without a commit it leaves nothing.
pub(super) trait Connection: Send + 'static {
    /// What is found.
    fn fetch(&mut self, statement: Statement) -> Answer<'_, Vec<Found>>;

    /// Does it; gives how many rows it concerned.
    fn execute(&mut self, statement: Statement) -> Answer<'_, u64>;

    /// The moment at which the transaction began to write, on a clock that goes on.
    fn reference(&self) -> Option<&Reference>;

    /// The change log got longer: whoever else waits for that is woken when this commits.
    fn wake(&mut self, position: Position) -> Answer<'_, ()>;

    /// Makes it all last.
    fn commit(self) -> Answer<'static, ()>;
}

/// A transaction on a connection.
pub(super) struct SqlTransaction<C> {
    connection: C,
    /// Whether a step failed: then nothing of it may last.
    spoilt: bool,
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn record((n, _, body): Found) -> Result<(i64, Record), StoreError> {
    Ok((n, serde_json::from_str(&body)?))
}

impl<C: Connection> SqlTransaction<C> {
    /// On a connection where it has begun.
    pub(super) fn new(connection: C) -> Self {
        Self { connection, spoilt: false }
    }

    async fn fetch(&mut self, statement: Statement) -> Result<Vec<Found>, StoreError> {
        let found = self.connection.fetch(statement).await;
        self.spoilt |= found.is_err();
        found
    }

    async fn fetch_one(&mut self, statement: Statement) -> Result<Option<Found>, StoreError> {
        Ok(self.fetch(statement).await?.pop())
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let done = self.connection.execute(statement).await;
        self.spoilt |= done.is_err();
        done
    }
}

impl<C: Connection> Read for SqlTransaction<C> {
    fn get<'a>(&'a mut self, table: Table, id: &'a str) -> Answer<'a, Option<String>> {
        let select = format!("SELECT n, id, body FROM {} WHERE id = ", table.as_str());
        Box::pin(async move {
            let found = self.fetch_one(Statement::new(select).bind(id)).await?;
            Ok(found.map(|(_, _, body)| body))
        })
    }

    fn find<'a>(&'a mut self, table: Table, filter: &'a Filter) -> Answer<'a, Vec<Row>> {
        Box::pin(async move {
            let found = self.fetch(Statement::records(table, filter)).await?;
            Ok(found.into_iter().map(|(n, _, body)| Row { n, body }).collect())
        })
    }

    fn count<'a>(&'a mut self, table: Table, state: &'a str) -> Answer<'a, u64> {
        let select = format!("SELECT count(*), '', '' FROM {} WHERE state = ", table.as_str());
        Box::pin(async move {
            let found = self.fetch_one(Statement::new(select).bind(state)).await?;
            Ok(found.map_or(0, |(count, _, _)| unsigned(count)))
        })
    }

    fn log_reach(&mut self) -> Answer<'_, LogReach> {
        Box::pin(async move {
            let select = Statement::new("SELECT coalesce(max(position), 0), '', '' FROM change_log");
            let newest = self.fetch_one(select).await?.map_or(0, |(newest, _, _)| unsigned(newest));
            let pruned: Position =
                self.setting(PRUNED).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
            Ok(LogReach { pruned, newest: newest.max(pruned) })
        })
    }

    fn log_after(&mut self, position: Position, limit: u32) -> Answer<'_, Vec<LogRow>> {
        Box::pin(async move {
            let select = Statement::new("SELECT position, '', entry FROM change_log WHERE position > ")
                .bind(position)
                .push(" ORDER BY position LIMIT ")
                .bind(limit);
            let found = self.fetch(select).await?;
            Ok(found
                .into_iter()
                .map(|(position, _, entry)| LogRow { position: unsigned(position), entry })
                .collect())
        })
    }

    fn audit<'a>(&'a mut self, filter: &'a AuditFilter) -> Answer<'a, Vec<(i64, Record)>> {
        Box::pin(async move { self.fetch(Statement::audit(filter)).await?.into_iter().map(record).collect() })
    }

    fn audit_reach(&mut self) -> Answer<'_, AuditReach> {
        Box::pin(async move {
            let select = Statement::new("SELECT coalesce(max(n), 0), '', '' FROM audit");
            let newest = self.fetch_one(select).await?.map_or(0, |(newest, _, _)| newest);
            let pruned = self.setting(AUDIT_PRUNED).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
            Ok(AuditReach { pruned, newest: newest.max(pruned) })
        })
    }

    fn audit_before(&mut self, before: Moment) -> Answer<'_, i64> {
        Box::pin(async move {
            let last = self.fetch_one(Statement::audit_before(before)).await?;
            Ok(last.map_or(0, |(last, _, _)| last))
        })
    }

    fn audit_last<'a>(&'a mut self, chain: &'a str) -> Answer<'a, Option<Record>> {
        Box::pin(async move {
            let select = Statement::new("SELECT n, chain, body FROM audit WHERE chain = ")
                .bind(chain)
                .push(" ORDER BY seq DESC LIMIT 1");
            self.fetch_one(select).await?.map(|found| record(found).map(|(_, record)| record)).transpose()
        })
    }

    fn audit_heads(&mut self) -> Answer<'_, Vec<Head>> {
        Box::pin(async move {
            let found = self
                .fetch(Statement::new("SELECT count, chain, hash FROM audit_heads ORDER BY chain"))
                .await?;
            Ok(found
                .into_iter()
                .map(|(count, chain, hash)| Head { chain, count: unsigned(count), hash })
                .collect())
        })
    }

    fn resources<'a>(&'a mut self, filter: &'a ResourceFilter) -> Answer<'a, Vec<ResourceRow>> {
        Box::pin(async move {
            let select = Statement::new("SELECT CAST(0 AS BIGINT), name, body FROM resources")
                .where_resource(filter)
                .push(" ORDER BY name");
            let select = match filter.limit {
                Some(limit) => select.push(" LIMIT ").bind(limit),
                None => select,
            };
            let found = self.fetch(select).await?;
            Ok(found.into_iter().map(|(_, name, body)| ResourceRow { name, body }).collect())
        })
    }

    fn setting<'a>(&'a mut self, name: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let select = Statement::new("SELECT CAST(0 AS BIGINT), name, value FROM settings WHERE name = ")
                .bind(name);
            Ok(self.fetch_one(select).await?.map(|(_, _, value)| value))
        })
    }
}

impl<C: Connection> Write for SqlTransaction<C> {
    fn put_all<'a>(&'a mut self, table: Table, mut records: Vec<Put<'a>>) -> Answer<'a, ()> {
        let insert = format!(
            "INSERT INTO {} (id, lookup, identity, repo, state, owner, due, body) VALUES ",
            table.as_str()
        );
        Box::pin(async move {
            while !records.is_empty() {
                let later = records.split_off(records.len().min(ROWS));
                let rows = std::mem::replace(&mut records, later).into_iter().map(Put::values);
                let upsert = Statement::new(&*insert).rows(rows).push(
                    " ON CONFLICT (id) DO UPDATE SET lookup = excluded.lookup, identity = excluded.identity, \
                     repo = excluded.repo, state = excluded.state, owner = excluded.owner, due = excluded.due, \
                     body = excluded.body",
                );
                self.execute(upsert).await?;
            }
            Ok(())
        })
    }

    fn delete<'a>(&'a mut self, table: Table, id: &'a str) -> Answer<'a, bool> {
        let delete = format!("DELETE FROM {} WHERE id = ", table.as_str());
        Box::pin(async move { Ok(self.execute(Statement::new(delete).bind(id)).await? > 0) })
    }

    fn delete_due(&mut self, table: Table, due_by: Moment) -> Answer<'_, u64> {
        let delete = format!("DELETE FROM {} WHERE due <= ", table.as_str());
        Box::pin(async move { self.execute(Statement::new(delete).bind(due_by)).await })
    }

    fn append_log(&mut self, at: Moment, entry: String) -> Answer<'_, Position> {
        Box::pin(async move {
            let insert = Statement::new("INSERT INTO change_log (at, entry) VALUES (")
                .bind(at)
                .push(", ")
                .bind(entry)
                .push(") RETURNING position, '', ''");
            let position = self.fetch_one(insert).await?.map_or(0, |(position, _, _)| unsigned(position));
            let woken = self.connection.wake(position).await;
            self.spoilt |= woken.is_err();
            woken?;
            Ok(position)
        })
    }

    fn prune_log(&mut self, before: Moment) -> Answer<'_, ()> {
        Box::pin(async move {
            let select =
                Statement::new("SELECT coalesce(max(position), 0), '', '' FROM change_log WHERE at < ");
            let last = self.fetch_one(select.bind(before)).await?.map_or(0, |(last, _, _)| last);
            if last == 0 {
                return Ok(());
            }
            self.execute(Statement::new("DELETE FROM change_log WHERE position <= ").bind(last)).await?;
            self.set(PRUNED, &last.to_string()).await
        })
    }

    fn append_audit<'a>(&'a mut self, records: &'a [Record]) -> Answer<'a, ()> {
        Box::pin(async move {
            for some in records.chunks(ROWS) {
                let rows = some.iter().map(audit_row).collect::<Result<Vec<_>, _>>()?;
                let insert = "INSERT INTO audit (chain, seq, at, kind, identity, repo, body) VALUES ";
                self.execute(Statement::new(insert).rows(rows)).await?;
            }
            // The last record of each chain.
            let heads: BTreeMap<&str, &Record> =
                records.iter().map(|record| (record.chain.as_str(), record)).collect();
            for (chain, last) in heads {
                let insert = Statement::new("INSERT INTO audit_heads (chain, count, hash) VALUES (")
                    .bind(chain)
                    .push(", ")
                    .bind(last.seq.saturating_add(1))
                    .push(", ")
                    .bind(last.hash.as_str())
                    .push(") ON CONFLICT (chain) DO UPDATE SET count = excluded.count, hash = excluded.hash");
                self.execute(insert).await?;
            }
            Ok(())
        })
    }

    fn prune_audit(&mut self, to: i64) -> Answer<'_, Vec<Head>> {
        Box::pin(async move {
            let select = Statement::new("SELECT max(seq), chain, '' FROM audit").push(OLD).bind(to);
            let ends = self.fetch(select.push(" GROUP BY chain")).await?;
            let mut cuts = Vec::with_capacity(ends.len());
            for (seq, chain, _) in ends {
                let select = Statement::new("SELECT n, chain, body FROM audit WHERE chain = ")
                    .bind(chain.as_str())
                    .push(" AND seq = ")
                    .bind(seq);
                let Some(found) = self.fetch_one(select).await? else { continue };
                let (_, record) = record(found)?;
                cuts.push(Head { chain, count: unsigned(seq).saturating_add(1), hash: record.hash });
            }
            self.execute(Statement::new("DELETE FROM audit").push(OLD).bind(to)).await?;
            self.set(AUDIT_PRUNED, &to.to_string()).await?;
            Ok(cuts)
        })
    }

    fn replace_resources<'a>(
        &'a mut self,
        filter: &'a ResourceFilter,
        rows: &'a [ResourceRow],
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.execute(Statement::new("DELETE FROM resources").where_resource(filter)).await?;
            for some in rows.chunks(ROWS) {
                let row = |row: &ResourceRow| {
                    [filter.repo.as_str(), row.name.as_str(), row.body.as_str()].map(Value::from).into()
                };
                let insert = "INSERT INTO resources (repo, name, body) VALUES ";
                self.execute(Statement::new(insert).rows(some.iter().map(row))).await?;
            }
            Ok(())
        })
    }

    fn set<'a>(&'a mut self, name: &'a str, value: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let insert = Statement::new("INSERT INTO settings (name, value) VALUES (")
                .bind(name)
                .push(", ")
                .bind(value)
                .push(") ON CONFLICT (name) DO UPDATE SET value = excluded.value");
            self.execute(insert).await.map(drop)
        })
    }

    fn clock_mark(&mut self) -> Answer<'_, Option<ClockMark>> {
        Box::pin(async move {
            let text = self.setting(CLOCK_MARK).await?;
            Ok(text.and_then(|text| clock_mark::read(&text, self.connection.reference())))
        })
    }

    fn set_clock_mark(&mut self, at: Moment) -> Answer<'_, ()> {
        let text = clock_mark::text(at, self.connection.reference());
        Box::pin(async move { self.set(CLOCK_MARK, &text).await })
    }

    fn commit(self: Box<Self>) -> Answer<'static, ()> {
        if self.spoilt {
            return Box::pin(std::future::ready(Err(StoreError::Spoilt)));
        }
        self.connection.commit()
    }
}

impl Put<'_> {
    fn values(self) -> Vec<Value> {
        let Columns { lookup, identity, repo, state, owner, due } = self.columns;
        let mut values = [Some(self.id), lookup, identity, repo, state, owner].map(Value::from).to_vec();
        values.extend([due.into(), self.body.into()]);
        values
    }
}

fn audit_row(record: &Record) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        record.chain.as_str().into(),
        record.seq.into(),
        record.at.as_millisecond().into(),
        record.kind.as_str().into(),
        record.identity.as_str().into(),
        record.repo.as_str().into(),
        serde_json::to_string(record)?.into(),
    ])
}
