//! What a database holds, in a few numbers, to see whether a session changed anything; and how it becomes as before.

use tokio_postgres::Client;

/// Catalogs in which every change leaves a row with another `xmin`.
const CATALOGS: [&str; 42] = [
    "pg_am",
    "pg_attrdef",
    "pg_attribute",
    "pg_auth_members",
    "pg_authid",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_constraint",
    "pg_conversion",
    "pg_database",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_index",
    "pg_inherits",
    "pg_language",
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_namespace",
    "pg_operator",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_rewrite",
    "pg_seclabel",
    "pg_shdescription",
    "pg_statistic",
    "pg_statistic_ext",
    "pg_subscription",
    "pg_tablespace",
    "pg_transform",
    "pg_trigger",
    "pg_ts_config",
    "pg_type",
    "pg_user_mapping",
];

const TABLES: &str = "
select coalesce(string_agg(c.oid::regclass || query_to_xml(
           format('select md5(string_agg(row(t.*)::text, $$,$$ order by row(t.*)::text)) from %s t', c.oid::regclass),
           true, false, '')::text, '' order by c.oid), '')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm', 'S') and nspname !~ '^pg_' and nspname <> 'information_schema'";

/// The seeds of `orders`, the one table that may be written.
const RESTORE: &str = "
truncate public.orders;
insert into public.orders (id, sale_id, qty) select g, g, g * 10 from generate_series(1, 4) g;
select setval('public.orders_id_seq', 100);";

/// What a database holds at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    written_to: String,
    /// `orders`
    covered: String,
    /// Sequences: a refused insert may have drawn a number.
    drawn: String,
    /// All other tables.
    uncovered: String,
    catalogs: String,
}

async fn text(admin: &Client, sql: &str) -> String {
    admin.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{error:?}: {sql}")).get(0)
}

async fn position(admin: &Client) -> String {
    text(admin, "select pg_current_wal_insert_lsn()::text").await
}

impl State {
    /// Looks at everything.
    pub async fn of(admin: &Client) -> Self {
        let sums = CATALOGS
            .map(|name| format!("select '{name}' n, count(*) c, sum(xmin::text::bigint) s from {name}"));
        let sums = sums.join(" union all ");
        Self {
            covered: text(admin, &format!("{TABLES} and c.relname = 'orders'")).await,
            drawn: text(admin, &format!("{TABLES} and c.relkind = 'S'")).await,
            uncovered: text(admin, &format!("{TABLES} and c.relkind <> 'S' and c.relname <> 'orders'")).await,
            catalogs: text(
                admin,
                &format!("select string_agg(concat(n, c, '/', s), ' ' order by n) from ({sums}) x"),
            )
            .await,
            written_to: position(admin).await,
        }
    }

    /// Looks again; cheap when nothing at all was written since.
    pub async fn again(&self, admin: &Client) -> Self {
        if position(admin).await == self.written_to { self.clone() } else { Self::of(admin).await }
    }

    /// Whether something differs that the grant lets nobody write. `drawing`: whether numbers may have been drawn.
    pub fn differs_outside(&self, other: &Self, drawing: bool) -> bool {
        self.uncovered != other.uncovered
            || self.catalogs != other.catalogs
            || (!drawing && self.drawn != other.drawn)
    }

    /// Which parts differ.
    pub fn difference(&self, other: &Self) -> String {
        let mine = self.catalogs.split(' ').zip(other.catalogs.split(' '));
        let mut parts: Vec<&str> = mine.filter(|(a, b)| a != b).map(|(a, _)| a).collect();
        let more = [("tables", self.uncovered != other.uncovered), ("sequences", self.drawn != other.drawn)];
        parts.extend(more.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name));
        parts.join(", ")
    }

    /// Whether something differs that the grant lets its holder write.
    pub fn differs_inside(&self, other: &Self) -> bool {
        self.covered != other.covered || self.drawn != other.drawn
    }
}

/// Puts the seeds back into what the grant lets its holder write.
pub async fn restore(admin: &Client) {
    admin.batch_execute(RESTORE).await.expect("orders can be written");
}
