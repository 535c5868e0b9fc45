//! `KILL` by a client that knows its connections by our numbers.

/// The words that may stand before the number.
const WORDS: [&str; 5] = ["KILL", "HARD", "SOFT", "CONNECTION", "QUERY"];
/// No `KILL` of a client library is longer.
const LONGEST: usize = 128;

/// The text with the number that `translate` gives for the one in it. Nothing if it is no plain `KILL`, or names no
/// number that is translated.
pub(crate) fn translated(text: &[u8], translate: impl FnOnce(u32) -> Option<u32>) -> Option<String> {
    if !begins_with_kill(text) || text.len() > LONGEST {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let text = text.trim_end_matches([';', ' ', '\t', '\n', '\r']);
    let (words, number) = text.rsplit_once([' ', '\t', '\n', '\r'])?;
    let plain = |word: &str| WORDS.iter().any(|known| known.eq_ignore_ascii_case(word));
    if !words.split_ascii_whitespace().all(plain) {
        return None;
    }
    let number = translate(number.parse().ok()?)?;
    Some(format!("{words} {number}"))
}

/// Whether it is worth a closer look.
pub(crate) fn begins_with_kill(text: &[u8]) -> bool {
    text.trim_ascii_start().first_chunk::<4>().is_some_and(|word| word.eq_ignore_ascii_case(b"kill"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_plain_kill_is_translated() {
        let ours = |number| (number == 2_147_483_649).then_some(17);
        for (text, expected) in [
            ("KILL 2147483649", "KILL 17"),
            ("kill query 2147483649", "kill query 17"),
            (" KILL  CONNECTION\t2147483649 ; ", " KILL  CONNECTION 17"),
            ("KILL HARD QUERY 2147483649", "KILL HARD QUERY 17"),
        ] {
            assert_eq!(translated(text.as_bytes(), ours).as_deref(), Some(expected), "{text}");
        }
        let others =
            ["KILL 5", "KILL QUERY (2147483649)", "KILL USER 2147483649", "SELECT 2147483649", "KILL", ""];
        for text in others {
            assert_eq!(translated(text.as_bytes(), ours), None, "{text}");
        }
    }
}
