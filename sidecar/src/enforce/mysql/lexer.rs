//! A text, token by token, exactly as the server reads it, or not at all.
//!
//! In: the bytes of a statement, the server's kind and version, and the `sql_mode`. Out: tokens, or a refusal. The client's
//! character set is UTF-8: there no byte of a letter is ever taken for a quote or a backslash. Executable comments are
//! resolved as this very server does; where its versions read one differently, it is refused.

use std::borrow::Cow;

use super::{
    SqlMode,
    catalog::Server,
    told::{syntax, unclear},
};
use crate::enforce::{Denial, Reason};

/// What kind of token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key word or a name.
    Word,
    /// A name in back quotes, or in double quotes where the mode has it so.
    Quoted,
    /// A number, in whatever notation, or `\N`.
    Number,
    /// A string.
    Text,
    /// `?`
    Parameter,
    /// `@name`
    Variable,
    /// `@@`: the name of a setting follows.
    Setting,
    /// Anything else.
    Symbol(&'static str),
}

/// What stands between two tokens. Of some names it decides whether they are functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    Nothing,
    Blank,
    /// Comments, or the beginning or end of an executable one, and perhaps blanks.
    Comment,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// What stands between it and the one before.
    pub(super) gap: Gap,
}

/// The longer ones first.
const SYMBOLS: [&str; 33] = [
    "<=>", "->>", "<<", ">>", "<=", ">=", "<>", "!=", "||", "&&", ":=", "->", "(", ")", ",", ".", ";", "+",
    "-", "*", "/", "%", "^", "|", "&", "~", "!", "=", "<", ">", "{", "}", "\\N",
];

/// Servers cut longer names.
const LONGEST_NAME: usize = 64;

/// The tokens of a text.
#[derive(Debug)]
pub(super) struct Tokens<'t> {
    text: &'t [u8],
    list: Vec<Token>,
    /// For each opening parenthesis the closing one.
    closing: Vec<usize>,
    pub(super) mode: SqlMode,
    /// Whether the text holds an executable comment that is executed.
    pub(super) conditional: bool,
}

impl<'t> Tokens<'t> {
    /// Reads a text.
    pub(super) fn read(text: &'t [u8], server: Server, mode: SqlMode) -> Result<Self, Denial> {
        let mut lexer = Lexer { text, at: 0, server, mode, conditional: false, ever: false };
        let mut list: Vec<Token> = Vec::with_capacity(text.len() / 4);
        let (mut closing, mut open) = (Vec::with_capacity(text.len() / 4), Vec::new());
        while let Some(token) = lexer.token(list.last())? {
            closing.push(usize::MAX);
            if token.kind == Kind::Symbol("(") {
                open.push(list.len());
            } else if token.kind == Kind::Symbol(")")
                && let Some(place) = open.pop().and_then(|at: usize| closing.get_mut(at))
            {
                *place = list.len();
            }
            list.push(token);
        }
        Ok(Self { text, list, closing, mode, conditional: lexer.ever })
    }

    pub(super) fn get(&self, at: usize) -> Option<Token> {
        self.list.get(at).copied()
    }

    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.list.get(at).map(|token| token.kind)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Where the parenthesis that opens here is closed.
    pub(super) fn closing(&self, at: usize) -> Option<usize> {
        self.closing.get(at).copied().filter(|at| *at != usize::MAX)
    }

