//! Plays cases and says what came otherwise than it must.

use std::{collections::HashMap, fmt::Write};

use tokio_postgres::Client;

use super::{
    ACCOUNT,
    case::{Case, Expected},
    ground::Ground,
    markers::{hidden_names, leaks},
    state::{State, restore},
    talk::{Answer, Door, Talk},
};
use crate::postgres::Postgres;

/// Refusals that say no: not allowed, not understood, not known.
const REFUSALS: [&str; 4] = ["42", "0A000", "34000", "26000"];

/// What was wrong with one session.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The case.
    pub id: String,
    /// What was said, what was answered, and what of it was wrong.
    pub text: String,
}

struct Room {
    admin: Client,
    state: State,
}

/// Cases on one server, through one door.
pub struct Trial<'a> {
    postgres: &'a Postgres,
    ground: &'a Ground,
    door: Door,
    rooms: HashMap<String, Room>,
}

impl<'a> Trial<'a> {
    /// Sessions are opened at `door`, whose databases have the names that they have at the server.
    pub fn new(postgres: &'a Postgres, ground: &'a Ground, door: Door) -> Self {
        Self { postgres, ground, door, rooms: HashMap::new() }
    }

    /// Plays those that are about this version, one after the other.
    pub async fn play(&mut self, cases: &[Case]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let major = self.postgres.version().major();
        for case in cases.iter().filter(|case| case.is_about(major) && self.ground.has(case)) {
            findings.extend(self.play_one(case).await);
        }
        findings
    }

    async fn play_one(&mut self, case: &Case) -> Option<Finding> {
        let home = self.ground.home(case).to_owned();
        if !self.rooms.contains_key(&home) {
            let admin = self.postgres.admin_of(&home).await;
            let state = State::of(&admin).await;
            self.rooms.insert(home.clone(), Room { admin, state });
        }
        let statements = case.statements(&home, self.postgres.port());
        let mut wrong = Vec::new();
        let answers = converse(&self.door, &home, &statements, case.copy_in.as_deref(), &mut wrong).await;
        match case.expect {
            Expected::Allow => allowed(case, &answers, &mut wrong),
            Expected::Deny if !refused(case, &answers, &mut wrong) => {
                self.look_at_what_was_told(case, &home, &statements, &answers, &mut wrong).await;
            }
            Expected::Deny => {}
        }
        disclosed(&statements, &answers, &mut wrong);
        self.tidy_up(case, &home, &mut wrong).await;
        let report = |wrong: &[String]| Finding {
            id: case.id.clone(),
            text: report(case, &statements, &answers, wrong),
        };
        (!wrong.is_empty()).then(|| report(&wrong))
    }

    /// Nothing was refused, which may be right if something was left out.
    async fn look_at_what_was_told(
        &self,
        case: &Case,
        home: &str,
        statements: &[String],
        answers: &[Answer],
        wrong: &mut Vec<String>,
    ) {
        let owner = Door { port: self.postgres.port(), user: ACCOUNT.to_owned(), password: String::new() };
        let whole = converse(&owner, home, statements, None, wrong).await;
        let rows = |answers: &[Answer]| -> Vec<Vec<u8>> {
            answers.iter().flat_map(|answer| answer.rows().into_iter().map(<[u8]>::to_vec)).collect()
        };
        if !case.may_be_filtered() {
            wrong.push("nothing was refused".to_owned());
        } else if !rows(answers).is_empty() && rows(&whole) == rows(answers) {
            wrong.push("neither refused nor filtered: the owner is told the same".to_owned());
        }
    }

    async fn tidy_up(&mut self, case: &Case, home: &str, wrong: &mut Vec<String>) {
        let Some(room) = self.rooms.get_mut(home) else { return };
        let now = room.state.again(&room.admin).await;
        if now.differs_outside(&room.state, case.expect == Expected::Allow) {
            wrong.push(format!(
                "something changed that the grant does not cover: {}",
                now.difference(&room.state)
            ));
            self.rooms.remove(home);
            self.ground.renew(self.postgres, case).await;
        } else if now.differs_inside(&room.state) {
            restore(&room.admin).await;
            room.state = State::of(&room.admin).await;
        } else {
            room.state = now;
        }
    }
}

async fn converse(
    door: &Door,
    database: &str,
    statements: &[String],
    data: Option<&str>,
    wrong: &mut Vec<String>,
) -> Vec<Answer> {
    let mut talk = match Talk::open(door, database).await {
        Ok(talk) => talk,
        Err(refusal) => {
            wrong.push(format!("not let in: {} {}", refusal.code(), refusal.message()));
            return Vec::new();
        }
    };
    let mut answers = Vec::new();
    for sql in statements {
        let answer = talk.say(sql, data).await;
        let broken = answer.broken;
        answers.push(answer);
        if broken {
            wrong.push("the session ended, or was never answered".to_owned());
            break;
        }
    }
    talk.close().await;
    answers
}

fn allowed(case: &Case, answers: &[Answer], wrong: &mut Vec<String>) {
    for (at, answer) in answers.iter().enumerate() {
        if answer.error().is_some() && !case.server_error_ok_at.contains(&at) {
            wrong.push(format!("statement {at} was refused"));
        }
    }
}

/// Whether anything was refused. That it was the right thing is looked at here as well.
fn refused(case: &Case, answers: &[Answer], wrong: &mut Vec<String>) -> bool {
    let first = answers.iter().enumerate().find_map(|(at, answer)| Some((at, answer.error()?)));
    let Some((at, error)) = first else { return answers.is_empty() };
    if at > case.deny_at {
        wrong.push(format!("only statement {at} was refused, not {}", case.deny_at));
    }
    if !case.server_rejects && !REFUSALS.iter().any(|code| error.code().starts_with(code)) {
        wrong.push(format!("{} is no refusal", error.code()));
    }
    true
}

fn disclosed(statements: &[String], answers: &[Answer], wrong: &mut Vec<String>) {
    let said = statements.join("\n");
    for answer in answers {
        let leaked = leaks(&said, &answer.text());
        if !leaked.is_empty() {
            wrong.push(format!("LEAK {leaked:?}"));
        }
        let refusal = answer.messages.iter().filter(|message| message.kind == b'E');
        let text: String =
            refusal.map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect();
        let named = hidden_names(&said, &text);
        if !named.is_empty() {
            wrong.push(format!("the refusal names {named:?}"));
        }
    }
}

fn report(case: &Case, statements: &[String], answers: &[Answer], wrong: &[String]) -> String {
    let mut text = format!("{} ({:?}: {})\n", case.id, case.expect, case.why);
    for what in wrong {
        let _ = writeln!(text, "    {what}");
    }
    for (at, sql) in statements.iter().enumerate() {
        let answer = answers.get(at).map_or_else(|| "not said".to_owned(), Answer::brief);
        let _ = writeln!(text, "    {at}: {}\n       → {answer}", shortened(sql));
    }
    text
}

fn shortened(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(600) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
