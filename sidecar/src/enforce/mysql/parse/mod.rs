//! The grammar: from tokens to a tree.
//!
//! It knows what clients write and refuses the rest. Where it takes more than the server does, the server refuses; what
//! must never differ is which names there are and in which clause they stand. Every key word that is read is marked as
//! accounted for; names are, by those who find out what they mean.

mod call;
mod expr;
mod from;
mod query;
mod words;
mod write;

pub(super) use self::words::is_reserved;
use super::{
    catalog::Server,
    letters::is_uncertain,
    lexer::{Kind, Tokens, check_name},
    told::{refuse, syntax},
    tree::{Name, Path},
};
use crate::enforce::Denial;

/// How deep expressions and queries may be nested.
const DEPTH: u32 = 100;

/// The place in a text up to which it has been read.
pub(super) struct Parser<'t> {
    pub(super) tokens: &'t Tokens<'t>,
    pub(super) server: Server,
    pub(super) at: usize,
    /// Which tokens were key words.
    pub(super) claims: Vec<bool>,
    depth: u32,
}

impl<'t> Parser<'t> {
    /// Before the first token.
    pub(super) fn new(tokens: &'t Tokens<'t>, server: Server) -> Self {
        Self { tokens, server, at: 0, claims: vec![false; tokens.len()], depth: 0 }
    }

    /// Whatever stands here is not understood.
    pub(super) fn error(&self) -> Denial {
        let rest = self.tokens.span(self.at, self.tokens.len());
        let rest = rest.get(..80).unwrap_or(rest);
        syntax(&format!("check what stands near '{}'", String::from_utf8_lossy(rest)))
    }

