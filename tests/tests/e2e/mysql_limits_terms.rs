//! The terms of a rule on MySQL and MariaDB: how much a limited session moves, what becomes of a star; and what views
//! over hidden columns tell.

use postern_tests::{
    mysql::{
        limits::{lay, resources},
        server::{BOTH, Mysql, Version},
        stage::{Stage, Wish},
        wire::{Raw, query},
    },
    office::Access,
    wait::until,
};
use serde_json::{Value, json};

/// The sample data, and a grant of them under a rule with these terms.
async fn under(version: Version, terms: &Value) -> Option<(Stage, Access)> {
    let mysql = Mysql::start(version).await?;
    lay(&mysql);
    let stage = Stage::around(mysql, Wish::default()).await;
    let mut rule = json!({
        "requesters": ["*"], "repos": ["*"], "accounts": ["*"], "whole": false, "priority": 9,
        "privileges": ["SELECT", "INSERT", "UPDATE"], "max_duration": "30d",
        "approvals": [{"from": ["*"], "count": 1}],
    });
    rule.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    stage.api.put("/v1/rules/terms", rule).await.ok();
    let access = stage.limited("root", &resources()).await;
    Some((stage, access))
}

#[tokio::test]
async fn an_answer_with_too_many_rows_is_cut_off_and_ends_its_session() {
    for version in BOTH {
        let terms = json!({"limits": {"max_rows": 4}});
        let Some((stage, access)) = under(version, &terms).await else { continue };
        let mut raw = stage.raw(&access).await.unwrap();
        for _ in 0..3 {
            assert_eq!(raw.ask("select id from orders").await.unwrap().rows.len(), 4);
        }
        raw.send(&query("select id from sales")).await;
        let packets = raw.rest().await;
        let told = packets.iter().rev().find_map(postern_tests::mysql::wire::Packet::refusal).unwrap();
        assert!(told.message.contains("4 rows in one answer"), "{told:?}");
        let ids = packets.iter().filter(|packet| matches!(packet.body.as_slice(), [1, b'1'..=b'5'])).count();
        assert!(ids <= 4, "{packets:?}");
        // The grant itself is as it was.
        assert_eq!(stage.raw(&access).await.unwrap().value("select 1").await, "1");
    }
}

#[tokio::test]
async fn rows_and_statements_are_counted_by_the_minute_over_all_sessions_of_the_grant() {
    for version in BOTH {
        let terms = json!({"limits": {"rows_per_minute": 6, "statements_per_minute": 6}});
        let Some((stage, access)) = under(version, &terms).await else { continue };
        let mut raw = stage.raw(&access).await.unwrap();
        for _ in 0..3 {
            raw.ask("select id from orders where id = 1").await.unwrap();
        }
        assert!(raw.prepare("select qty from orders").await.is_ok(), "to prepare is not to run");
        let mut other = stage.raw(&access).await.unwrap();
        other.ask("select o.id from orders o limit 3").await.unwrap();
        other.send(&query("select o.id from orders o join orders p")).await;
        let told = other.last_error().await.unwrap();
        assert!(told.message.contains("6 rows a minute"), "{told:?}");
        raw.ask("select id from orders where id = 0").await.unwrap();
        let refused = raw.ask("select id from orders where id = 0").await.unwrap_err();
        assert!(refused.message.contains("6 statements a minute"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_star_becomes_the_columns_of_the_grant() {
    for version in BOTH {
        let Some((stage, access)) = under(version, &json!({"star": "expand"})).await else { continue };
        let mut raw = stage.raw(&access).await.unwrap();
        let answer = raw.ask("select * from sales where id = 2").await.unwrap();
        assert_eq!(answer.columns, ["id", "prod_name", "sku"]);
        assert_eq!(answer.rows.len(), 1);
        let answer =
            raw.ask("select s.*, o.* from sales s join orders o on o.sale_id = s.id where s.id = 1").await;
        assert_eq!(answer.unwrap().columns, ["id", "prod_name", "sku", "id", "sale_id", "qty"]);
        let (prepared, _) =
            raw.prepare("select d.* from (select * from sales) d where id > ?").await.unwrap();
        assert_eq!(prepared.columns, 3);
        for sql in
            ["select * from employees", "select count(card_number) from sales", "select * from v_sales_all"]
        {
            assert!(raw.ask(sql).await.is_err(), "{sql}");
        }
    }
}

/// Views whose columns do not fit what they are read as, and a column that is computed when it is read.
const COMPUTED: &str = "
create view v_number as select id, card_number + 0 as n, cast(price as signed) * 9223372036854775807 as big from sales;
create table computed (id int primary key, hidden varchar(40), n int as (hidden + id) virtual);
set sql_mode = '';
insert into computed (id, hidden) values (1, 'GEN-SECRET-1')
";

#[tokio::test]
async fn no_error_and_no_warning_tells_what_a_view_or_a_column_is_computed_from() {
    for version in BOTH {
        let Some(mysql) = Mysql::start(version).await else { continue };
        lay(&mysql);
        let mut root = mysql.admin().await;
        root.run("use shop").await;
        root.run(COMPUTED).await;
        let stage = Stage::around(mysql, Wish::default()).await;
        let read = |name: &str| json!({"resource": name, "privileges": ["SELECT"]});
        let names = ["shop.v_number.n", "shop.v_number.big", "shop.computed.n", "shop.orders.id"];
        let access = stage.limited("root", &json!(names.map(read))).await;
        let mut raw = stage.raw(&access).await.unwrap();
        until("the views to be known", async || raw.ask("select n from v_number").await.is_ok()).await;
        for sql in [
            "select n from v_number",
            "select n from computed",
            "select big from v_number",
            "do (select max(n) from v_number)",
            "set @a = (select max(n) from computed)",
            "set @a = (select max(big) from v_number), autocommit = 1",
            "analyze select n from computed",
            "explain analyze select n from computed",
        ] {
            let told = tell(&mut raw, sql).await;
            assert!(
                !told.contains("SECRET") && !told.contains("price") && !told.contains("card_number"),
                "{told}"
            );
        }
        raw.ask("select id from orders").await.unwrap();
        assert_eq!(raw.ask("show warnings").await.is_ok(), !version.is_mariadb());
    }
}

/// All that can be learned of how a statement went.
async fn tell(raw: &mut Raw, sql: &str) -> String {
    format!(
        "{:?} {:?} {:?}",
        raw.ask(sql).await.err(),
        raw.ask("show warnings").await,
        raw.ask("show errors").await
    )
}

#[tokio::test]
async fn the_access_report_tells_what_statements_read_and_wrote() {
    for version in BOTH {
        let Some((stage, access)) = under(version, &json!({"star": "expand"})).await else { continue };
        let mut raw = stage.raw(&access).await.unwrap();
        raw.ask("select * from sales where ID = 1").await.unwrap();
        raw.ask("prepare p from 'insert into orders(sale_id) values (1)'").await.unwrap();
        let told = async || stage.api.get("/v1/reports/access").await.ok()["items"][0].clone();
        let shop = |name: &str, privilege: &str| json!({"resource": format!("shop.{name}"), "privileges": [privilege]});
        let read = ["sales.id", "sales.prod_name", "sales.sku"].map(|name| shop(name, "SELECT"));
        until("the reads to be told", async || told().await["used_resources"] == json!(read)).await;
        raw.ask("execute p").await.unwrap();
        let all = [&[shop("orders.sale_id", "INSERT")], &read[..]].concat();
        until("the write to be told", async || told().await["used_resources"] == json!(all)).await;
    }
}
