//! Limited sessions on MySQL and MariaDB: every session of `tests/data/mysql_cases.jsonl` through the gate, and what
//! the protocol adds to it.

use postern_tests::{
    mysql::{
        limits::{data, lay, limited},
        login::{LogIn, MULTI_STATEMENTS, ORDINARY},
        server::{BOTH, Version},
        stage::Stage,
        wire::{
            FIELD_LIST, INIT_DB, PING, Packet, RESET_CONNECTION, Raw, STATISTICS, STMT_CLOSE, STMT_EXECUTE,
            STMT_PREPARE, command, query,
        },
    },
    office::Access,
    wait::until,
};
use serde_json::{Value, json};

/// What nobody may see who has the grant of the cases.
const MARKS: [&str; 8] = [
    "CARD-SECRET",
    "mail-SECRET",
    "SSN-SECRET",
    "EMP-SECRET",
    "PAYLOAD-SECRET",
    "REVIEW-SECRET",
    "777700",
    "888800",
];

/// What a session was told, statement by statement: rows as one text, or the error's number.
async fn play(stage: &Stage, access: &Access, statements: &[&str]) -> Vec<Result<String, (u16, String)>> {
    let mut raw = stage.raw(access).await.unwrap();
    let mut told = Vec::new();
    for sql in statements {
        raw.send(&query(sql)).await;
        let mut outcome = Ok(String::new());
        for packet in raw.response().await {
            match (packet.refusal(), &mut outcome) {
                (Some(refusal), _) => outcome = Err((refusal.code, refusal.message)),
                (None, Ok(text)) => text.push_str(&String::from_utf8_lossy(&packet.body)),
                (None, Err(_)) => {}
            }
        }
        told.push(outcome);
    }
    told
}

/// What is wrong with how a case went.
async fn finding(stage: &Stage, access: &Access, case: &Value) -> Option<String> {
    let texts = |key: &str| -> Vec<String> {
        let list = case[key].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut root = Raw::connect(stage.mysql.port()).await;
    root.log_in(&LogIn { database: "shop", ..stage.mysql.login("root") }).await.unwrap();
    for sql in texts("setup") {
        // Some set-ups are for one of the two families only.
        let _ = root.ask(&sql).await;
    }
    let session = texts("session");
    let statements: Vec<&str> = session.iter().map(String::as_str).collect();
    let told = play(stage, access, &statements).await;
    let said: Vec<String> =
        told.iter().map(|told| told.clone().unwrap_or_else(|(_, message)| message)).collect();
    let leaked = MARKS.iter().find(|mark| {
        !session.iter().any(|sql| sql.contains(*mark)) && said.iter().any(|text| text.contains(*mark))
    });
    let id = case["id"].as_str().unwrap_or_default();
    if let Some(mark) = leaked {
        return Some(format!("LEAK {id}: {mark}: {statements:?}: {told:?}"));
    }
    let denied = told.iter().position(|told| {
        matches!(told, Err((1044 | 1047 | 1054 | 1064 | 1095 | 1142 | 1143 | 1227 | 1243, _)))
    });
    let accept: Vec<String> = texts("accept");
    match case["expect"].as_str()? {
        "allow" if case["server_rejects"].is_null() => {
            let failed = told.iter().zip(&statements).find(|(told, _)| told.is_err());
            failed.map(|(told, sql)| format!("TOO STRICT {id}: {sql}: {told:?}"))
        }
        "deny" if denied.is_none() && !accept.iter().any(|one| one == "filtered" || one == "allow") => {
            Some(format!("NOT DENIED {id}: {statements:?}: {told:?}"))
        }
        _ => None,
    }
}

async fn cases(version: Version, part: usize, of: usize) {
    let Some((stage, access)) = limited(version).await else { return };
    let engine = if version.is_mariadb() { "mariadb" } else { "mysql" };
    let (mut findings, mut played) = (Vec::new(), 0);
    let text = std::fs::read_to_string(data("mysql_cases.jsonl")).unwrap();
    for (at, line) in text.lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        let here = case["engine"].as_array().unwrap().iter().any(|one| one == engine);
        if !here || at % of != part {
            continue;
        }
        played += 1;
        findings.extend(finding(&stage, &access, &case).await);
        let reads = ["SELECT", "SHOW", "DESC", "EXPL", "WITH"];
        let harmless = |sql: &Value| reads.iter().any(|word| sql.as_str().unwrap().starts_with(word));
        let sessions = case["session"].as_array().unwrap();
        if !case["setup"].as_array().unwrap().is_empty() || !sessions.iter().all(harmless) {
            lay(&stage.mysql);
        }
    }
    assert!(played > 100);
    assert!(findings.is_empty(), "{} of {played}\n{}", findings.len(), findings.join("\n"));
}

