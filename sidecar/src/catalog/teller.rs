//! Tells the control plane which tables and columns there are, so that people can ask for them by name.
//!
//! In: the snapshots of a repo's catalog; where accounts see different things, a snapshot of each. Out: reports, each of
//! a stretch of tables that lie together by name. Only stretches that have changed are told anew, and all of them when
//! the feed has been away: a control plane that comes back may have lost what it knew.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
    time::Duration,
};

use postern_protocol::gate::{FoundTable, RepoName, ResourceReport};
use postern_service::random;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::Snapshot;
use crate::grants::{FeedState, Reports};

/// A stretch ends with a table whose name's hash is divisible by this, so that a table which comes or goes moves no
/// other stretch.
const CUT: u64 = 128;
/// A stretch has no more columns than this and one table's.
const COLUMNS: usize = 10_000;
/// How often to see whether there is something to tell.
const TICK: Duration = Duration::from_secs(1);
/// How long a control plane that takes no reports is left alone.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How long to wait for the first snapshot of an account, if others are there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who tells.
pub(crate) struct Teller<S> {
    pub(crate) repo: RepoName,
    /// What there is to tell is what is in any of them.
    pub(crate) snapshots: Vec<watch::Receiver<Option<Arc<S>>>>,
    pub(crate) reports: Reports,
    pub(crate) feed: Arc<FeedState>,
}

/// The hashes of reports that were taken, as they were written.
type Told = HashSet<String>;

