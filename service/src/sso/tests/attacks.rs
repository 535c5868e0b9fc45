//! Tokens that must not count, one by one.

use aws_lc_rs::hmac;

use super::{stand_in::base64url, *};

/// An issuer with one RSA key, which signs for alice.
async fn house() -> (StandIn, Signer, Issuers) {
    let signer = Signer::rsa("key-1");
    let stand_in = StandIn::start(std::slice::from_ref(&signer)).await;
    let issuers = trusted(&stand_in);
    let token = signer.token(&claims(&stand_in.url));
    assert!(verify(&issuers, &token).await.is_ok());
    (stand_in, signer, issuers)
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let (stand_in, signer, issuers) = house().await;
    for algorithm in ["none", "None", "NONE", ""] {
        let header = json!({"alg": algorithm, "kid": signer.kid});
        let message =
            format!("{}.{}", base64url(header.to_string()), base64url(claims(&stand_in.url).to_string()));
        assert_eq!(
            verify(&issuers, &format!("{message}.")).await,
            Err(NotProven::Token(InvalidJws::Algorithm))
        );
        let signature = signer.token(&claims(&stand_in.url)).rsplit_once('.').unwrap().1.to_owned();
        assert!(verify(&issuers, &format!("{message}.{signature}")).await.is_err());
    }
    let cut = signer.token(&claims(&stand_in.url));
    let cut = format!("{}.", cut.rsplit_once('.').unwrap().0);
    assert_eq!(verify(&issuers, &cut).await, Err(NotProven::Signature));
}

#[tokio::test]
async fn the_public_key_is_no_shared_secret() {
    let (stand_in, signer, issuers) = house().await;
    for (algorithm, digest) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
        let header = json!({"alg": algorithm, "kid": signer.kid}).to_string();
        let message = format!("{}.{}", base64url(header), base64url(claims(&stand_in.url).to_string()));
        let tag = hmac::sign(&hmac::Key::new(digest, &signer.public_der()), message.as_bytes());
        let forged = format!("{message}.{}", base64url(tag));
        assert_eq!(verify(&issuers, &forged).await, Err(NotProven::Token(InvalidJws::Algorithm)));
    }
}

#[tokio::test]
async fn a_shared_secret_among_the_issuers_keys_is_none() {
    let (stand_in, signer, _) = house().await;
    let secret = json!({"kty": "oct", "kid": "shared", "alg": "HS256", "k": base64url("secret")});
    *stand_in.jwks.lock().unwrap() = json!({"keys": [signer.jwk(), secret]}).to_string();
    let issuers = trusted(&stand_in);
    let message = format!(
        "{}.{}",
        base64url(r#"{"alg":"HS256","kid":"shared"}"#),
        base64url(claims(&stand_in.url).to_string())
    );
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), message.as_bytes());
    assert!(verify(&issuers, &format!("{message}.{}", base64url(tag))).await.is_err());
}

#[tokio::test]
async fn a_key_id_is_no_path_and_no_query() {
    let (stand_in, signer, issuers) = house().await;
    for kid in
        ["../../../../dev/null", "/etc/passwd", "key-1' OR '1'='1", "key-1\0", "http://evil.example/keys", ""]
    {
        let token = signer.token_as("RS256", &json!({"kid": kid}), &claims(&stand_in.url));
        assert_eq!(verify(&issuers, &token).await, Err(NotProven::UnknownKey), "{kid}");
    }
    let token = signer.token_as("RS256", &json!({"kid": ["key-1"]}), &claims(&stand_in.url));
    assert_eq!(verify(&issuers, &token).await, Err(NotProven::Token(InvalidJws::Malformed)));
}

#[tokio::test]
async fn a_token_brings_no_keys_along() {
    let (stand_in, _, issuers) = house().await;
    let (forger, elsewhere) = (Signer::rsa("key-1"), StandIn::start(&[Signer::rsa("other")]).await);
    for (name, value) in [
        ("jku", json!(format!("{}/keys", elsewhere.url))),
        ("x5u", json!(format!("{}/keys", elsewhere.url))),
        ("jwk", forger.jwk()),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
    ] {
        let token = forger.token_as("RS256", &json!({ name: value }), &claims(&stand_in.url));
        assert!(
            matches!(verify(&issuers, &token).await, Err(NotProven::Token(InvalidJws::Header(_)))),
            "{name}"
        );
    }
    assert!(elsewhere.times_asked() == 0, "nobody asks where a token says");
    let token = forger.token(&claims(&stand_in.url));
    assert_eq!(verify(&issuers, &token).await, Err(NotProven::Signature));
}

