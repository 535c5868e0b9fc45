//! sysbench, over TLS.

use std::fs;

use super::{accounts::DATABASE, server::Mysql, way::Way};
use crate::{
    folder::{Folder, fetched},
    process::bound,
};

/// The files by whose fixed names sysbench finds its certificates.
fn certificates(mysql: &Mysql, way: &Way) -> Folder {
    let folder = Folder::new();
    folder.write("cacert.pem", fs::read(way.authority.as_ref().expect("over TLS")).expect("it is there"));
    folder.write("client-cert.pem", fs::read(mysql.file("client.crt")).expect("it is there"));
    folder.write("client-key.pem", fs::read(mysql.file("client.key")).expect("it is there"));
    folder
}

/// What sysbench's client library says when two of its threads load the same plugin at once. It does so before anything
/// has happened.
const TRODDEN: &str = "could not be loaded: it is already loaded";

/// One of sysbench's scripts on this way with these arguments, the last of which is the step; what it said.
pub fn sysbench(mysql: &Mysql, way: &Way, script: &str, arguments: &[&str]) -> String {
    let root = fetched("sysbench").expect("it was fetched").join("root/usr");
    let (certificates, share) = (certificates(mysql, way), root.join("share/sysbench"));
    let mut command = bound(root.join("bin/sysbench"), "KILL");
    command.arg(share.join(script)).env("LUA_PATH", share.join("?.lua"));
    command.args(["--mysql-host=127.0.0.1", "--mysql-ssl=on", &format!("--mysql-db={DATABASE}")]);
    command.args([format!("--mysql-port={}", way.port), format!("--mysql-user={}", way.user)]);
    command.arg(format!("--mysql-password={}", way.password)).args(arguments);
    command.current_dir(certificates.path());
    let mut left = 5;
    loop {
        let output = command.output().expect("sysbench runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        left -= 1;
        if left == 0 || !said.contains(TRODDEN) {
            assert!(output.status.success(), "{:?}: {said}{output:?}", mysql.version());
            return said;
        }
    }
}

/// The first number of the line that begins with `what`; zero where there is none.
pub fn number(said: &str, what: &str) -> f64 {
    let rest = said.lines().find_map(|line| line.trim_start().strip_prefix(what)).unwrap_or_default();
    rest.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The number in parentheses of that line: per second.
pub fn per_second(said: &str, what: &str) -> f64 {
    let rest = said.lines().find_map(|line| line.trim_start().strip_prefix(what)).unwrap_or_default();
    let rate = rest.split_once('(').and_then(|(_, rate)| rate.split_whitespace().next());
    rate.and_then(|number| number.parse().ok()).unwrap_or_default()
}
