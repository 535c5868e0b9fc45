//! One issuer's keys: fetched in the background, kept while it is down, fetched sooner when a token names a new one.
//!
//! In: the issuer's URL. Out: the key that a token names. Whoever asks waits only when there is no such key yet, and
//! never longer than a login may take; how often strangers can have the issuer asked is bounded, and one question serves
//! all who wait.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use serde_json::{Map, Value};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};

use super::{
    key::{Algorithm, Key},
    metadata::{InvalidMetadata, Metadata},
    web::{self, UnusableUrl, permitted},
};

/// How long keys are used before they are fetched again: within these bounds what the issuer's `max-age` says.
const SHORTEST_LIFE: Duration = Duration::from_mins(1);
const LONGEST_LIFE: Duration = Duration::from_hours(1);
const USUAL_LIFE: Duration = Duration::from_mins(10);
/// How long keys are used while the issuer does not answer. One that it has withdrawn meanwhile would go on so long.
const STALE: Duration = Duration::from_hours(24);
/// Between two tries while it does not answer.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long somebody waits for a key that is not there yet.
const WAIT: Duration = Duration::from_secs(8);
/// So many fetches at once can tokens with unknown keys cause, and one more each so many seconds.
const BURST: u32 = 4;
const REFILL: Duration = Duration::from_secs(15);
/// The most keys of one issuer that are looked at.
const MOST_KEYS: usize = 64;

/// Why an issuer's keys could not be fetched. The old ones stay.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It does not answer, or not in time.
    #[error("it cannot be reached: {0}")]
    Unreachable(#[source] reqwest::Error),
    /// It answers with something else than success; a redirection is not followed.
    #[error("{0} answers with {1}")]
    Status(String, reqwest::StatusCode),
    /// It answers with more than anybody reads.
    #[error("{0} answers with too much")]
    TooLong(String),
    /// Its metadata are not to be believed.
    #[error(transparent)]
    Metadata(#[from] InvalidMetadata),
    /// Its keys are no JWKS.
    #[error("its keys cannot be read")]
    Keys,
    /// None of its keys is of a kind that is accepted.
    #[error("it has no key that is accepted")]
    NoKeys,
    /// Its address is in clear.
    #[error(transparent)]
    Url(#[from] UnusableUrl),
}

/// Why there is no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has been asked and has none like that.
    Unknown,
    /// The issuer has not answered so far, or not for too long.
    Unreachable,
}

/// An issuer, from the side of its web server.
#[derive(Debug)]
pub struct Provider {
    url: String,
    http: reqwest::Client,
    known: ArcSwapOption<Known>,
    rounds: watch::Sender<Rounds>,
    wake: Arc<Notify>,
    fetches: Mutex<Bucket>,
}

/// How many fetches there were. Not more than one is under way at a time.
#[derive(Debug, Clone, Copy, Default)]
struct Rounds {
    begun: u64,
    /// However they went.
    over: u64,
}

#[derive(Debug)]
struct Known {
    metadata: Metadata,
    keys: Vec<Key>,
    at: Instant,
}

/// How often strangers can have the issuer asked.
#[derive(Debug)]
struct Bucket {
    left: u32,
    since: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        while self.left < BURST && now.saturating_duration_since(self.since) >= REFILL {
            self.left += 1;
            self.since += REFILL;
        }
        if self.left == BURST {
            self.since = now;
        }
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        taken
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // Its task looks whether it is still there.
        self.wake.notify_one();
    }
}

impl Provider {
    /// Begins to fetch the keys of `issuer`, from a server with a certificate of `ca` (PEM) or else of an authority that
    /// the machine trusts. Ends when the returned value goes. To be called on a runtime.
    pub fn start(issuer: &str, ca: Option<&str>) -> Result<Arc<Self>, io::Error> {
        permitted(issuer).map_err(io::Error::other)?;
        let provider = Arc::new(Self {
            url: issuer.to_owned(),
            http: web::client(ca)?,
            known: ArcSwapOption::empty(),
            rounds: watch::Sender::default(),
            wake: Arc::default(),
            fetches: Mutex::new(Bucket { left: BURST, since: Instant::now() }),
        });
        tokio::spawn(keep(Arc::downgrade(&provider), Arc::clone(&provider.wake)));
        Ok(provider)
    }

    /// The way to the issuer's endpoints.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// What the issuer says of itself; waits a moment for the first answer.
    pub async fn metadata(&self) -> Option<Metadata> {
        if self.known.load().is_none() {
            self.this_round().await;
        }
        self.known.load().as_ref().map(|known| known.metadata.clone())
    }

