//! MySQL's ways to say where to connect: the stock clients of both families, URL, JDBC, `.my.cnf`, `MYSQL_PWD`.

use postern_service::loopback::is_loopback;
use serde_json::{Value, json};

use super::{
    Target,
    words::{authority, percent, shell},
};

/// What the lines are called, in the order in which they are printed.
pub(super) const FORMS: [&str; 6] = ["mysql", "mariadb", "url", "jdbc", "my.cnf", "env"];

/// Every form of one target.
pub(super) fn strings(target: &Target<'_>) -> Value {
    let Target { host, port, account, token, repo: _ } = *target;
    let is_near = is_loopback(host);
    let tls = |word: &str| if is_near { String::new() } else { word.to_owned() };
    // A sidecar without TLS asks for the token in clear, which is good enough within one machine.
    let near = |word: &str| if is_near { word.to_owned() } else { String::new() };
    let (clear, loosely) = (near(" --enable-cleartext-plugin"), near("\nloose-enable-cleartext-plugin"));
    let (user, place) = (percent(account), authority(host, port));
    // A client takes `localhost` for a socket of the file system otherwise.
    let options = format!("--protocol=TCP --host={host} --port={port} --user={}", shell(account));
    let password = shell(&format!("--password={token}"));
    json!({
        "account": account,
        "mysql": format!("mysql {options}{clear} {password}{}", tls(" --ssl-mode=REQUIRED")),
        "mariadb": format!("mariadb {options} {password}{}", tls(" --ssl")),
        "url": format!("mysql://{user}:{token}@{place}/{}", tls("?ssl-mode=REQUIRED")),
        "jdbc": format!("jdbc:mysql://{place}/?user={user}&password={token}{}", tls("&sslMode=REQUIRED")),
        "my.cnf": format!("[client]\nhost={host}\nport={port}\nprotocol=TCP\nuser={}\npassword={token}{loosely}", quoted(account)),
        "env": format!("MYSQL_PWD={token} mysql {options}{clear}{}", tls(" --ssl-mode=REQUIRED")),
    })
}

/// A value of an option file.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@:".contains(&byte);
    if text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::text;

    fn lines(host: &str, account: &str) -> Value {
        strings(&Target { host, port: 13306, repo: "shop", account, token: "pst_x" })
    }

    #[test]
    fn a_local_sidecar_needs_no_tls() {
        let lines = lines("127.0.0.1", "app_ro");
        assert_eq!(
            lines["mysql"],
            "mysql --protocol=TCP --host=127.0.0.1 --port=13306 --user=\"app_ro\" --enable-cleartext-plugin \
             \"--password=pst_x\""
        );
        assert_eq!(lines["url"], "mysql://app_ro:pst_x@127.0.0.1:13306/");
        assert_eq!(
            lines["my.cnf"],
            "[client]\nhost=127.0.0.1\nport=13306\nprotocol=TCP\nuser=app_ro\npassword=pst_x\n\
             loose-enable-cleartext-plugin"
        );
    }

    #[test]
    fn a_distant_sidecar_is_reached_by_tls_only() {
        let lines = lines("db.example", "a");
        for (form, word) in
            [("mysql", "--ssl-mode=REQUIRED"), ("mariadb", "--ssl"), ("jdbc", "sslMode=REQUIRED")]
        {
            assert!(text(&lines[form]).ends_with(word), "{form}");
        }
    }

    #[test]
    fn odd_names_are_quoted_for_each_reader() {
        let lines = lines("::1", "o'dd \"one");
        assert_eq!(lines["url"], "mysql://o%27dd%20%22one:pst_x@[::1]:13306/");
        assert!(text(&lines["my.cnf"]).contains("user=\"o'dd \\\"one\""), "{}", lines["my.cnf"]);
    }
}
