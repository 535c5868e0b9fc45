//! What came of many statements, each run as the native account and through the gate.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    mem,
};

/// How often, and one example, by reason.
type Reasons = BTreeMap<String, (usize, String)>;

/// Of less than these, chance decides how many are refused.
const FEW: usize = 500;

/// What came of many statements.
#[derive(Debug, Default)]
pub struct Tally {
    /// Both ran it, with the same rows.
    pub allowed: usize,
    /// Both refused it.
    pub refused: usize,
    /// It was wrong in itself, or took too long.
    pub failed: Reasons,
    /// The gate ran what the account may not, or told something else. Nothing of this is ever right.
    pub wrong: Vec<String>,
    /// The gate refused what the account may do.
    pub strict: Reasons,
}

impl Tally {
    /// It was wrong in itself.
    pub fn fail(&mut self, reason: String, sql: &str) {
        add(&mut self.failed, reason, sql);
    }

    /// The gate refused what the account may do.
    pub fn forbid(&mut self, reason: String, sql: &str) {
        if env::var_os("POSTERN_TEST_FAILURES").is_some() {
            eprintln!("refused though the account may: {reason}: {sql}");
        }
        add(&mut self.strict, reason, sql);
    }

    /// It went as it must not.
    pub fn note(&mut self, what: &str, sql: &str, native: &str, gate: &str) {
        self.wrong.push(format!("{what}\n    {sql}\n    native: {native}\n    gate:   {gate}\n"));
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.allowed += other.allowed;
        self.refused += other.refused;
        self.wrong.extend(other.wrong);
        for (ours, theirs) in [(&mut self.failed, other.failed), (&mut self.strict, other.strict)] {
            for (reason, (count, example)) in theirs {
                ours.entry(reason).or_insert((0, example)).0 += count;
            }
        }
        self
    }

    /// How many the native account may run.
    pub fn rightful(&self) -> usize {
        self.allowed + self.strictly()
    }

    /// How many of these the gate refused.
    pub fn strictly(&self) -> usize {
        self.strict.values().map(|(count, _)| count).sum()
    }

    /// Nothing got through that the account may not do, and of what it may at most one in `share` was refused, or as many as
    /// of [`FEW`].
    pub fn hold(&self, share: usize) {
        eprintln!("{}", self.report());
        assert!(self.wrong.is_empty(), "{}", self.report());
        assert!(
            self.strictly() * share <= self.rightful().max(FEW),
            "more than 1 in {share}: {}",
            self.report()
        );
        assert!(self.allowed > 0 && self.refused > 0, "{}", self.report());
    }

    /// The same, without what was refused for these reasons.
    pub fn hold_without(&mut self, reasons: &BTreeSet<String>, share: usize) {
        let all = mem::take(&mut self.strict).into_iter();
        let (apart, rest): (Reasons, Reasons) = all.partition(|(reason, _)| reasons.contains(reason));
        let times: usize = apart.values().map(|(count, _)| count).sum();
        eprintln!("{times} beside them refused for what the server never came to");
        for (reason, (count, _)) in &apart {
            eprintln!("{count:6} × {reason}");
        }
        self.strict = rest;
        self.hold(share);
    }

    /// All of it in words, the commonest reasons first.
    pub fn report(&self) -> String {
        let mut text = format!(
            "{} allowed, {} refused, {} wrong in themselves; {} refused though the account may; {} findings\n",
            self.allowed,
            self.refused,
            self.failed.values().map(|(count, _)| count).sum::<usize>(),
            self.strictly(),
            self.wrong.len()
        );
        text += &list(&self.strict, 40);
        if env::var_os("POSTERN_TEST_FAILURES").is_some() {
            text += &list(&self.failed, 40);
        }
        for finding in self.wrong.iter().take(40) {
            let _ = writeln!(text, "{finding}");
        }
        text
    }
}

fn add(reasons: &mut Reasons, reason: String, sql: &str) {
    reasons.entry(reason).or_insert_with(|| (0, sql.to_owned())).0 += 1;
}

fn list(reasons: &Reasons, most: usize) -> String {
    let mut reasons: Vec<_> = reasons.iter().collect();
    reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let line = |(reason, (count, example)): (&String, &(usize, String))| {
        format!("{count:6} × {reason}\n         e.g. {example}\n")
    };
    reasons.into_iter().take(most).map(line).collect()
}