    /// The text of a token as it stands.
    pub(super) fn raw(&self, token: Token) -> &'t [u8] {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    /// The text from the beginning of one token to the beginning of another, without the blanks behind.
    pub(super) fn span(&self, from: usize, to: usize) -> &'t [u8] {
        let last = to.checked_sub(1).and_then(|last| self.get(last));
        match (self.get(from), last) {
            (Some(from), Some(last)) => self.text.get(from.start..last.end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The word that stands here.
    pub(super) fn word(&self, at: usize) -> Option<&'t str> {
        let token = self.get(at).filter(|token| token.kind == Kind::Word)?;
        std::str::from_utf8(self.raw(token)).ok()
    }

    /// Whether this key word stands here, in whatever case.
    pub(super) fn reads(&self, at: usize, keyword: &str) -> bool {
        self.word(at).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    /// The name that stands here.
    pub(super) fn name(&self, at: usize) -> Option<Cow<'t, str>> {
        let token = self.get(at)?;
        match token.kind {
            Kind::Word => self.word(at).map(Cow::Borrowed),
            Kind::Quoted => undoubled(std::str::from_utf8(self.raw(token)).ok()?),
            Kind::Number
            | Kind::Text
            | Kind::Parameter
            | Kind::Variable
            | Kind::Setting
            | Kind::Symbol(_) => None,
        }
    }

    /// What a string says, if it is one in plain letters: without an introducer, one piece, no escapes.
    pub(super) fn text(&self, at: usize) -> Option<Cow<'t, str>> {
        let token = self.get(at).filter(|token| token.kind == Kind::Text)?;
        let raw = std::str::from_utf8(self.raw(token)).ok()?;
        let begins_plain = raw.starts_with(['\'', '"']);
        let escaped = raw.contains('\\') && !self.mode.no_backslash_escapes;
        if begins_plain && !escaped { undoubled(raw) } else { None }
    }
}

/// What stands between quotes, doubled ones undone.
fn undoubled(raw: &str) -> Option<Cow<'_, str>> {
    let quote = raw.chars().next()?;
    let inside = raw.get(1..raw.len().checked_sub(1)?)?;
    if !inside.contains(quote) {
        return Some(inside.into());
    }
    let twice: String = [quote, quote].iter().collect();
    Some(inside.replace(&twice, quote.encode_utf8(&mut [0; 4])).into())
}

struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    server: Server,
    mode: SqlMode,
    /// Inside an executable comment that is executed.
    conditional: bool,
    /// Whether there was one.
    ever: bool,
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d)
}

const fn continues_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

