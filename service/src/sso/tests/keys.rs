//! Keys that change, and an issuer that is down or lies.

use std::{sync::atomic::Ordering, time::Duration};

use super::*;

#[tokio::test]
async fn keys_change_in_the_middle_of_traffic() {
    let mut old = Signer::ec("0");
    let stand_in = StandIn::start(std::slice::from_ref(&old)).await;
    let issuers = trusted(&stand_in);
    for round in 1..4 {
        let new = Signer::ec(&round.to_string());
        let (first, second) = (old.token(&claims(&stand_in.url)), new.token(&claims(&stand_in.url)));
        let keys = [old, new];
        stand_in.rotate(&keys);
        let both = tokio::join!(verify(&issuers, &first), verify(&issuers, &second));
        assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
        let [_, new] = keys;
        old = new;
    }
}

#[tokio::test]
async fn many_tokens_with_unknown_keys_ask_the_issuer_only_a_few_times() {
    let signer = Signer::ec("known");
    let stand_in = StandIn::start(std::slice::from_ref(&signer)).await;
    let issuers = trusted(&stand_in);
    for number in 0..200 {
        let token = signer.token_as("ES256", &json!({"kid": format!("k{number}")}), &claims(&stand_in.url));
        assert_eq!(verify(&issuers, &token).await, Err(NotProven::UnknownKey));
    }
    assert!(stand_in.times_asked() <= 6, "{}", stand_in.times_asked());
    assert!(verify(&issuers, &signer.token(&claims(&stand_in.url))).await.is_ok());
}

#[tokio::test]
async fn known_keys_go_on_while_the_issuer_is_down_and_new_ones_are_refused() {
    let (known, new) = (Signer::ec("known"), Signer::ec("new"));
    let stand_in = StandIn::start(std::slice::from_ref(&known)).await;
    let issuers = trusted(&stand_in);
    assert!(verify(&issuers, &known.token(&claims(&stand_in.url))).await.is_ok());
    stand_in.is_down.store(true, Ordering::SeqCst);
    assert_eq!(verify(&issuers, &new.token(&claims(&stand_in.url))).await, Err(NotProven::UnknownKey));
    assert!(verify(&issuers, &known.token(&claims(&stand_in.url))).await.is_ok());
}

#[tokio::test]
async fn known_keys_go_on_for_a_day_while_the_issuer_is_down() {
    const HOUR: Duration = Duration::from_hours(1);
    let (known, new) = (Signer::ec("known"), Signer::ec("new"));
    let stand_in = StandIn::start(std::slice::from_ref(&known)).await;
    let issuers = trusted(&stand_in);
    let (old_key, new_key) = (known.token(&claims(&stand_in.url)), new.token(&claims(&stand_in.url)));
    let now = Timestamp::now();
    assert!(issuers.verify(&old_key, now).await.is_ok());
    stand_in.is_down.store(true, Ordering::SeqCst);
    tokio::time::pause();
    for hour in 1..24 {
        tokio::time::advance(HOUR).await;
        assert!(issuers.verify(&old_key, now).await.is_ok(), "{hour}");
        assert_eq!(issuers.verify(&new_key, now).await, Err(NotProven::UnknownKey), "{hour}");
    }
    tokio::time::advance(HOUR).await;
    assert_eq!(issuers.verify(&old_key, now).await, Err(NotProven::Unreachable));
}

#[tokio::test]
async fn metadata_of_another_issuer_are_not_believed() {
    let signer = Signer::ec("key");
    let stand_in = StandIn::start(std::slice::from_ref(&signer)).await;
    let other = json!({"issuer": "https://other.example", "jwks_uri": format!("{}/keys", stand_in.url)});
    *stand_in.metadata.lock().unwrap() = other.to_string();
    let provider = Provider::start(&stand_in.url, None).unwrap();
    assert_eq!(provider.metadata().await, None);
    let plain = json!({"issuer": stand_in.url, "jwks_uri": "http://keys.example/"});
    *stand_in.metadata.lock().unwrap() = plain.to_string();
    let provider = Provider::start(&stand_in.url, None).unwrap();
    assert_eq!(provider.metadata().await, None);
    assert_eq!(stand_in.times_asked(), 0);
}

#[tokio::test]
async fn a_token_without_a_key_id_counts_only_when_there_is_no_doubt() {
    let (one, other) = (Signer::ec("a"), Signer::ec("b"));
    let stand_in = StandIn::start(std::slice::from_ref(&one)).await;
    let issuers = trusted(&stand_in);
    let header = r#"{"alg":"ES256"}"#;
    let token = one.sign("ES256", header, &claims(&stand_in.url).to_string());
    assert!(verify(&issuers, &token).await.is_ok());
    stand_in.rotate(&[one, other]);
    let issuers = trusted(&stand_in);
    assert_eq!(verify(&issuers, &token).await, Err(NotProven::UnknownKey));
}

#[test]
fn an_issuer_in_clear_is_for_this_machine_only() {
    for (url, permitted) in [
        ("https://idp.example/tenant", true),
        ("http://127.0.0.1:8080", true),
        ("http://localhost:8080/x", true),
        ("http://[::1]:80", true),
        ("http://idp.example", false),
        ("http://127.0.0.1.example", false),
        ("ftp://idp.example", false),
        ("https://user@idp.example", false),
        ("idp.example", false),
    ] {
        assert_eq!(super::permitted(url).is_ok(), permitted, "{url}");
    }
}
