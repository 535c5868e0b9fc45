//! Temporary folders that go with the test, and the cache that outlives it.
//!
//! A test that is killed cannot tidy up, so each folder carries its process's number and the next test sweeps away
//! what the dead have left.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

const PREFIX: &str = "postern-test.";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A temporary folder, removed when dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('.').next()?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Folder {
    /// Makes one that every user may enter: database servers run as somebody else.
    pub fn new() -> Self {
        let parent = env::temp_dir();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        if count == 0 {
            sweep(&parent);
        }
        let path = parent.join(format!("{PREFIX}{}.{count}", process::id()));
        fs::create_dir(&path).expect("the temporary folder is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it and returns its path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("the folder is writable");
        path
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if env::var_os("POSTERN_TEST_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// The folder that `tests/deps.sh` fills.
pub fn cache() -> PathBuf {
    env::var_os("POSTERN_TEST_CACHE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache"), PathBuf::from)
}

/// A part of the cache, or `None`, said aloud, when `tests/deps.sh` could not fetch it.
pub fn fetched(part: &str) -> Option<PathBuf> {
    let path = cache().join(part);
    if path.join(".whole").exists() {
        return fs::canonicalize(path).ok();
    }
    assert!(
        env::var_os("POSTERN_TEST_REQUIRE").is_none(),
        "{part} was not fetched and POSTERN_TEST_REQUIRE is set: run tests/deps.sh {part}"
    );
    eprintln!("SKIPPED: {part} is not in {}: run tests/deps.sh {part}", cache().display());
    None
}
