//! Whether the time that a refused login takes says which part of it was wrong.

use std::{cmp::Ordering, fmt::Write as _, io, net::Ipv4Addr};

use postern_tests::stage::{ALICE, BOB, REPO, Stage, Wish};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::Instant,
};

use crate::{
    client::message,
    table::{median, percentile},
};

/// So many guesses of each kind. Each has an account's name and an address of its own: the fourth failure in a row of
/// either would be answered later. The sidecar remembers them in few places: more guesses would meet in one by chance.
const GUESSES: u32 = 250;

/// What is wrong with a login: its name, the user and the credential of guess number so-and-so.
struct Kind<'a> {
    name: &'static str,
    login: &'a dyn Fn(u32) -> (String, String),
}

/// A credential of the right form that nobody has.
fn nobodys(number: u32) -> String {
    format!("pst_{number:0>43}")
}

/// How long the refusal takes, in microseconds, from the last byte that the client says.
async fn refused(port: u16, from: Ipv4Addr, user: &str, password: &str) -> io::Result<f64> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?;
    stream.set_nodelay(true)?;
    let startup = format!("\0\x03\0\0user\0{user}\0database\0{REPO}\0\0");
    stream.write_all(&message(b"", startup.as_bytes())).await?;
    let mut question = [0; 9];
    stream.read_exact(&mut question).await?;
    let begin = Instant::now();
    stream.write_all(&message(b"p", format!("{password}\0").as_bytes())).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let took = begin.elapsed().as_secs_f64() * 1e6;
    assert!(answer.starts_with(b"E"), "a refusal: {}", String::from_utf8_lossy(&answer));
    Ok(took)
}

/// How often one of these takes longer than one of those, of all pairs: a half, if nothing can be told.
#[allow(clippy::cast_precision_loss)]
fn longer(these: &[f64], those: &[f64]) -> f64 {
    let mut wins = 0.0;
    for this in these {
        for that in those {
            wins += match this.total_cmp(that) {
                Ordering::Greater => 1.0,
                Ordering::Equal => 0.5,
                Ordering::Less => 0.0,
            };
        }
    }
    wins / (these.len() as f64 * those.len() as f64)
}

/// Runs the section.
pub(crate) async fn run() {
    let mut accounts = String::new();
    for number in 0..2 * GUESSES {
        let _ = writeln!(accounts, "[repo.accounts.k{number}]");
    }
    let stage = Stage::with(Wish { repo: format!("tls = \"disable\"\n{accounts}"), ..Wish::default() }).await;
    let token = stage.token(ALICE).await;
    let theirs = |number| (format!("{BOB}:k{}", GUESSES + number), token.clone());
    let kinds = [
        Kind { name: "a token that nobody has", login: &|number| (format!("k{number}"), nobodys(number)) },
        Kind {
            name: "an account that is not there",
            login: &|number| (format!("u{number}"), nobodys(number)),
        },
        Kind {
            name: "an identity that is not there",
            login: &|number| (format!("nobody{number}@example.com:k{number}"), nobodys(number)),
        },
        Kind { name: "somebody else's token", login: &theirs },
    ];
    let mut times = vec![Vec::new(); kinds.len()];
    for number in 0..GUESSES {
        for (place, (kind, times)) in (0_u8..).zip(kinds.iter().zip(&mut times)) {
            let [_, _, high, low] = number.to_be_bytes();
            let (user, password) = (kind.login)(number);
            let from = Ipv4Addr::new(127, 1 + place, high, low.max(1));
            times.push(refused(stage.sidecar.port(), from, &user, &password).await.expect("a refusal"));
        }
    }
    println!("\n### Refused logins, by what is wrong (microseconds; {GUESSES} of each, by turns)\n");
    println!(
        "| | half of them | 90 of 100 | longer than one with a token that nobody has |\n|---|--:|--:|--:|"
    );
    let first = times.first().cloned().unwrap_or_default();
    for (kind, times) in kinds.iter().zip(times) {
        let share = longer(&times, &first);
        let (half, most) = (median(times.clone()), percentile(times, 0.9));
        println!("| {} | {half:.0} | {most:.0} | {share:.2} |", kind.name);
    }
}
