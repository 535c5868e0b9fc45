//! What statements use of what a grant covers: the tables and columns that they read and write.
//!
//! A judge takes [`Notes`] on its way, and what they come to is kept with the verdict. A session looks whether it has met
//! that before, which is a comparison of pointers; what it has not goes to the grant's [`Ledger`], which is emptied from
//! time to time by whoever tells the control plane.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use postern_protocol::gate::{Privilege, Resource};

/// Of a text that uses more things than this, the tables are told, and that there is more.
const MOST_OF_ONE: usize = 200;
/// So many uses of a grant are told of, and that there are more.
const MOST: usize = 1_000;
/// So many verdicts a session knows to have met.
const MET: usize = 32;

/// One thing that is done with a table or a column. Without a column: with none in particular.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) resource: Resource,
    pub(crate) privilege: Privilege,
}

/// What a text uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    list: Box<[Use]>,
    /// Whether there is more.
    more: bool,
}

/// What a judge has met on its way through a text.
#[derive(Debug, Default)]
pub(crate) struct Notes(RefCell<BTreeMap<(usize, Privilege), Noted>>);

#[derive(Debug)]
struct Noted {
    schema: Box<str>,
    table: Box<str>,
    columns: BTreeSet<Box<str>>,
}

impl Notes {
    /// A table is used, or one column of it. `table` tells it from others while the text is judged.
    pub(crate) fn note<T>(
        &self,
        table: &T,
        (schema, name): (&str, &str),
        privilege: Privilege,
        column: Option<&str>,
    ) {
        let mut all = self.0.borrow_mut();
        let noted = all.entry((std::ptr::from_ref(table).addr(), privilege)).or_insert_with(|| Noted {
            schema: schema.into(),
            table: name.into(),
            columns: BTreeSet::new(),
        });
        if let Some(column) = column.filter(|column| !noted.columns.contains(*column)) {
            noted.columns.insert(column.into());
        }
    }

    /// All of it, in order.
    pub(crate) fn into_uses(self) -> Uses {
        let all = self.0.into_inner();
        let many = all.values().map(|noted| noted.columns.len().max(1)).sum::<usize>() > MOST_OF_ONE;
        let mut uses = BTreeSet::new();
        for ((_, privilege), Noted { schema, table, columns }) in all.into_iter().take(MOST_OF_ONE) {
            let of = |column| Use {
                resource: Resource { schema: schema.clone(), table: table.clone(), column },
                privilege,
            };
            if many || columns.is_empty() {
                uses.insert(of(None));
            } else {
                uses.extend(columns.into_iter().map(|column| of(Some(column))));
            }
        }
        Uses { list: uses.into_iter().collect(), more: many }
    }
}

impl Uses {
    /// One by one, in order.
    #[cfg(test)]
    pub(crate) fn list(&self) -> Vec<String> {
        self.list.iter().map(|one| format!("{} {}", one.privilege, one.resource)).collect()
    }

    /// How many bytes they hold, about.
    pub(crate) fn room(&self) -> usize {
        const NAMES: usize = 32;
        self.list.len() * (size_of::<Use>() + NAMES)
    }
}

/// What the sessions of one grant have used here.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    known: BTreeSet<Use>,
    fresh: Fresh,
    more: bool,
}

/// What has been used since it was asked for last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fresh {
    pub(crate) uses: Vec<Use>,
    /// Whether there is more, which is not told of one by one.
    pub(crate) more: bool,
}

impl Ledger {
    fn add(&self, uses: &Uses) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut more = uses.more;
        for one in &uses.list {
            if entries.known.contains(one) {
                continue;
            }
            if entries.known.len() >= MOST {
                more = true;
                break;
            }
            entries.known.insert(one.clone());
            entries.fresh.uses.push(one.clone());
        }
        // That there is more is told once.
        entries.fresh.more |= more && !entries.more;
        entries.more |= more;
    }

    /// What is new, if anything is.
    pub(crate) fn take(&self) -> Option<Fresh> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (entries.fresh != Fresh::default()).then(|| mem::take(&mut entries.fresh))
    }

    /// Whether all of it has been told of.
    pub(crate) fn is_told(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fresh == Fresh::default()
    }
}

