//! The last wall inside the judge: every identifier of the text must have been looked at.
//!
//! The walk says which names it came by; a lexer of our own says which names there are. A name that the walk does not
//! know stands in a place that it has forgotten, and then nobody can say what it reads.

use std::{borrow::Cow, cmp::Ordering, collections::HashMap};

use super::{keywords::is_keyword, walk::Edit};
use crate::enforce::{Denial, Reason};

/// The longest identifier; what is longer is cut by the server.
const NAME_LEN: usize = 63;

/// Checks that each identifier of the text is claimed, as often as it stands there.
pub(super) fn identifiers(text: &str, claims: &[&str]) -> Result<(), Denial> {
    let mut names = names(text).ok_or_else(|| {
        Denial::unclear(Reason::Syntax, "", "the statement is written in a way that cannot be judged")
    })?;
    names.sort_unstable_by(|one, other| order(one, other));
    let mut claims = claims.to_vec();
    claims.sort_unstable_by(|one, other| order(one, other));
    let mut claims = claims.into_iter().peekable();
    for name in &names {
        while claims.next_if(|claim| order(claim, name).is_lt()).is_some() {}
        if claims.next_if_eq(&&**name).is_none() {
            return Err(Denial::unclear(
                Reason::Name,
                name,
                format!("what \"{name}\" stands for cannot be established"),
            ));
        }
    }
    Ok(())
}