#[tokio::test]
async fn a_key_of_another_kind_does_not_fit() {
    let rsa = Signer::rsa("key-1");
    let ec = Signer::ec("key-2");
    let stand_in = StandIn::start(&[Signer::rsa("unused")]).await;
    let mut only_pss = rsa.jwk();
    only_pss["alg"] = json!("PS256");
    let mut for_secrets = ec.jwk();
    for_secrets["use"] = json!("enc");
    *stand_in.jwks.lock().unwrap() = json!({"keys": [only_pss, for_secrets]}).to_string();
    let issuers = trusted(&stand_in);
    let claims = claims(&stand_in.url);
    assert!(verify(&issuers, &rsa.token_as("PS256", &json!({}), &claims)).await.is_ok());
    assert_eq!(
        verify(&issuers, &rsa.token_as("RS256", &json!({}), &claims)).await,
        Err(NotProven::UnknownKey)
    );
    assert_eq!(verify(&issuers, &ec.token(&claims)).await, Err(NotProven::UnknownKey));
    let confused = rsa.token_as("ES256", &json!({}), &claims);
    assert_eq!(verify(&issuers, &confused).await, Err(NotProven::UnknownKey));
}

#[tokio::test]
async fn a_token_of_another_tenant_is_refused() {
    let (stand_in, signer, issuers) = house().await;
    let tenant = StandIn::start(std::slice::from_ref(&Signer::rsa("key-1"))).await;
    let own = signer.token(&claims(&tenant.url));
    assert_eq!(verify(&issuers, &own).await, Err(NotProven::Issuer));
    for url in [format!("{}/", stand_in.url), stand_in.url.to_uppercase(), format!("{}/tenant", stand_in.url)]
    {
        let token = signer.token(&claims(&url));
        assert_eq!(verify(&issuers, &token).await, Err(NotProven::Issuer), "{url}");
    }
    let nobodys = signer.token(&without(claims(&stand_in.url), "iss"));
    assert_eq!(verify(&issuers, &nobodys).await, Err(NotProven::Issuer));
}

#[tokio::test]
async fn a_token_for_others_is_refused() {
    let (stand_in, signer, issuers) = house().await;
    let url = &stand_in.url;
    for audience in
        [json!("postern2"), json!(["a", "b"]), json!([]), json!(7), json!(["postern", 7]), Value::Null]
    {
        let token = signer.token(&with(claims(url), "aud", audience.clone()));
        assert!(matches!(verify(&issuers, &token).await, Err(NotProven::Claims(_))), "{audience}");
    }
    let token = signer.token(&without(claims(url), "aud"));
    assert!(matches!(verify(&issuers, &token).await, Err(NotProven::Claims(_))));
    let several = with(claims(url), "aud", json!(["postern", "other"]));
    let refused = verify(&issuers, &signer.token(&several)).await;
    assert_eq!(refused, Err(NotProven::Claims(BadClaims::AuthorizedParty)));
    for (party, counts) in [("postern", true), ("other", false)] {
        let token = signer.token(&with(several.clone(), "azp", json!(party)));
        assert_eq!(verify(&issuers, &token).await.is_ok(), counts, "{party}");
    }
}

#[tokio::test]
async fn a_token_out_of_its_time_is_refused() {
    let (stand_in, signer, issuers) = house().await;
    let now = Timestamp::now().as_second();
    for (claim, value, why) in [
        ("exp", json!(now - 120), BadClaims::Expired),
        ("exp", json!("tomorrow"), BadClaims::Unreadable("exp")),
        ("exp", json!(1e300), BadClaims::Unreadable("exp")),
        ("exp", json!(-1), BadClaims::Unreadable("exp")),
        ("nbf", json!(now + 120), BadClaims::Early),
        ("nbf", json!("x"), BadClaims::Unreadable("nbf")),
        ("iat", json!(now + 120), BadClaims::Early),
    ] {
        let token = signer.token(&with(claims(&stand_in.url), claim, value.clone()));
        assert_eq!(verify(&issuers, &token).await, Err(NotProven::Claims(why)), "{claim} {value}");
    }
    let endless = signer.token(&without(claims(&stand_in.url), "exp"));
    assert_eq!(verify(&issuers, &endless).await, Err(NotProven::Claims(BadClaims::Unreadable("exp"))));
}

