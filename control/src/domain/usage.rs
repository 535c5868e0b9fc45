//! What became of a grant: whether anybody connected with it, when, how often, and what their statements read and wrote.

use std::collections::{BTreeMap, BTreeSet};

use postern_protocol::gate::{GrantId, Privilege, Resource, ResourceGrant};
use serde::{Deserialize, Serialize};

use super::Moment;

/// How a grant was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Which grant.
    pub grant: GrantId,
    /// How many sessions began with it.
    pub sessions: u64,
    /// When the first of them began.
    pub first: Moment,
    /// When the last of them began.
    pub last: Moment,
}

impl Usage {
    /// A session begins; the first one when there was none before.
    pub(crate) fn one_more(before: Option<Self>, grant: GrantId, at: Moment) -> Self {
        match before {
            Some(before) => Self {
                sessions: before.sessions.saturating_add(1),
                first: before.first.min(at),
                last: before.last.max(at),
                grant,
            },
            None => Self { grant, sessions: 1, first: at, last: at },
        }
    }
}

/// So many tables and columns of one grant are remembered.
const MOST: usize = 1_000;

/// No database's names are longer, in bytes.
const LONGEST: usize = 256;

/// What statements that were let through read and wrote of what a limited grant gave. Sessions of whole grants are not
/// looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Touched {
    /// Which grant.
    pub grant: GrantId,
    /// Tables and columns, by the database's own spelling. A table stands there where no column in particular was used.
    pub resources: BTreeMap<Resource, BTreeSet<Privilege>>,
    /// Whether there is more than is remembered.
    pub more: bool,
}

impl Touched {
    /// Nothing yet.
    pub(crate) const fn new(grant: GrantId) -> Self {
        Self { grant, resources: BTreeMap::new(), more: false }
    }

    /// Adds what a sidecar says was used. What was not among the things `given` is nothing that it could have let
    /// through, so its word does not count for that.
    pub(crate) fn add(&mut self, given: &Names, used: Vec<ResourceGrant>, more: bool) {
        self.more |= more;
        for ResourceGrant { resource, mut privileges } in used {
            privileges.retain(|privilege| given.allow(&resource, *privilege));
            if privileges.is_empty()
                || resource.column.as_deref().is_some_and(|column| column.len() > LONGEST)
            {
                continue;
            }
            if self.resources.len() >= MOST && !self.resources.contains_key(&resource) {
                self.more = true;
                continue;
            }
            self.resources.entry(resource).or_default().extend(privileges);
        }
    }

    /// What was used, one by one.
    pub(crate) fn list(&self) -> Vec<ResourceGrant> {
        let each = |(resource, privileges): (&Resource, &BTreeSet<Privilege>)| ResourceGrant {
            resource: resource.clone(),
            privileges: privileges.iter().copied().collect(),
        };
        self.resources.iter().map(each).collect()
    }

    /// The same, to be asked for what a grant names.
    pub(crate) fn names(&self) -> Names {
        Names::of(&self.list())
    }

    /// What of these nothing was done with, privilege by privilege; unknown where not everything is remembered.
    pub(crate) fn untouched(&self, given: &[ResourceGrant]) -> Option<Vec<ResourceGrant>> {
        let used = self.names();
        let idle = |entry: &ResourceGrant| {
            let mut left = entry.clone();
            left.privileges.retain(|privilege| !used.have(&entry.resource, *privilege));
            (!left.privileges.is_empty()).then_some(left)
        };
        (!self.more).then(|| given.iter().filter_map(idle).collect())
    }
}

/// Tables and columns by their names. Some servers tell names apart by case and some do not, so it does not count here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(BTreeMap<(String, String, Privilege), Columns>);

#[derive(Clone, Debug, Default)]
struct Columns {
    /// Whether the table itself is named.
    table: bool,
    names: BTreeSet<String>,
}

impl Names {
    /// Of everything on a list.
    pub(crate) fn of(list: &[ResourceGrant]) -> Self {
        let mut all = Self::default();
        for ResourceGrant { resource, privileges } in list {
            for privilege in privileges {
                let columns = all.0.entry(key(resource, *privilege)).or_default();
                match &resource.column {
                    None => columns.table = true,
                    Some(column) => drop(columns.names.insert(column.to_lowercase())),
                }
            }
        }
        all
    }

    /// Whether these, as a grant gives them, allow a use.
    fn allow(&self, used: &Resource, privilege: Privilege) -> bool {
        let Some(columns) = self.0.get(&key(used, privilege)) else { return false };
        let has = |column: &str| columns.names.contains(&column.to_lowercase());
        columns.table || used.column.as_deref().is_none_or(has)
    }

    /// Whether these, as they were used, are a use of what a grant names.
    fn have(&self, given: &Resource, privilege: Privilege) -> bool {
        let Some(columns) = self.0.get(&key(given, privilege)) else { return false };
        given.column.as_deref().is_none_or(|column| columns.names.contains(&column.to_lowercase()))
    }

    /// Whether these, as they were used, are a use of an entry of a grant.
    pub(crate) fn have_any(&self, given: &ResourceGrant) -> bool {
        given.privileges.iter().any(|privilege| self.have(&given.resource, *privilege))
    }
}

fn key(resource: &Resource, privilege: Privilege) -> (String, String, Privilege) {
    (resource.schema.to_lowercase(), resource.table.to_lowercase(), privilege)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(resource: &str, privileges: &[Privilege]) -> ResourceGrant {
        ResourceGrant { resource: resource.parse().unwrap(), privileges: privileges.to_vec() }
    }

    #[test]
    fn what_was_given_and_not_used_is_told_privilege_by_privilege() {
        let (select, update) = (Privilege::Select, Privilege::Update);
        let given = [
            entry("public.orders", &[select, update]),
            entry("public.Sales.id", &[select]),
            entry("public.Sales.note", &[select]),
        ];
        let (names, mut touched) = (Names::of(&given), Touched::new("g_1".into()));
        touched.add(&names, vec![entry("public.sales", &[select])], false);
        assert!(!touched.names().have_any(&given[1]), "no column in particular");
        let more = vec![entry("public.sales.id", &[select]), entry("public.orders.qty", &[select])];
        touched.add(&names, more, false);
        let idle = [entry("public.orders", &[update]), entry("public.Sales.note", &[select])];
        assert_eq!(touched.untouched(&given), Some(idle.to_vec()));
        touched.add(&names, Vec::new(), true);
        assert_eq!(touched.untouched(&given), None);
    }

    #[test]
    fn what_the_grant_did_not_give_is_not_believed_and_the_memory_is_bounded() {
        let (select, delete) = (Privilege::Select, Privilege::Delete);
        let given = [entry("public.sales", &[select])];
        let (names, mut touched) = (Names::of(&given), Touched::new("g_1".into()));
        let others = vec![entry("hr.employees", &[select]), entry("public.sales", &[delete])];
        touched.add(&names, others, false);
        let long = vec![entry(&format!("public.sales.{}", "x".repeat(LONGEST + 1)), &[select])];
        touched.add(&names, long, false);
        assert!(touched.resources.is_empty());
        for number in 0..MOST + 5 {
            touched.add(&names, vec![entry(&format!("public.sales.c{number}"), &[select])], false);
        }
        assert!(touched.more && touched.resources.len() == MOST);
    }
}
