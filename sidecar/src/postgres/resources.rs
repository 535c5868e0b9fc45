//! Tells the control plane which tables and columns there are, so that people can ask for them by name.
//!
//! In: the snapshots of a repo's catalog. Out: reports, each of a stretch of tables that lie together by name. Only
//! stretches that have changed are told anew, and all of them when the feed has been away: a control plane that comes
//! back may have lost what it knew.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
    time::Duration,
};

use postern_protocol::gate::{FoundColumn, FoundTable, RepoName, Resource, ResourceReport, TableKind};
use postern_service::random;
use tokio::{sync::watch, time::sleep};

use super::catalog::{Snapshot, is_resource};
use crate::{
    enforce::postgres::catalog::{Column, Relation},
    grants::{FeedState, Reports},
};

/// A stretch ends with a table whose name's hash is divisible by this, so that a table which comes or goes moves no
/// other stretch.
const CUT: u64 = 128;
/// A stretch has no more columns than this and one table's.
const COLUMNS: usize = 10_000;
/// How often to see whether there is something to tell.
const TICK: Duration = Duration::from_secs(1);
/// How long a control plane that takes no reports is left alone.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Who tells.
pub(crate) struct Teller {
    pub(crate) repo: RepoName,
    pub(crate) snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pub(crate) reports: Reports,
    pub(crate) feed: Arc<FeedState>,
}

/// The hashes of reports that were taken, as they were written.
type Told = HashSet<String>;

impl Teller {
    /// Tells of every snapshot, for ever.
    pub(crate) async fn run(mut self) {
        let (mut told, mut version, mut pause) = (Told::new(), None, TICK);
        loop {
            sleep(pause).await;
            if !self.feed.is_connected() {
                (told, version, pause) = (Told::new(), None, TICK);
                continue;
            }
            let Some(snapshot) = self.snapshots.borrow_and_update().clone() else { continue };
            if version == Some(snapshot.catalog.version()) {
                continue;
            }
            // What was taken of a round that broke off does not go together with what was taken before.
            match self.tell(&snapshot, &std::mem::take(&mut told)).await {
                Some(now) => (told, version, pause) = (now, Some(snapshot.catalog.version()), TICK),
                None => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    /// Sends the stretches that are new, and returns all of them; nothing if the control plane does not take one.
    async fn tell(&self, snapshot: &Snapshot, told: &Told) -> Option<Told> {
        let mut now = Told::new();
        for report in stretches(&self.repo, snapshot) {
            let written = serde_json::to_vec(&report).ok()?;
            let hash = random::sha256_hex(&written);
            if !told.contains(&hash) && !self.reports.post("resources", &report).await {
                return None;
            }
            now.insert(hash);
        }
        Some(now)
    }
}

/// A table with its name as requests write it.
struct Place<'a> {
    name: String,
    relation: &'a Relation,
}

/// Everything that people may ask for, cut into reports.
fn stretches<'a>(repo: &RepoName, snapshot: &'a Snapshot) -> impl Iterator<Item = ResourceReport> + use<'a> {
    let resources = snapshot.catalog.relations().filter(|relation| is_resource(relation));
    let place = |relation: &'a Arc<Relation>| {
        let (schema, table) = ((*relation.schema).into(), relation.name.clone());
        Place { name: Resource { schema, table, column: None }.to_string(), relation }
    };
    let mut places: Vec<Place<'a>> = resources.map(place).collect();
    places.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let (mut places, mut after, mut over) = (places.into_iter().peekable(), None, false);
    let repo = repo.clone();
    std::iter::from_fn(move || {
        if std::mem::replace(&mut over, true) {
            return None;
        }
        let (mut tables, mut columns, mut through) = (Vec::new(), 0, None);
        while let Some(Place { name, relation }) = places.next() {
            tables.push(found(snapshot, relation));
            columns += relation.columns.len();
            let full = tables.len() == ResourceReport::MOST || columns >= COLUMNS;
            if places.peek().is_some() && (full || is_cut(&name)) {
                (through, over) = (Some(name), false);
                break;
            }
        }
        let after = std::mem::replace(&mut after, through.clone());
        Some(ResourceReport { repo: repo.clone(), after, through, tables })
    })
}