fn unreadable(why: &str) -> Denial {
    unclear(Reason::Syntax, "", why)
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        self.at += self.rest().iter().take_while(|byte| wanted(**byte)).count();
    }

    /// The next token, if there is one.
    fn token(&mut self, before: Option<&Token>) -> Result<Option<Token>, Denial> {
        let from = self.at;
        self.blanks()?;
        let start = self.at;
        let Some(first) = self.peek(0) else {
            return if self.conditional { Err(self.near("a comment is not closed")) } else { Ok(None) };
        };
        let gap = match self.text.get(from..start).unwrap_or_default() {
            [] => Gap::Nothing,
            between if between.iter().all(|byte| is_blank(*byte)) => Gap::Blank,
            _ => Gap::Comment,
        };
        let kind = self.kind(first, before.filter(|_| gap == Gap::Nothing))?;
        if self.conditional && kind == Kind::Symbol(";") {
            return Err(unreadable("an executable comment holds a semicolon"));
        }
        Ok(Some(Token { kind, start, end: self.at, gap }))
    }

    fn near(&self, why: &str) -> Denial {
        let rest = self.rest().get(..80).unwrap_or(self.rest());
        syntax(&format!("{why} near '{}'", String::from_utf8_lossy(rest)))
    }

    fn blanks(&mut self) -> Result<(), Denial> {
        loop {
            self.skip_while(is_blank);
            match self.rest() {
                [b'#', ..] => self.line()?,
                [b'-', b'-'] => self.at += 2,
                [b'-', b'-', after, ..] if *after <= b' ' || *after == 0x7f => self.line()?,
                [b'/', b'*', ..] => self.comment()?,
                [b'*', b'/', ..] if self.conditional => {
                    self.conditional = false;
                    self.at += 2;
                }
                _ => return Ok(()),
            }
        }
    }

    /// A comment that the end of the line ends.
    fn line(&mut self) -> Result<(), Denial> {
        let length = self.rest().iter().position(|byte| *byte == b'\n').unwrap_or(self.rest().len());
        if self.rest().get(..length).is_some_and(|comment| comment.contains(&0)) {
            return Err(unreadable("a comment holds a zero byte"));
        }
        self.at += length;
        Ok(())
    }

    fn comment(&mut self) -> Result<(), Denial> {
        match self.rest() {
            [_, _, b'!', ..] => self.executable(3),
            [_, _, b'M', b'!', ..] if self.server.is_maria() => self.executable(4),
            [_, _, b'+', ..] => {
                let body = self.plain_comment()?;
                if is_harmless_hint(body) {
                    Ok(())
                } else {
                    Err(unreadable("this optimizer hint is not allowed"))
                }
            }
            _ => self.plain_comment().map(drop),
        }
    }

    /// Up to the first end; these do not nest.
    fn plain_comment(&mut self) -> Result<&'t [u8], Denial> {
        let body = self.rest().get(2..).unwrap_or_default();
        let length = body.windows(2).position(|pair| pair == b"*/");
        let length = length.ok_or_else(|| self.near("a comment is not closed"))?;
        let body = body.get(..length).unwrap_or_default();
        if body.contains(&0) {
            return Err(unreadable("a comment holds a zero byte"));
        }
        self.at += 2 + length + 2;
        Ok(body)
    }

    /// `/*! … */`, with or without a version.
    fn executable(&mut self, opening: usize) -> Result<(), Denial> {
        if self.conditional {
            return Err(unreadable("an executable comment stands inside another one"));
        }
        let digits = self.rest().iter().skip(opening).take_while(|byte| byte.is_ascii_digit()).count();
        let number = |length: usize| {
            let digits = self.rest().get(opening..opening + length)?;
            std::str::from_utf8(digits).ok()?.parse::<u32>().ok()
        };
        let executes = |length| number(length).is_some_and(|version| self.executes(version, opening == 4));
        let (executed, length) = match digits {
            // These are no version, but what is executed.
            0..=4 => (true, 0),
            5 => (executes(5), 5),
            6 if self.server.is_maria() => (executes(6), 6),
            // MySQL takes six digits for the version since the ninth, if a blank follows, and five otherwise.
            6 => {
                let behind = self.rest().get(opening + 6).is_some_and(|byte| is_blank(*byte));
                let sure = behind && self.server.version >= 90_000;
                match (executes(5), executes(6)) {
                    (true, true) if sure => (true, 6),
                    (false, false) => (false, 6),
                    _ => return Err(unreadable("servers differ in how they read this executable comment")),
                }
            }
            _ => return Err(unreadable("an executable comment has no version that can be read")),
        };
        if executed {
            (self.conditional, self.ever) = (true, true);
            self.at += opening + length;
            return Ok(());
        }
        let body = self.plain_comment()?;
        if body.windows(2).any(|pair| pair == b"/*") {
            return Err(unreadable("a comment stands inside an executable comment"));
        }
        Ok(())
    }

    /// Whether the server takes a comment of this version for a part of the text. MariaDB leaves out versions of MySQL's,
    /// unless the comment is for MariaDB alone.
    fn executes(&self, version: u32, own: bool) -> bool {
        let foreign = self.server.is_maria() && !own && (50_700..=99_999).contains(&version);
        version <= self.server.version && !foreign
    }

    fn kind(&mut self, first: u8, glued_to: Option<&Token>) -> Result<Kind, Denial> {
        match (first, self.peek(1)) {
            (b'\'', _) => self.quoted(b'\'', true).map(|()| Kind::Text),
            (b'"', _) if !self.mode.ansi_quotes => self.quoted(b'"', true).map(|()| Kind::Text),
            (b'`' | b'"', _) => self.quoted_name(first),
            (b'n' | b'N', Some(b'\'')) => {
                self.at += 1;
                self.quoted(b'\'', true).map(|()| Kind::Text)
            }
            (b'x' | b'X' | b'b' | b'B', Some(b'\'')) => self.digits_in_quotes(first),
            (b'@', Some(b'@')) => {
                self.at += 2;
                Ok(Kind::Setting)
            }
            (b'@', _) => self.variable(),
            (b'?', _) => {
                self.at += 1;
                Ok(Kind::Parameter)
            }
            (b'0'..=b'9', _) => self.number_or_name(glued_to),
            (b'.', Some(b'0'..=b'9')) => self.fraction(glued_to),
            (b'$', _) => Err(unreadable("a word begins with a dollar sign")),
            _ if continues_name(first) => self.word(),
            _ => self.symbol(),
        }
    }

    fn word(&mut self) -> Result<Kind, Denial> {
        let begin = self.at;
        self.skip_while(continues_name);
        check_name(self.text.get(begin..self.at).unwrap_or_default())?;
        Ok(Kind::Word)
    }

    fn symbol(&mut self) -> Result<Kind, Denial> {
        let rest = self.rest();
        let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(symbol.as_bytes()));
        let symbol = *symbol.ok_or_else(|| self.near("a letter that means nothing"))?;
        self.at += symbol.len();
        Ok(if symbol == "\\N" { Kind::Number } else { Kind::Symbol(symbol) })
    }

    /// From one quote to the next that stands for itself.
    fn quoted(&mut self, quote: u8, escapes: bool) -> Result<(), Denial> {
        let begin = self.at;
        self.at += 1;
        let backslash = escapes && !self.mode.no_backslash_escapes;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(byte), Some(next)) if byte == quote && next == quote => self.at += 2,
                (Some(byte), _) if byte == quote => {
                    self.at += 1;
                    return Ok(());
                }
                (Some(b'\\'), Some(_)) if backslash => self.at += 2,
                (Some(_), _) => self.at += 1,
                (None, _) => {
                    self.at = begin;
                    return Err(self.near("a quote is not closed"));
                }
            }
        }
    }

    fn quoted_name(&mut self, quote: u8) -> Result<Kind, Denial> {
        let begin = self.at;
        self.quoted(quote, false)?;
        let inside = self.text.get(begin + 1..self.at - 1).unwrap_or_default();
        check_name(inside)?;
        Ok(Kind::Quoted)
    }

    /// `x'…'`, `b'…'`
    fn digits_in_quotes(&mut self, letter: u8) -> Result<Kind, Denial> {
        let begin = self.at + 2;
        self.at += 1;
        self.quoted(b'\'', false)?;
        let inside = self.text.get(begin..self.at - 1).unwrap_or_default();
        let good = if letter.eq_ignore_ascii_case(&b'x') {
            inside.len().is_multiple_of(2) && inside.iter().all(u8::is_ascii_hexdigit)
        } else {
            inside.iter().all(|digit| matches!(digit, b'0' | b'1'))
        };
        if good {
            Ok(Kind::Number)
        } else {
            Err(unreadable("a hexadecimal or binary string holds other letters"))
        }
    }

    fn variable(&mut self) -> Result<Kind, Denial> {
        self.at += 1;
        match self.peek(0) {
            Some(quote @ (b'\'' | b'"')) => self.quoted(quote, true)?,
            Some(b'`') => self.quoted_name(b'`').map(drop)?,
            Some(byte) if continues_name(byte) || byte == b'.' => {
                self.skip_while(|byte| continues_name(byte) || byte == b'.');
            }
            _ => return Err(self.near("a variable without a name")),
        }
        Ok(Kind::Variable)
    }
}

