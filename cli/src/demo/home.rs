//! The folder of a demo: whose it is, that nobody else uses it, and what is left of it.
//!
//! A given folder is kept, and a demo that was there before makes way. A folder with anything else in it is refused.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use postern_service::random;

use crate::error::Error;

/// Marks a folder as a demo's, and is locked while the demo runs.
const LOCK: &str = "demo.lock";

/// The folder.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    temporary: bool,
    _lock: File,
}

impl Home {
    /// Makes or clears the folder.
    pub(super) fn open(wanted: Option<&Path>) -> Result<Self, Error> {
        let path = wanted.map_or_else(|| fresh("postern-demo"), |path| Ok(path.to_owned()))?;
        let failed = |error| Error::io(format!("cannot use {}", path.display()))(error);
        fs::create_dir_all(&path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let foreign = path.read_dir().map_err(failed)?.next().is_some() && !path.join(LOCK).exists();
        if foreign {
            return Err(Error::Failed(format!("{} is not empty and holds no earlier demo", path.display())));
        }
        let lock = lock(&path)?;
        clear(&path).map_err(failed)?;
        // The database server runs as somebody else and has to find its own folder in here.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).map_err(failed)?;
        Ok(Self { path, temporary: wanted.is_none(), _lock: lock })
    }

    /// A file or folder in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that only its owner may read.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.join(name);
        let written = private().open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(Error::io(format!("cannot write {}", path.display())))?;
        Ok(path)
    }

    /// Opens a file for the output of a child.
    pub(super) fn log(&self, name: &str) -> Result<File, Error> {
        let path = self.join(name);
        private().open(&path).map_err(Error::io(format!("cannot write {}", path.display())))
    }

    /// Removes the folder if nobody asked for it.
    pub(super) fn close(self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Makes a folder that did not exist, among the temporary files.
pub(super) fn fresh(name: &str) -> Result<PathBuf, Error> {
    let id = random::id(name).map_err(|error| Error::Failed(error.to_string()))?;
    let path = env::temp_dir().join(id);
    fs::create_dir(&path).map_err(Error::io(format!("cannot create {}", path.display())))?;
    Ok(path)
}

fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
}

fn lock(path: &Path) -> Result<File, Error> {
    let name = path.join(LOCK);
    let file = private().open(&name).map_err(Error::io(format!("cannot write {}", name.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Failed(format!("a demo is running in {}", path.display())))
        }
        Err(TryLockError::Error(source)) => Err(Error::io(format!("cannot lock {}", name.display()))(source)),
    }
}

fn clear(path: &Path) -> std::io::Result<()> {
    for entry in path.read_dir()? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        let removed = if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        };
        removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let path = fresh("postern-test").unwrap();
        fs::write(path.join("precious"), "x").unwrap();
        assert!(Home::open(Some(&path)).is_err());
        assert!(path.join("precious").exists());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_demo_makes_way_for_the_next_but_not_while_it_runs() {
        let path = fresh("postern-test").unwrap();
        let first = Home::open(Some(&path)).unwrap();
        first.write("control.toml", "x").unwrap();
        assert!(Home::open(Some(&path)).is_err());
        first.close();
        let second = Home::open(Some(&path)).unwrap();
        assert!(!second.join("control.toml").exists());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_folder_that_nobody_asked_for_is_removed() {
        let home = Home::open(None).unwrap();
        let path = home.join("");
        home.close();
        assert!(!path.exists());
    }
}
