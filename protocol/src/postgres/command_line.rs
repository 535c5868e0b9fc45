//! The command line in the start-up parameter `options`, split into words as the server splits it.

/// What every setting that is meant for Postern itself begins with.
const OWN: &str = "postern.";

/// A word, and where it stands.
struct Word {
    text: String,
    begin: usize,
    end: usize,
}

/// Words as the server splits `options`: at white space, where a backslash makes any character an ordinary one.
pub fn words(line: &str) -> impl Iterator<Item = String> {
    split(line).into_iter().map(|word| word.text)
}

fn split(line: &str) -> Vec<Word> {
    let (mut words, mut word, mut escaped) = (Vec::new(), None::<Word>, false);
    for (begin, letter) in line.char_indices() {
        if !escaped && matches!(letter, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c') {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_with(|| Word { text: String::new(), begin, end: begin });
        word.end = begin + letter.len_utf8();
        if !escaped && letter == '\\' {
            escaped = true;
        } else {
            escaped = false;
            word.text.push(letter);
        }
    }
    words.extend(word);
    words
}

/// A setting of Postern's own, without `postern.`.
fn own(setting: &str) -> Option<(String, String)> {
    let (name, value) = setting.split_once('=')?;
    let name = name.to_ascii_lowercase().replace('-', "_");
    Some((name.strip_prefix(OWN)?.to_owned(), value.to_owned()))
}

/// Settings of Postern's own (`-c postern.reason=…`) on a command line, without `postern.`, and the command line without
/// them: what is left stays as it was written.
#[must_use]
pub fn take_own(line: &str) -> (Vec<(String, String)>, String) {
    let (mut found, mut rest, mut words) = (Vec::new(), Vec::new(), split(line).into_iter().peekable());
    while let Some(word) = words.next() {
        let following = (word.text == "-c").then(|| words.peek().and_then(|next| own(&next.text))).flatten();
        if let Some(setting) = following {
            found.push(setting);
            words.next();
            continue;
        }
        let attached = word.text.strip_prefix("--").or_else(|| word.text.strip_prefix("-c"));
        match attached.and_then(own) {
            Some(setting) => found.push(setting),
            None => rest.extend(line.get(word.begin..word.end)),
        }
    }
    let rest = if found.is_empty() { line.to_owned() } else { rest.join(" ") };
    (found, rest)
}

/// A parameter of a start-up packet that is meant for Postern itself, without `postern.`.
#[must_use]
pub fn own_parameter(name: &str) -> Option<String> {
    name.to_ascii_lowercase().strip_prefix(OWN).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> (Vec<String>, String) {
        let (found, rest) = take_own(line);
        (found.into_iter().map(|(name, value)| format!("{name}={value}")).collect(), rest)
    }

    #[test]
    fn what_is_meant_for_postern_is_taken_out_of_the_command_line() {
        for (line, found, rest) in [
            ("-c postern.reason=INC-42", &["reason=INC-42"][..], ""),
            ("-c postern.reason=a\\ b\\\\c -c jit=off", &["reason=a b\\c"], "-c jit=off"),
            ("-cjit=off --postern.duration=1h", &["duration=1h"], "-cjit=off"),
            (
                "-c POSTERN.Reason=x -c a=b\\ c -cpostern.duration=2h",
                &["reason=x", "duration=2h"],
                "-c a=b\\ c",
            ),
            ("  -c  search_path=x  ", &[], "  -c  search_path=x  "),
            ("-c app=-cpostern.reason=x", &[], "-c app=-cpostern.reason=x"),
            ("-c postern.reason", &[], "-c postern.reason"),
        ] {
            let own: Vec<String> = found.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(taken(line), (own, rest.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_parameter_of_our_own_is_known_by_its_prefix() {
        assert_eq!(own_parameter("Postern.login").as_deref(), Some("login"));
        assert_eq!(own_parameter("postern_login"), None);
    }
}
