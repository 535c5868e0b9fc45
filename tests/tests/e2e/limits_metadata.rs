//! What tools ask the server's own tables for comes with the names, numbers and types of columns that it natively has, and
//! with NULL for what nobody is told.

use postern_tests::{
    limits::{ACCOUNT, resources},
    postgres::{Postgres, Version},
    stage::{REPO, Stage, Wish},
};
use tokio_postgres::{Client, SimpleQueryMessage, error::SqlState};

/// Queries, and the column of each that is not told.
const ASKED: &[(&str, &str)] = &[
    (
        "SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value FROM pg_catalog.pg_attribute a \
         INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON \
         (a.attrelid=ad.adrelid AND a.attnum = ad.adnum) WHERE a.attnum > 0 AND c.relname = 'orders' ORDER BY a.attnum",
        "attmissingval",
    ),
    ("SELECT p.* FROM pg_proc p WHERE p.proname = 'add1' ORDER BY p.oid LIMIT 3", "prosrc"),
    ("SELECT p.* FROM pg_proc p WHERE p.proname = 'add1' ORDER BY p.oid LIMIT 3", "prosqlbody"),
    ("SELECT x.*, c.relname AS of FROM pg_trigger x JOIN pg_class c ON c.oid = x.tgrelid", "tgargs"),
    ("TABLE pg_sequences", "last_value"),
    ("SELECT * FROM pg_views ORDER BY viewname", "definition"),
    ("SELECT * FROM pg_catalog.pg_rules r JOIN pg_namespace n ON n.nspname = r.schemaname", "definition"),
    ("SELECT v.* FROM (SELECT * FROM information_schema.views) v", "view_definition"),
    ("SELECT * FROM information_schema.routines LIMIT 5", "routine_definition"),
    ("SELECT * FROM information_schema.triggers", "action_statement"),
    ("SELECT * FROM pg_aggregate LIMIT 5", "agginitval"),
    ("SELECT fdwname, fdwoptions FROM pg_foreign_data_wrapper", "fdwoptions"),
    (
        "SELECT p.proname AS name, CASE WHEN l.lanname = 'internal' THEN p.prosrc ELSE pg_get_functiondef(p.oid) END AS \
         definition FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.prokind = 'f' ORDER BY p.oid LIMIT 50",
        "definition",
    ),
    (
        "SELECT relname, pg_catalog.pg_get_viewdef(c.oid, true) FROM pg_class c WHERE relkind = 'v'",
        "pg_get_viewdef",
    ),
    ("SELECT viewname, definition FROM pg_views ORDER BY definition, viewname", "definition"),
];

/// Queries that are answered as they stand.
const TOLD: &[&str] = &[
    "SELECT pgd.description, st.relname FROM pg_catalog.pg_statio_all_tables AS st LEFT JOIN pg_catalog.pg_description pgd \
     ON pgd.objoid = st.relid WHERE st.relname = 'orders'",
    "SELECT count(*) > 100, min(name) FROM pg_timezone_names()",
    "SELECT tokid, alias FROM ts_token_type('default') ORDER BY 1",
    "SELECT has_tablespace_privilege('pg_default', 'CREATE'), to_regoperator('+(int4,int4)'), to_regcollation('\"C\"')",
];

/// Names and types, as the server describes them.
async fn columns(client: &Client, text: &str) -> Vec<String> {
    let described = client.prepare(text).await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    described.columns().iter().map(|column| format!("{} {}", column.name(), column.type_())).collect()
}

/// Each row's value of this column.
async fn values(client: &Client, text: &str, column: &str) -> Vec<Option<String>> {
    let answer = client.simple_query(text).await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let row = |message: &SimpleQueryMessage| {
        let SimpleQueryMessage::Row(row) = message else { return None };
        Some(row.get(column).map(str::to_owned))
    };
    answer.iter().filter_map(row).collect()
}

async fn tools_get_the_columns_that_they_know(version: Version) {
    let Some(postgres) = Postgres::start(version).await else { return };
    let native = postgres.admin().await;
    native.batch_execute(include_str!("../../data/pg_schema.sql")).await.expect("the schema runs");
    let stage = Stage::around(postgres, Wish::default()).await;
    let access = stage.limited(REPO, ACCOUNT, &resources()).await;
    let gate = stage.connect(&access).await;
    let mut told = 0;
    for (text, column) in ASKED {
        assert_eq!(columns(&gate, text).await, columns(&native, text).await, "{version:?} {text}");
        let seen = values(&gate, text, column).await;
        assert!(seen.iter().all(Option::is_none), "{version:?} {text}: {seen:?}");
        told += seen.len();
    }
    assert!(told > 50, "{version:?}: {told}");
    for text in TOLD {
        assert_eq!(columns(&gate, text).await, columns(&native, text).await, "{version:?} {text}");
        assert!(!gate.simple_query(text).await.expect("it is told").is_empty(), "{version:?} {text}");
    }
}

