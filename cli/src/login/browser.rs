//! Opening a page in the user's browser, where there is one.

use std::{
    env,
    process::{Command, Stdio},
};

/// Opens it; false where nobody could see it.
pub(super) fn open(url: &str) -> bool {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if filled("DISPLAY") || filled("WAYLAND_DISPLAY") {
        "xdg-open"
    } else {
        return false;
    };
    let quiet = Command::new(opener)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    quiet.is_ok()
}

fn filled(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}
