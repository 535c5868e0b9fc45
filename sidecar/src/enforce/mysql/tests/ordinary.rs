//! What clients write every day, under a grant of whole tables; and what nobody writes.

use postern_protocol::gate::{Privilege, ResourceGrant, Terms};

use super::{Ground, Limits, judge, maria, mysql};

/// One statement to the line; each was run on both kinds of server.
const ORDINARY: &str = include_str!("../../../../../tests/data/mysql_ordinary.sql");

fn whole(ground: Ground) -> Ground {
    use Privilege::{Delete, Insert, Select, Update};
    let names = ["sales", "orders", "employees", "events", "v_sales_public"];
    let resource = |name: &str| ResourceGrant {
        resource: format!("shop.{name}").parse().unwrap(),
        privileges: vec![Select, Insert, Update, Delete],
    };
    let limits = Limits::new(&names.map(resource), Terms::default());
    Ground { limits: limits.into(), ..ground }
}

#[test]
fn ordinary_statements_are_let_through_as_they_are() {
    let (mut count, grounds) = (0, [whole(mysql()), whole(maria())]);
    for text in ORDINARY.lines() {
        count += 1;
        for ground in &grounds {
            let judgement = judge(text.as_bytes(), ground).map_err(|denial| (text, denial)).unwrap();
            assert!(judgement.instead.is_none() || text.starts_with("SHOW "), "{text}");
        }
    }
    assert!(count > 130, "{count}");
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    for (open, inside, close) in [
        ("(", "1", ")"),
        ("(SELECT ", "1", ")"),
        ("ABS(", "1", ")"),
        ("CASE WHEN ", "1", " THEN 1 END"),
        ("{x ", "1", "}"),
        ("@a := ", "1", ""),
        ("NOT ", "1", ""),
        ("1 + ", "1", ""),
    ] {
        let deep = |depth: usize| format!("SELECT {}{inside}{}", open.repeat(depth), close.repeat(depth));
        assert!(judge(deep(20).as_bytes(), &mysql()).is_ok(), "{}", deep(20));
        let verdict = judge(deep(10_000).as_bytes(), &mysql());
        // What is read in a row needs no depth.
        assert_eq!(verdict.is_ok(), matches!(open, "NOT " | "1 + "), "{open}");
    }
    let from = format!("SELECT 1 FROM {}orders{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(judge(from.as_bytes(), &mysql()).is_err());
    let rows = format!("INSERT INTO orders (qty) VALUES (1){}", ", (2)".repeat(20_000));
    assert!(judge(rows.as_bytes(), &mysql()).is_ok());
}

#[test]
fn what_would_grow_beyond_all_measure_is_refused() {
    let doubled = (0..40).fold("orders".to_owned(), |inside, _| format!("(SELECT *, d.* FROM {inside} d) d"));
    let wide = vec!["*"; 3_000].join(", ");
    let names: Vec<String> = (0..2_000).map(|number| format!("1 c{number}")).collect();
    let natural = format!("WITH d AS (SELECT {}) SELECT 1 FROM d", names.join(","));
    let expressions: Vec<String> = (0..400).map(|number| format!("c{number} AS (SELECT 1)")).collect();
    let views = vec!["SELECT 1 FROM information_schema.columns"; 10_000].join(" UNION ALL ");
    for text in [
        format!("SELECT 1 FROM {doubled}"),
        format!("SELECT {wide} FROM orders"),
        format!("SELECT 1 FROM orders{}", " JOIN orders".repeat(100_000)),
        format!("SELECT 1 FROM orders{}", " NATURAL JOIN orders".repeat(100)),
        format!("WITH {} SELECT 1", expressions.join(", ")),
        views,
        natural + &" NATURAL JOIN d".repeat(60),
    ] {
        assert!(judge(text.as_bytes(), &mysql()).is_err(), "{}", text.get(..80).unwrap_or_default());
    }
}

/// Texts that are nearly statements: parts left out, doubled and swapped.
fn mutations(text: &str, mut seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let bytes = text.as_bytes().to_vec();
    std::iter::repeat_with(move || {
        let mut pick = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below.max(1)
        };
        let mut changed = bytes.clone();
        for _ in 0..=pick(3) {
            let (from, length) = (pick(changed.len()), pick(8));
            let to = changed.len().min(from + length);
            let part: Vec<u8> = changed[from..to].to_vec();
            match pick(4) {
                0 => drop(changed.drain(from..to)),
                1 => drop(changed.splice(from..from, part)),
                2 => changed.insert(from, b"'\"`(){}/*!;.,@\\\xff\0-#$ 0e"[pick(23)]),
                _ => changed.truncate(to),
            }
        }
        changed
    })
}

#[test]
fn no_text_makes_the_judge_panic_and_a_wider_grant_allows_no_less() {
    let (narrow, wide) = (mysql(), whole(mysql()));
    let mut both = 0;
    for (line, text) in ORDINARY.lines().enumerate() {
        for changed in mutations(text, line as u64 + 1).take(200) {
            if judge(&changed, &narrow).is_ok() {
                both += 1;
                assert!(judge(&changed, &wide).is_ok(), "{}", String::from_utf8_lossy(&changed));
            }
        }
    }
    assert!(both > 1_000, "{both}");
}