/// As inspectors ask, and as psql does for `\sv`.
#[tokio::test]
async fn the_text_of_granted_views_is_told_beside_nothing_of_others() {
    let Some(postgres) = Postgres::start(Version::Fifteen).await else { return };
    let native = postgres.admin().await;
    native.batch_execute(include_str!("../../data/pg_schema.sql")).await.expect("the schema runs");
    let stage = Stage::around(postgres, Wish::default()).await;
    let granted = serde_json::json!([{"resource": "public.v_sales_public", "privileges": ["SELECT"]}]);
    let gate = stage.connect(&stage.limited(REPO, ACCOUNT, &granted).await).await;
    for text in [
        "SELECT pg_catalog.pg_get_viewdef(pg_catalog.pg_class.oid) AS pg_get_viewdef FROM pg_catalog.pg_class JOIN \
         pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace \
         WHERE pg_catalog.pg_class.relname = '{}' AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid)",
        "SELECT nspname, relname, relkind, pg_catalog.pg_get_viewdef(c.oid, true), reloptions FROM pg_catalog.pg_class c \
         LEFT JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid WHERE c.relname = '{}'",
    ] {
        let [open, closed] = ["v_sales_public", "v_sales_all"].map(|view| text.replace("{}", view));
        assert_eq!(columns(&gate, &open).await, columns(&native, &open).await, "{open}");
        let told = values(&gate, &open, "pg_get_viewdef").await;
        assert!(told.iter().all(Option::is_some), "{open}: {told:?}");
        assert_eq!(told, values(&native, &open, "pg_get_viewdef").await, "{open}");
        assert_eq!(values(&gate, &closed, "pg_get_viewdef").await, [None], "{closed}");
    }
}

/// As `SQLAlchemy` asks with parameters of the server's: the setting's name comes when all has been judged.
#[tokio::test]
async fn a_setting_that_a_parameter_names_is_told_if_it_may_be_read() {
    let Some(postgres) = Postgres::start(Version::Fifteen).await else { return };
    let native = postgres.admin().await;
    native.batch_execute(include_str!("../../data/pg_schema.sql")).await.expect("the schema runs");
    let stage = Stage::around(postgres, Wish::default()).await;
    let access = stage.limited(REPO, ACCOUNT, &resources()).await;
    let gate = stage.connect(&access).await;
    let text = "SELECT CASE WHEN a.amname <> current_setting($1::VARCHAR) THEN 'another' ELSE a.amname::text END \
                FROM pg_catalog.pg_am a WHERE a.amname = $2";
    let statement = gate.prepare(text).await.expect("it is judged without the values");
    let told = |row: &tokio_postgres::Row| row.get::<_, String>(0);
    for (name, expected) in [("default_table_access_method", "heap"), ("TimeZone", "another")] {
        let rows = gate.query(&statement, &[&name, &"heap"]).await.expect("it may be read");
        assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), [expected]);
    }
    for name in [Some("primary_conninfo"), Some("data_directory"), Some("default_table_access_method "), None]
    {
        let error = gate.query(&statement, &[&name, &"heap"]).await.expect_err("it may not be read");
        assert_eq!(error.code().map(SqlState::code), Some("42501"), "{name:?}");
    }
    assert_eq!(gate.query(&statement, &[&"port", &"heap"]).await.expect("all goes on").len(), 1);
    let error =
        gate.simple_query("EXECUTE s0('data_directory', 'heap')").await.expect_err("no name is looked at");
    assert!(matches!(error.code().map(SqlState::code), Some("42501" | "26000")), "{error:?}");
}

#[tokio::test]
async fn tools_get_the_columns_that_they_know_on_15() {
    tools_get_the_columns_that_they_know(Version::Fifteen).await;
}

#[tokio::test]
async fn tools_get_the_columns_that_they_know_on_18() {
    tools_get_the_columns_that_they_know(Version::Eighteen).await;
}
