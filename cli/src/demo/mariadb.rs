//! A private MariaDB with the sample data: never as root, no socket file, gone with the demo.

use std::{fs, path::PathBuf, time::Duration};

use postern_service::secret::Secret;
use rustix::process::Signal;
use tokio::process::Command;

use super::{
    children::{Children, Ending},
    home::Home,
    ports::Ports,
    server::{Kind, Place, Shop, programs, run},
};
use crate::error::Error;

const SCHEMA: &str = include_str!("shop.sql");
const START_WITHIN: Duration = Duration::from_mins(1);
const ENDING: Ending = Ending { stop: Signal::TERM, hurry: Signal::KILL };
const KIND: Kind = Kind { name: "mysql", death: "KILL", variables: &["MYSQL", "MARIADB"] };

/// The server's programs and where it lives.
struct Server<'a> {
    sbin: PathBuf,
    bin: PathBuf,
    place: &'a Place,
    port: u16,
}

/// Creates the data folder, starts the server, loads the data.
pub(super) async fn start(home: &Home, ports: &Ports, children: &mut Children) -> Result<Shop, Error> {
    let (sbin, bin) = installed()?;
    let shop = Shop::at(Place::make(home, KIND).await?)?;
    let server = Server { sbin, bin, place: &shop.place, port: ports.mariadb };
    server.create().await?;
    let accounts = shop.place.write("accounts.sql", &accounts(&shop))?;
    let mut command = server.command();
    command.args(server.options()).arg(format!("--init-file={}", accounts.display()));
    children.start(home, "mariadb", ENDING, command)?;
    let answers = async || server.answers(&shop.app_rw).await;
    children.until("MariaDB", START_WITHIN, answers).await?;
    let _ = fs::remove_file(accounts);
    server.load(&shop.app_rw).await?;
    Ok(shop)
}

/// The folders of the server and of its other programs. Debian keeps the server where only root's path looks.
fn installed() -> Result<(PathBuf, PathBuf), Error> {
    let sbin = programs(&[PathBuf::from("/usr/sbin")], &["mariadbd"]);
    let bin = programs(&[], &["mariadb-install-db", "mariadb"]);
    sbin.zip(bin).ok_or_else(|| {
        Error::Failed(
            "no MariaDB server found: install the packages `mariadb-server-core` and `mariadb-client`"
                .to_owned(),
        )
    })
}

/// The statements with which the server starts, before it takes connections: one on each line.
fn accounts(shop: &Shop) -> String {
    format!(
        "CREATE DATABASE shop CHARACTER SET utf8mb4;\n\
         CREATE DATABASE hr CHARACTER SET utf8mb4;\n\
         CREATE USER app_rw@'%' IDENTIFIED BY '{}';\n\
         CREATE USER app_ro@'%' IDENTIFIED BY '{}';\n\
         GRANT ALL ON shop.* TO app_rw@'%';\n\
         GRANT ALL ON hr.* TO app_rw@'%';\n\
         GRANT SELECT, SHOW VIEW ON shop.* TO app_ro@'%';\n\
         GRANT SELECT, SHOW VIEW ON hr.* TO app_ro@'%';\n",
        shop.app_rw.reveal(),
        shop.app_ro.reveal()
    )
}

impl Server<'_> {
    fn command(&self) -> Command {
        self.place.command(self.sbin.join("mariadbd"))
    }

    /// The superuser of the new server could log in over a socket file alone, and there is none.
    async fn create(&self) -> Result<(), Error> {
        let mut install = self.place.command(self.bin.join("mariadb-install-db"));
        install.args(["--no-defaults", "--skip-test-db", "--innodb-log-file-size=8M"]);
        install.args(["--innodb-flush-method=nosync", &format!("--datadir={}", self.place.data())]);
        run(install, "mariadb-install-db", "").await
    }

    fn options(&self) -> Vec<String> {
        let (data, folder) = (self.place.data(), self.place.folder.display());
        let own = [
            format!("--datadir={data}"),
            format!("--pid-file={folder}/pid"),
            format!("--port={}", self.port),
        ];
        let fixed = [
            "--bind-address=127.0.0.1",
            "--socket=",
            "--character-set-server=utf8mb4",
            "--max-connections=1200",
            "--innodb-log-file-size=8M",
            "--innodb-buffer-pool-size=32M",
            "--skip-log-bin",
        ];
        let fixed = fixed.into_iter().map(str::to_owned);
        ["--no-defaults".to_owned()].into_iter().chain(own).chain(fixed).collect()
    }

    /// The command-line client as `app_rw`.
    fn client(&self, password: &Secret) -> Command {
        let mut command = self.place.command(self.bin.join("mariadb"));
        command.args(["--no-defaults", "--protocol=TCP", "--host=127.0.0.1", "--user=app_rw"]);
        command.args(["--default-character-set=utf8mb4", &format!("--port={}", self.port)]);
        command.env("MYSQL_PWD", password.reveal());
        command
    }

    async fn answers(&self, password: &Secret) -> bool {
        let mut command = self.client(password);
        command.arg("--execute=DO 0");
        run(command, "mariadb", "").await.is_ok()
    }

    async fn load(&self, password: &Secret) -> Result<(), Error> {
        let mut command = self.client(password);
        command.arg("shop");
        run(command, "loading the sample data into MariaDB", SCHEMA).await
    }
}
