//! Finds seeded secrets in what a client was told.
//!
//! Every value that the grant does not cover holds `SECRET` or is a number `77770xx` or `88880xx`. A mark that the
//! client itself has written is none of the gate's doing.

use std::collections::BTreeSet;

/// Names that the grant does not cover. A refusal must not tell them.
const HIDDEN: [&str; 14] = [
    "customer_email",
    "card_number",
    "price",
    "employees",
    "salary",
    "ssn",
    "events",
    "events_2024",
    "events_2025",
    "payload_secret",
    "reviews",
    "employee_id",
    "v_sales_public",
    "v_sales_all",
];

/// `SECRET`, as `bytea` is written, and backwards.
const DISGUISES: [&str; 3] = ["SECRET", "534543524554", "TERCES"];
/// A column's name is no secret.
const COLUMN: &str = "PAYLOAD_SECRET";

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').filter(|word| !word.is_empty())
}

fn is_secret_number(word: &str) -> bool {
    let digits = word.trim_start_matches('-');
    digits.len() == 7
        && (digits.starts_with("77770") || digits.starts_with("88880"))
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The marks in an answer that were not in what the client had said.
pub fn leaks(said: &str, answer: &str) -> BTreeSet<String> {
    let numbers = answer.split(|c: char| !c.is_ascii_digit()).filter(|word| is_secret_number(word));
    let texts = words(answer).filter(|word| {
        let word = word.to_uppercase().replace(COLUMN, "");
        DISGUISES.iter().any(|disguise| word.contains(disguise))
    });
    numbers.chain(texts).filter(|mark| !said.contains(mark)).map(str::to_owned).collect()
}

/// The names in a refusal that the client had not said and that its grant does not cover.
pub fn hidden_names(said: &str, refusal: &str) -> BTreeSet<String> {
    let said = format!("{said} {}", unescaped(said));
    let said: BTreeSet<&str> = identifiers(&said).collect();
    let told = identifiers(refusal).filter(|word| HIDDEN.contains(word) && !said.contains(word));
    told.map(str::to_owned).collect()
}

/// A text in which code points stand for themselves: `\\005F` or, with another escape character, `!005F`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split(['\\', '!']);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = if part.starts_with('+') { 1..7 } else { 0..4 };
        let code = part.get(digits.clone()).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code.and_then(char::from_u32) {
            Some(letter) => plain.extend([&*letter.to_string(), part.get(digits.end..).unwrap_or_default()]),
            None => plain.push_str(part),
        }
    }
    plain
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_unless_the_client_wrote_it() {
        assert_eq!(leaks("select ssn", "(1,SSN-SECRET-1,8888001)").len(), 2);
        assert_eq!(leaks("select 'SSN-SECRET-1'", "SSN-SECRET-1").len(), 0);
        assert_eq!(leaks("select 'SSN-SECRET'", "SSN-SECRET-1").len(), 1);
        assert_eq!(leaks("", "77770012 7777001.0 \\x5353534e2d534543524554").len(), 2);
        assert_eq!(leaks("", "payload_secret, card-secret-1").len(), 1);
        assert_eq!(leaks("", "{\"f\":\"a\",\"price\":7777003}").len(), 1);
    }

    #[test]
    fn a_hidden_name_is_found_unless_the_client_said_it() {
        assert!(hidden_names("select price", "permission denied for column price of table sales").is_empty());
        assert!(hidden_names("select U&\"c!0061rd_n\\+000075mber\" uescape '!'", "card_number").is_empty());
        assert_eq!(hidden_names("select x", "perhaps sales.price?").len(), 1);
    }
}
