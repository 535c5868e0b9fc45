//! Whoever is known to the SSO provider needs no token of ours: JWTs as passwords, client certificates, and what happens
//! to those who guess.

use std::{net::Ipv4Addr, time::Duration};

use postern_tests::{
    certs::{Authority, Pair},
    folder::Folder,
    gate::{Control, Extra},
    issuer::Issuer,
    mysql::{
        login::LogIn,
        server::Version as Mysql,
        stage::{Stage as MysqlStage, Wish as MysqlWish},
        way::Way,
    },
    rest::install_tls,
    stage::{ALICE, BOB, REPO, Stage, Wish},
    wait::until,
    wire::{PROTOCOL_3_0, Raw, startup, tls_config_as},
};
use rcgen::{ExtendedKeyUsagePurpose, SanType, date_time_ymd};
use serde_json::{Value, json};

use crate::access::psql;

async fn with_issuer(issuer: &Issuer, extra: Extra) -> Stage {
    Stage::with(Wish { control: issuer.section(), tls: true, extra, ..Wish::default() }).await
}

#[tokio::test]
async fn psql_15_logs_in_with_a_token_of_the_sso_provider() {
    let issuer = Issuer::start().await;
    let stage = with_issuer(&issuer, Extra::default()).await;
    let mut access = stage.access("app_ro", "1h").await;
    access.token = issuer.token("Alice@Example.com", 600);
    for user in ["app_ro", "alice@example.com:app_ro"] {
        access.account = user.to_owned();
        let output = psql(&stage, "sslmode=require", &access, "select 'in'");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "in", "{output:?}");
    }
    let refused = async |user: &str, token: &str| stage.raw_as(user, token).await.err().unwrap();
    let stranger = Issuer::start().await;
    for (user, token) in [
        ("bob@example.com:app_ro", &access.token),
        ("app_ro", &stranger.token(ALICE, 600)),
        ("app_ro", &issuer.sign(json!({"iss": issuer.url, "aud": "postern", "email": ALICE}))),
        ("app_ro", &"x".repeat(17_000)),
        ("no_such_account", &stranger.token(ALICE, 600)),
    ] {
        let refusal = refused(user, token).await;
        assert_eq!(refusal.code(), "28P01", "{user}");
        assert_eq!(refusal.message(), format!("password authentication failed for user \"{user}\""));
    }
    assert_eq!(
        refused("app_ro", &issuer.token(BOB, 600)).await.code(),
        "28000",
        "known, and without a grant"
    );
}

#[tokio::test]
async fn a_deactivated_identity_stays_out_whatever_its_token_says() {
    let issuer = Issuer::start().await;
    let stage = with_issuer(&issuer, Extra::default()).await;
    stage.access("app_ro", "1h").await;
    let token = issuer.token(ALICE, 600);
    let mut open = stage.raw_as("app_ro", &token).await.unwrap();
    let off = json!({"enabled": false, "reason": "left the company"});
    stage.api.put(&format!("/v1/identities/{ALICE}"), off).await.ok();
    assert_eq!(open.last_error().await.unwrap().code(), "57P01");
    assert_eq!(stage.raw_as("app_ro", &token).await.err().unwrap().code(), "28000");
}

#[tokio::test]
async fn a_session_ends_with_its_token_where_that_is_wished() {
    let issuer = Issuer::start().await;
    let extra = Extra { tables: "[identity]\nend_with_token = true\n".to_owned(), ..Extra::default() };
    let stage = with_issuer(&issuer, extra).await;
    stage.access("app_ro", "1h").await;
    let mut raw = stage.raw_as("app_ro", &issuer.token(ALICE, 3)).await.unwrap();
    assert_eq!(raw.ask("select 1").await.last().unwrap().kind, b'Z');
    let end = raw.last_error().await.unwrap();
    assert_eq!(end.code(), "57P01");
    assert!(end.message().contains("credential"), "{end:?}");
}

/// How the gate answers whoever shows a certificate: the code of the refusal, the message that lets in, or no TLS.
async fn by_certificate(stage: &Stage, pair: &Pair, user: &str) -> String {
    let tls = tls_config_as(&stage.authority, pair);
    let Ok(mut raw) = Raw::connect(stage.sidecar.port()).await.request_tls(tls).await else {
        return "no TLS".to_owned();
    };
    // A client of TLS 1.3 hears only behind its own first bytes that its certificate was refused.
    let Ok(()) = raw.try_send(&startup(PROTOCOL_3_0, &[("user", user), ("database", REPO)])).await else {
        return "no TLS".to_owned();
    };
    match raw.next().await {
        None => "no TLS".to_owned(),
        Some(message) if message.kind == b'E' => message.fields().code().to_owned(),
        Some(message) => format!("{}{:?}", char::from(message.kind), message.body),
    }
}