#[tokio::test]
async fn cases_on_mariadb_first_half() {
    cases(Version::MariaDb10, 0, 2).await;
}

#[tokio::test]
async fn cases_on_mariadb_second_half() {
    cases(Version::MariaDb10, 1, 2).await;
}

#[tokio::test]
async fn cases_on_mysql_first_half() {
    cases(Version::MySql9, 0, 2).await;
}

#[tokio::test]
async fn cases_on_mysql_second_half() {
    cases(Version::MySql9, 1, 2).await;
}

async fn both(test: impl AsyncFn(Stage, Access)) {
    for version in BOTH {
        if let Some((stage, access)) = limited(version).await {
            test(stage, access).await;
        }
    }
}

/// Prepares a statement and returns its number, or the error.
async fn prepare(raw: &mut Raw, sql: &str) -> Result<u32, u16> {
    raw.send(&command(STMT_PREPARE, sql.as_bytes())).await;
    let first = raw.next().await.expect("an answer");
    if let Some(refusal) = first.refusal() {
        return Err(refusal.code);
    }
    let number = |at: usize, len: usize| -> u32 {
        first.body[at..at + len].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
    };
    for _ in 0..number(5, 2) + number(7, 2) {
        raw.next().await.expect("a definition");
    }
    Ok(number(1, 4))
}

async fn execute(raw: &mut Raw, statement: u32) -> Result<usize, u16> {
    raw.send(&command(STMT_EXECUTE, &[&statement.to_le_bytes()[..], &[0, 1, 0, 0, 0]].concat())).await;
    let packets = raw.response().await;
    packets.iter().find_map(Packet::refusal).map_or(Ok(packets.len()), |refusal| Err(refusal.code))
}

#[tokio::test]
async fn prepared_statements_are_judged_like_others_and_again_when_the_grant_shrinks() {
    both(async |stage, access| {
        let mut raw = stage.raw(&access).await.unwrap();
        assert_eq!(prepare(&mut raw, "SELECT card_number FROM sales").await, Err(1143));
        assert_eq!(prepare(&mut raw, "SELECT * FROM employees").await, Err(1142));
        let orders = prepare(&mut raw, "SELECT qty FROM orders").await.unwrap();
        let sales = prepare(&mut raw, "SELECT sku FROM sales").await.unwrap();
        assert!(execute(&mut raw, orders).await.is_ok() && execute(&mut raw, sales).await.is_ok());
        assert_eq!(execute(&mut raw, 77_777).await, Err(1243));
        stage.shrink(&access, json!([{"resource": "shop.orders", "privileges": ["SELECT"]}])).await;
        until("the grant to shrink", async || execute(&mut raw, sales).await.is_err()).await;
        assert_eq!(execute(&mut raw, sales).await, Err(1142));
        assert!(execute(&mut raw, orders).await.is_ok());
        raw.send(&command(STMT_CLOSE, &orders.to_le_bytes())).await;
        assert_eq!(execute(&mut raw, orders).await, Err(1243));
        assert_eq!(raw.value("select 1").await, "1");
    })
    .await;
}

