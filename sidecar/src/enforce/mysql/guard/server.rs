//! What the server answers.

use bytes::BytesMut;
use postern_protocol::mysql::{
    ColumnDefinition, ColumnRole, Command, Conversation, Event, OkPacket, SessionChange, StatusFlags,
};

use super::{Breach, Guard, Running, statements::Text};
use crate::enforce::mysql::{Change, Class, Origins, SqlMode, Step};

impl Guard {
    /// Takes bytes of the server's, and puts what the client gets into `down`.
    pub(crate) fn take_from_server(&mut self, bytes: &[u8], down: &mut BytesMut) -> Result<(), Breach> {
        match (&mut self.listing, &mut self.scrubber) {
            (Some(listing), _) => listing.take(bytes, down),
            (None, Some(scrubber)) => scrubber.take(bytes, down),
            (None, None) => down.extend_from_slice(bytes),
        }

        let executed = match self.running {
            Running::Prepared(number) => Some(number),
            Running::Nothing
            | Running::Text(..)
            | Running::Preparing(_)
            | Running::Change(_)
            | Running::Listing(_) => None,
        };
        let empty = Conversation::new(self.session.capabilities);
        let mut conversation = std::mem::replace(&mut self.conversation, empty);
        let mut outcome = Ok(());
        conversation.returning(bytes, &mut |command, event| {
            if outcome.is_ok() {
                outcome = self.hear(command, event);
            }
        });
        let (rows, lost) = (conversation.rows(), conversation.is_lost());
        self.conversation = conversation;
        outcome?;
        if lost {
            return Err(Breach::Violation("the server's answer is not understood".to_owned()));
        }
        let more = rows.saturating_sub(self.rows);
        self.rows = rows;
        // What is fetched in portions is one answer.
        let before = executed.map_or(0, |number| self.statements.rows(number));
        self.quota.rows(before, more, self.ground.limits.terms.limits).map_err(Breach::Exceeded)?;
        if !self.conversation.in_flight() {
            self.running = Running::Nothing;
            (self.scrubber, self.listing) = (None, None);
            let rows = self.quota.answered();
            if let Some(number) = executed {
                self.statements.gave(number, rows);
            }
        }
        Ok(())
    }

    fn hear(&mut self, command: Option<Command>, event: Event<'_>) -> Result<(), Breach> {
        match event {
            Event::Ok(ok) => {
                self.quotes = self.leaves(ok.warnings);
                self.done(ok.status);
                self.compare(&ok)
            }
            Event::Eof(eof) => {
                self.quotes = self.leaves(eof.warnings);
                self.done(eof.status);
                Ok(())
            }
            Event::Error(_) => {
                self.quotes = self.leaves(1);
                self.failed()?;
                if matches!(self.running, Running::Preparing(_)) {
                    self.statements.not_prepared();
                }
                self.running = Running::Nothing;
                Ok(())
            }
            Event::Prepared { statement, .. } => {
                if let Running::Preparing(text) = &self.running {
                    let text = text.clone();
                    self.statements.prepared(statement, text);
                    return Ok(());
                }
                Err(Breach::Tripwire("a statement was prepared that nobody asked for".to_owned()))
            }
            Event::Column(ColumnRole::Result | ColumnRole::Prepared, definition) => self.column(definition),
            Event::Column(ColumnRole::Parameter | ColumnRole::Listed, _) | Event::Columns { .. } => Ok(()),
            Event::LocalInfile(_) => {
                Err(Breach::Tripwire("the server asks for a file of the client's".to_owned()))
            }
            Event::Authentication(_) => {
                Err(Breach::Violation(format!("the server wants to authenticate: {command:?}")))
            }
            Event::TooLong => {
                Err(Breach::Tripwire("a description that is too long to be looked at".to_owned()))
            }
        }
    }

    /// The statement that the server is at.
    fn at_hand(&self) -> Option<&Step> {
        match &self.running {
            Running::Text(text, at) => text.judgement.steps.get(*at),
            Running::Prepared(number) => self.statements.get(*number)?.judgement.steps.first(),
            Running::Nothing | Running::Preparing(_) | Running::Change(_) | Running::Listing(_) => None,
        }
    }

    /// Whether there is something to quote when a statement is done. Servers keep it until tables are used again.
    fn leaves(&self, warnings: u16) -> bool {
        match self.at_hand() {
            Some(Step { change: Change::Execute(_), .. }) => self.quotes || warnings > 0,
            Some(Step { quotes: true, .. }) => warnings > 0,
            // MariaDB may answer out of its query cache, and keeps them then as well.
            Some(Step { class: Class::Read, .. }) if !self.ground.catalog.server().is_maria() => {
                self.quotes && warnings > 0
            }
            Some(_) | None => self.quotes,
        }
    }

    /// A `SET` that failed may have set some of it.
    fn failed(&self) -> Result<(), Breach> {
        let change = self.at_hand().map(|step| &step.change);
        if matches!(change, Some(Change::Mode(mode)) if *mode != self.ground.mode) {
            let what = "a SET of sql_mode failed, and may have set it nevertheless";
            return Err(Breach::Violation(what.to_owned()));
        }
        Ok(())
    }

