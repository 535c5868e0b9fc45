//! Texts as their readers want them quoted.

use serde_json::Value;

use crate::print::text;

/// The forms for people: the account's name, then a line for each.
pub(super) fn block(strings: &Value, forms: &[&str]) -> String {
    let lines = forms.iter().map(|form| {
        let value = text(&strings[*form]).replace('\n', "\n          ");
        format!("  {form:<7} {value}\n")
    });
    std::iter::once(format!("{}\n", text(&strings["account"]))).chain(lines).collect()
}

/// Host and port, as a URL has them.
pub(super) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// One word for a POSIX shell.
pub(super) fn shell(text: &str) -> String {
    if text.contains(['"', '$', '`', '\\', '!', '\'']) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        format!("\"{text}\"")
    }
}

/// For a URL.
pub(super) fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().fold(String::new(), |out, byte| {
        if plain(byte) { out + &char::from(byte).to_string() } else { out + &format!("%{byte:02X}") }
    })
}
