//! The way up: what a client of a limited session may send, by a positive list of messages.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use postern_protocol::postgres::{self, Header, Named, Parse, bind_names, execute_portal, query_text};

use super::{
    Breach, Guard, Objection, Pace, Waiting,
    inbox::{Need, Piece},
    names::{Text, Texts, Used, name, union},
    replies::{Effect, Mode, Sent, Space},
    stand_in::{StandIn, word},
    unknown,
};
use crate::enforce::{
    Denial, Reason,
    postgres::{
        Step,
        settings::{named_by, named_in},
    },
};

/// The longest text that is judged.
const LONGEST_TEXT: usize = 16 * 1024 * 1024;
/// The longest message that holds names only, and the longest one with values that is held until all of it is here.
const LONGEST_NAMES: usize = 64 * 1024;

/// How much of a message has to be here; refuses kinds that a limited session does not send.
fn need(header: Header, here: usize) -> Result<Need, Breach> {
    let too_long = |length: usize| {
        let kind = header.kind.escape_ascii();
        Breach::Violation(format!("message of kind '{kind}' is too long: {length} bytes"))
    };
    let body = header.body as usize;
    match header.kind {
        b'Q' | b'P' if body > LONGEST_TEXT => Ok(Need::Header),
        b'Q' | b'P' => Ok(Need::Whole),
        // A value of a `Bind` may have to be looked at.
        b'B' | b'D' | b'E' | b'C' | b'S' | b'H' | b'X' if body <= LONGEST_NAMES => Ok(Need::Whole),
        b'B' if here <= LONGEST_NAMES => Ok(Need::Strings(2)),
        b'D' | b'E' | b'C' | b'S' | b'H' | b'X' => Err(too_long(body)),
        // The names of a `Bind` that is here so far without them are not found.
        b'B' | b'd' | b'c' | b'f' | b'F' => Ok(Need::Header),
        other => Err(Breach::Violation(format!("invalid frontend message type {other}"))),
    }
}

fn malformed() -> Objection {
    Denial::in_words(Reason::Protocol, "08P01", "invalid message format", "").into()
}

fn text_of(bytes: &[u8]) -> Result<&str, Objection> {
    std::str::from_utf8(bytes).map_err(|_| {
        let message = "invalid byte sequence for encoding \"UTF8\"";
        Denial::in_words(Reason::Syntax, "22021", message, "").into()
    })
}

fn one(text: &Arc<Text>) -> Texts {
    [Arc::clone(text)].into()
}

/// What executing this text, one of `among` that it may be, does to names.
fn effects(text: &Arc<Text>, among: usize) -> impl Iterator<Item = Effect> + '_ {
    let sure = among == 1;
    let put =
        move |space, made: &str| Effect::Put { space, name: name(made.as_bytes()), texts: one(text), sure };
    let statements = text.steps().iter().filter(|step| step.is_statement());
    statements.map(move |step| match step {
        Step::Prepare(made) => put(Space::Statements, made),
        Step::Declare(made) => put(Space::Portals, made),
        Step::Fetch(cursor) => Effect::Fetch(name(cursor.as_bytes())),
        Step::Deallocate(gone) if sure => Effect::Remove(Space::Statements, name(gone.as_bytes())),
        Step::DeallocateAll if sure => Effect::Clear(Space::Statements),
        Step::Close(gone) if sure => Effect::Remove(Space::Portals, name(gone.as_bytes())),
        Step::CloseAll if sure => Effect::Clear(Space::Portals),
        Step::DiscardAll if sure => Effect::ClearAll,
        Step::Deallocate(_)
        | Step::DeallocateAll
        | Step::Close(_)
        | Step::CloseAll
        | Step::DiscardAll
        | Step::ResetAll
        | Step::Plain
        | Step::Execute(_)
        | Step::Through(_)
        | Step::Reads(_)
        | Step::Copy => Effect::None,
    })
}

