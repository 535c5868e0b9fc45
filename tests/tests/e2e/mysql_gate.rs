//! The way in and the way out of MySQL sessions, on a raw client: every account's plugin, another user in the middle
//! of a connection, `KILL` by the client's own number, and what the client is told at the end.

use postern_tests::{
    mysql::{
        accounts::{accounts, password},
        answer::Refusal,
        login::LogIn,
        server::Version,
        stage::{Stage, Wish},
        wire::{CHANGE_USER, PING, Raw, command, query},
    },
    wait::until,
};
use serde_json::json;

const SHA2: &[u8] = b"caching_sha2_password";

const TABLE: &str =
    "create table sales(id int primary key, price int); insert into sales values (1, 1), (2, 2)";

const VERSIONS: [Version; 3] = [Version::MariaDb10, Version::MariaDb11, Version::MySql9];

async fn each(wish: Wish, test: impl AsyncFn(Stage)) {
    for version in VERSIONS {
        if let Some(stage) = Stage::on(version, wish.clone()).await {
            test(stage).await;
        }
    }
}

fn tls() -> Wish {
    Wish { tls: true, ..Wish::default() }
}

/// `COM_CHANGE_USER` to this account with this token, inside TLS.
async fn change_user(raw: &mut Raw, login: &LogIn<'_>) -> Result<(), Refusal> {
    let hash = [7; 32];
    let parts: [&[u8]; 7] =
        [login.user.as_bytes(), b"\0\x20", &hash, login.database.as_bytes(), b"\0\x2d\0", SHA2, b"\0"];
    raw.send(&command(CHANGE_USER, &parts.concat())).await;
    let switch = raw.next().await.expect("an answer");
    assert!(switch.body.starts_with(&[&[0xfe], SHA2, &[0]].concat()), "{switch:?}");
    raw.reply(&hash).await;
    assert_eq!(raw.next().await.expect("an answer").body, [1, 4]);
    raw.reply(&[login.password.as_bytes(), b"\0"].concat()).await;
    let verdict = raw.next().await.expect("an answer");
    verdict.refusal().map_or(Ok(()), Err)
}

/// Whether the server still has this connection.
async fn lives(stage: &Stage, connection: &str) -> bool {
    let mut root = Raw::connect(stage.mysql.port()).await;
    root.log_in(&stage.mysql.login("root")).await.unwrap();
    let query = format!("select count(*) from information_schema.processlist where id = {connection}");
    root.value(&query).await == "1"
}

