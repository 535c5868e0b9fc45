//! The processes of a demo: started with their logs in files, watched, ended in the reverse order.
//!
//! Each is in a process group of its own, so that Ctrl-C reaches the demo alone; and each dies with the demo, however
//! that dies.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::home::Home;
use crate::{error::Error, services::PARENT};

/// How long a child may take over its end.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much of a dead child's log is shown.
const TAIL: usize = 6;

/// Children in the order in which they were started.
#[derive(Default)]
pub(super) struct Children(Vec<Running>);

struct Running {
    name: &'static str,
    child: Child,
    log: PathBuf,
    ending: Ending,
}

/// The signals that a child understands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// Finish in order.
    pub(super) stop: Signal,
    /// Finish at once, and leave nothing behind.
    pub(super) hurry: Signal,
}

impl Children {
    /// Starts a service of this same program.
    pub(super) fn start_service(
        &mut self,
        home: &Home,
        name: &'static str,
        config: &Path,
    ) -> Result<(), Error> {
        let program = std::env::current_exe().map_err(Error::io("cannot find this program"))?;
        let mut command = Command::new(program);
        command.arg(name).arg("--config").arg(config).env(PARENT, std::process::id().to_string());
        self.start(home, name, Ending { stop: Signal::TERM, hurry: Signal::KILL }, command)
    }

    /// Starts a child.
    pub(super) fn start(
        &mut self,
        home: &Home,
        name: &'static str,
        ending: Ending,
        mut command: Command,
    ) -> Result<(), Error> {
        let file = format!("{name}.log");
        let out = home.log(&file)?;
        let err = out.try_clone().map_err(Error::io(format!("cannot write {file}")))?;
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0).kill_on_drop(true);
        let child = command.spawn().map_err(Error::io(format!("cannot start {name}")))?;
        self.0.push(Running { name, child, log: home.join(&file), ending });
        Ok(())
    }

    /// Waits until `ready` says so, or a child dies, or it takes too long.
    pub(super) async fn until(
        &mut self,
        what: &str,
        limit: Duration,
        mut ready: impl AsyncFnMut() -> bool,
    ) -> Result<(), Error> {
        let poll = async {
            while !ready().await {
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            done = timeout(limit, poll) => match done {
                Ok(()) => Ok(()),
                Err(_) => Err(self.too_slow(what)),
            },
            error = self.first_death() => Err(error),
        }
    }

    /// Waits for the first child that ends although nobody asked it to.
    pub(super) async fn first_death(&mut self) -> Error {
        loop {
            for running in &mut self.0 {
                match running.child.try_wait() {
                    Ok(None) => {}
                    Ok(Some(status)) => return running.obituary(status),
                    Err(error) => return Error::io(format!("cannot watch {}", running.name))(error),
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn too_slow(&self, what: &str) -> Error {
        let log =
            self.0.last().map(|running| format!("; its log ends: {}", running.tail())).unwrap_or_default();
        Error::Failed(format!("{what} took too long{log}"))
    }

    /// Asks each to end, the youngest first, and waits for it. May be dropped half-way, for [`Self::hurry`].
    pub(super) async fn end(&mut self) {
        while let Some(running) = self.0.last_mut() {
            running.end(running.ending.stop).await;
            self.0.pop();
        }
    }

    /// Ends all without waiting for what they have to finish.
    pub(super) async fn hurry(&mut self) {
        while let Some(running) = self.0.last_mut() {
            running.end(running.ending.hurry).await;
            self.0.pop();
        }
    }
}

impl Running {
    async fn end(&mut self, signal: Signal) {
        if self.send(signal).is_err() || timeout(PATIENCE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        pid.map_or(Ok(()), |pid| Ok(kill_process(pid, signal)?))
    }

    fn obituary(&self, status: ExitStatus) -> Error {
        Error::Failed(format!("{} ended ({status}); its log ends: {}", self.name, self.tail()))
    }

    fn tail(&self) -> String {
        let text =
            fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let skipped = lines.len().saturating_sub(TAIL);
        if lines.is_empty() {
            "(nothing)".to_owned()
        } else {
            lines.into_iter().skip(skipped).collect::<Vec<_>>().join(" | ")
        }
    }
}
