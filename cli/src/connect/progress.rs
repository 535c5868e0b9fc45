//! The line that says what is being waited for. On a terminal it counts the time; elsewhere it is written once.

use std::{
    convert::Infallible,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};

use crate::print::note;

const TICK: Duration = Duration::from_secs(1);
/// Back to the line's begin, and clear it.
const CLEAR: &str = "\r\u{1b}[K";

/// Shows it until it is dropped.
pub(super) async fn show<T>(line: &str) -> T {
    let began = Instant::now();
    if !io::stderr().is_terminal() {
        note(&format!("{line} (Ctrl-C stops waiting, the request stays)"));
        return never().await;
    }
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let seconds = began.elapsed().as_secs();
        let text = format!("{CLEAR}{line} · {}:{:02}", seconds / 60, seconds % 60);
        let mut err = io::stderr().lock();
        // Nobody looking is no reason to stop.
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

/// Takes it away.
pub(super) fn end() {
    if io::stderr().is_terminal() {
        let _ = io::stderr().lock().write_all(CLEAR.as_bytes());
    }
}

async fn never<T>() -> T {
    match std::future::pending::<Infallible>().await {}
}
