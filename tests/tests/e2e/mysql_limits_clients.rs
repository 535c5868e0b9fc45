//! Real clients connect, look around and work inside a limited grant on MySQL and MariaDB, as a native account with its
//! privileges would.

use std::{
    fs::File,
    path::PathBuf,
    process::{Command, Stdio},
};

use postern_tests::{
    folder::{Folder, fetched},
    limits::markers::leaks,
    mysql::{
        accounts::DATABASE,
        limits::{NATIVE, let_native_account_in, limited, limited_on},
        server::{BOTH, Version},
        stage::{Stage, Wish},
        way::Way,
    },
    process::bound,
};

/// A server with the gate before it, and the two ways in: as the native account, and through the gate.
async fn scene(version: Version) -> Option<(Stage, [Way; 2])> {
    let wish = Wish { tls: true, ..Wish::default() };
    let (stage, access) = limited_on(version, wish).await?;
    let_native_account_in(&stage.mysql).await;
    let [direct, through] = stage.ways(&access);
    let native = Way { user: NATIVE.to_owned(), password: String::new(), ..direct };
    Some((stage, [native, through]))
}

fn application(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("drivers/mysql/limited").join(name)
}

/// What an application prints. Its failure is one of the test.
fn printed(way: &Way, mut command: Command) -> String {
    let scratch = Folder::new();
    let output = way.application(command.current_dir(scratch.path()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "as {}: {text}\n{}", way.user, String::from_utf8_lossy(&output.stderr));
    text
}

/// Fails unless both say the same, line by line.
fn differ_in_nothing<'a>(
    version: Version,
    native: impl Iterator<Item = &'a str>,
    through: impl Iterator<Item = &'a str>,
) {
    let (native, through): (Vec<_>, Vec<_>) = (native.collect(), through.collect());
    let other: Vec<_> = native.iter().zip(&through).filter(|(native, through)| native != through).collect();
    assert!(other.is_empty(), "{version:?}: {other:#?}");
    assert_eq!(native.len(), through.len(), "{version:?}");
}

async fn alike(command: impl Fn() -> Command) {
    for version in BOTH {
        let Some((_stage, ways)) = scene(version).await else { continue };
        let [native, through] = ways.map(|way| printed(&way, command()));
        differ_in_nothing(version, native.lines(), through.lines());
        assert!(native.lines().count() > 5, "the application said too little: {native}");
        assert!(leaks("", &through).is_empty(), "{through}");
    }
}

async fn python(name: &str) {
    let Some(place) = fetched("mysqlpython") else { return };
    alike(|| {
        let mut command = bound(place.join("venv/bin/python"), "KILL");
        command.arg(application(name)).env("PYTHONHASHSEED", "0");
        command
    })
    .await;
}

#[tokio::test]
async fn pymysql_works_within_limits() {
    python("pymysql_limited.py").await;
}

#[tokio::test]
async fn sqlalchemy_reflects_and_works_within_limits() {
    python("sqlalchemy_limited.py").await;
}

#[tokio::test]
async fn django_inspects_and_works_within_limits() {
    python("django_limited.py").await;
}

#[tokio::test]
async fn mysql2_works_within_limits() {
    let Some(node) = fetched("mysqlnode") else { return };
    alike(|| {
        let mut command = bound("node", "KILL");
        command.arg(application("mysql2_limited.js")).env("NODE_PATH", node.join("node_modules"));
        command
    })
    .await;
}

#[tokio::test]
async fn connector_j_looks_around_and_works_within_limits() {
    let Some(java) = fetched("mysqljava") else { return };
    alike(|| {
        let mut command = bound("java", "KILL");
        let jars = format!("{}/*", java.join("jars").display());
        command.args(["-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", &jars]);
        command.arg(application("ConnectorJLimited.java"));
        command
    })
    .await;
}

/// What people type at the prompt; with `--force` the client goes on after an error.
const SCRIPT: &str = "\\s
show databases;
show tables;
show full tables;
describe orders;
describe sales;
show index from orders;
show create table orders;
show warnings;
use shop;
select id, prod_name, sku from sales where id = 3;
select price from sales;
select * from sales;
select count(*) from employees;
use hr;
begin;
insert into orders (sale_id, qty) values (1, 99);
update orders set qty = 5 where id = 1;
select sum(qty) from orders;
rollback;
delete from orders;
set @a = 41;
prepare s from 'select ? + 1';
execute s using @a;
delimiter //
select 1; select 2//
delimiter ;
explain select id from sales where id = 1;
";

