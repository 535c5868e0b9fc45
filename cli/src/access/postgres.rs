//! PostgreSQL's ways to say where to connect: psql, URL, JDBC, `.pgpass`, `PGPASSWORD`.

use postern_service::loopback::is_loopback;
use serde_json::{Value, json};

use super::{
    Target,
    words::{authority, percent, shell},
};

/// What the lines are called, in the order in which they are printed.
pub(super) const FORMS: [&str; 6] = ["psql", "url", "jdbc", "pgpass", "service", "env"];

/// Every form of one target.
pub(super) fn strings(target: &Target<'_>) -> Value {
    let Target { host, port, repo, account, token } = *target;
    let tls = if is_loopback(host) { "" } else { "require" };
    let (user, database) = (percent(account), percent(repo));
    let conninfo = format!(
        "host={host} port={port} dbname={} user={}{}",
        keyword(repo),
        keyword(account),
        with(" sslmode=", tls)
    );
    let authority = authority(host, port);
    json!({
        "account": account,
        "psql": format!("psql {}", shell(&format!("{conninfo} password={token}"))),
        "url": format!("postgresql://{user}:{token}@{authority}/{database}{}", with("?sslmode=", tls)),
        "jdbc": format!("jdbc:postgresql://{authority}/{database}?user={user}&password={token}{}", with("&sslmode=", tls)),
        "pgpass": format!("{}:{port}:{}:{}:{token}", pgpass(host), pgpass(repo), pgpass(account)),
        "service": service(target, tls),
        "env": format!("PGPASSWORD={token} psql {}", shell(&conninfo)),
    })
}

/// A section of `pg_service.conf`. Its values are taken as they stand, to the end of the line.
fn service(target: &Target<'_>, tls: &str) -> String {
    let Target { host, port, repo, account, token } = *target;
    let tls = with("\nsslmode=", tls);
    format!(
        "[{repo}-{account}]\nhost={host}\nport={port}\ndbname={repo}\nuser={account}\npassword={token}{tls}"
    )
}

fn with(prefix: &str, word: &str) -> String {
    if word.is_empty() { String::new() } else { format!("{prefix}{word}") }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// A value in a libpq connection string.
fn keyword(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

fn pgpass(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::text;

    #[test]
    fn a_local_sidecar_needs_no_tls() {
        let lines = strings(&Target {
            host: "127.0.0.1",
            port: 15432,
            repo: "sales",
            account: "app_ro",
            token: "pst_x",
        });
        assert_eq!(
            lines["psql"],
            "psql \"host=127.0.0.1 port=15432 dbname=sales user=app_ro password=pst_x\""
        );
        assert_eq!(lines["url"], "postgresql://app_ro:pst_x@127.0.0.1:15432/sales");
        assert_eq!(lines["jdbc"], "jdbc:postgresql://127.0.0.1:15432/sales?user=app_ro&password=pst_x");
        assert_eq!(lines["pgpass"], "127.0.0.1:15432:sales:app_ro:pst_x");
        assert_eq!(
            lines["service"],
            "[sales-app_ro]\nhost=127.0.0.1\nport=15432\ndbname=sales\nuser=app_ro\npassword=pst_x"
        );
        assert_eq!(
            lines["env"],
            "PGPASSWORD=pst_x psql \"host=127.0.0.1 port=15432 dbname=sales user=app_ro\""
        );
    }

    #[test]
    fn a_distant_sidecar_is_reached_by_tls_only() {
        let lines =
            strings(&Target { host: "db.example", port: 1, repo: "sales", account: "a", token: "pst_x" });
        for form in ["psql", "url", "jdbc", "env"] {
            assert!(text(&lines[form]).contains("sslmode=require"), "{form}");
        }
    }

    #[test]
    fn odd_names_are_quoted_for_each_reader() {
        let lines =
            strings(&Target { host: "::1", port: 1, repo: "o'dd $x", account: "a:b@c", token: "pst_x" });
        assert_eq!(lines["url"], "postgresql://a%3Ab%40c:pst_x@[::1]:1/o%27dd%20%24x");
        assert_eq!(lines["pgpass"], "\\:\\:1:1:o'dd $x:a\\:b@c:pst_x");
        assert!(text(&lines["env"]).contains(r"dbname='\''o\'\''dd $x'\''"), "{}", lines["env"]);
    }
}