#[tokio::test]
async fn every_account_is_opened_by_its_own_plugin() {
    each(Wish::default(), async |stage| {
        for account in accounts(stage.mysql.version()).iter().filter(|account| account.name != "by_cert") {
            let access = stage.access(account.name, "1h").await;
            let mut raw = stage.raw(&access).await.unwrap();
            let who = raw.value("select substring_index(current_user(), '@', 1)").await;
            assert_eq!(who, account.name);
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_has_proved_itself_gets_every_proof() {
    let repo = "tls = \"verify-full\"\nca = \"{db}/ca.crt\"".to_owned();
    let certificate = "cert = \"{db}/client.crt\"\nkey = \"{db}/client.key\"".to_owned();
    let wish = Wish { repo, accounts: vec![("by_cert".to_owned(), certificate)], ..tls() };
    each(wish, async |stage| {
        for account in accounts(stage.mysql.version()) {
            let access = stage.access(account.name, "1h").await;
            let mut raw = stage.raw(&access).await.unwrap();
            assert_ne!(raw.value("show status like 'Ssl_cipher'").await, "", "{}", account.name);
        }
    })
    .await;
}

#[tokio::test]
async fn who_has_no_grant_or_no_credential_learns_it_and_no_more() {
    each(tls(), async |stage| {
        let access = stage.access("app_ro", "1h").await;
        let login = stage.login(&access);
        let foreign = format!("bob@example.com:{}", access.account);
        let own = format!("{}:{}", access.identity, access.account);
        assert!(stage.raw_as(&LogIn { user: &own, ..login.clone() }).await.is_ok());
        let wrong = "pst_0000000000000000000000000000000000000000000000000000000000";
        for wrong in [
            LogIn { password: wrong, ..login.clone() },
            LogIn { password: "", ..login.clone() },
            LogIn { password: password("app_ro"), ..login.clone() },
            LogIn { user: &foreign, ..login.clone() },
            LogIn { user: "app_rw", ..login.clone() },
        ] {
            let refused = stage.raw_as(&wrong).await.err().unwrap();
            assert_eq!((refused.code, refused.state.as_str()), (1045, "28000"), "{refused:?}");
        }
        let refused = stage.raw_as(&LogIn { user: "app_rw", ..login.clone() }).await.err().unwrap();
        assert!(
            refused.message.contains("postern request create --repo sales --account app_rw"),
            "{refused:?}"
        );
        let refused = stage.raw_as(&LogIn { database: "nowhere", ..login }).await.err().unwrap();
        assert!(matches!(refused.code, 1044 | 1049), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_revoked_session_learns_why_and_is_gone() {
    each(tls(), async |stage| {
        let access = stage.access("app_rw", "1h").await;
        stage.raw(&access).await.unwrap().run(TABLE).await;
        let (mut idle, mut busy) = (stage.raw(&access).await.unwrap(), stage.raw(&access).await.unwrap());
        let numbers =
            [idle.value("select connection_id()").await, busy.value("select connection_id()").await];
        busy.ask("begin").await.unwrap();
        busy.ask("update sales set price = 1 where id = 1").await.unwrap();
        busy.send(&query("select sleep(60) from sales")).await;
        let answer = stage.revoke(&access).await;
        assert_eq!(answer["sidecars"][0]["acknowledged"], json!(true), "{answer}");
        assert_eq!(answer["sidecars"][0]["sessions_ended"], json!(2), "{answer}");
        for number in &numbers {
            assert!(!lives(&stage, number).await);
        }
        for (mut client, asks) in [(idle, true), (busy, false)] {
            if asks {
                client.send(&command(PING, b"")).await;
            }
            let told = client.next().await.unwrap().refusal().unwrap();
            assert_eq!((told.code, told.state.as_str()), (3169, "HY000"));
            assert!(told.message.contains("access revoked") && told.message.contains("the ticket is closed"));
            assert!(told.message.contains(&access.grant), "{told:?}");
        }
        let mut root = Raw::connect(stage.mysql.port()).await;
        root.log_in(&LogIn { database: "shop", ..stage.mysql.login("root") }).await.unwrap();
        root.ask("set innodb_lock_wait_timeout = 1").await.unwrap();
        root.ask("update sales set price = price where id = 1").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn another_user_in_the_same_connection_is_another_login() {
    each(tls(), async |stage| {
        let (reader, writer) = (stage.access("app_ro", "1h").await, stage.access("app_rw", "1h").await);
        let mut raw = stage.raw(&reader).await.unwrap();
        let first = raw.value("select connection_id()").await;
        change_user(&mut raw, &stage.login(&writer)).await.unwrap();
        assert_eq!(raw.value("select substring_index(current_user(), '@', 1)").await, "app_rw");
        assert_eq!(raw.value("select database()").await, "shop");
        until("the first session to be gone", async || !lives(&stage, &first).await).await;
        let stranger = LogIn { user: "root", ..stage.login(&writer) };
        let refused = change_user(&mut raw, &stranger).await.unwrap_err();
        assert_eq!(refused.code, 1045);
        assert!(raw.next().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_client_stops_its_own_statement_by_the_number_it_was_told() {
    each(tls(), async |stage| {
        let access = stage.access("app_rw", "1h").await;
        stage.raw(&access).await.unwrap().run(TABLE).await;
        let mut busy = Raw::connect(stage.sidecar.port()).await;
        let number = busy.log_in(&stage.login(&access)).await.unwrap().connection;
        busy.send(&query("select sleep(60) from sales")).await;
        let mut other = stage.raw(&access).await.unwrap();
        until("the statement to run", async || {
            other
                .value(
                    "select count(*) from information_schema.processlist where info like 'select sleep(60)%'",
                )
                .await
                == "1"
        })
        .await;
        other.ask(&format!("KILL QUERY {number}")).await.unwrap();
        // MySQL lets `sleep` return 1, MariaDB fails the statement; neither ends the session.
        drop(busy.response().await);
        assert_eq!(busy.value("select 1").await, "1");
    })
    .await;
}
