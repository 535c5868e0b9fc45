//! What the client asks.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use postern_protocol::mysql::{Command, HEADER_LEN, Header, Query, Request, packet};

use super::{
    Breach, Guard, LONGEST, Objection, Over, Pace, Running, no_statement, no_thread, statements::Text,
};
use crate::enforce::{
    Denial, Reason,
    mysql::{Change, Class, Ground, Judgement, Step, told},
};

/// A command that is here as a whole.
struct Whole<'b> {
    /// Its packet.
    raw: &'b [u8],
    sequence: u8,
    payload: &'b [u8],
}

/// What becomes of a command.
enum Fate {
    /// It goes as it is.
    Pass(Running),
    /// This payload goes in its place.
    Replace(Running, Vec<u8>),
    /// The client begins anew.
    Over(Over),
    /// It is answered with an error, if it is of those that are answered.
    Deny(Denial),
}

impl Guard {
    /// Takes bytes of the client's, and puts what goes to the server into `up`.
    pub(crate) fn take_from_client(&mut self, bytes: &[u8], up: &mut BytesMut) -> Result<Pace, Breach> {
        self.waiting.extend_from_slice(bytes);
        self.commands(up)
    }

    /// Whether the client's next command can be looked at.
    pub(crate) fn is_free(&self) -> bool {
        self.passing > 0 || !self.conversation.in_flight() && self.answers.is_empty()
    }

    /// Decides about the client's commands, one after another.
    pub(crate) fn commands(&mut self, up: &mut BytesMut) -> Result<Pace, Breach> {
        loop {
            self.pass(up);
            if self.waiting.is_empty() {
                self.waiting = BytesMut::new();
                return Ok(Pace::Going);
            }
            let Some(header) = self.waiting.first_chunk::<HEADER_LEN>() else { return Ok(Pace::Going) };
            let header = Header::decode(*header);
            if self.continued {
                self.begin(header);
                continue;
            }
            // An error that the client has not taken holds up what it says next, as it would at the server.
            if !self.is_free() {
                return Ok(Pace::Waiting);
            }
            match self.command(header, up)? {
                Some(Pace::Going) => {}
                Some(pace) => return Ok(pace),
                None => return Ok(Pace::Going),
            }
        }
    }

    /// Passes or drops what is here of the current packet.
    fn pass(&mut self, up: &mut BytesMut) {
        let here = self.waiting.split_to(self.passing.min(self.waiting.len()));
        self.passing -= here.len();
        if !self.dropping && !here.is_empty() {
            self.conversation.sending(&here);
            up.extend_from_slice(&here);
        }
    }

    const fn begin(&mut self, header: Header) {
        self.passing = HEADER_LEN + header.length as usize;
        self.continued = header.continues();
    }

    /// Decides about the next command; none if more of it must be here.
    fn command(&mut self, header: Header, up: &mut BytesMut) -> Result<Option<Pace>, Breach> {
        let Some(first) =
            self.waiting.get(HEADER_LEN).copied().or(if header.length == 0 { Some(0) } else { None })
        else {
            return Ok(None);
        };
        let command = Command::from(first);
        if matches!(command, Command::StmtExecute | Command::StmtBulkExecute | Command::StmtSendLongData) {
            return self.values(header, command);
        }
        let length = header.length as usize;
        if header.continues() || length > LONGEST {
            return Err(Breach::Violation(format!(
                "a command of {length} bytes or more is longer than limited sessions can send"
            )));
        }
        if self.waiting.len() < HEADER_LEN + length {
            return Ok(None);
        }
        let raw = self.waiting.get(..HEADER_LEN + length).unwrap_or_default().to_vec();
        let payload = raw.get(HEADER_LEN..).unwrap_or_default();
        let whole = Whole { raw: &raw, sequence: header.sequence, payload };
        let fate = match self.fate(&whole) {
            Ok(fate) => fate,
            Err(Objection::Denied(denial)) => Fate::Deny(denial),
            Err(Objection::Stale) => return Ok(Some(Pace::WantsCatalog)),
            Err(Objection::Long) => return Ok(Some(Pace::WantsVerdict)),
        };
        self.waiting.advance(raw.len());
        (self.asked, self.judged) = (false, None);
        Ok(Some(self.do_it(fate, &whole, up)))
    }

    fn do_it(&mut self, fate: Fate, whole: &Whole<'_>, up: &mut BytesMut) -> Pace {
        let before = up.len();
        match fate {
            Fate::Pass(running) => {
                self.run(running);
                up.extend_from_slice(whole.raw);
            }
            Fate::Replace(running, payload) => {
                self.run(running);
                up.extend_from_slice(&packet(whole.sequence, &payload));
            }
            Fate::Over(over) => return Pace::Over(over),
            Fate::Deny(denial) => {
                let text = self.statement_of(whole.payload);
                self.deny(whole.sequence, text, denial);
            }
        }
        self.conversation.sending(up.get(before..).unwrap_or_default());
        Pace::Going
    }

