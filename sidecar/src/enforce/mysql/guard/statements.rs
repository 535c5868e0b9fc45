//! What a session has prepared, by the numbers of the protocol and by the names of SQL.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::enforce::mysql::{Ground, Judgement, SqlMode, Step};

/// So many statements one session may hold at the server, by number and by name; servers have a limit of their own, for
/// all sessions together.
const MOST: usize = 4_096;
/// And so many bytes of texts.
const ROOM: usize = 64 * 1024 * 1024;

/// A text that was judged, and on what.
#[derive(Clone, Debug)]
#[allow(clippy::struct_field_names, reason = "it is the text")]
pub(super) struct Text {
    pub(super) text: Arc<[u8]>,
    pub(super) judgement: Arc<Judgement>,
    /// The ground it was judged on.
    pub(super) epoch: u64,
    pub(super) database: Option<Arc<str>>,
    pub(super) mode: SqlMode,
    pub(super) several: bool,
}

impl Text {
    pub(super) fn new(text: &[u8], judgement: Arc<Judgement>, ground: &Ground, epoch: u64) -> Self {
        let Ground { database, mode, several, .. } = ground;
        Self {
            text: text.into(),
            judgement,
            epoch,
            database: database.clone(),
            mode: *mode,
            several: *several,
        }
    }

    /// Whether errors and warnings of any of its statements may quote what the session may not read.
    pub(super) fn may_quote(&self) -> bool {
        self.judgement.steps.iter().any(Step::may_quote)
    }

    /// How much room it takes.
    fn room(&self) -> usize {
        self.text.len() + self.judgement.instead.as_deref().map_or(0, <[u8]>::len)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Statements {
    by_number: HashMap<u32, Text>,
    by_name: HashMap<Box<str>, Text>,
    /// Those with a cursor.
    open: HashSet<u32>,
    /// How many rows they have given since they were executed, however they were fetched.
    rows: HashMap<u32, u64>,
    /// What MariaDB takes 0xFFFFFFFF for; none if that was refused here, for the server then means an older one.
    last: Option<u32>,
    room: usize,
}

impl Statements {
    /// Whether there is room for one more of this length.
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.by_number.len() + self.by_name.len() < MOST && self.room + length <= ROOM
    }

    /// One was prepared under this number.
    pub(super) fn prepared(&mut self, number: u32, text: Text) {
        self.close(number);
        self.room += text.room();
        self.by_number.insert(number, text);
        self.last = Some(number);
    }

    /// One was not prepared.
    pub(super) const fn not_prepared(&mut self) {
        self.last = None;
    }

    /// The number that a client means.
    pub(super) fn number(&self, said: u32) -> Option<u32> {
        let number = if said == u32::MAX { self.last? } else { said };
        self.by_number.contains_key(&number).then_some(number)
    }

    pub(super) fn get(&self, number: u32) -> Option<&Text> {
        self.by_number.get(&number)
    }

    /// It is good on this ground as well.
    pub(super) fn renew(&mut self, number: u32, epoch: u64) {
        if let Some(text) = self.by_number.get_mut(&number) {
            text.epoch = epoch;
        }
    }

    pub(super) fn close(&mut self, number: u32) {
        if let Some(text) = self.by_number.remove(&number) {
            self.room -= text.room();
        }
        self.open.remove(&number);
        self.rows.remove(&number);
    }

    /// It is executed anew.
    pub(super) fn begin(&mut self, number: u32) {
        self.rows.remove(&number);
    }

    /// It has given so many rows more.
    pub(super) fn gave(&mut self, number: u32, rows: u64) {
        if rows > 0 && self.by_number.contains_key(&number) {
            let all = self.rows.entry(number).or_default();
            *all = all.saturating_add(rows);
        }
    }

    /// How many rows it has given.
    pub(super) fn rows(&self, number: u32) -> u64 {
        self.rows.get(&number).copied().unwrap_or_default()
    }

    /// It has a cursor, or none any more.
    pub(super) fn set_open(&mut self, number: u32, open: bool) {
        if open {
            self.open.insert(number);
        } else {
            self.open.remove(&number);
        }
    }

    /// Those with a cursor.
    pub(super) fn open(&self) -> impl Iterator<Item = &Text> {
        self.open.iter().filter_map(|number| self.by_number.get(number))
    }

    /// Names know no case.
    pub(super) fn named(&self, name: &str) -> Option<&Text> {
        self.by_name.get(&*name.to_lowercase())
    }

    pub(super) fn name(&mut self, name: &str, text: Text) {
        self.forget(name);
        self.room += text.room();
        self.by_name.insert(name.to_lowercase().into(), text);
    }

    pub(super) fn forget(&mut self, name: &str) {
        if let Some(text) = self.by_name.remove(&*name.to_lowercase()) {
            self.room -= text.room();
        }
    }
}