#[tokio::test]
async fn a_claim_that_stands_twice_is_refused() {
    let (stand_in, signer, issuers) = house().await;
    let once = claims(&stand_in.url).to_string();
    let twice = once.replacen('{', r#"{"email":"root@example.com","#, 1);
    let header = r#"{"alg":"RS256","kid":"key-1"}"#;
    assert!(verify(&issuers, &signer.sign("RS256", header, &once)).await.is_ok());
    let refused = Err(NotProven::Token(InvalidJws::Malformed));
    assert_eq!(verify(&issuers, &signer.sign("RS256", header, &twice)).await, refused);
    let header = r#"{"alg":"RS256","alg":"RS256","kid":"key-1"}"#;
    assert_eq!(verify(&issuers, &signer.sign("RS256", header, &once)).await, refused);
}

#[tokio::test]
async fn an_oversized_token_is_refused_unread() {
    let (stand_in, signer, issuers) = house().await;
    let large = with(claims(&stand_in.url), "padding", json!("x".repeat(13_000)));
    assert_eq!(verify(&issuers, &signer.token(&large)).await, Err(NotProven::Token(InvalidJws::TooLong)));
    let fits = with(claims(&stand_in.url), "padding", json!("x".repeat(10_000)));
    assert!(verify(&issuers, &signer.token(&fits)).await.is_ok());
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    let (stand_in, signer, issuers) = house().await;
    let token = signer.token(&claims(&stand_in.url));
    let [header, body, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let other = base64url(with(claims(&stand_in.url), "email", json!("root@example.com")).to_string());
    for changed in [
        format!("{header}.{other}.{signature}"),
        format!("{header}.{body}.{}", base64url([0_u8; 256])),
        format!("{header}.{body}.{}", base64url(b"")),
    ] {
        assert_eq!(verify(&issuers, &changed).await, Err(NotProven::Signature));
    }
    for odd in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        &format!("{token}="),
        &format!("{token}.x"),
        &format!(" {token}"),
        "pst_x",
    ] {
        assert!(matches!(verify(&issuers, odd).await, Err(NotProven::Token(_))), "{odd}");
    }
}

#[tokio::test]
async fn a_token_that_names_nobody_is_refused() {
    let (stand_in, signer, issuers) = house().await;
    let claims = || claims(&stand_in.url);
    for odd in [
        without(claims(), "email"),
        with(claims(), "email", json!("")),
        with(claims(), "email", json!(["alice@example.com"])),
        with(claims(), "email", json!("group:dba")),
        with(claims(), "email", json!("client:admin")),
        with(claims(), "email", json!("alice@example.com\u{200b}")),
        with(claims(), "email", json!("*")),
        with(claims(), "email_verified", json!(false)),
        with(claims(), "email_verified", json!("false")),
    ] {
        assert!(matches!(verify(&issuers, &signer.token(&odd)).await, Err(NotProven::Identity(_))), "{odd}");
    }
}

#[tokio::test]
async fn a_token_of_another_kind_is_refused() {
    let (stand_in, signer, issuers) = house().await;
    for kind in ["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE"] {
        let token = signer.token_as("RS256", &json!({"typ": kind}), &claims(&stand_in.url));
        assert_eq!(verify(&issuers, &token).await, Err(NotProven::Purpose), "{kind}");
    }
    for kind in ["at+jwt", "application/at+jwt", "jwt"] {
        let token = signer.token_as("RS256", &json!({"typ": kind}), &claims(&stand_in.url));
        assert!(verify(&issuers, &token).await.is_ok(), "{kind}");
    }
}

/// Claims of a job that is called `ci:acme/app`, and of jobs that are called `night`.
async fn workshop() -> (StandIn, Signer, Issuers, Value) {
    let signer = Signer::ec("e");
    let stand_in = StandIn::start(std::slice::from_ref(&signer)).await;
    let workload = |claim: &str, values: &[&str], identity: &str| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let claims = [(claim.to_owned(), values), ("ref".to_owned(), vec!["refs/heads/main".to_owned()])];
        let naming = Naming::Workload {
            claims: claims.into(),
            identity: identity.to_owned(),
            groups: vec!["ci".to_owned()],
        };
        Issuer { naming, ..issuer(&stand_in.url) }
    };
    let issuers = Issuers::default();
    let jobs = workload("repository", &["acme/*"], "ci:{repository}");
    issuers.trust(vec![issuer(&stand_in.url), jobs, workload("kind", &["nightly"], "night")]);
    let now = Timestamp::now().as_second();
    let job = json!({
        "iss": stand_in.url, "aud": "postern", "exp": now + 60, "iat": now,
        "repository": "acme/app", "ref": "refs/heads/main", "groups": ["dba"],
    });
    let proven = verify(&issuers, &signer.token(&job)).await.unwrap();
    assert_eq!((proven.identity.as_str(), &*proven.groups), ("ci:acme/app", &["ci".to_owned()][..]));
    (stand_in, signer, issuers, job)
}