#[tokio::test]
async fn commands_that_are_no_statements_keep_to_the_grant() {
    both(async |stage, access| {
        let mut raw = stage.raw(&access).await.unwrap();
        raw.send(&command(FIELD_LIST, b"sales\0")).await;
        let mut listed = String::new();
        while let Some(packet) = raw.next().await.filter(|packet| packet.body.first() != Some(&0xfe)) {
            listed += &String::from_utf8_lossy(&packet.body);
        }
        assert!(["id", "prod_name", "sku"].iter().all(|name| listed.contains(name)), "{listed}");
        assert!(!listed.contains("price") && !listed.contains("card_number"), "{listed}");
        let mut told = async |kind: u8, body: &[u8]| {
            raw.send(&command(kind, body)).await;
            let packet = raw.next().await.expect("an answer");
            packet.refusal().map_or(0, |refusal| refusal.code)
        };
        assert_eq!(told(PING, b"").await, 0);
        assert_eq!(told(INIT_DB, b"shop").await, 0);
        assert_eq!(told(INIT_DB, b"hr").await, 1044);
        assert_eq!(told(FIELD_LIST, b"employees\0").await, 1142);
        assert_eq!(told(FIELD_LIST, b"hr.reviews\0").await, 1142);
        assert_eq!(told(STATISTICS, b"").await, 0);
        // Shutdown, process list, kill, debug, binary log, registration of replicas, clone, what is not known.
        for kind in [0x05, 0x06, 0x07, 0x08, 0x0a, 0x0d, 0x12, 0x13, 0x15, 0x1e, 0x20, 0x7f, 0xfe] {
            assert_eq!(told(kind, b"\0\0\0\0\0\0\0\0\0\0").await, 1047, "{kind:#x}");
        }
        assert_eq!(told(0x0c, &1_u32.to_le_bytes()).await, 1095);
        assert_eq!(told(INIT_DB, b"information_schema").await, 0);
        assert_eq!(told(RESET_CONNECTION, b"").await, 0);
        // A reset leaves the current database as it is.
        assert_eq!(raw.value("select database()").await, "information_schema");
        raw.ask("use shop").await.unwrap();
        assert!(raw.ask("select ssn from employees").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn what_a_client_sends_ahead_is_judged_by_what_comes_before_it() {
    both(async |stage, access| {
        let mut raw = stage.raw(&access).await.unwrap();
        let ahead =
            ["use shop", "select sku from sales where id = 1", "select card_number from sales", "select 7"];
        raw.send(&ahead.map(query).concat()).await;
        let mut answers = Vec::new();
        for _ in ahead {
            let packets = raw.response().await;
            answers.push(packets.iter().find_map(Packet::refusal).map(|refusal| refusal.code));
        }
        assert_eq!(answers, [None, None, Some(1143), None]);
        let words = query("select \"card_number\" from sales limit 1");
        let ansi = query("set sql_mode = 'ANSI_QUOTES'");
        let reset = command(RESET_CONNECTION, b"");
        raw.send(&[ansi.clone(), reset, words.clone(), ansi, words, query("select 7")].concat()).await;
        let mut answers = Vec::new();
        for _ in 0..6 {
            let packets = raw.response().await;
            answers.push(packets.iter().find_map(Packet::refusal).map(|refusal| refusal.code));
        }
        assert_eq!(answers, [None, None, None, None, Some(1143), None]);
    })
    .await;
}

#[tokio::test]
async fn a_limited_session_ends_when_its_grant_is_revoked() {
    both(async |stage, access| {
        let mut raw = stage.raw(&access).await.unwrap();
        raw.send(&query("select sleep(60), id from sales")).await;
        stage.revoke(&access).await;
        let told = raw.last_error().await.unwrap();
        assert_eq!((told.code, told.state.as_str()), (3169, "HY000"));
    })
    .await;
}

#[tokio::test]
async fn a_duplicate_is_told_without_the_values_of_other_columns() {
    both(async |stage, _| {
        let mut root = Raw::connect(stage.mysql.port()).await;
        root.log_in(&LogIn { database: "shop", ..stage.mysql.login("root") }).await.unwrap();
        root.ask("create table keyed(a int, hidden varchar(40), unique (a, hidden))").await.unwrap();
        root.ask("insert into keyed values (1, 'KEY-SECRET'), (2, 'KEY-SECRET')").await.unwrap();
        let keyed = json!([
            {"resource": "shop.keyed.a", "privileges": ["SELECT", "UPDATE"]},
        ]);
        let access = stage.limited("root", &keyed).await;
        let mut raw = stage.raw(&access).await.unwrap();
        until("the table to be known", async || raw.ask("select a from keyed").await.is_ok()).await;
        let refused = raw.ask("update keyed set a = 1 where a = 2").await.unwrap_err();
        assert_eq!(refused.code, 1062);
        assert!(!refused.message.contains("SECRET"), "{refused:?}");
        assert!(raw.ask("show warnings").await.is_err());
        // A server may keep them until tables are used again.
        raw.ask("select 1").await.unwrap();
        assert!(raw.ask("show warnings").await.is_err());
        // MariaDB may answer out of its query cache, and keeps them even then.
        raw.ask("select a from keyed").await.unwrap();
        assert_eq!(raw.ask("show warnings").await.is_ok(), !stage.mysql.version().is_mariadb());
        raw.ask("update keyed set a = 1 where a = 2").await.unwrap_err();
        raw.ask("do 1").await.unwrap();
        assert!(raw.ask("show warnings").await.is_err());
        assert!(prepare(&mut raw, "show warnings").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_prepared_text_is_not_read_anew_under_another_mode() {
    both(async |stage, access| {
        let mut raw = stage.raw(&access).await.unwrap();
        let text = r#"select concat("card_number", ?) from sales"#;
        for sql in [&*format!("prepare p from '{text}'"), "set @a = 1", "execute p using @a"] {
            raw.ask(sql).await.unwrap();
        }
        let number = prepare(&mut raw, r#"select concat("card_number") from sales"#).await.unwrap();
        assert!(execute(&mut raw, number).await.is_ok());
        raw.ask("set sql_mode = 'ANSI_QUOTES', @a = 1.5").await.unwrap();
        assert_eq!(raw.ask("execute p using @a").await.unwrap_err().code, 1143);
        assert_eq!(execute(&mut raw, number).await, Err(1143));
        raw.ask("set sql_mode = ''").await.unwrap();
        raw.ask("execute p using @a").await.unwrap();
        assert!(execute(&mut raw, number).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_denial_says_what_the_grant_covers_and_the_way_to_more() {
    both(async |stage, access| {
        let mut raw = stage.raw(&access).await.unwrap();
        let refused = raw.ask("select price from sales").await.unwrap_err();
        assert_eq!((refused.code, refused.state.as_str()), (1143, "42000"));
        assert!(refused.message.contains("shop.sales (SELECT id, prod_name, sku)"), "{refused:?}");
        assert!(refused.message.contains("--resource shop.sales.price "), "{refused:?}");
        let refused = raw.ask("select ssn from employees").await.unwrap_err();
        assert_eq!((refused.code, refused.state.as_str()), (1142, "42000"));
        assert!(
            refused.message.contains("shop.orders (SELECT all columns; INSERT all columns"),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_waits_in_a_text_is_judged_anew_when_names_stand_for_something_else() {
    for version in BOTH {
        let Some((stage, access)) = limited(version).await else { continue };
        let mut owner = Raw::connect(stage.mysql.port()).await;
        owner.log_in(&LogIn { database: "shop", ..stage.mysql.login("root") }).await.unwrap();
        owner.run("alter table orders drop foreign key orders_sale_fk").await;
        owner.run("begin; update orders set qty = 6 where id = 1").await;
        let capabilities = ORDINARY | MULTI_STATEMENTS;
        let mut raw = stage.raw_as(&LogIn { capabilities, ..stage.login(&access) }).await.unwrap();
        raw.send(&query("select qty from orders where id = 1 for update; select max(sku) from sales")).await;
        until("it to wait", async || {
            let waiting = "select count(*) from information_schema.processlist where info like '%for update%' \
                and info not like '%processlist%'";
            stage.mysql.admin().await.value(waiting).await == "1"
        })
        .await;
        stage.mysql.admin().await.run("alter table shop.sales rename column sku to stock").await;
        assert_eq!(raw.last_error().await.unwrap().code, 3169, "{version:?}");
        owner.run("rollback").await;
    }
}