#[tokio::test]
async fn a_certificate_that_is_over_or_for_servers_or_doubtful_opens_nothing() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let ca = folder.write("clients.pem", authority.pem());
    let crl = folder.write("clients.crl", authority.revoking(&[]));
    let tls = format!("client_ca = {}\nclient_crl = {}\n", json!(ca), json!(crl));
    let mut stage =
        Stage::with(Wish { tls: true, extra: Extra { tls, ..Extra::default() }, ..Wish::default() }).await;
    stage.access("app_ro", "1h").await;
    let over = authority.client_with(ALICE, |params| params.not_after = date_time_ymd(2026, 1, 1));
    let early = authority.client_with(ALICE, |params| params.not_before = date_time_ymd(2090, 1, 1));
    let servers = authority
        .client_with(ALICE, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    for pair in [&over, &early, &servers] {
        assert_eq!(by_certificate(&stage, pair, "app_ro").await, "no TLS");
    }
    let mail = |text: &str| SanType::Rfc822Name(text.try_into().unwrap());
    let both = authority.client_with("x", |params| params.subject_alt_names = vec![mail(ALICE), mail(BOB)]);
    assert_eq!(by_certificate(&stage, &both, "app_ro").await, "28P01", "which of the two?");
    assert_eq!(by_certificate(&stage, &both, "alice@example.com:app_ro").await, "R[0, 0, 0, 0]");
    let cut =
        authority.client_with("alice@example.com\0.evil.example", |params| params.subject_alt_names.clear());
    let uri = SanType::URI("spiffe://example/app".try_into().unwrap());
    let other = authority.client_with("x", |params| params.subject_alt_names = vec![uri]);
    for (pair, user, code) in [
        (&cut, "app_ro", "28P01"),
        (&cut, "alice@example.com:app_ro", "28P01"),
        (&other, "x:app_ro", "28P01"),
        (&other, "app_ro", "28000"),
    ] {
        assert_eq!(by_certificate(&stage, pair, user).await, code, "{user}");
    }
    let good = authority.client(ALICE);
    assert_eq!(by_certificate(&stage, &good, "app_ro").await, "R[0, 0, 0, 0]");
    folder.write("clients.crl", authority.revoking_until(&[], 2026));
    stage.sidecar.process().signal(rustix::process::Signal::HUP);
    until("the stale list to be read", async || by_certificate(&stage, &good, "app_ro").await == "no TLS")
        .await;
}

#[tokio::test]
async fn a_client_certificate_is_a_credential_on_postgresql() {
    let (authority, other, folder) = (Authority::new(), Authority::new(), Folder::new());
    let ca = folder.write("clients.pem", authority.pem());
    let crl = folder.write("clients.crl", authority.revoking(&[]));
    let tls = format!("client_ca = {}\nclient_crl = {}\n", json!(ca), json!(crl));
    let wish = Wish { tls: true, extra: Extra { tls, ..Extra::default() }, ..Wish::default() };
    let mut stage = Stage::with(wish).await;
    let access = stage.access("app_ro", "1h").await;
    let alices = authority.client(ALICE);
    let (cert, key) = alices.write(&folder, "alice");
    let conninfo = format!("sslmode=require sslcert={} sslkey={}", cert.display(), key.display());
    let mut without_password = access.clone();
    without_password.token = String::new();
    let output = psql(&stage, &conninfo, &without_password, "select 'in'");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "in", "{output:?}");
    let output = psql(&stage, "sslmode=require", &access, "select 'in'");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "in", "a token does as well: {output:?}");

    assert_eq!(by_certificate(&stage, &alices, "alice@example.com:app_ro").await, "R[0, 0, 0, 0]");
    assert_eq!(by_certificate(&stage, &alices, "bob@example.com:app_ro").await, "28P01");
    assert_eq!(by_certificate(&stage, &authority.client(BOB), "app_ro").await, "28000");
    assert_eq!(by_certificate(&stage, &other.client(ALICE), "app_ro").await, "no TLS");

    folder.write("clients.crl", authority.revoking(&[&alices]));
    stage.sidecar.process().signal(rustix::process::Signal::HUP);
    until("the revocation list to be read", async || {
        by_certificate(&stage, &alices, "app_ro").await == "no TLS"
    })
    .await;
}