/// Some order; most names differ in their lengths already.
fn order(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// Whether a text can be read, and has no more tokens than these.
pub(super) fn has_at_most(text: &str, tokens: usize) -> bool {
    let mut lexer = Lexer { text, at: 0 };
    !lexer.by_ref().take(tokens).any(|token| token.is_err()) && lexer.next().is_none()
}

/// The parameters of a text, each as often as it stands there; nothing if it cannot be read.
pub(super) fn parameters(text: &str) -> Option<HashMap<u16, usize>> {
    let (mut lexer, mut uses) = (Lexer { text, at: 0 }, HashMap::new());
    loop {
        lexer.skip_blanks().ok()?;
        let begin = lexer.at;
        if begin >= text.len() {
            return Some(uses);
        }
        lexer.token().ok()?;
        let digits = text.get(begin..lexer.at).and_then(|token| token.strip_prefix('$'));
        if let Some(number) = digits.and_then(|digits| digits.parse().ok()) {
            *uses.entry(number).or_default() += 1;
        }
    }
}

/// The text with blanks in the place of its comments, byte for byte; nothing if it cannot be read or has none.
pub(super) fn without_comments(text: &str) -> Option<String> {
    let (mut plain, mut lexer) = (String::with_capacity(text.len()), Lexer { text, at: 0 });
    while lexer.at < text.len() {
        let begin = lexer.at;
        lexer.skip_blanks().ok()?;
        for letter in text.get(begin..lexer.at)?.chars() {
            match letter {
                letter if letter.is_ascii() && is_space(letter as u8) => plain.push(letter),
                letter => plain.extend(std::iter::repeat_n(' ', letter.len_utf8())),
            }
        }
        let begin = lexer.at;
        if begin < text.len() {
            lexer.token().ok()?;
            plain.push_str(text.get(begin..lexer.at)?);
        }
    }
    (plain != text).then_some(plain)
}

/// The text with other words in the place of some of its parts, each given by where it begins.
pub(super) fn edited(text: &str, edits: &[(usize, Edit)]) -> Result<Box<str>, Denial> {
    let mut edits = edits.to_vec();
    edits.sort();
    edits.dedup();
    let (mut result, mut at) = (String::new(), 0);
    for (begin, edit) in edits {
        let unclear = || {
            let why = "where a part of the statement stands that has to be put in other words cannot be established";
            Denial::unclear(Reason::Statement, "", why)
        };
        let (words, place) = match edit {
            Edit::Star(words) => (words, star_end(text, begin).map(|end| (begin, end))),
            Edit::Column(words) => (words, name_end(text, begin).map(|end| (begin, end))),
            Edit::Call(words) => (words, call_end(text, begin).map(|end| (begin, end))),
            Edit::Table(words) => (words, word_before(text, at, begin, "table")),
            Edit::Constant(words) => (words, constant_end(text, begin).map(|end| (begin, end))),
            Edit::Rest(words) => (words, statement_end(text, begin).map(|end| (begin, end))),
        };
        let (begin, end) = place.ok_or_else(unclear)?;
        result.push_str(text.get(at..begin).ok_or_else(unclear)?);
        at = end;
        result.push_str(&words);
    }
    result.push_str(text.get(at..).unwrap_or_default());
    Ok(result.into())
}

/// Where the star of a column reference ends.
fn star_end(text: &str, begin: usize) -> Option<usize> {
    let mut lexer = Lexer { text, at: begin };
    loop {
        match lexer.next()? {
            Ok(Token::Other('*')) => return Some(lexer.at),
            // A name may be spelled like a key word.
            Ok(Token::Name(_) | Token::Nothing | Token::Other('.')) => {}
            Ok(Token::Other(_)) | Err(Unreadable) => return None,
        }
    }
}

/// Where a name of one part or more ends.
fn name_end(text: &str, begin: usize) -> Option<usize> {
    let mut lexer = Lexer { text, at: begin };
    loop {
        // A part may be spelled like a key word.
        let Ok(Token::Name(_) | Token::Nothing) = lexer.next()? else { return None };
        let end = lexer.at;
        if !matches!(lexer.next(), Some(Ok(Token::Other('.')))) {
            return Some(end);
        }
    }
}

/// Where the brackets behind a function's name are closed.
fn call_end(text: &str, begin: usize) -> Option<usize> {
    let mut lexer = Lexer { text, at: name_end(text, begin)? };
    let mut open = 0_u32;
    loop {
        match lexer.next()?.ok()? {
            Token::Other('(') => open += 1,
            Token::Other(')') if open == 1 => return Some(lexer.at),
            Token::Other(')') => open = open.checked_sub(1)?,
            Token::Name(_) | Token::Nothing | Token::Other(_) if open > 0 => {}
            Token::Name(_) | Token::Nothing | Token::Other(_) => return None,
        }
    }
}

/// Where this word stands for the last time before a name.
fn word_before(text: &str, from: usize, name: usize, word: &str) -> Option<(usize, usize)> {
    let (mut lexer, mut found) = (Lexer { text, at: from }, None);
    loop {
        lexer.skip_blanks().ok()?;
        let begin = lexer.at;
        if begin >= name {
            return found.filter(|_| begin == name);
        }
        lexer.token().ok()?;
        if text.get(begin..lexer.at).is_some_and(|token| token.eq_ignore_ascii_case(word)) {
            found = Some((begin, lexer.at));
        }
    }
}

/// Where a constant ends.
fn constant_end(text: &str, begin: usize) -> Option<usize> {
    let mut lexer = Lexer { text, at: begin };
    match lexer.next()? {
        Ok(Token::Nothing) => Some(lexer.at),
        Ok(Token::Name(_) | Token::Other(_)) | Err(Unreadable) => None,
    }
}

/// Where a statement ends: before the semicolon, or with the text.
fn statement_end(text: &str, begin: usize) -> Option<usize> {
    let mut lexer = Lexer { text, at: begin };
    loop {
        let end = lexer.at;
        match lexer.next() {
            Some(Ok(Token::Other(';'))) => return Some(end),
            Some(Ok(Token::Name(_) | Token::Nothing | Token::Other(_))) => {}
            Some(Err(Unreadable)) => return None,
            None => return Some(text.len()),
        }
    }
}

/// All identifiers that are no key words; nothing if the text cannot be read.
fn names(text: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut names = Vec::new();
    for token in (Lexer { text, at: 0 }) {
        if let Token::Name(name) = token.ok()? {
            names.push(name);
        }
    }
    Some(names)
}

enum Token<'t> {
    /// An identifier that is no key word.
    Name(Cow<'t, str>),
    /// A key word, a constant, a parameter.
    Nothing,
    /// Any other character.
    Other(char),
}

/// The text ends in the middle of something.
struct Unreadable;

/// A lexer that knows just enough to find identifiers, with `standard_conforming_strings` on.
struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

const fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

const fn continues_name(byte: u8) -> bool {
    begins_name(byte) || byte.is_ascii_digit() || byte == b'$'
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.rest().get(ahead).copied()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        self.at += self.rest().iter().take_while(|byte| wanted(**byte)).count();
    }

    /// Blanks and comments.
    fn skip_blanks(&mut self) -> Result<(), Unreadable> {
        loop {
            self.skip_while(is_space);
            match self.rest() {
                [b'-', b'-', ..] => self.skip_while(|byte| !matches!(byte, b'\n' | b'\r')),
                [b'/', b'*', ..] => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), Unreadable> {
        let mut depth = 0_u32;
        loop {
            match self.rest() {
                [b'/', b'*', ..] => {
                    depth += 1;
                    self.at += 2;
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                [_, ..] => self.at += 1,
                [] => return Err(Unreadable),
            }
        }
    }

    /// What stands in quotes, from behind the opening one: up to the closing one, doubled ones undone.
    fn quoted(&mut self, quote: u8, backslashes: bool) -> Result<Cow<'t, str>, Unreadable> {
        let begin = self.at;
        let mut doubled = false;
        loop {
            match self.rest() {
                [b'\\', _, ..] if backslashes => self.at += 2,
                [first, second, ..] if *first == quote && *second == quote => {
                    doubled = true;
                    self.at += 2;
                }
                [first, ..] if *first == quote => break,
                [_, ..] => self.at += 1,
                [] => return Err(Unreadable),
            }
        }
        let inside = self.text.get(begin..self.at).ok_or(Unreadable)?;
        self.at += 1;
        let quote = char::from(quote);
        Ok(if doubled {
            inside.replace(&format!("{quote}{quote}"), &quote.to_string()).into()
        } else {
            inside.into()
        })
    }

    /// A string; behind a line break it may go on, and in the same way.
    fn string(&mut self, backslashes: bool) -> Result<Token<'t>, Unreadable> {
        loop {
            self.quoted(b'\'', backslashes)?;
            let end = self.at;
            self.skip_blanks()?;
            let between = self.text.get(end..self.at).unwrap_or_default();
            let goes_on = between.contains(['\n', '\r']) && !between.contains("/*");
            if self.peek(0) != Some(b'\'') || !goes_on {
                self.at = end;
                return Ok(Token::Nothing);
            }
            self.at += 1;
        }
    }

    /// `$tag$ … $tag$`, `$1`
    fn dollar(&mut self) -> Result<Token<'t>, Unreadable> {
        let tag =
            self.rest().iter().skip(1).take_while(|byte| continues_name(**byte) && **byte != b'$').count();
        if self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) || self.peek(tag + 1) != Some(b'$') {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
            return Ok(Token::Nothing);
        }
        let delimiter = self.text.get(self.at..self.at + tag + 2).ok_or(Unreadable)?;
        let inside = self.text.get(self.at + tag + 2..).ok_or(Unreadable)?;
        let length = inside.find(delimiter).ok_or(Unreadable)?;
        self.at += 2 * delimiter.len() + length;
        Ok(Token::Nothing)
    }

    fn word(&mut self) -> Token<'t> {
        let begin = self.at;
        self.skip_while(continues_name);
        let word = self.text.get(begin..self.at).unwrap_or_default();
        let folded: Cow<'t, str> = if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
            word.to_ascii_lowercase().into()
        } else {
            word.into()
        };
        if is_keyword(&folded) { Token::Nothing } else { Token::Name(cut(folded)) }
    }

    /// `U&"…"`, with whatever escape character is named behind it.
    fn unicode_name(&mut self) -> Result<Token<'t>, Unreadable> {
        let inside = self.quoted(b'"', false)?;
        let end = self.at;
        self.skip_blanks()?;
        let named = self.rest().get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"UESCAPE"));
        let mut escape = '\\';
        if named {
            self.at += 7;
            self.skip_blanks()?;
            if self.peek(0) != Some(b'\'') {
                return Err(Unreadable);
            }
            self.at += 1;
            escape = self.quoted(b'\'', false)?.chars().next().ok_or(Unreadable)?;
        } else {
            self.at = end;
        }
        unescaped(&inside, escape).map(|name| Token::Name(cut(name.into()))).ok_or(Unreadable)
    }

    fn token(&mut self) -> Result<Token<'t>, Unreadable> {
        match self.rest() {
            [b'\'', ..] => {
                self.at += 1;
                self.string(false)
            }
            [b'e' | b'E', b'\'', ..] => {
                self.at += 2;
                self.string(true)
            }
            [b'b' | b'B' | b'x' | b'X' | b'n' | b'N', b'\'', ..] => {
                self.at += 2;
                self.string(false)
            }
            [b'u' | b'U', b'&', b'\'', ..] => {
                self.at += 3;
                self.string(false)
            }
            [b'u' | b'U', b'&', b'"', ..] => {
                self.at += 3;
                self.unicode_name()
            }
            [b'"', ..] => {
                self.at += 1;
                self.quoted(b'"', false).map(|name| Token::Name(cut(name)))
            }
            [b'$', ..] => self.dollar(),
            [first, ..] if first.is_ascii_digit() => {
                self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                Ok(Token::Nothing)
            }
            [first, ..] if begins_name(*first) => Ok(self.word()),
            [first, ..] => {
                self.at += 1;
                Ok(Token::Other(char::from(*first)))
            }
            [] => Err(Unreadable),
        }
    }
}