    /// Goes one level deeper.
    fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Denial>) -> Result<T, Denial> {
        if self.depth >= DEPTH {
            return Err(refuse("a statement that is nested so deeply"));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        self.tokens.kind(self.at)
    }

    /// The word that stands so far ahead, unless a dot behind makes a name of it.
    pub(super) fn word_at(&self, ahead: usize) -> Option<&'t str> {
        let at = self.at + ahead;
        let word = self.tokens.word(at)?;
        if self.tokens.kind(at + 1) == Some(Kind::Symbol(".")) { None } else { Some(word) }
    }

    fn is_at(&self, ahead: usize, keyword: &str) -> bool {
        self.word_at(ahead).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    /// Whether this key word stands here.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.is_at(0, keyword)
    }

    fn is_any(&self, keywords: &[&str]) -> bool {
        self.word_at(0).is_some_and(|word| contains(keywords, word))
    }

    fn are(&self, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(ahead, keyword)| self.is_at(ahead, keyword))
    }

    fn step(&mut self) {
        if let Some(claim) = self.claims.get_mut(self.at) {
            *claim = true;
        }
        self.at += 1;
    }

    /// Reads a key word if it stands here.
    pub(super) fn take(&mut self, keyword: &str) -> bool {
        let there = self.is(keyword);
        if there {
            self.step();
        }
        there
    }

    /// Reads one of these, if one stands here.
    pub(super) fn take_any(&mut self, keywords: &[&str]) -> bool {
        let there = self.is_any(keywords);
        if there {
            self.step();
        }
        there
    }

    /// Reads all of these, in order, if all stand here.
    pub(super) fn take_all(&mut self, keywords: &[&str]) -> bool {
        let there = self.are(keywords);
        if there {
            for _ in keywords {
                self.step();
            }
        }
        there
    }

    /// Reads a key word that must stand here.
    pub(super) fn need(&mut self, keyword: &str) -> Result<(), Denial> {
        if self.take(keyword) { Ok(()) } else { Err(self.error()) }
    }

    fn symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.tokens.kind(self.at + ahead), Some(Kind::Symbol(other)) if other == symbol)
    }

    /// Whether this symbol stands here.
    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.symbol_at(0, symbol)
    }

    /// Reads a symbol if it stands here.
    pub(super) fn symbol(&mut self, symbol: &str) -> bool {
        let there = self.is_symbol(symbol);
        self.at += usize::from(there);
        there
    }

    /// Reads a symbol that must stand here.
    pub(super) fn need_symbol(&mut self, symbol: &str) -> Result<(), Denial> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.error()) }
    }

    /// Reads a string or number, if one stands here.
    pub(super) fn constant(&mut self) -> bool {
        let there = matches!(self.kind(), Some(Kind::Text | Kind::Number | Kind::Parameter));
        self.at += usize::from(there);
        there
    }

    /// Reads `@a`, if that stands here.
    pub(super) fn plain_variable(&mut self) -> bool {
        let there = self.kind() == Some(Kind::Variable);
        self.at += usize::from(there);
        there
    }

    /// Whether `FORMAT =` stands here.
    pub(super) fn is_format(&self) -> bool {
        self.is("FORMAT") && self.symbol_at(1, "=")
    }

    /// Whether a statement about rows stands here.
    pub(super) fn begins_rowwise(&self) -> bool {
        begins_query(self.tokens, self.at)
            || self.is_symbol("(")
            || self.is_any(&["INSERT", "REPLACE", "UPDATE", "DELETE"])
    }

    fn name_here(&mut self) -> Result<Name<'t>, Denial> {
        let text = self.tokens.name(self.at).ok_or_else(|| self.error())?;
        let name = Name { text, at: self.at };
        self.at += 1;
        Ok(name)
    }

    /// Reads a name: anything in quotes, or a word that is not reserved.
    pub(super) fn name(&mut self) -> Result<Name<'t>, Denial> {
        match self.tokens.word(self.at) {
            Some(word) if is_reserved(word, self.server) => Err(self.error()),
            _ => self.name_here(),
        }
    }

    /// Reads `a.b.c`. Behind a dot any word is a name.
    pub(super) fn path(&mut self) -> Result<Path<'t>, Denial> {
        let dotted = self.tokens.kind(self.at + 1) == Some(Kind::Symbol("."));
        let mut path = vec![if dotted { self.name_here()? } else { self.name()? }];
        while path.len() < 3 && self.is_symbol(".") && !self.symbol_at(1, "*") {
            self.at += 1;
            path.push(self.name_here()?);
        }
        Ok(path)
    }

    /// Reads what a thing is called: a name, or a string where that may stand for one.
    fn alias_here(&mut self, strings: bool) -> Result<Name<'t>, Denial> {
        if !(strings && self.kind() == Some(Kind::Text)) {
            return self.name();
        }
        let text = self.tokens.text(self.at).ok_or_else(|| refuse("this alias"))?;
        check_name(text.as_bytes())?;
        if is_uncertain(&text) {
            return Err(refuse("an alias in quotes with letters that servers take for others"));
        }
        let name = Name { text, at: self.at };
        self.at += 1;
        Ok(name)
    }

    /// Reads `[AS] alias`.
    fn alias(&mut self, strings: bool) -> Result<Option<Name<'t>>, Denial> {
        if self.take("AS") {
            return self.alias_here(strings).map(Some);
        }
        let there = match self.kind() {
            Some(Kind::Quoted) => true,
            Some(Kind::Text) => strings,
            Some(Kind::Word) => self.word_at(0).is_some_and(|word| words::may_be_alias(word, self.server)),
            _ => false,
        };
        if there { self.alias_here(strings).map(Some) } else { Ok(None) }
    }

    /// Reads `(a, b, c)`, if that stands here.
    fn names_in_parentheses(&mut self) -> Result<Vec<Name<'t>>, Denial> {
        if !self.symbol("(") {
            return Ok(Vec::new());
        }
        let names = self.list(Self::name)?;
        self.need_symbol(")")?;
        Ok(names)
    }

    /// Reads one or more, with commas between.
    pub(super) fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Denial>,
    ) -> Result<Vec<T>, Denial> {
        let mut list = vec![one(self)?];
        while self.symbol(",") {
            list.push(one(self)?);
        }
        Ok(list)
    }

    /// Whether the statement ends here.
    pub(super) fn at_end(&self) -> bool {
        self.at >= self.tokens.len() || self.is_symbol(";")
    }

    /// Where the parenthesis that opens so far ahead holds a query. Parentheses may stand around it.
    fn query_in_parentheses(&self) -> bool {
        let openings = (self.at..self.tokens.len())
            .take_while(|at| self.tokens.kind(*at) == Some(Kind::Symbol("(")))
            .count();
        let first = self.at + openings;
        if openings == 0 || !begins_query(self.tokens, first) {
            return false;
        }
        (self.at + 1..first).all(|at| {
            let Some(behind) = self.tokens.closing(at).map(|at| at + 1) else { return false };
            let word = self.tokens.word(behind).is_some_and(|word| contains(&BEHIND_QUERY, word));
            word || self.tokens.kind(behind) == Some(Kind::Symbol(")"))
        })
    }
}

/// What may stand behind a query in parentheses that is a part of a larger one.
const BEHIND_QUERY: [&str; 8] = ["UNION", "EXCEPT", "INTERSECT", "MINUS", "ORDER", "LIMIT", "FOR", "LOCK"];

fn begins_query(tokens: &Tokens<'_>, at: usize) -> bool {
    let Some(word) = tokens.word(at) else { return false };
    let row = || tokens.reads(at + 1, "ROW");
    contains(&["SELECT", "WITH", "TABLE"], word)
        || word.eq_ignore_ascii_case("VALUES") && (row() || !is_inserted(tokens, at))
}

/// `VALUES(column)`
fn is_inserted(tokens: &Tokens<'_>, at: usize) -> bool {
    let end = tokens.closing(at + 1).unwrap_or_default();
    (at + 2..end).all(|at| matches!(tokens.kind(at), Some(Kind::Word | Kind::Quoted | Kind::Symbol("."))))
}

/// Whether a word is one of these, in whatever case.
pub(super) fn contains(list: &[&str], word: &str) -> bool {
    list.iter().any(|one| one.eq_ignore_ascii_case(word))
}