/// What the client prints without the lines that name the connection, and the numbers of its errors.
fn typed(stage: &Stage, way: &Way) -> (Vec<String>, Vec<String>) {
    let folder = Folder::new();
    let script = folder.write("script.sql", SCRIPT);
    let mut command = way.command(&stage.mysql, stage.mysql.client());
    command.args(["--force", "--table", DATABASE]).stdin(File::open(script).unwrap());
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(leaks(SCRIPT, &format!("{out}{err}")).is_empty(), "{out}{err}");
    let own = ["onnection", "user", "ort:", "Threads", "ptime", "SSL", "AUTO_INCREMENT="];
    let lines = out.lines().filter(|line| !own.iter().any(|word| line.contains(word)));
    let errors = err.lines().filter_map(|line| line.split_once(':').map(|(number, _)| number.to_owned()));
    (lines.map(str::to_owned).collect(), errors.filter(|line| line.starts_with("ERROR")).collect())
}

#[tokio::test]
async fn the_stock_client_works_within_limits() {
    for version in BOTH {
        let Some((stage, ways)) = scene(version).await else { continue };
        let [native, through] = ways.map(|way| typed(&stage, &way));
        for (native, through) in [(&native.1, &through.1), (&native.0, &through.0)] {
            differ_in_nothing(version, native.iter().map(String::as_str), through.iter().map(String::as_str));
        }
        assert!(native.0.len() > 60 && native.1.len() >= 5, "too little: {native:?}");
    }
}

/// Typed at a terminal: `\t` completes what stands before it.
const TYPED: [(&str, &str); 3] = [
    ("select 100 + max(sale_\t) from ord\t;", "104"),
    ("select max(orders.q\t) + 300 from orders;", "340"),
    ("select max(prod_n\t) from sales;", "Product 5"),
];

#[tokio::test]
async fn the_tab_key_of_the_stock_client_completes_names() {
    for version in BOTH {
        let Some((stage, [_, through])) = scene(version).await else { continue };
        let plain = through.command(&stage.mysql, stage.mysql.client());
        let words: Vec<_> = [plain.get_program()].into_iter().chain(plain.get_args()).collect();
        let words = words.iter().map(|word| format!("'{}'", word.to_string_lossy()));
        let line =
            words.chain(["--auto-rehash".to_owned(), DATABASE.to_owned()]).collect::<Vec<_>>().join(" ");
        for (typed, shown) in TYPED {
            let folder = Folder::new();
            let keys = folder.write("keys", format!("{typed}\nquit\n"));
            let mut command = bound("script", "KILL");
            command.args(["-qec", &line, "/dev/null"]).env("MYSQL_PWD", &through.password);
            command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
            command.env("TERM", "dumb").stdin(Stdio::from(File::open(keys).unwrap()));
            let output = command.output().unwrap();
            let out = String::from_utf8_lossy(&output.stdout);
            assert!(out.contains(shown) && !out.contains("ERROR"), "{version:?} {typed:?}: {out}");
        }
    }
}

