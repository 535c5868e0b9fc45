//! The file that holds a login: of its user alone, in the user's configuration directory.
//!
//! Tokens go to the control plane that gave them and to no other. Whoever renews them holds a lock: a refresh token is
//! good once, and two commands that used the same one would end the login.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use postern_service::{random, secret::Secret};
use reqwest::Url;
use serde_json::{Value, json};

use crate::{
    error::{Error, Refusal},
    rest::{COMMAND_LINE, form},
};

const FILE: &str = "login.json";
const LOCK: &str = "login.lock";
/// A token that is good for less is renewed first.
const SPARE: i64 = 30;

/// What a sign-in gives.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    access: Secret,
    /// Seconds since the Unix epoch.
    access_until: i64,
    /// Good for the next pair, once.
    pub(super) refresh: Secret,
}

impl Tokens {
    /// From the token endpoint's answer.
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let lasts = i64::try_from(answer["expires_in"].as_u64()?).ok()?;
        Some(Self {
            access: answer["access_token"].as_str()?.into(),
            access_until: Timestamp::now().as_second().saturating_add(lasts),
            refresh: answer["refresh_token"].as_str()?.into(),
        })
    }

    fn left(&self) -> i64 {
        self.access_until.saturating_sub(Timestamp::now().as_second())
    }
}

/// A login that was kept.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    control: String,
}

impl Store {
    /// The user's login, if there is one.
    pub(crate) fn find() -> Result<Option<Self>, Error> {
        let Ok(folder) = folder() else { return Ok(None) };
        let Some(kept) = read(&folder)? else { return Ok(None) };
        Ok(Some(Self { folder, control: kept.control }))
    }

    /// The control plane that it is for.
    pub(crate) fn base(&self) -> Result<Url, Error> {
        crate::rest::base_url(&self.control)
    }

    /// The same, if that is the one that was asked for.
    pub(crate) fn at(&self, wanted: &Url) -> Result<Url, Error> {
        let base = self.base()?;
        if base == *wanted {
            return Ok(base);
        }
        let text = format!("signed in at {base}, not at {wanted}: run `postern login --control {wanted}`");
        Err(Error::Failed(text))
    }

    /// Keeps a new login in place of any other; gives the name of whoever signed in.
    pub(super) async fn keep(base: &Url, tokens: &Tokens, http: &reqwest::Client) -> Result<String, Error> {
        let folder = folder()?;
        make(&folder)?;
        {
            let _lock = lock(&folder)?;
            write(&folder, base.as_str(), tokens)?;
        }
        crate::rest::name_of(http, base, &tokens.access).await
    }

    /// A token for calls, renewed if need be, and how long it is good.
    pub(crate) async fn token(
        &self,
        http: &reqwest::Client,
        base: &Url,
    ) -> Result<(Secret, Duration), Error> {
        let _lock = lock(&self.folder)?;
        // Another command may have renewed it, or signed out.
        let kept =
            read(&self.folder)?.filter(|kept| kept.control == self.control).ok_or(Error::LoginEnded)?;
        let mut tokens = kept.tokens;
        if tokens.left() < SPARE {
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", COMMAND_LINE),
                ("refresh_token", tokens.refresh.reveal()),
            ];
            let answer = form(http, base, "token", &fields).await.map_err(ended)?;
            let no_tokens = || Error::Answer("no tokens in the answer".to_owned());
            tokens = Tokens::read(&answer).ok_or_else(no_tokens)?;
            write(&self.folder, &self.control, &tokens)?;
        }
        let left = Duration::from_secs(u64::try_from(tokens.left()).unwrap_or(0));
        Ok((tokens.access, left))
    }

    /// Removes the file; gives what was in it.
    pub(super) fn forget(&self) -> Result<Tokens, Error> {
        let _lock = lock(&self.folder)?;
        let kept = read(&self.folder)?.ok_or(Error::LoginEnded)?;
        let path = self.folder.join(FILE);
        fs::remove_file(&path).map_err(Error::io(format!("cannot remove {}", path.display())))?;
        Ok(kept.tokens)
    }
}

fn ended(error: Error) -> Error {
    let over = matches!(&error, Error::Refused(Refusal { word, .. }) if word == "invalid_grant");
    if over { Error::LoginEnded } else { error }
}

struct Kept {
    control: String,
    tokens: Tokens,
}

fn folder() -> Result<PathBuf, Error> {
    let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = named("XDG_CONFIG_HOME").or_else(|| named("HOME").map(|home| home.join(".config")));
    let config = config.ok_or_else(|| Error::Failed("no place for the login: HOME is not set".to_owned()))?;
    Ok(config.join("postern"))
}

fn make(folder: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
        .map_err(Error::io(format!("cannot make {}", folder.display())))
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let failed = || format!("cannot lock {}", path.display());
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(Error::io(failed()))?;
    file.lock().map_err(Error::io(failed()))?;
    Ok(file)
}

fn read(folder: &Path) -> Result<Option<Kept>, Error> {
    let path = folder.join(FILE);
    let shown = path.display();
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(format!("cannot read {shown}"))(error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::Failed(format!(
            "others may read {shown}: chmod 600 it, or remove it and run `postern login`"
        )));
    }
    let text = fs::read_to_string(&path).map_err(Error::io(format!("cannot read {shown}")))?;
    let kept: Value = serde_json::from_str(&text).unwrap_or_default();
    let field = |name: &str| kept[name].as_str();
    let tokens = || {
        Some(Tokens {
            access: field("access_token")?.into(),
            access_until: kept["access_until"].as_i64()?,
            refresh: field("refresh_token")?.into(),
        })
    };
    match (field("control"), tokens()) {
        (Some(control), Some(tokens)) => Ok(Some(Kept { control: control.to_owned(), tokens })),
        (Some(_) | None, _) => {
            Err(Error::Failed(format!("{shown} cannot be read: remove it, and run `postern login`")))
        }
    }
}

/// All of it or nothing: a reader never sees half a file.
fn write(folder: &Path, control: &str, tokens: &Tokens) -> Result<(), Error> {
    let body = json!({
        "control": control,
        "access_token": tokens.access.reveal(),
        "access_until": tokens.access_until,
        "refresh_token": tokens.refresh.reveal(),
    });
    let id = random::id("login").map_err(|error| Error::Failed(error.to_string()))?;
    let (part, path) = (folder.join(id), folder.join(FILE));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .and_then(|mut file| file.write_all(body.to_string().as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, &path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written.map_err(Error::io(format!("cannot write {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(lasts: i64) -> Tokens {
        let access_until = Timestamp::now().as_second() + lasts;
        Tokens { access: "at".into(), access_until, refresh: "rt".into() }
    }

    #[test]
    fn what_is_written_reads_back_and_is_its_users_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/postern");
        make(&folder).unwrap();
        write(&folder, "https://c.example/", &tokens(300)).unwrap();
        let kept = read(&folder).unwrap().unwrap();
        assert_eq!((kept.control.as_str(), kept.tokens.refresh.reveal()), ("https://c.example/", "rt"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        write(home.path(), "https://c.example/", &tokens(300)).unwrap();
        let path = home.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read(home.path()), Err(Error::Failed(text)) if text.contains("chmod 600")));
    }

    #[test]
    fn a_login_is_for_the_control_plane_that_gave_it() {
        let store = Store { folder: PathBuf::new(), control: "https://c.example/".to_owned() };
        assert!(store.at(&Url::parse("https://c.example").unwrap()).is_ok());
        assert!(store.at(&Url::parse("https://evil.example").unwrap()).is_err());
    }
}