    /// For the audit.
    fn statement_of(&self, payload: &[u8]) -> Box<str> {
        match Request::decode(payload, self.session.capabilities) {
            Ok(Request::Query(Query { text, .. }) | Request::StmtPrepare(text)) => {
                String::from_utf8_lossy(text).into()
            }
            Ok(Request::StmtExecute(execute)) => {
                let text =
                    self.statements.get(execute.statement).map(|text| String::from_utf8_lossy(&text.text));
                text.unwrap_or_default().into()
            }
            _ => Box::default(),
        }
    }

    /// Answers a command with an error.
    fn deny(&mut self, sequence: u8, text: Box<str>, denial: Denial) {
        let error = self.error(&denial).packet(sequence.wrapping_add(1));
        self.answers.extend_from_slice(&error);
        self.news.denied.push((text, denial));
    }

    /// A command whose values are not looked at: it passes as it comes, if its statement may be executed.
    fn values(&mut self, header: Header, command: Command) -> Result<Option<Pace>, Breach> {
        if header.length < 5 {
            return Err(Breach::Violation("a malformed command".to_owned()));
        }
        let Some(number) = self.waiting.get(HEADER_LEN + 1..).and_then(|rest| rest.first_chunk::<4>()) else {
            return Ok(None);
        };
        let said = u32::from_le_bytes(*number);
        let allowed =
            self.statements.number(said).ok_or_else(|| Objection::from(no_statement(&said.to_string())));
        let allowed = allowed.and_then(|number| {
            let executes = command != Command::StmtSendLongData;
            if executes { self.may_execute(number) } else { Ok(number) }
        });
        let denial = match allowed {
            Ok(number) => {
                if command != Command::StmtSendLongData {
                    self.news.allowed += 1;
                    self.statements.begin(number);
                    self.run(Running::Prepared(number));
                }
                self.dropping = false;
                self.begin(header);
                return Ok(Some(Pace::Going));
            }
            Err(Objection::Stale) => return Ok(Some(Pace::WantsCatalog)),
            Err(Objection::Long) => return Ok(Some(Pace::WantsVerdict)),
            Err(Objection::Denied(denial)) => denial,
        };
        (self.asked, self.judged) = (false, None);
        self.dropping = true;
        self.begin(header);
        if command != Command::StmtSendLongData {
            if header.continues() {
                return Err(Breach::Violation("a long command for a statement that is not there".to_owned()));
            }
            let text = self.statements.get(said).map(|text| String::from_utf8_lossy(&text.text).into());
            self.deny(header.sequence, text.unwrap_or_default(), denial);
        }
        Ok(Some(Pace::Going))
    }

    /// Whether a prepared statement may be executed now.
    fn may_execute(&mut self, number: u32) -> Result<u32, Objection> {
        if let Some(text) = self.statements.get(number).cloned() {
            self.covered(&text)?;
            self.statements.renew(number, self.epoch);
        }
        self.quota.statements(1, self.ground.limits.terms.limits)?;
        if let Some(text) = self.statements.get(number) {
            self.quota.uses(&text.judgement.uses);
        }
        Ok(number)
    }

    fn fate(&mut self, whole: &Whole<'_>) -> Result<Fate, Objection> {
        let Ok(request) = Request::decode(whole.payload, self.session.capabilities) else {
            return Ok(Fate::Deny(malformed()));
        };
        let next = whole.sequence.wrapping_add(1);
        Ok(match request {
            Request::Quit | Request::Statistics | Request::Ping => Fate::Pass(Running::Nothing),
            Request::InitDb(name) => self.init_db(name)?,
            Request::Query(query) => self.query(query)?,
            Request::FieldList { table, .. } => self.field_list(table)?,
            Request::ProcessKill(number) => self.process_kill(number)?,
            Request::ChangeUser(change) => Fate::Over(Over::Login(next, change)),
            Request::ResetConnection => Fate::Over(Over::Reset(next)),
            Request::StmtPrepare(text) => self.prepare(text)?,
            Request::StmtFetch { statement, .. } => {
                let number = self.statement(statement)?;
                if let Some(text) = self.statements.get(number).cloned() {
                    self.covered(&text)?;
                }
                Fate::Pass(Running::Prepared(number))
            }
            Request::StmtReset(statement) => {
                let number = self.statement(statement)?;
                self.statements.set_open(number, false);
                Fate::Pass(Running::Nothing)
            }
            Request::StmtClose(statement) => {
                self.statements.close(statement);
                Fate::Pass(Running::Nothing)
            }
            Request::SetOption(option) => {
                self.ground.several = option == 0;
                Fate::Pass(Running::Nothing)
            }
            // They have been looked at already.
            Request::StmtExecute(_) | Request::StmtBulkExecute(_) | Request::StmtSendLongData { .. } => {
                Fate::Deny(malformed())
            }
            Request::Other(command) => Fate::Deny(unknown_command(command)),
        })
    }