/// What tools with windows ask for when they connect, open a database and describe a table.
const ASKED: &[&str] = &[
    "/* mysql-connector-j */SELECT @@session.auto_increment_increment AS auto_increment_increment, \
     @@character_set_client AS character_set_client, @@max_allowed_packet AS max_allowed_packet, @@time_zone AS time_zone",
    "SELECT DATABASE()",
    "SET SESSION sql_mode='ANSI_QUOTES'",
    "SET SESSION sql_mode=''",
    "SHOW ENGINES",
    "SHOW CHARSET",
    "SHOW COLLATION",
    "SHOW VARIABLES LIKE 'lower_case_%'",
    "SHOW VARIABLES LIKE 'version_comment'",
    "SHOW SESSION STATUS LIKE 'Ssl_cipher'",
    "SELECT * FROM information_schema.SCHEMATA",
    "SHOW DATABASES",
    "SHOW FULL TABLES FROM `shop`",
    "SHOW TABLE STATUS FROM `shop`",
    "SHOW FULL COLUMNS FROM `shop`.`orders`",
    "SHOW FULL COLUMNS FROM `sales` FROM `shop`",
    "SHOW INDEX FROM `shop`.`orders`",
    "SELECT * FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'sales' ORDER BY ORDINAL_POSITION",
    "SELECT * FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop' ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
    "SELECT kc.CONSTRAINT_NAME, kc.TABLE_NAME, kc.COLUMN_NAME, kc.ORDINAL_POSITION, kc.REFERENCED_TABLE_NAME \
     FROM information_schema.KEY_COLUMN_USAGE kc WHERE kc.TABLE_SCHEMA = 'shop' ORDER BY 1, 4",
    "SELECT * FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'shop'",
    "SELECT * FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'shop' ORDER BY ROUTINE_NAME",
    "SELECT * FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'",
    "SELECT * FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'shop'",
    "SELECT * FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'orders'",
    "SELECT TABLE_NAME, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'",
    "SHOW CREATE TABLE `shop`.`orders`",
    "SHOW TRIGGERS FROM `shop`",
    "SHOW PROCEDURE STATUS WHERE Db = 'shop'",
    "SHOW EVENTS FROM `shop`",
    "SHOW GRANTS",
    "SHOW WARNINGS",
    "SHOW PLUGINS",
    "SHOW OPEN TABLES FROM `shop`",
    "SHOW STORAGE ENGINES",
    "SHOW /*!50002 GLOBAL */ STATUS",
    "SHOW /*!50002 FULL */ TABLES",
    "SHOW SESSION VARIABLES LIKE 'FOREIGN_KEY_CHECKS'",
    "SELECT * FROM information_schema.PLUGINS",
    "SELECT * FROM information_schema.ENABLED_ROLES",
    "SELECT *, EVENT_SCHEMA AS `Db`, EVENT_NAME AS `Name` FROM information_schema.`EVENTS` WHERE `EVENT_SCHEMA`='shop'",
    "SELECT `DEFAULT_COLLATION_NAME` FROM `information_schema`.`SCHEMATA` WHERE `SCHEMA_NAME`='shop'",
    "SELECT *, `TABLE_SCHEMA` AS `Db`, `TABLE_NAME` AS `Name`, `ENGINE` AS `Type` FROM `information_schema`.`TABLES` t \
     WHERE `TABLE_SCHEMA` IN ('shop') AND t.`TABLE_NAME` = 'orders' ORDER BY Name ASC",
    "SELECT `SCHEMA_NAME` FROM `INFORMATION_SCHEMA`.`SCHEMATA`, (SELECT DB_first_level FROM (SELECT DISTINCT \
     SUBSTRING_INDEX(SCHEMA_NAME, '_', 1) DB_first_level FROM INFORMATION_SCHEMA.SCHEMATA WHERE TRUE) t ORDER BY \
     DB_first_level ASC LIMIT 0, 100) t2 WHERE TRUE AND 1 = LOCATE(CONCAT(DB_first_level, '_'), \
     CONCAT(SCHEMA_NAME, '_')) ORDER BY SCHEMA_NAME ASC",
    "SELECT 1 FROM (SELECT `GRANTEE`, `IS_GRANTABLE` FROM `INFORMATION_SCHEMA`.`COLUMN_PRIVILEGES` UNION SELECT \
     `GRANTEE`, `IS_GRANTABLE` FROM `INFORMATION_SCHEMA`.`USER_PRIVILEGES`) t WHERE `IS_GRANTABLE` = 'YES' AND \
     '''root''@''%''' LIKE `GRANTEE` LIMIT 1",
    "SELECT @@GLOBAL.character_set_server, @@GLOBAL.collation_server",
    "SET SQL_SELECT_LIMIT=DEFAULT",
    "SET SESSION sql_mode = DEFAULT",
    "SET @@SESSION.sql_mode = CONCAT(REPLACE(REPLACE(@@sql_mode, 'STRICT_TRANS_TABLES', ''), 'TRADITIONAL', ''), \
     ',NO_AUTO_VALUE_ON_ZERO'), @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483",
    "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci', SESSION sql_mode='STRICT_TRANS_TABLES'",
    "SELECT table_name FROM (SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = \
     database()) _subquery WHERE _subquery.table_type = 'BASE TABLE'",
    "SELECT fk.referenced_table_name AS 'to_table', fk.column_name AS 'column', rc.update_rule AS 'on_update' FROM \
     information_schema.referential_constraints rc JOIN information_schema.key_column_usage fk USING \
     (constraint_schema, constraint_name) WHERE fk.referenced_column_name IS NOT NULL AND fk.table_schema = \
     database() AND fk.table_name = 'orders' AND rc.constraint_schema = database()",
    "START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */",
    "SELECT /*!40001 SQL_NO_CACHE */ `id`, `sale_id`, `qty` FROM `orders`",
    "UNLOCK TABLES",
    "SELECT MAX(id) INTO @last FROM orders",
    "SELECT id, prod_name, sku FROM shop.sales LIMIT 0, 200",
    "SELECT * FROM shop.orders LIMIT 0, 200",
];

#[tokio::test]
async fn what_tools_with_windows_ask_for_is_answered_within_the_grant() {
    for version in BOTH {
        let Some((stage, access)) = limited(version).await else { continue };
        let mut raw = stage.raw(&access).await.unwrap();
        let mut refused = Vec::new();
        for sql in ASKED {
            match raw.ask(sql).await {
                Err(refusal) => refused.push(format!("{sql}: {} {}", refusal.code, refusal.message)),
                Ok(answer) => {
                    let told = format!("{answer:?}");
                    let hidden = ["card_number", "employees", "reviews", "v_sales", "leak_cards", "SECRET"];
                    let word = hidden.iter().find(|word| told.contains(**word));
                    refused.extend(word.map(|word| format!("{sql} tells of {word}: {told}")));
                }
            }
        }
        assert!(refused.is_empty(), "{version:?}\n{}", refused.join("\n"));
    }
}