async fn tokens_and_certificates_open_sessions(version: Mysql) {
    let (issuer, authority, folder) = (Issuer::start().await, Authority::new(), Folder::new());
    let ca = folder.write("clients.pem", authority.pem());
    let extra = Extra { tls: format!("client_ca = {}\n", json!(ca)), ..Extra::default() };
    let wish = MysqlWish { tls: true, control: issuer.section(), extra, ..MysqlWish::default() };
    let Some(stage) = MysqlStage::on(version, wish).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let mut claims = issuer.claims(ALICE, 600);
    claims["wids"] = (0..100).map(|number| format!("role-{number}")).collect();
    let token = issuer.sign(claims);
    assert!(token.len() >= 1500 && access.token.len() <= 64, "{} {}", token.len(), access.token.len());
    let authority_file = folder.write("server-ca.pem", &stage.authority);
    let way = |user: &str, password: &str| Way {
        port: stage.sidecar.port(),
        user: user.to_owned(),
        password: password.to_owned(),
        authority: Some(authority_file.clone()),
    };
    let said = |way: &Way, more: &[String]| {
        let mut command = way.command(&stage.mysql, stage.mysql.client());
        let output = command.args(more).args(["-BNe", "select 'in'"]).output().unwrap();
        (String::from_utf8_lossy(&output.stdout).trim().to_owned(), format!("{output:?}"))
    };
    for user in ["app_ro", "alice@example.com:app_ro"] {
        let (answer, output) = said(&way(user, &token), &[]);
        assert_eq!(answer, "in", "{output}");
    }
    let refused = LogIn { password: &issuer.token(BOB, 600), ..stage.login(&access) };
    assert_eq!(stage.raw_as(&refused).await.err().unwrap().code, 1045);

    let (cert, key) = authority.client(ALICE).write(&folder, "alice");
    let certificate = [format!("--ssl-cert={}", cert.display()), format!("--ssl-key={}", key.display())];
    for password in ["", "not used"] {
        let (answer, output) = said(&way("app_ro", password), &certificate);
        assert_eq!(answer, "in", "{output}");
    }
    if version == Mysql::MySql9 {
        let file = folder.write("token.jwt", &token);
        let option = format!("--authentication-openid-connect-client-id-token-file={}", file.display());
        let (answer, output) = said(&way("app_ro", ""), std::slice::from_ref(&option));
        assert_eq!(answer, "in", "{output}");
        let named = ["--default-auth=authentication_openid_connect_client".to_owned(), option];
        let (answer, output) = said(&way("app_ro", ""), &named);
        assert_eq!(answer, "in", "{output}");
        let (answer, output) = said(&way("app_ro", ""), &[]);
        assert!(answer.is_empty(), "without any credential: {output}");
    }
}

#[tokio::test]
async fn tokens_and_certificates_open_sessions_on_mysql_9() {
    tokens_and_certificates_open_sessions(Mysql::MySql9).await;
}

#[tokio::test]
async fn tokens_and_certificates_open_sessions_on_mariadb_10() {
    tokens_and_certificates_open_sessions(Mysql::MariaDb10).await;
}

/// What a bearer token is answered at the control plane's front door.
async fn me(control: &Control, token: &str) -> (u16, Value) {
    install_tls();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = http.get(format!("{}/v1/users/me", control.url())).bearer_auth(token).send().await.unwrap();
    (sent.status().as_u16(), sent.json().await.unwrap())
}

#[tokio::test]
async fn a_workload_is_what_its_claims_say_at_rest_and_on_the_wire_and_never_a_person() {
    let (people, ci) = (Issuer::start().await, Issuer::start().await);
    let control = format!(
        "{}admins = [\"group:ci\"]\n[[oidc.workload]]\nissuer = \"{}\"\naudience = \"postern\"\n\
         claims = {{ repository = \"acme/*\", ref = \"refs/heads/main\" }}\n\
         identity = \"ci:{{repository}}\"\ngroups = [\"ci\"]\n",
        people.section(),
        ci.url
    );
    let stage = Stage::with(Wish { control, tls: true, ..Wish::default() }).await;
    let job = |issuer: &Issuer, named: &str, branch: &str| {
        let mut claims = issuer.claims(ALICE, 600);
        let own = [("iss", named), ("repository", "acme/app"), ("ref", branch), ("groups", "dba")];
        for (name, value) in own {
            claims[name] = json!(value);
        }
        issuer.sign(claims)
    };
    let token = job(&ci, &ci.url, "refs/heads/main");
    let (status, me_at_rest) = me(&stage.control, &token).await;
    assert_eq!(
        (status, &me_at_rest["name"], &me_at_rest["groups"]),
        (200, &json!("ci:acme/app"), &json!(["ci"]))
    );
    assert_eq!(
        me_at_rest["permissions"],
        json!(["access_request"]),
        "an administrator is a person: {me_at_rest}"
    );

    let code =
        async |user: &str, token: &str| stage.raw_as(user, token).await.err().unwrap().code().to_owned();
    assert_eq!(code("app_ro", &token).await, "28000", "known, and without a grant");
    assert_eq!(
        code("alice@example.com:app_ro", &token).await,
        "28P01",
        "its e-mail address is not looked at"
    );
    for not_theirs in [
        job(&ci, &ci.url, "refs/heads/mine"),
        job(&ci, &people.url, "refs/heads/main"),
        people.token("ci:acme/app", 600),
    ] {
        assert_eq!(
            (code("ci:acme/app:app_ro", &not_theirs).await.as_str(), me(&stage.control, &not_theirs).await.0),
            ("28P01", 401)
        );
    }
    let request = stage.request("ci:acme/app", "app_ro", "1h").await;
    stage.approve(&request).await;
    for user in ["app_ro", "ci:acme/app:app_ro"] {
        until("the job to be let in", async || stage.raw_as(user, &token).await.is_ok()).await;
    }
}