impl<'t> Iterator for Lexer<'t> {
    type Item = Result<Token<'t>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.skip_blanks().is_err() {
            self.at = self.text.len();
            return Some(Err(Unreadable));
        }
        (self.at < self.text.len()).then(|| self.token())
    }
}

/// What the server keeps of an identifier.
fn cut(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.len() <= NAME_LEN {
        return name;
    }
    let end = (0..=NAME_LEN).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.get(..end).unwrap_or_default().to_owned().into()
}

/// Escapes of four digits, or of six behind a plus, undone; nothing where that goes wrong.
fn unescaped(inside: &str, escape: char) -> Option<String> {
    let (mut name, mut letters, mut high) = (String::new(), inside.chars(), None);
    while let Some(letter) = letters.next() {
        if letter != escape {
            name.push(letter);
            continue;
        }
        let rest = letters.as_str();
        if rest.starts_with(escape) {
            letters.next();
            name.push(escape);
            continue;
        }
        let (skip, digits) = if rest.starts_with('+') { (1, 6) } else { (0, 4) };
        let code = u32::from_str_radix(rest.get(skip..skip + digits)?, 16).ok()?;
        letters = rest.get(skip + digits..)?.chars();
        match (high.take(), code) {
            (None, 0xd800..=0xdbff) => high = Some(code),
            (Some(high), 0xdc00..=0xdfff) => {
                name.push(char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (code - 0xdc00))?);
            }
            (None, code) => name.push(char::from_u32(code)?),
            (Some(_), _) => return None,
        }
    }
    high.is_none().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        names(text).unwrap().into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn identifiers_are_found_wherever_they_hide() {
        assert_eq!(
            found("SELECT Sku, \"Odd \"\"x\" FROM sales -- price\r, card_number"),
            ["sku", "Odd \"x", "sales", "card_number"]
        );
        assert_eq!(found("select U&\"c!0061rd\" UESCAPE '!', u&\"\\0061\""), ["card", "a"]);
        assert_eq!(found("select /* a /* b */ c */ d"), ["d"]);
    }

    #[test]
    fn constants_hold_no_identifiers() {
        assert_eq!(
            found("select 'a b', E'\\' c', $x$ d $x$, $1, 1e5, B'0', 'x'\n 'y'"),
            Vec::<String>::new()
        );
        assert_eq!(found("select E'a'\n'\\' b', c"), ["c"]);
    }

    #[test]
    fn a_name_that_nobody_claims_is_refused() {
        assert!(identifiers("select a, b from t", &["t", "a", "b"]).is_ok());
        assert!(identifiers("select a, a from t", &["t", "a"]).is_err());
        assert!(identifiers("select a, b from t", &["t", "a"]).is_err());
    }
}