impl Guard {
    /// Takes bytes of the client and puts what goes to the server into `out`.
    pub(crate) fn take_from_client(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<Pace, Breach> {
        self.up.take(bytes, out);
        self.client_messages(out)
    }

    /// Decides about everything that is here.
    pub(super) fn client_messages(&mut self, out: &mut BytesMut) -> Result<Pace, Breach> {
        if self.waiting_up.is_some() {
            return Ok(Pace::Going);
        }
        while !self.replies.is_full() {
            let Some(piece) = self.up.next(need)? else { return Ok(Pace::Going) };
            match self.client_message(piece, out)? {
                Pace::Going => {}
                waiting => return Ok(waiting),
            }
        }
        Ok(Pace::WantsReplies)
    }

    /// Whether the server looks at a message of this kind when it gets to it.
    fn is_heard(&self, kind: u8) -> Result<bool, Breach> {
        match (self.replies.mode(), kind) {
            (Mode::Answering, _)
            | (Mode::Copying | Mode::Unclear, b'd' | b'c' | b'f' | b'H' | b'X')
            | (Mode::Skipping | Mode::Unclear, b'S')
            | (Mode::Skipping, b'X') => Ok(true),
            (Mode::Copying, b'S') | (Mode::Skipping, _) => Ok(false),
            (Mode::Copying | Mode::Unclear, _) => {
                let kind = kind.escape_ascii();
                Err(Breach::Violation(format!("message of kind '{kind}' in the middle of a COPY")))
            }
        }
    }

    /// Decides about one message.
    pub(super) fn client_message(&mut self, piece: Piece, out: &mut BytesMut) -> Result<Pace, Breach> {
        if !self.is_heard(piece.kind)? {
            self.up.drop(&piece);
            return Ok(Pace::Going);
        }
        match self.ruling(&piece) {
            Ok(None) => self.up.pass(&piece, out),
            Ok(Some(instead)) => {
                out.extend_from_slice(&instead);
                self.up.drop(&piece);
            }
            Err(Objection::Denied(denial)) => {
                let instead = self.deny(&piece, denial)?;
                out.extend_from_slice(&instead);
                self.up.drop(&piece);
            }
            Err(Objection::Stale) => {
                self.waiting_up = Some(Waiting { piece, asked: true });
                return Ok(Pace::WantsCatalog);
            }
            Err(Objection::Long) => {
                self.waiting_up = Some(Waiting { piece, asked: self.asked });
                return Ok(Pace::WantsVerdict);
            }
        }
        Ok(Pace::Going)
    }

    /// Leave to send a message as it is, or what is sent in its place.
    fn ruling(&mut self, piece: &Piece) -> Result<Option<Bytes>, Objection> {
        let body = piece.body();
        if matches!(piece.kind, b'Q' | b'P') && piece.body_len() > LONGEST_TEXT {
            let message = "statement is too long for a limited session";
            return Err(Denial::in_words(Reason::Statement, "54000", message, "").into());
        }
        match piece.kind {
            b'Q' => self.query(body),
            b'P' => self.parse(body),
            b'B' => self.bind(body).map(|()| None),
            b'D' => self.describe(body).map(|()| None),
            b'E' => self.execute(body).map(|()| None),
            b'C' => self.close(body).map(|()| None),
            b'S' if body.is_empty() => {
                self.replies.expect_sync();
                Ok(None)
            }
            b'c' | b'f' => {
                self.replies.expect_copy_end();
                Ok(None)
            }
            b'H' | b'X' if body.is_empty() => Ok(None),
            b'd' => Ok(None),
            b'F' => {
                let why = "functions cannot be called by their number";
                Err(Denial::unclear(Reason::Protocol, "", why).into())
            }
            _ => Err(malformed()),
        }
    }

    fn query(&mut self, body: &[u8]) -> Result<Option<Bytes>, Objection> {
        let text = text_of(query_text(body).ok_or_else(malformed)?)?;
        let admitted = match self.admit(text) {
            Err(Objection::Denied(denial)) => return self.query_in_part(text, denial).map(Some),
            admitted => admitted?,
        };
        let text = self.expect_query(admitted)?;
        self.news.allowed += 1;
        Ok(text.judgement.instead.as_deref().map(postgres::query))
    }

    /// A text goes to the server whose statements are executed one by one.
    fn expect_query(&mut self, (text, used): (Arc<Text>, Used)) -> Result<Arc<Text>, Objection> {
        let texts = union(one(&text), &used)?;
        self.quota.statements(text.statements().max(1) as u64, self.ground.limits.terms.limits)?;
        texts.iter().for_each(|text| self.quota.uses(&text.judgement.uses));
        self.replies.keep_used(&used);
        self.replies.expect(Sent::Query, effects(&text, 1), Some(texts));
        Ok(text)
    }

    /// The statements before the denied one, which the server would have executed by the time that it refuses that one,
    /// and what fails there in its place. They are a text of their own, judged like any other.
    fn query_in_part(&mut self, text: &str, mut denial: Denial) -> Result<Bytes, Objection> {
        let admitted = loop {
            let part = text.get(..denial.behind).filter(|part| !part.is_empty() && part.len() < text.len());
            let Some(part) = part else { return Err(denial.into()) };
            match self.admit(part) {
                Err(Objection::Denied(earlier)) if earlier.behind < denial.behind => denial = earlier,
                Err(Objection::Denied(_)) => return Err(denial.into()),
                admitted => break admitted?,
            }
        };
        let part = self.expect_query(admitted)?;
        let stand_in = self.stand_in(text, denial, part.statements());
        let sent = stand_in.text_behind(part.judgement.instead.as_deref().unwrap_or(&part.sent));
        self.replies.expect_failure(stand_in);
        Ok(postgres::query(&sent))
    }

    fn parse(&mut self, body: &[u8]) -> Result<Option<Bytes>, Objection> {
        let parse = Parse::decode(body).ok_or_else(malformed)?;
        let (text, _) = self.admit(text_of(parse.text)?)?;
        if text.statements() > 1 {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(Denial::in_words(Reason::Syntax, "42601", message, "").into());
        }
        self.ground.parameters(parse.types())?;
        named_by(text.steps(), parse.types())?;
        self.news.allowed += 1;
        let (space, texts) = (Space::Statements, one(&text));
        let put = Effect::Put { space, name: name(parse.name), texts, sure: true };
        self.replies.expect(Sent::Parse, [put], None);
        let instead = text.judgement.instead.as_deref();
        Ok(instead.map(|instead| postgres::parse(parse.name, instead, parse.types())))
    }

    /// What is under a name, and what that uses, good on the ground that is held now.
    fn under(&mut self, space: Space, name: &[u8]) -> Result<(Texts, Used), Objection> {
        let found = self.replies.find(space, name)?;
        let texts = found.ok_or_else(|| unknown(space, &String::from_utf8_lossy(name), false))?;
        let used = self.covered(&texts)?;
        Ok((texts, used))
    }

    fn bind(&mut self, body: &[u8]) -> Result<(), Objection> {
        let (portal, statement) = bind_names(body).ok_or_else(malformed)?;
        let (texts, _) = self.under(Space::Statements, statement)?;
        texts.iter().try_for_each(|text| named_in(text.steps(), body))?;
        self.room_for_names()?;
        let (space, name) = (Space::Portals, name(portal));
        let put = Effect::Put { space, name, texts: Texts::clone(&texts), sure: true };
        self.replies.expect(Sent::Bind, [put], Some(texts));
        Ok(())
    }

    fn describe(&mut self, body: &[u8]) -> Result<(), Objection> {
        let (texts, _) = match Named::decode(body).ok_or_else(malformed)? {
            Named::Statement(statement) => self.under(Space::Statements, statement)?,
            Named::Portal(portal) => self.under(Space::Portals, portal)?,
        };
        self.replies.expect(Sent::Describe, [], Some(texts));
        Ok(())
    }

    fn execute(&mut self, body: &[u8]) -> Result<(), Objection> {
        let portal = execute_portal(body).ok_or_else(malformed)?;
        let (texts, mut used) = self.under(Space::Portals, portal)?;
        let all = union(Texts::clone(&texts), &used)?;
        self.quota.statements(1, self.ground.limits.terms.limits)?;
        all.iter().for_each(|text| self.quota.uses(&text.judgement.uses));
        used.read_by(portal)?;
        self.replies.keep_used(&used);
        let effects = texts.iter().flat_map(|text| effects(text, texts.len()));
        self.replies.expect(Sent::Execute, effects, Some(all));
        if self.ground.limits.terms.limits.max_rows.is_some() {
            self.replies.count_for(name(portal));
        }
        Ok(())
    }

    /// Closing what is not there is no error.
    fn close(&mut self, body: &[u8]) -> Result<(), Objection> {
        let gone = match Named::decode(body).ok_or_else(malformed)? {
            Named::Statement(statement) => Effect::Remove(Space::Statements, name(statement)),
            Named::Portal(portal) => Effect::Remove(Space::Portals, name(portal)),
        };
        self.replies.expect(Sent::Close, [gone], None);
        Ok(())
    }

    /// Puts in the place of a message one that fails with an error which is known again: a `Query` where the server
    /// would answer with `ReadyForQuery`, and else a `Parse`, behind which it skips to the next `Sync`.
    fn deny(&mut self, piece: &Piece, denial: Denial) -> Result<Bytes, Breach> {
        if matches!(piece.kind, b'S' | b'H' | b'X') {
            return Err(Breach::Violation(denial.message.clone()));
        }
        let text = match piece.kind {
            b'Q' => query_text(piece.body()),
            b'P' => Parse::decode(piece.body()).map(|parse| parse.text),
            _ => None,
        };
        let stand_in = self.stand_in(&String::from_utf8_lossy(text.unwrap_or_default()), denial, 0);
        if matches!(piece.kind, b'Q' | b'F') {
            let failing = postgres::query(&stand_in.text());
            self.replies.expect_denial(Sent::Query, stand_in);
            return Ok(failing);
        }
        // An unnamed statement goes when another is parsed, even if that fails; all others stay.
        let name = Parse::decode(piece.body()).filter(|_| piece.kind == b'P').map(|parse| parse.name);
        let name = name.unwrap_or_else(|| stand_in.name());
        let failing = postgres::parse(name, &stand_in.text(), std::iter::empty());
        self.replies.expect_denial(Sent::Parse, stand_in);
        Ok(failing)
    }

    /// What fails in the place of something denied, behind so many statements; the denial is news.
    fn stand_in(&mut self, text: &str, mut denial: Denial, behind: usize) -> StandIn {
        if denial.hint.is_empty() {
            let hint = self.remedy.hint(&denial, &self.ground.limits).unwrap_or_default();
            denial = denial.with_hint(hint);
        }
        self.news.denied.push((text.into(), denial.clone()));
        self.serial += 1;
        StandIn::new(word(&self.key, self.serial), denial, behind)
    }
}