    fn statement(&self, said: u32) -> Result<u32, Objection> {
        Ok(self.statements.number(said).ok_or_else(|| no_statement(&said.to_string()))?)
    }

    fn init_db(&mut self, name: &[u8]) -> Result<Fate, Objection> {
        let name = String::from_utf8_lossy(name);
        let change = self.ground.change_database(&name)?;
        Ok(Fate::Pass(Running::Change(change)))
    }

    /// Every column of the table is told; the client sees those that are granted.
    fn field_list(&self, table: &[u8]) -> Result<Fate, Objection> {
        let name = String::from_utf8_lossy(table);
        let shown: Box<[Box<str>]> = self.ground.fields(&name)?.into_iter().map(Into::into).collect();
        if shown.is_empty() {
            return Err(told::no_table("SELECT", &self.ground.user, &name).into());
        }
        Ok(Fate::Pass(Running::Listing(shown)))
    }

    fn process_kill(&self, number: u32) -> Result<Fate, Objection> {
        let own = (self.own_connections)(number).ok_or_else(|| no_thread(number.into()))?;
        let payload = [&[Command::ProcessKill.code()], &own.to_le_bytes()[..]].concat();
        Ok(Fate::Replace(Running::Nothing, payload))
    }

    fn prepare(&mut self, text: &[u8]) -> Result<Fate, Objection> {
        self.statements.not_prepared();
        let ground = Ground { several: false, ..self.ground.clone() };
        let judgement = self.judge(text, &ground)?;
        self.uses(&judgement)?;
        if judgement.steps.iter().any(|step| step.class == Class::Report) {
            return Err(told::unclear(Reason::Statement, "", "what reports on others is not prepared").into());
        }
        self.room(text.len() + judgement.instead.as_deref().map_or(0, <[u8]>::len))?;
        let prepared = Text::new(text, Arc::clone(&judgement), &ground, self.epoch);
        let running = Running::Preparing(prepared);
        Ok(match &judgement.instead {
            None => Fate::Pass(running),
            Some(instead) => Fate::Replace(running, [&[Command::StmtPrepare.code()], &**instead].concat()),
        })
    }

    fn room(&self, length: usize) -> Result<(), Objection> {
        if self.statements.has_room(length) {
            return Ok(());
        }
        let message = "Can't create more prepared statements: this session holds too many";
        Err(Denial::in_words(Reason::Statement, "42000", message, "").numbered(1461).into())
    }

    fn query(&mut self, query: Query<'_>) -> Result<Fate, Objection> {
        let ground = self.ground.clone();
        let judgement = self.judge(query.text, &ground)?;
        self.uses(&judgement)?;
        for step in &judgement.steps {
            if let Change::Prepare(_, text) = &step.change {
                self.room(text.len())?;
            }
        }
        let reports = judgement.steps.iter().any(|step| step.class == Class::Report);
        if reports && (self.quotes || judgement.steps.iter().any(Step::may_quote)) {
            let why = "warnings and errors may quote values that the grant does not cover";
            return Err(told::unclear(Reason::Statement, "", why).into());
        }
        self.quota.statements(judgement.steps.len() as u64, ground.limits.terms.limits)?;
        self.used(&judgement);
        self.news.allowed += judgement.steps.len() as u64;
        let text = Text::new(query.text, Arc::clone(&judgement), &ground, self.epoch);
        let instead = self.killing(&judgement).or_else(|| judgement.instead.as_deref().map(<[u8]>::to_vec));
        let running = Running::Text(text, 0);
        Ok(match instead {
            None => Fate::Pass(running),
            Some(instead) => {
                Fate::Replace(running, [&[Command::Query.code()], query.attributes, &instead].concat())
            }
        })
    }

    /// What a text uses is used, and what it executes by name.
    fn used(&mut self, judgement: &Judgement) {
        self.quota.uses(&judgement.uses);
        for step in &judgement.steps {
            if let Change::Execute(name) = &step.change
                && let Some(text) = self.statements.named(name)
            {
                self.quota.uses(&text.judgement.uses);
            }
        }
    }

    /// `KILL` with the server's number in the place of ours.
    fn killing(&self, judgement: &Judgement) -> Option<Vec<u8>> {
        let [step] = &*judgement.steps else { return None };
        let Change::Kill(number, only_statement) = &step.change else { return None };
        let own = (self.own_connections)(u32::try_from(*number).ok()?)?;
        let what = if *only_statement { "QUERY" } else { "CONNECTION" };
        Some(format!("KILL {what} {own}").into_bytes())
    }
}

fn malformed() -> Denial {
    Denial::in_words(Reason::Protocol, "HY000", "Malformed communication packet", "").numbered(1835)
}

fn unknown_command(command: Command) -> Denial {
    let message = "this command is not for sessions that are limited to some tables";
    Denial::in_words(Reason::Protocol, "08S01", message, &format!("{command:?}")).numbered(1047)
}
