//! A relay that does nothing but pass bytes on, in a process of its own: what a relay between the two can reach at all.
//!
//! One thread, one `epoll`, no TLS of its own, no look at what passes. It is the yardstick for the proxies, which do the
//! same and more.

use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
};

use postern_tests::{
    folder::Folder,
    process::{Process, bound},
};
use rustix::{
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    fd::{AsFd, OwnedFd},
    process::Signal,
};

/// The word that makes this program such a relay.
pub(crate) const WORD: &str = "bare";

/// The listener's number; sides have even and odd ones.
const LISTENER: u64 = u64::MAX;

/// Starts one between two ports.
pub(crate) fn start(folder: &Folder, listen: u16, database: u16) -> Process {
    let mut command = bound(std::env::current_exe().expect("a process knows its own file"), "KILL");
    command.args([WORD, &listen.to_string(), &database.to_string()]);
    Process::start(command, &folder.path().join("bare.log"), Signal::KILL)
}

/// One end of a pair.
struct Side {
    stream: TcpStream,
    /// What it has not taken yet.
    backlog: Vec<u8>,
}

struct Relay {
    poll: OwnedFd,
    listener: TcpListener,
    database: u16,
    /// The other side of one has the number that differs in the last bit.
    sides: HashMap<u64, Side>,
    next: u64,
    buffer: Vec<u8>,
}

/// Relays until it is ended.
pub(crate) fn run(listen: u16, database: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", listen))?;
    listener.set_nonblocking(true)?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let buffer = vec![0; 64 * 1024];
    let mut relay = Relay { poll, listener, database, sides: HashMap::new(), next: 0, buffer };
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        epoll::wait(&relay.poll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let (number, flags) = (event.data.u64(), event.flags);
            if number == LISTENER {
                relay.accept();
                continue;
            }
            let mut open = true;
            if flags.contains(EventFlags::OUT) && relay.lies_for(number) {
                open = relay.drain(number) && relay.pass(number ^ 1);
            }
            if open && flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                open = relay.pass(number);
            }
            if !open {
                relay.sides.remove(&number);
                relay.sides.remove(&(number ^ 1));
            }
        }
    }
}

impl Relay {
    fn accept(&mut self) {
        while let Ok((client, _)) = self.listener.accept() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", self.database)) else { continue };
            for stream in [client, server] {
                let ready = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
                let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
                let added = epoll::add(&self.poll, stream.as_fd(), EventData::new_u64(self.next), flags);
                if ready.is_ok() && added.is_ok() {
                    self.sides.insert(self.next, Side { stream, backlog: Vec::new() });
                }
                self.next += 1;
            }
        }
    }

    /// Whether something waits for this side to take it.
    fn lies_for(&self, number: u64) -> bool {
        self.sides.get(&number).is_some_and(|side| !side.backlog.is_empty())
    }

    /// Writes what lies for this side; false when it is gone.
    fn drain(&mut self, number: u64) -> bool {
        let Some(side) = self.sides.get_mut(&number) else { return false };
        while !side.backlog.is_empty() {
            match side.stream.write(&side.backlog) {
                Ok(count) => drop(side.backlog.drain(..count)),
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// Reads from this side and writes to the other one, as long as that takes everything; false when one is gone.
    fn pass(&mut self, number: u64) -> bool {
        while !self.lies_for(number ^ 1) {
            let [from, to] = self.sides.get_disjoint_mut([&number, &(number ^ 1)]);
            let (Some(from), Some(to)) = (from, to) else { return false };
            let count = match from.stream.read(&mut self.buffer) {
                Ok(0) => {
                    let _ = to.stream.shutdown(Shutdown::Write);
                    return false;
                }
                Ok(count) => count,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            };
            let fresh = self.buffer.get(..count).unwrap_or_default();
            match to.stream.write(fresh) {
                Ok(sent) if sent == count => {}
                Ok(sent) => to.backlog.extend_from_slice(fresh.get(sent..).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => to.backlog.extend_from_slice(fresh),
                Err(_) => return false,
            }
            if count < self.buffer.len() {
                break;
            }
        }
        true
    }
}
