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
    pub(crate) fn add(&mut self, given: &[ResourceGrant], used: &[ResourceGrant], more: bool) {
        self.more |= more;
        for ResourceGrant { resource, privileges } in used {
            for privilege in privileges {
                if !given.iter().any(|entry| falls_under(resource, *privilege, entry)) {
                    continue;
                }
                if self.resources.len() >= MOST && !self.resources.contains_key(resource) {
                    self.more = true;
                    continue;
                }
                self.resources.entry(resource.clone()).or_default().insert(*privilege);
            }
        }
    }

    /// What of these nothing was done with, privilege by privilege; unknown where not everything is remembered.
    pub(crate) fn untouched(&self, given: &[ResourceGrant]) -> Option<Vec<ResourceGrant>> {
        let idle = |entry: &ResourceGrant| {
            let used = |privilege: &Privilege| self.has_touched(entry, *privilege);
            let left: Vec<_> =
                entry.privileges.iter().filter(|privilege| !used(privilege)).copied().collect();
            (!left.is_empty()).then(|| ResourceGrant { privileges: left, ..entry.clone() })
        };
        (!self.more).then(|| given.iter().filter_map(idle).collect())
    }

    /// Whether anything was done under this entry of a grant.
    pub(crate) fn has_met(&self, entry: &ResourceGrant) -> bool {
        entry.privileges.iter().any(|privilege| self.has_touched(entry, *privilege))
    }

    fn has_touched(&self, entry: &ResourceGrant, privilege: Privilege) -> bool {
        self.resources.iter().any(|(resource, privileges)| {
            let whose = entry.resource.column.is_none() || resource.column.is_some();
            privileges.contains(&privilege) && whose && falls_under(resource, privilege, entry)
        })
    }
}

/// Whether an entry of a grant is what allowed a use. Some servers tell names apart by case and some do not, so it does
/// not count here.
fn falls_under(used: &Resource, privilege: Privilege, entry: &ResourceGrant) -> bool {
    let same = |one: &str, other: &str| one == other || one.to_lowercase() == other.to_lowercase();
    let given = &entry.resource;
    let column = match (&given.column, &used.column) {
        (None, _) | (_, None) => true,
        (Some(given), Some(used)) => same(given, used),
    };
    entry.privileges.contains(&privilege)
        && column
        && same(&given.schema, &used.schema)
        && same(&given.table, &used.table)
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
        let mut touched = Touched::new("g_1".into());
        touched.add(&given, &[entry("public.sales", &[select])], false);
        assert!(!touched.has_met(&given[1]), "no column in particular");
        touched.add(
            &given,
            &[entry("public.sales.id", &[select]), entry("public.orders.qty", &[select])],
            false,
        );
        let idle = [entry("public.orders", &[update]), entry("public.Sales.note", &[select])];
        assert_eq!(touched.untouched(&given), Some(idle.to_vec()));
        touched.add(&given, &[], true);
        assert_eq!(touched.untouched(&given), None);
    }

    #[test]
    fn what_the_grant_did_not_give_is_not_believed_and_the_memory_is_bounded() {
        let (select, delete) = (Privilege::Select, Privilege::Delete);
        let given = [entry("public.sales", &[select])];
        let mut touched = Touched::new("g_1".into());
        touched.add(&given, &[entry("hr.employees", &[select]), entry("public.sales", &[delete])], false);
        assert!(touched.resources.is_empty());
        for number in 0..MOST + 5 {
            touched.add(&given, &[entry(&format!("public.sales.c{number}"), &[select])], false);
        }
        assert!(touched.more && touched.resources.len() == MOST);
    }
}