#[tokio::test]
async fn a_workload_whose_claims_are_bent_is_nobody() {
    let (stand_in, signer, issuers, job) = workshop().await;
    let (now, stranger) = (Timestamp::now().as_second(), Signer::ec("e"));
    for (name, values) in [
        (
            "repository",
            &json!([null, "", [], {}, true, 7, "acme", "Acme/app", "acme\u{200b}/app", "xacme/app"]),
        ),
        ("repository", &json!([["acme/app"], ["acme/app", "evil/app"], {"acme/app": 1}, "acme/a\u{0}b"])),
        (
            "repository",
            &json!(["acme/a\nb", "acme/\u{202e}ppa", "acme/app ", format!("acme/{}", "x".repeat(300))]),
        ),
        (
            "ref",
            &json!([null, "", "refs/heads/main2", "refs/heads/main\u{0}", "refs/heads/Main", ["x"], "main"]),
        ),
        ("aud", &json!([null, "other", [], ["other"], "postern2", ["postern", "other"], {"aud": "postern"}])),
        ("iss", &json!([null, "", [stand_in.url], format!("{}/", stand_in.url), "https://other.example"])),
        ("exp", &json!([null, (now + 60).to_string(), -1, 0, now - 120, 1e300, true])),
        ("nbf", &json!([now + 120, "now", -5])),
        ("iat", &json!([now + 120, "now"])),
        ("events", &json!([{"http://schemas.openid.net/event/backchannel-logout": {}}])),
    ] {
        for value in values.as_array().unwrap() {
            let token = signer.token(&with(job.clone(), name, value.clone()));
            let proven = verify(&issuers, &token).await;
            assert!(proven.is_err(), "{name} = {value}: {proven:?}");
        }
        let token = signer.token(&without(job.clone(), name));
        let is_needed = ["repository", "ref", "aud", "iss", "exp"].contains(&name);
        assert_eq!(verify(&issuers, &token).await.is_err(), is_needed, "without {name}");
    }
    assert_eq!(verify(&issuers, &stranger.token(&job)).await, Err(NotProven::Signature));
}

#[tokio::test]
async fn a_person_is_not_called_as_a_workload_is() {
    let (stand_in, signer, issuers, _) = workshop().await;
    for name in ["ci:acme/app", "CI:ACME/app", "ci:", "night", "Night"] {
        let token = signer.token(&with(claims(&stand_in.url), "email", json!(name)));
        assert_eq!(verify(&issuers, &token).await, Err(NotProven::Identity(NoIdentity::Workload)), "{name}");
    }
    for name in ["nightly", "ci", "cı:acme/app"] {
        let token = signer.token(&with(claims(&stand_in.url), "email", json!(name)));
        assert!(verify(&issuers, &token).await.is_ok_and(|proven| !proven.is_workload), "{name}");
    }
}
