//! Texts of several statements of which one is denied: what stands before it.

use super::*;

/// The statements of a text, as the parser cuts them.
fn statements(text: &str) -> Option<Vec<&str>> {
    let tree = pg_raw_parse::parse(text).ok()?;
    let cut = |(begin, length): (i32, i32)| {
        let begin = usize::try_from(begin).unwrap();
        let end = if length == 0 { text.len() } else { begin + usize::try_from(length).unwrap() };
        text.get(begin..end).unwrap().trim()
    };
    Some(tree.iter().map(|raw| cut((raw.stmt_location, raw.stmt_len))).collect())
}

/// Whether a text is one that may be sent as it is, and behind it the statement that is to fail. The parser sees just
/// the statements of both.
pub(crate) fn is_part_and_failure(text: &str, ground: &Ground) -> bool {
    let Some((part, failing)) = text.rsplit_once("\n;") else { return false };
    let alone = judge(part, ground).is_ok_and(|judgement| judgement.instead.is_none());
    let word = failing.strip_prefix("SELECT \"").and_then(|rest| rest.strip_suffix('"'));
    let fails =
        word.is_some_and(|word| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let (Some(mut both), Some(before)) = (statements(text), statements(part)) else { return false };
    both.pop() == Some(failing) && both == before && alone && fails
}

/// What is sent for a text, if anything of it is.
fn sent(text: &str, ground: &Ground) -> Option<String> {
    let behind = judge(text, ground).expect_err(text).behind;
    let part = text.get(..behind).filter(|part| !part.is_empty())?;
    let judgement = judge(part, ground).ok()?;
    Some(judgement.instead.map_or_else(|| part.to_owned(), Into::into))
}

#[test]
fn all_up_to_the_denied_statement_is_let_through_however_it_is_written() {
    // The bar stands where it ends.
    for marked in [
        "SELECT 1|;SELECT card_number FROM sales",
        "BEGIN; INSERT INTO orders(qty) VALUES (1)|; SELECT nosuch FROM orders; COMMIT",
        "/* a; b */ SELECT 'ä;ö', \"id\" FROM sales -- ;\n|; /* ; */ SELECT card_number FROM sales; SELECT 1",
        ";; BEGIN ;; SELECT sku FROM sales |; ; SELECT card_number FROM sales;",
        "SELECT $x$;'$x$, E'\\';', U&'\\003b' |;\nDROP TABLE sales",
        "SELECT id AS \"a;\"\"b\" FROM sales|; VACUUM",
        "PREPARE p AS SELECT 1; EXECUTE p; DEALLOCATE p|; SELECT pg_read_file('x')",
        "COPY orders FROM STDIN|; TABLE sales",
        "SELECT 'a'\n'b;'|;SELECT card_number FROM sales",
        "SELECT id FROM sales ORDER BY id NULLS /* ä; */ LAST|; SELECT card_number FROM sales",
    ] {
        let text = marked.replace('|', "");
        let denial = denied(&text);
        assert_eq!(Some(denial.behind), marked.find('|'), "{marked}: {denial:?}");
        let sent = sent(&text, &shop()).unwrap();
        let whole = format!("{sent}\n;SELECT \"{}\"", "0".repeat(32));
        assert!(is_part_and_failure(&whole, &shop()), "{whole}");
    }
}

#[test]
fn the_part_is_changed_as_a_whole_text_is() {
    let expands = ground_of(shop_parts(), Star::Expand);
    let part = sent("BEGIN; SELECT * FROM sales; SELECT card_number FROM sales", &expands).unwrap();
    assert_eq!(part, judge("BEGIN; SELECT * FROM sales", &expands).unwrap().instead.unwrap().into_string());
    assert!(is_part_and_failure(&format!("{part}\n;SELECT \"{}\"", "a".repeat(32)), &expands));
    let part = sent("SET search_path TO public, pg_catalog; SELECT card_number FROM sales", &shop());
    assert!(
        part.is_none_or(|part| part.starts_with("SET search_path = ")),
        "it is what the session began with"
    );
}

#[test]
fn nothing_of_a_text_is_let_through_that_does_not_parse_or_is_denied_as_a_whole() {
    for text in [
        "SELECT 1; SELEC",
        "SELECT card_number FROM sales; SELECT 1",
        " ; ; SELECT card_number FROM sales",
        "SET SESSION AUTHORIZATION DEFAULT; SELECT card_number FROM sales; RESET ALL",
        "SELECT 1; SELECT 'open",
    ] {
        assert_eq!(sent(text, &shop()), None, "{text}");
    }
}

#[test]
fn where_a_statement_begins_that_needs_a_name_is_known() {
    let text =
        "SELECT 1 ; DECLARE c CURSOR FOR SELECT 'ä'; UPDATE orders SET qty = 1 WHERE CURRENT OF c; EXECUTE p";
    let judgement = verdict(text).unwrap();
    let begins: Vec<&str> =
        (0..judgement.steps.len()).map(|step| text.get(judgement.behind(step)..).unwrap()).collect();
    let at = |word: &str| text.get(text.find(word).unwrap()..).unwrap();
    assert_eq!(begins[..2], [text, at("; DECLARE")]);
    assert_eq!(begins[2..], [at("; UPDATE"), at("; UPDATE"), at("; EXECUTE")]);
}

#[test]
fn where_a_changed_text_is_cut_follows_the_clients_own() {
    let expands = ground_of(shop_parts(), Star::Expand);
    let text = "SELECT * FROM sales; EXECUTE p";
    let judgement = judge(text, &expands).unwrap();
    assert!(judgement.instead.is_some());
    assert_eq!(text.get(..judgement.behind(1)), Some("SELECT * FROM sales"));
}