    /// One statement is done, and with that changes what it changes.
    fn done(&mut self, status: StatusFlags) {
        match std::mem::take(&mut self.running) {
            Running::Nothing | Running::Listing(_) => {}
            Running::Change(change) => self.change(&change, None),
            Running::Text(text, at) => {
                // A comment behind the last semicolon is a statement to the server, and no rows come of it.
                if let Some(step) = text.judgement.steps.get(at) {
                    self.change(&step.change.clone(), Some(&text));
                }
                self.running = Running::Text(text, at + 1);
                self.quota.answered();
            }
            Running::Preparing(text) => self.running = Running::Preparing(text),
            Running::Prepared(number) => {
                if status.has(StatusFlags::CURSOR_EXISTS) {
                    self.statements.set_open(number, true);
                }
                if status.has(StatusFlags::LAST_ROW_SENT) {
                    self.statements.set_open(number, false);
                }
                let text = self.statements.get(number).cloned();
                if let Some(step) = text.as_ref().and_then(|text| text.judgement.steps.first()) {
                    self.change(&step.change.clone(), text.as_ref());
                }
                self.running = Running::Prepared(number);
            }
        }
    }

    fn change(&mut self, change: &Change, by: Option<&Text>) {
        match change {
            Change::Nothing | Change::Execute(_) | Change::Kill(..) => {}
            Change::Database(database) => self.ground.database = Some(database.clone()),
            Change::Mode(mode) => self.ground.mode = *mode,
            Change::Deallocate(name) => self.statements.forget(name),
            Change::Prepare(name, text) => {
                let ground = super::Ground { several: false, ..self.ground.clone() };
                // It was judged a moment ago, and has its verdict where those are kept.
                (self.asked, self.patient) = (true, true);
                let judgement = self.judge(text, &ground);
                (self.asked, self.patient) = (false, false);
                let epoch = by.map_or(self.epoch, |by| by.epoch);
                match judgement {
                    Ok(judgement) => self.statements.name(name, Text::new(text, judgement, &ground, epoch)),
                    Err(_) => self.statements.forget(name),
                }
            }
        }
    }

    /// What the server says of its state must be what is believed here.
    fn compare(&self, ok: &OkPacket<'_>) -> Result<(), Breach> {
        let changes = ok.changes().map_err(|error| Breach::Violation(error.to_string()))?;
        for change in changes {
            match change {
                SessionChange::Schema(name) => self.compare_database(name)?,
                SessionChange::SystemVariable { name, value } => self.compare_variable(name, value)?,
                SessionChange::State(_)
                | SessionChange::Gtids { .. }
                | SessionChange::TransactionCharacteristics(_)
                | SessionChange::TransactionState(_)
                | SessionChange::Unknown { .. } => {}
            }
        }
        Ok(())
    }

    fn compare_database(&self, name: &[u8]) -> Result<(), Breach> {
        let name = String::from_utf8_lossy(name);
        let believed = self.ground.database.as_deref().unwrap_or_default();
        if self.ground.catalog.server().same_table(&name, believed) {
            return Ok(());
        }
        Err(Breach::Tripwire(format!("the current database is {} and not {}", name.escape_debug(), believed)))
    }

    fn compare_variable(&self, name: &[u8], value: Option<&[u8]>) -> Result<(), Breach> {
        let value = String::from_utf8_lossy(value.unwrap_or_default());
        let good = match name.to_ascii_lowercase().as_slice() {
            b"sql_mode" => SqlMode::parse(&value) == Some(self.ground.mode),
            b"character_set_client" => {
                value.to_ascii_lowercase().starts_with("utf8") || self.session.ascii_only && value == "latin1"
            }
            _ => true,
        };
        if good {
            return Ok(());
        }
        let name = String::from_utf8_lossy(name);
        Err(Breach::Tripwire(format!("{} is {}", name.escape_debug(), value.escape_debug())))
    }

    /// The tripwire behind the verdict: where a column comes from, as the server says.
    fn column(&self, definition: &[u8]) -> Result<(), Breach> {
        let text = match &self.running {
            Running::Text(text, at) => text.judgement.steps.get(*at).map(|step| step.origins),
            Running::Preparing(text) => text.judgement.steps.first().map(|step| step.origins),
            Running::Prepared(number) => self
                .statements
                .get(*number)
                .and_then(|text| text.judgement.steps.first())
                .map(|step| step.origins),
            Running::Nothing | Running::Change(_) | Running::Listing(_) => None,
        };
        match text {
            Some(Origins::Mixed) => return Ok(()),
            Some(Origins::Tables) => {}
            None => return Err(Breach::Tripwire("a result that nobody asked for".to_owned())),
        }
        let column = ColumnDefinition::decode(definition, self.session.capabilities)
            .map_err(|error| Breach::Violation(error.to_string()))?;
        let [schema, table, name] =
            [column.schema, column.org_table, column.org_name].map(String::from_utf8_lossy);
        if self.ground.may_show(&schema, &table, &name) {
            return Ok(());
        }
        Err(Breach::Tripwire(format!("a result holds {schema}.{table}.{name}")))
    }
}