#[tokio::test]
async fn a_token_that_was_kept_brings_nobody_back_into_a_group() {
    let issuer = Issuer::start().await;
    let control = Control::start_with(&issuer.section()).await;
    let token = |ago: u64, group: &str| {
        let mut claims = issuer.claims(ALICE, 600);
        claims["iat"] = json!(claims["iat"].as_u64().unwrap() - ago);
        claims["groups"] = json!([group]);
        issuer.sign(claims)
    };
    let (kept, fresh) = (token(300, "dba"), token(0, "staff"));
    for (token, group) in [(&kept, "dba"), (&fresh, "staff"), (&kept, "staff")] {
        assert_eq!(me(&control, token).await.1["groups"], json!([group]));
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_credential_the_client_is_told_the_same() {
    let (issuer, stranger) = (Issuer::start().await, Issuer::start().await);
    let stage = with_issuer(&issuer, Extra::default()).await;
    let access = stage.access("app_ro", "1h").await;
    let revoked = stage.token(ALICE).await;
    let tokens = stage.api.get("/v1/access-tokens").await.ok();
    for token in tokens["items"].as_array().unwrap() {
        stage.api.delete(&format!("/v1/access-tokens/{}", token["id"].as_str().unwrap())).await.ok();
    }
    until("the tokens to be void", async || stage.raw_as("app_ro", &access.token).await.is_err()).await;
    let expired = issuer.sign(json!({"iss": issuer.url, "aud": "postern", "email": ALICE, "exp": 1}));
    let tokens = [
        revoked,
        "pst_never".into(),
        "x".into(),
        expired,
        stranger.token(ALICE, 600),
        issuer.token("*", 600),
    ];
    for user in ["app_ro", "nobody@example.com:app_ro", "no_such_account"] {
        let mut tries = tokio::task::JoinSet::new();
        // Each from elsewhere: whoever fails often is answered late.
        for (place, token) in (100..).zip(tokens.clone()) {
            let gate = (Ipv4Addr::LOCALHOST, stage.sidecar.port()).into();
            tries.spawn(async move {
                let socket = tokio::net::TcpSocket::new_v4().unwrap();
                socket.bind((Ipv4Addr::new(127, 0, 0, place), 0).into()).unwrap();
                let mut raw = Raw::over(socket.connect(gate).await.unwrap());
                raw.log_in(&[("user", user), ("database", REPO)], &token).await.err().unwrap()
            });
        }
        let told = tries.join_all().await;
        assert!(told.iter().all(|one| *one == told[0] && one.code() == "28P01"), "{told:?}");
        assert!(told[0].message().ends_with(&format!("for user \"{user}\"")));
    }
}

#[tokio::test]
async fn ten_thousand_wrong_passwords_leave_rightful_logins_answered() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let port = stage.sidecar.port();
    let mut guesses = tokio::task::JoinSet::new();
    for worker in 0..200_u8 {
        guesses.spawn(async move {
            for number in 0..50 {
                let source = Ipv4Addr::new(127, 0, 1 + number, 1 + worker);
                let socket = tokio::net::TcpSocket::new_v4().unwrap();
                socket.bind((source, 0).into()).unwrap();
                let gate = (Ipv4Addr::LOCALHOST, port).into();
                let Ok(stream) = socket.connect(gate).await else { continue };
                let user = if number % 2 == 0 { "app_ro" } else { "nobody@example.com:nothing" };
                let password = format!("pst_{worker}_{number}");
                let guess = async {
                    let answer =
                        Raw::over(stream).log_in(&[("user", user), ("database", REPO)], &password).await;
                    assert!(answer.is_err(), "a guess was let in");
                };
                // Whoever guesses in earnest does not wait for the answer.
                let _ = tokio::time::timeout(Duration::from_millis(100), guess).await;
            }
        });
    }
    let mut logins = 0;
    while !guesses.is_empty() {
        let mut raw = stage.raw(&access).await.unwrap();
        assert_eq!(raw.ask("select 1").await.last().unwrap().kind, b'Z');
        logins += 1;
        while let Some(done) = guesses.try_join_next() {
            done.unwrap();
        }
    }
    assert!(logins > 3, "{logins} rightful logins while others guessed");
}
