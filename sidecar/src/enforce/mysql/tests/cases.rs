//! The cases of the catalogue, on both kinds of server.

use serde_json::Value;

use super::{Change, Ground, SqlMode, judge, maria, mysql};
use crate::enforce::{Denial, Reason};

const CASES: &str = include_str!("../../../../../tests/data/mysql_cases.jsonl");

/// A session as its relay would keep it.
struct Session {
    ground: Ground,
    prepared: Vec<Box<str>>,
}

impl Session {
    fn run(&mut self, text: &str) -> Result<(), Denial> {
        let judgement = judge(text.as_bytes(), &self.ground)?;
        for step in judgement.steps {
            match step.change {
                Change::Nothing => {}
                Change::Database(name) => self.ground.database = Some(name),
                Change::Mode(mode) => self.ground.mode = mode,
                Change::Prepare(name, _) => self.prepared.push(name),
                Change::Execute(name) if self.prepared.contains(&name) => {}
                Change::Execute(name) => {
                    return Err(Denial::unclear(Reason::Name, &name, "no such statement"));
                }
                Change::Deallocate(name) => self.prepared.retain(|known| *known != name),
                Change::Kill(id, _) => {
                    return Err(Denial::unclear(Reason::Name, &id.to_string(), "no session of one's own"));
                }
            }
        }
        Ok(())
    }
}

/// What is wrong with the verdicts on a case.
fn verdict(case: &Value, ground: Ground) -> Option<String> {
    let mut session = Session { ground: Ground { mode: SqlMode::default(), ..ground }, prepared: Vec::new() };
    let statements: Vec<&str> = case["session"].as_array()?.iter().filter_map(Value::as_str).collect();
    let denied = statements.iter().enumerate().find_map(|(at, text)| Some((at, session.run(text).err()?)));
    let latest = case["deny_at"].as_u64().and_then(|at| usize::try_from(at).ok());
    let filtered = case["accept"].as_array().is_some_and(|list| list.iter().any(|one| one == "filtered"));
    match (case["expect"].as_str()?, denied) {
        ("allow", None) => None,
        ("allow", Some((at, denial))) => {
            Some(format!("{}: denied: {} ({})", statements[at], denial.message, denial.detail))
        }
        ("deny", Some((at, _))) if latest.is_none_or(|latest| at <= latest) => None,
        ("deny", None) if filtered => {
            let sent = judge(statements[0].as_bytes(), &session.ground).ok()?.instead;
            sent.is_none().then(|| format!("{}: sent as it is", statements[0]))
        }
        (_, denied) => Some(format!("{statements:?}: {denied:?}")),
    }
}

#[test]
fn the_cases_of_the_catalogue_get_their_verdicts() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        for (engine, ground) in [("mysql", mysql()), ("mariadb", maria())] {
            if case["engine"].as_array().unwrap().iter().any(|one| one == engine) {
                judged += 1;
                let id = case["id"].as_str().unwrap();
                wrong.extend(verdict(&case, ground).map(|what| format!("{id} on {engine}: {what}")));
            }
        }
    }
    assert!(judged > 700 && wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
}