    /// Waits until a fetch is over that began from now on, or for as long as anybody waits.
    async fn next_round(&self) {
        let mut rounds = self.rounds.subscribe();
        let due = rounds.borrow().begun + 1;
        // The sender lives in `self`, so the channel cannot close before the wait is over.
        let _ = timeout(WAIT, rounds.wait_for(|rounds| rounds.over >= due)).await;
    }

    /// Waits until the fetch that is under way is over, or else the next one.
    async fn this_round(&self) {
        let mut rounds = self.rounds.subscribe();
        let due = rounds.borrow().over + 1;
        // As above.
        let _ = timeout(WAIT, rounds.wait_for(|rounds| rounds.over >= due)).await;
    }

    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Key, NoKey> {
        let known = self.known.load();
        let known = known.as_ref().filter(|known| known.at.elapsed() < STALE).ok_or(NoKey::Unreachable)?;
        let mut fitting =
            known.keys.iter().filter(|key| key.fits(algorithm) && kid.is_none_or(|kid| key.is_named(kid)));
        // A token that does not say which of several keys is meant is not tried out on all of them.
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key.clone()),
            (None, _) | (Some(_), Some(_)) => Err(NoKey::Unknown),
        }
    }

    /// The key with this id for this algorithm.
    pub(super) async fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Key, NoKey> {
        let found = self.find(kid, algorithm);
        match found {
            Ok(_) => return found,
            Err(NoKey::Unreachable) => self.this_round().await,
            Err(NoKey::Unknown) => {
                if !self.fetches.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()) {
                    return found;
                }
                self.wake.notify_one();
                self.next_round().await;
            }
        }
        self.find(kid, algorithm)
    }

    async fn fetch(&self) -> Result<Duration, FetchError> {
        let (body, _) = self.get(&Metadata::address(&self.url)).await?;
        let metadata = Metadata::read(&self.url, &body)?;
        let (body, max_age) = self.get(&metadata.jwks_uri).await?;
        let keys = keys(&body)?;
        self.known.store(Some(Arc::new(Known { metadata, keys, at: Instant::now() })));
        Ok(max_age.unwrap_or(USUAL_LIFE).clamp(SHORTEST_LIFE, LONGEST_LIFE))
    }

    async fn get(&self, url: &str) -> Result<(Vec<u8>, Option<Duration>), FetchError> {
        let mut response = self.http.get(permitted(url)?).send().await.map_err(FetchError::Unreachable)?;
        if !response.status().is_success() {
            return Err(FetchError::Status(url.to_owned(), response.status()));
        }
        let max_age = response.headers().get("cache-control").and_then(|value| max_age(value.to_str().ok()?));
        let body = web::body(&mut response).await.map_err(FetchError::Unreachable)?;
        Ok((body.ok_or_else(|| FetchError::TooLong(url.to_owned()))?, max_age))
    }
}

/// Fetches for as long as there is somebody to fetch for.
async fn keep(provider: Weak<Provider>, wake: Arc<Notify>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(provider) = provider.upgrade() else { return };
        provider.rounds.send_modify(|rounds| rounds.begun += 1);
        let fetched = provider.fetch().await;
        provider.rounds.send_modify(|rounds| rounds.over = rounds.begun);
        let next = match fetched {
            Ok(life) => {
                pause = FIRST_PAUSE;
                life
            }
            Err(error) => {
                tracing::warn!(issuer = provider.url, %error, "the keys of an SSO provider could not be fetched");
                let next = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                next
            }
        };
        drop(provider);
        // Woken or not, it is fetched again.
        let _ = timeout(next, wake.notified()).await;
    }
}

fn keys(body: &[u8]) -> Result<Vec<Key>, FetchError> {
    let set: Map<String, Value> = serde_json::from_slice(body).map_err(|_| FetchError::Keys)?;
    let list = set.get("keys").and_then(Value::as_array).ok_or(FetchError::Keys)?;
    let keys: Vec<Key> =
        list.iter().take(MOST_KEYS).filter_map(|key| Key::from_jwk(key.as_object()?)).collect();
    if keys.is_empty() { Err(FetchError::NoKeys) } else { Ok(keys) }
}

fn max_age(cache_control: &str) -> Option<Duration> {
    let mut directives = cache_control.split(',').map(str::trim);
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    seconds.trim_matches('"').parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_asked_for_unknown_keys_only_so_often() {
        let start = Instant::now();
        let mut bucket = Bucket { left: BURST, since: start };
        let taken = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(&mut bucket, start), 4);
        assert_eq!(taken(&mut bucket, start + REFILL), 1);
        assert_eq!(taken(&mut bucket, start + REFILL * 100), 4);
    }

    #[test]
    fn the_issuer_says_how_long_its_keys_are_kept() {
        assert_eq!(max_age("public, max-age=300, must-revalidate"), Some(Duration::from_mins(5)));
        assert_eq!(max_age("no-store"), None);
    }
}