impl Lexer<'_> {
    /// A number; or a name that begins with digits.
    fn number_or_name(&mut self, glued_to: Option<&Token>) -> Result<Kind, Denial> {
        if glued_to.is_some_and(|token| token.kind == Kind::Symbol(".")) {
            return Err(unreadable("a name behind a dot begins with a digit"));
        }
        let length = self.rest().iter().take_while(|byte| continues_name(**byte)).count();
        let word = self.rest().get(..length).unwrap_or_default();
        let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match word.get(digits..).unwrap_or_default() {
            [] => {
                self.at += digits;
                if self.peek(0) == Some(b'.') {
                    self.at += 1;
                    self.skip_while(|byte| byte.is_ascii_digit());
                    self.exponent()?;
                }
                self.number_ends()
            }
            [b'e' | b'E', ..] => {
                self.at += digits;
                self.exponent()?;
                self.number_ends()
            }
            [b'x', hex @ ..]
                if word.starts_with(b"0x") && !hex.is_empty() && hex.iter().all(u8::is_ascii_hexdigit) =>
            {
                self.at += length;
                self.number_ends()
            }
            [b'b', bits @ ..]
                if word.starts_with(b"0b")
                    && !bits.is_empty()
                    && bits.iter().all(|bit| matches!(bit, b'0' | b'1')) =>
            {
                self.at += length;
                self.number_ends()
            }
            _ => self.word(),
        }
    }

    /// `.5`
    fn fraction(&mut self, glued_to: Option<&Token>) -> Result<Kind, Denial> {
        if glued_to.is_some_and(|token| !matches!(token.kind, Kind::Symbol(_))) {
            return Err(unreadable("a name behind a dot begins with a digit"));
        }
        self.at += 1;
        self.skip_while(|byte| byte.is_ascii_digit());
        self.exponent()?;
        self.number_ends()
    }

    /// `e5`, if it is there; some servers read an exponent without digits as nothing at all.
    fn exponent(&mut self) -> Result<(), Denial> {
        let sign = match self.rest() {
            [b'e' | b'E', b'+' | b'-', digit, ..] if digit.is_ascii_digit() => 1,
            [b'e' | b'E', digit, ..] if digit.is_ascii_digit() => 0,
            [b'e' | b'E', ..] => return Err(unreadable("an exponent has no digits")),
            _ => return Ok(()),
        };
        self.at += 1 + sign;
        self.skip_while(|byte| byte.is_ascii_digit());
        Ok(())
    }

    fn number_ends(&self) -> Result<Kind, Denial> {
        match self.peek(0) {
            Some(byte) if continues_name(byte) || byte == b'.' => {
                Err(unreadable("a number does not end like one"))
            }
            _ => Ok(Kind::Number),
        }
    }
}

