//! `postern login`, `logout`, `whoami`: a person at the command line.
//!
//! In: a browser's yes, by way of the control plane. Out: tokens in a file of the user's own ([`Store`]), which every
//! other command takes when no credentials are in the environment.

mod browser;
mod device;
mod store;

use clap::Args;

use crate::{
    error::Error,
    print::{self, Output, note, text, visible},
    rest::{COMMAND_LINE, Connection, base_url, form},
};

pub(crate) use store::Store;
use store::Tokens;

/// Sign in, in a browser.
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Do not open a browser; only say where to go
    #[arg(long)]
    no_browser: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Sign out.
#[derive(Debug, Args)]
pub(crate) struct LogoutArgs {
    #[command(flatten)]
    connection: Connection,
}

/// Say who is signed in.
#[derive(Debug, Args)]
pub(crate) struct WhoamiArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl LoginArgs {
    /// Shows a code, waits for the browser, keeps the tokens.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let base = match (self.connection.named(), Store::find()?) {
            (Some(named), _) => base_url(named)?,
            (None, Some(store)) => store.base()?,
            (None, None) => return Err(Error::NoControl),
        };
        let http = self.connection.http(&base)?;
        let waiting = device::begin(&http, &base).await?;
        let text = format!(
            "To sign in, open\n\n    {}\n\nand type the code {}. The page must show this code before you say yes.\n",
            visible(&waiting.page),
            visible(&waiting.code)
        );
        print::write(&text)?;
        if !self.no_browser && browser::open(&waiting.link) {
            note("A browser was opened.");
        }
        let tokens = device::wait(&http, &base, &waiting).await?;
        let name = Store::keep(&base, &tokens, &http).await?;
        print::write(&format!("Signed in at {base} as {}.\n", visible(&name)))
    }
}

impl LogoutArgs {
    /// Ends the login there and forgets it here.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let Some(store) = Store::find()? else {
            return print::write("Nobody is signed in.\n");
        };
        let base = store.base()?;
        let http = self.connection.http(&base)?;
        let tokens = store.forget()?;
        let Tokens { refresh, .. } = &tokens;
        let fields = [("client_id", COMMAND_LINE), ("token", refresh.reveal())];
        match form(&http, &base, "revoke", &fields).await {
            Ok(_) => print::write("Signed out.\n"),
            Err(error) => {
                let line = error.line().unwrap_or_default();
                Err(Error::Failed(format!(
                    "signed out here, but the control plane did not hear of it: {line}"
                )))
            }
        }
    }
}

impl WhoamiArgs {
    /// Asks the control plane.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let client = self.connection.sign_in().await?;
        let me = client.get(&["v1", "users", "me"], &[]).await?;
        self.output.show_as(&me, || {
            let line = |title: &str, value: &str| format!("{title:<12} {}\n", visible(value));
            [
                line("name", &text(&me["name"])),
                line("groups", &text(&me["groups"])),
                line("permissions", &text(&me["permissions"])),
                line("control", client.url()),
            ]
            .concat()
        })
    }
}
