//! Free loopback ports that no other test of this machine takes at the same time.
//!
//! Binding port 0 and letting go again hands the same port to two tests now and then, so each port is held by a lock
//! on a file of its number, which ends with the process. The range lies below the one that outgoing connections use.

use std::{
    env,
    fs::{self, File, OpenOptions},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    process,
    sync::{
        Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

const FIRST: u16 = 18_000;
const COUNT: u16 = 12_000;

static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());
static NEXT: AtomicU16 = AtomicU16::new(0);

fn lock(port: u16) -> Option<File> {
    let folder = env::temp_dir().join("postern-test-ports");
    fs::create_dir_all(&folder).expect("the temporary folder is writable");
    let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777));
    let file = OpenOptions::new().create(true).append(true).open(folder.join(port.to_string())).ok()?;
    file.try_lock().ok()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
    Some(file)
}

/// A port of 127.0.0.1 that is this process's own until it ends.
pub fn free() -> u16 {
    let start = u16::try_from(process::id().wrapping_mul(37) % u32::from(COUNT)).unwrap_or(0);
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if let Some(file) = lock(port) {
            HELD.lock().expect("nobody panics with the lock").push(file);
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}