/// Leave to use a name: servers cut, strip or fold some, and then it is another one.
pub(super) fn check_name(name: &[u8]) -> Result<(), Denial> {
    let Ok(name) = std::str::from_utf8(name) else {
        return Err(unreadable("a name is not in UTF-8"));
    };
    let stripped = |letter: char| letter.is_whitespace() || letter.is_control();
    if name.is_empty() || name.starts_with(stripped) || name.contains('\0') {
        return Err(unreadable("a name begins with a blank, or is empty"));
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(unreadable("a name is too long"));
    }
    // Beyond the basic plane every letter becomes a question mark.
    let lost = name.chars().any(|letter| u32::from(letter) > 0xffff);
    if lost || !name.is_ascii() && super::fold(name).is_ascii() {
        return Err(unreadable("a name holds letters that may stand for others"));
    }
    Ok(())
}

/// A hint that says nothing but how to find the way: no settings, and no quotes that could hide some.
fn is_harmless_hint(body: &[u8]) -> bool {
    let Ok(body) = std::str::from_utf8(body) else { return false };
    let body = body.to_ascii_uppercase();
    let known = |letter: char| letter.is_ascii_alphanumeric() || " \t\r\n_$@#+(),.".contains(letter);
    body.chars().all(known) && !body.contains("SET_VAR") && !body.contains("RESOURCE_GROUP")
}
