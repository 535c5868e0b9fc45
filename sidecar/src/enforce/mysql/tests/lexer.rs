//! How texts are cut into tokens.

use super::super::{
    SqlMode,
    catalog::{Flavour, Server},
    lexer::{Kind, Tokens},
};

const MYSQL: Server = Server { flavour: Flavour::MySql, version: 90_704, folds: false };
const MARIA: Server = Server { flavour: Flavour::MariaDb, version: 101_114, folds: false };

fn cut(text: &str, server: Server, mode: SqlMode) -> Option<Vec<String>> {
    let tokens = Tokens::read(text.as_bytes(), server, mode).ok()?;
    let texts = (0..tokens.len()).filter_map(|at| tokens.get(at));
    Some(texts.map(|token| String::from_utf8_lossy(tokens.raw(token)).into_owned()).collect())
}

fn tokens(text: &str) -> Vec<String> {
    cut(text, MYSQL, SqlMode::default()).expect(text)
}

fn refused(text: &str) -> bool {
    cut(text, MYSQL, SqlMode::default()).is_none()
}

#[test]
fn executable_comments_are_a_part_of_the_text_where_the_server_takes_them_for_one() {
    for (text, mysql, maria) in [
        ("a /*! b */", true, true),
        ("a /*!b */", true, true),
        ("a /*!50000 b */", true, true),
        ("a /*!80000 b */", true, false),
        ("a /*!050701 b */", true, false),
        ("a /*!90705 b */", false, false),
        ("a /*!999999 b */", false, false),
        ("a /*M! b */", false, true),
        ("a /*M!50701 b */", false, true),
        ("a /*M!080000 b */", false, true),
        ("a /*M!999999 b */", false, false),
        ("a /*m! b */", false, false),
        ("a /*M!100100 b */", false, true),
        ("a /* ! b */", false, false),
    ] {
        for (server, executed) in [(MYSQL, mysql), (MARIA, maria)] {
            let expected = if executed { vec!["a", "b"] } else { vec!["a"] };
            assert_eq!(cut(text, server, SqlMode::default()).expect(text), expected, "{text} {server:?}");
        }
    }
    assert_eq!(cut("a /*!100100 b */", MARIA, SqlMode::default()).unwrap(), ["a", "b"]);
    assert_eq!(cut("a /*!050000b */", MARIA, SqlMode::default()).unwrap(), ["a", "b"]);
    // Few digits are a number.
    for server in [MYSQL, MARIA] {
        assert_eq!(cut("a /*!5000 b */", server, SqlMode::default()).unwrap(), ["a", "5000", "b"]);
        assert_eq!(cut("a /*!5000b */", server, SqlMode::default()).unwrap(), ["a", "5000b"]);
    }
}

#[test]
fn a_name_in_back_quotes_is_utf_8_even_of_a_variable() {
    // Some servers take the quote for a part of the letter.
    for text in [&b"@`\xe2`"[..], b"`\xe2`"] {
        assert!(Tokens::read(text, MYSQL, SqlMode::default()).is_err(), "{text:?}");
    }
    assert!(Tokens::read("@`\u{20ac}`, @\u{20ac}".as_bytes(), MYSQL, SqlMode::default()).is_ok());
}

#[test]
fn executable_comments_that_servers_read_differently_are_refused() {
    for text in [
        "a /*!100100 b */",
        "a /*!050000b */",
        "a /*!050000/**/b */",
        "a /*!5000000 b */",
        "a /*! b",
        "a /*! b /*! c */ */",
        "a /*!999999 /* */ b */",
        "a /*! ; */ b",
    ] {
        assert!(refused(text), "{text}");
    }
}

#[test]
fn comments_end_where_the_server_ends_them() {
    assert_eq!(tokens("a /* /* */ b"), ["a", "b"]);
    assert_eq!(tokens("a /*/ b /*/ c"), ["a", "c"]);
    assert_eq!(tokens("a --b\n"), ["a", "-", "-", "b"]);
    assert_eq!(tokens("a -- b\nc # d\n--\te\nf --"), ["a", "c", "f"]);
    assert_eq!(tokens("a /*! b /* c */ d */ e"), ["a", "b", "d", "e"]);
    assert!(refused("a /* b") && refused("a -- \0\nb"));
}

#[test]
fn hints_that_set_something_are_refused() {
    assert_eq!(tokens("SELECT /*+ MAX_EXECUTION_TIME(5) */ 1"), ["SELECT", "1"]);
    assert!(refused("SELECT /*+ SET_VAR(foreign_key_checks=OFF) */ 1"));
    assert!(refused("SELECT /*+ set_var(sql_mode='') */ 1"));
    assert!(refused("SELECT /*+ QB_NAME(`a`) */ 1"));
}

#[test]
fn strings_end_by_the_mode() {
    assert_eq!(tokens(r#"'a\'b' "c""d" N'e' 'f''g'"#), [r"'a\'b'", r#""c""d""#, "N'e'", "'f''g'"]);
    let plain = SqlMode { no_backslash_escapes: true, ..SqlMode::default() };
    assert_eq!(cut(r"'a\' b", MYSQL, plain).unwrap(), [r"'a\'", "b"]);
    assert!(refused("'a"));
    assert_eq!(tokens("_binary'\u{e9}\\'x'"), ["_binary", "'\u{e9}\\'x'"]);
    assert!(Tokens::read(b"SELECT '\xe9\\'\xff'", MYSQL, SqlMode::default()).is_ok());
}

#[test]
fn double_quotes_hold_names_where_the_mode_has_it_so() {
    let kinds = |mode| {
        let tokens = Tokens::read(br#""a""#, MYSQL, mode).unwrap();
        (tokens.kind(0), tokens.name(0).map(std::borrow::Cow::into_owned))
    };
    assert_eq!(kinds(SqlMode::default()), (Some(Kind::Text), None));
    let ansi = SqlMode { ansi_quotes: true, ..SqlMode::default() };
    assert_eq!(kinds(ansi), (Some(Kind::Quoted), Some("a".to_owned())));
}

#[test]
fn numbers_that_some_servers_read_as_nothing_are_refused() {
    assert_eq!(tokens("1 1.5 .5 5. 1e3 1.5e-3 0x4f 0b01 x'4f' b'01'").len(), 10);
    assert_eq!(tokens("1a 2020_orders"), ["1a", "2020_orders"]);
    for text in ["1.e(a)", "1e(a)", "1.5e", ".1e(a)", "1.5a", "1.2.3", "a.1b", "x'4'", "b'2'"] {
        assert!(refused(text), "{text}");
    }
}

#[test]
fn names_that_servers_cut_strip_or_fold_are_refused() {
    let long = "x".repeat(65);
    for name in ["` a`", "`\ta`", "``", "`\u{17f}ku`", "\u{212a}ey", "`a😀`", "😎", &long, "$a", "`a\0b`"]
    {
        assert!(refused(name), "{name}");
    }
    assert_eq!(tokens("stra\u{df}e `na me` `a``b`"), ["stra\u{df}e", "`na me`", "`a``b`"]);
}