fn is_cut(name: &str) -> bool {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name).is_multiple_of(CUT)
}

fn found(snapshot: &Snapshot, relation: &Relation) -> FoundTable {
    let column = |column: &Column| FoundColumn {
        name: column.name.to_string(),
        type_name: snapshot.spelling.of(relation, column).to_owned(),
    };
    FoundTable {
        schema: relation.schema.to_string(),
        table: relation.name.to_string(),
        kind: kind(relation.kind),
        columns: relation.columns.iter().map(column).collect(),
    }
}

/// What [`is_resource`] lets through, in the control plane's words.
const fn kind(relkind: u8) -> TableKind {
    match relkind {
        b'p' => TableKind::PartitionedTable,
        b'v' => TableKind::View,
        b'm' => TableKind::MaterializedView,
        b'f' => TableKind::ForeignTable,
        _ => TableKind::Table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        enforce::postgres::catalog::{Catalog, Parts},
        postgres::catalog::Spelling,
    };

    fn snapshot(schemas: &[&str], tables: usize, columns: i16) -> Snapshot {
        let column = |number| Column { name: format!("c{number}").into(), number, type_oid: 23 };
        let table = |schema: &&str, number| Relation {
            oid: 0,
            schema: (**schema).into(),
            name: format!("t{number}").into(),
            kind: b'r',
            columns: (1..=columns).map(column).collect(),
        };
        let all = schemas.iter().flat_map(|schema| (0..tables).map(move |number| table(schema, number)));
        let numbered = all.zip(20_000..).map(|(relation, oid)| Relation { oid, ..relation });
        let parts = Parts { relations: numbered.collect(), ..Parts::default() };
        Snapshot { catalog: Arc::new(Catalog::new(1, parts)), spelling: Spelling::default() }
    }

    fn reports(snapshot: &Snapshot) -> Vec<ResourceReport> {
        stretches(&"sales".into(), snapshot).collect()
    }

    #[test]
    fn stretches_join_without_a_gap_and_hold_every_table_once() {
        let reports = reports(&snapshot(&["public", "odd.schema", "information_schema"], 5_000, 3));
        assert!(reports.len() > 10);
        assert_eq!(reports[0].after, None);
        assert_eq!(reports.last().unwrap().through, None);
        assert!(reports.windows(2).all(|pair| pair[0].through.is_some() && pair[0].through == pair[1].after));
        let names: Vec<String> = reports
            .iter()
            .flat_map(|report| &report.tables)
            .map(|table| table.resource().to_string())
            .collect();
        assert_eq!(names.len(), 10_000, "the information schema is nobody's to ask for");
        assert!(names.is_sorted());
    }

    #[test]
    fn no_report_is_large() {
        let reports = reports(&snapshot(&["public"], 300, 1_600));
        assert!(reports.iter().all(|report| report.tables.len() <= 8), "10,000 columns and one table");
    }

    #[test]
    fn one_table_more_changes_one_stretch() {
        let (before, after) = (snapshot(&["public"], 5_000, 3), snapshot(&["public"], 5_001, 3));
        let before = reports(&before);
        let changed = reports(&after).into_iter().filter(|report| !before.contains(report)).count();
        assert!((1..=2).contains(&changed), "{changed}");
    }

    #[test]
    fn a_database_without_tables_is_one_empty_stretch() {
        let reports = reports(&snapshot(&[], 0, 0));
        assert_eq!(reports.len(), 1);
        assert_eq!((&reports[0].after, &reports[0].through, reports[0].tables.len()), (&None, &None, 0));
    }
}