/// What a session has met, so that it asks the ledger of its grant about news only.
#[derive(Debug, Default)]
pub(crate) struct Met {
    known: Vec<Arc<Uses>>,
    next: usize,
}

impl Met {
    /// Something is used; it goes to the ledger unless it was met lately.
    pub(crate) fn meet(&mut self, uses: &Arc<Uses>, ledger: &Ledger) {
        if uses.list.is_empty() || self.known.iter().any(|known| Arc::ptr_eq(known, uses)) {
            return;
        }
        ledger.add(uses);
        if self.known.len() < MET {
            self.known.push(Arc::clone(uses));
        } else if let Some(place) = self.known.get_mut(self.next) {
            *place = Arc::clone(uses);
            self.next = (self.next + 1) % MET;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(uses: &[Use]) -> Vec<String> {
        uses.iter().map(|one| format!("{} {}", one.privilege, one.resource)).collect()
    }

    fn uses(columns: impl IntoIterator<Item = String>) -> Arc<Uses> {
        let (notes, table) = (Notes::default(), ());
        for column in columns {
            notes.note(&table, ("public", "sales"), Privilege::Select, Some(&column));
        }
        notes.into_uses().into()
    }

    #[test]
    fn a_statement_uses_columns_and_where_there_are_none_or_too_many_the_table() {
        let (notes, sales, orders) = (Notes::default(), 1, 2);
        notes.note(&sales, ("public", "sales"), Privilege::Select, None);
        notes.note(&sales, ("public", "sales"), Privilege::Select, Some("price"));
        notes.note(&sales, ("public", "sales"), Privilege::Select, Some("id"));
        notes.note(&sales, ("public", "sales"), Privilege::Select, Some("id"));
        notes.note(&orders, ("public", "orders"), Privilege::Delete, None);
        let all = ["DELETE public.orders", "SELECT public.sales.id", "SELECT public.sales.price"];
        assert_eq!(notes.into_uses().list(), all);
        let many = uses((0..=MOST_OF_ONE).map(|n| format!("c{n}")));
        assert_eq!((many.list(), many.more), (vec!["SELECT public.sales".to_owned()], true));
    }

    #[test]
    fn a_grant_is_told_once_what_its_sessions_use_and_not_without_end() {
        let (ledger, mut one, mut other) = (Ledger::default(), Met::default(), Met::default());
        let id = || uses(["id".to_owned()]);
        one.meet(&id(), &ledger);
        assert!(!ledger.is_told());
        assert_eq!(
            ledger.take().map(|fresh| written(&fresh.uses)),
            Some(vec!["SELECT public.sales.id".into()])
        );
        other.meet(&id(), &ledger);
        assert!(ledger.is_told() && ledger.take().is_none());
        for number in 0..MOST {
            one.meet(&uses([format!("c{number}")]), &ledger);
        }
        let fresh = ledger.take().unwrap();
        assert!(fresh.more && fresh.uses.len() == MOST - 1);
        one.meet(&uses(["another".to_owned()]), &ledger);
        assert_eq!(ledger.take(), None, "that there is more is told once");
    }

    #[test]
    fn what_was_met_lately_is_not_looked_at_again() {
        let (ledger, mut met, id) = (Ledger::default(), Met::default(), uses(["id".to_owned()]));
        met.meet(&id, &ledger);
        let elsewhere = Ledger::default();
        met.meet(&id, &elsewhere);
        assert!(elsewhere.is_told());
        for number in 0..MET {
            met.meet(&uses([format!("c{number}")]), &ledger);
        }
        met.meet(&id, &elsewhere);
        assert!(!elsewhere.is_told() && met.known.len() == MET);
    }
}
