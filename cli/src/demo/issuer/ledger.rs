//! What the provider has given out and not got back: codes, refresh tokens, device codes. Each is good once.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::people::Person;

const CODE: Duration = Duration::from_mins(1);
/// How long a device code waits.
pub(super) const DEVICE: Duration = Duration::from_mins(10);
/// A demo is not for so many.
const MOST: usize = 1_000;

/// Somebody who has signed in for a client.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    pub(super) person: &'static Person,
    pub(super) client: String,
    pub(super) sid: String,
    pub(super) nonce: Option<String>,
}

/// A code that a browser carries.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) sign: Sign,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) until: Instant,
}

/// A device that waits.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) user_code: String,
    pub(super) client: String,
    pub(super) person: Option<&'static Person>,
    pub(super) until: Instant,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    codes: HashMap<String, Code>,
    refresh: HashMap<String, Sign>,
    devices: HashMap<String, Device>,
}

impl Ledger {
    /// Keeps a code.
    pub(super) fn give_code(&mut self, code: String, sign: Sign, redirect_uri: String, challenge: String) {
        let now = Instant::now();
        self.codes.retain(|_, code| now < code.until);
        if self.codes.len() < MOST {
            self.codes.insert(code, Code { sign, redirect_uri, challenge, until: now + CODE });
        }
    }

    /// Takes a code back.
    pub(super) fn take_code(&mut self, code: &str) -> Option<Code> {
        self.codes.remove(code).filter(|code| Instant::now() < code.until)
    }

    /// Keeps a refresh token.
    pub(super) fn give_refresh(&mut self, token: String, sign: Sign) {
        if self.refresh.len() < MOST {
            self.refresh.insert(token, sign);
        }
    }

    /// Takes a refresh token back.
    pub(super) fn take_refresh(&mut self, token: &str, client: &str) -> Option<Sign> {
        if self.refresh.get(token)?.client != client {
            return None;
        }
        self.refresh.remove(token)
    }

    /// Lets a device wait.
    pub(super) fn give_device(&mut self, code: String, user_code: String, client: String) {
        let now = Instant::now();
        self.devices.retain(|_, device| now < device.until);
        if self.devices.len() < MOST {
            self.devices.insert(code, Device { user_code, client, person: None, until: now + DEVICE });
        }
    }

    /// Somebody lets the device in that shows this code.
    pub(super) fn let_in(&mut self, user_code: &str, person: &'static Person) -> bool {
        let now = Instant::now();
        let mut waiting = self.devices.values_mut().filter(|device| now < device.until);
        let found = waiting.find(|device| device.user_code == user_code && device.person.is_none());
        found.map(|device| device.person = Some(person)).is_some()
    }

    /// The device asks: the person once there is one, and then never again; or the standard's word for why not.
    pub(super) fn ask(&mut self, code: &str, client: &str) -> Result<&'static Person, &'static str> {
        let known = self.devices.get(code).filter(|device| device.client == client);
        let device = known.filter(|device| Instant::now() < device.until).ok_or("expired_token")?;
        let person = device.person.ok_or("authorization_pending")?;
        self.devices.remove(code);
        Ok(person)
    }
}