impl<S: Snapshot> Teller<S> {
    /// Tells of every snapshot, for ever.
    pub(crate) async fn run(mut self) {
        let (mut told, mut versions, mut pause) = (Told::new(), Vec::new(), TICK);
        let mut begun = Instant::now();
        loop {
            sleep(pause).await;
            if !self.feed.is_connected() {
                (told, versions, pause, begun) = (Told::new(), Vec::new(), TICK, Instant::now());
                continue;
            }
            let (snapshots, all) = self.newest();
            let newest: Vec<u64> = snapshots.iter().map(|snapshot| snapshot.version()).collect();
            if newest == versions || !all && begun.elapsed() < PATIENCE {
                continue;
            }
            // What was taken of a round that broke off does not go together with what was taken before.
            match self.tell(&snapshots, &std::mem::take(&mut told)).await {
                Some(now) => (told, versions, pause) = (now, newest, TICK),
                None => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    /// The newest snapshots that differ, and whether none is missing.
    fn newest(&mut self) -> (Vec<Arc<S>>, bool) {
        let (mut snapshots, mut all) = (Vec::new(), true);
        for newest in &mut self.snapshots {
            let newest = newest.borrow_and_update().clone();
            all &= newest.is_some();
            snapshots.extend(newest);
        }
        snapshots.sort_unstable_by_key(|snapshot| snapshot.version());
        snapshots.dedup_by_key(|snapshot| snapshot.version());
        (snapshots, all)
    }

    /// Sends the stretches that are new, and returns all of them; nothing if the control plane does not take one.
    async fn tell(&self, snapshots: &[Arc<S>], told: &Told) -> Option<Told> {
        let mut now = Told::new();
        for report in stretches(&self.repo, snapshots) {
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
struct Place<'a, S: Snapshot> {
    name: String,
    snapshot: &'a S,
    table: &'a S::Table,
}

/// Everything that people may ask for, in the order of names.
fn places<S: Snapshot>(snapshots: &[Arc<S>]) -> Vec<Place<'_, S>> {
    let mut places = Vec::new();
    for snapshot in snapshots {
        places.extend(snapshot.resources().map(|table| {
            let name = snapshot.resource(table).to_string();
            Place { name, snapshot: &**snapshot, table }
        }));
    }
    places.sort_by(|one, other| one.name.cmp(&other.name));
    places
}

/// Everything that people may ask for, cut into reports.
fn stretches<'a, S: Snapshot>(
    repo: &RepoName,
    snapshots: &'a [Arc<S>],
) -> impl Iterator<Item = ResourceReport> + use<'a, S> {
    let (mut places, mut after, mut over) = (places(snapshots).into_iter().peekable(), None, false);
    let repo = repo.clone();
    std::iter::from_fn(move || {
        if std::mem::replace(&mut over, true) {
            return None;
        }
        let (mut tables, mut columns, mut through) = (Vec::new(), 0, None);
        while let Some(Place { name, snapshot, table }) = places.next() {
            let mut found = snapshot.found(table);
            while let Some(same) = places.next_if(|next| next.name == name) {
                found = joined(found, same.snapshot.found(same.table));
            }
            columns += found.columns.len();
            tables.push(found);
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

/// One table, of which two accounts may see different columns.
fn joined(one: FoundTable, other: FoundTable) -> FoundTable {
    let (mut most, fewer) = if one.columns.len() < other.columns.len() { (other, one) } else { (one, other) };
    for column in fewer.columns {
        if most.columns.iter().all(|known| known.name != column.name) {
            most.columns.push(column);
        }
    }
    most
}

fn is_cut(name: &str) -> bool {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name).is_multiple_of(CUT)
}

#[cfg(test)]
mod tests {
    use postern_protocol::gate::{FoundColumn, Resource, TableKind};

    use super::*;

    /// A snapshot that is made of what is told of it.
    struct Sample(Vec<FoundTable>, Arc<()>);

    impl Snapshot for Sample {
        type Catalog = ();
        type Table = FoundTable;

        fn catalog(&self) -> &Arc<()> {
            &self.1
        }

        fn version(&self) -> u64 {
            1
        }

        fn relations(&self) -> usize {
            self.0.len()
        }

        fn resources(&self) -> impl Iterator<Item = &FoundTable> + Send {
            self.0.iter()
        }

        fn resource(&self, table: &FoundTable) -> Resource {
            table.resource()
        }

        fn found(&self, table: &FoundTable) -> FoundTable {
            table.clone()
        }
    }

    fn table(schema: &str, number: usize, columns: &[&str]) -> FoundTable {
        let column = |name: &&str| FoundColumn { name: (*name).to_owned(), type_name: "integer".to_owned() };
        FoundTable {
            schema: schema.to_owned(),
            table: format!("t{number}"),
            kind: TableKind::Table,
            columns: columns.iter().map(column).collect(),
        }
    }

    fn snapshot(schemas: &[&str], tables: usize, columns: usize) -> Vec<Arc<Sample>> {
        let names: Vec<String> = (0..columns).map(|number| format!("c{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let all = schemas.iter().flat_map(|schema| (0..tables).map(|number| table(schema, number, &names)));
        vec![Arc::new(Sample(all.collect(), Arc::default()))]
    }

    fn reports(snapshots: &[Arc<Sample>]) -> Vec<ResourceReport> {
        stretches(&"sales".into(), snapshots).collect()
    }

    #[test]
    fn stretches_join_without_a_gap_and_hold_every_table_once() {
        let reports = reports(&snapshot(&["public", "odd.schema"], 5_000, 3));
        assert!(reports.len() > 10);
        assert_eq!(reports[0].after, None);
        assert_eq!(reports.last().unwrap().through, None);
        assert!(reports.windows(2).all(|pair| pair[0].through.is_some() && pair[0].through == pair[1].after));
        let names: Vec<String> = reports
            .iter()
            .flat_map(|report| &report.tables)
            .map(|table| table.resource().to_string())
            .collect();
        assert_eq!(names.len(), 10_000);
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

    #[test]
    fn what_different_accounts_see_is_told_as_one() {
        let sees = |tables: Vec<FoundTable>| Arc::new(Sample(tables, Arc::default()));
        let one = sees(vec![table("shop", 1, &["a", "b"]), table("shop", 2, &["a"])]);
        let other = sees(vec![table("hr", 1, &["a"]), table("shop", 1, &["b", "c", "d"])]);
        let reports = reports(&[one, other]);
        let tables: Vec<FoundTable> = reports.into_iter().flat_map(|report| report.tables).collect();
        let all = [table("hr", 1, &["a"]), table("shop", 1, &["b", "c", "d", "a"]), table("shop", 2, &["a"])];
        assert_eq!(tables, all);
    }
}
