//! The accounts of every test server: one for each way in which a server asks who is there.

use std::fmt::Write;

use super::server::Version;

/// The database of every test server.
pub const DATABASE: &str = "shop";

/// An account of a test server, for clients from anywhere.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Its name.
    pub name: &'static str,
    /// Its password, empty for none.
    pub password: &'static str,
    /// The authentication plugin, empty for the server's own choice.
    pub plugin: &'static str,
    /// What it may do.
    privileges: &'static str,
    /// What it must show.
    requires: &'static str,
}

const READS: &str = "grant select, show view on shop.*";
/// Enough to make, dump and restore databases, but no privilege on the server itself.
const OWNS: &str = "grant all on shop.*;grant all on hr.*;grant all on `work%`.*";

const fn account(name: &'static str, password: &'static str, plugin: &'static str) -> Account {
    Account { name, password, plugin, privileges: READS, requires: "" }
}

/// `app_rw` owns the databases, `app_ro` reads one of them; both log in as the server likes best.
const COMMON: [Account; 4] = [
    Account { privileges: OWNS, ..account("app_rw", "rw's secret: ünïcode", "") },
    account("app_ro", "ro-secret", ""),
    account("by_nothing", "", ""),
    Account { requires: " require x509", ..account("by_cert", "", "") },
];
const MYSQL_9: [Account; 2] = [
    account("by_sha2", "sha2-secret", "caching_sha2_password"),
    account("by_sha256", "sha256-secret", "sha256_password"),
];
const MARIADB_10: [Account; 2] = [
    account("by_native", "native-secret", "mysql_native_password"),
    account("by_ed25519", "ed25519-secret", "ed25519"),
];
const MARIADB_11: [Account; 4] = [
    MARIADB_10[0],
    MARIADB_10[1],
    account("by_parsec", "parsec-secret", "parsec"),
    account("by_sha2", "sha2-secret", "caching_sha2_password"),
];

/// The superuser, who has no password.
const ROOT: Account = account("root", "", "");

/// Every account of a server of this version. The last is `root`.
pub fn accounts(version: Version) -> Vec<Account> {
    let by_version: &[Account] = match version {
        Version::MariaDb10 => &MARIADB_10,
        Version::MariaDb11 => &MARIADB_11,
        Version::MySql9 => &MYSQL_9,
    };
    [&COMMON[..], by_version, &[ROOT]].concat()
}

/// The password of an account.
pub fn password(account: &str) -> &'static str {
    let all = [&COMMON[..], &MYSQL_9, &MARIADB_11, &[ROOT]].concat();
    all.iter().find(|known| known.name == account).expect("a sample account").password
}

fn identified(account: &Account, version: Version) -> String {
    let password = account.password.replace('\'', "''");
    if account.plugin.is_empty() {
        return format!("identified by '{password}'");
    }
    if version.is_mariadb() {
        format!("identified via {} using password('{password}')", account.plugin)
    } else {
        format!("identified with {} by '{password}'", account.plugin)
    }
}

/// The statements that make the databases and all accounts, separated by semicolons.
pub(super) fn set_up(version: Version) -> String {
    let mut text = String::from("create database shop character set utf8mb4;create database hr;");
    for account in accounts(version).iter().filter(|account| account.name != "root") {
        let Account { name, requires, .. } = account;
        let _ = write!(text, "create user {name}@'%' {}{requires};", identified(account, version));
        for privilege in account.privileges.split(';') {
            let _ = write!(text, "{privilege} to {name}@'%';");
        }
    }
    text
}
