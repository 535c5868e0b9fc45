//! `postern repo`: data repositories, and whether they take ephemeral access.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    error::Error,
    grant::per_sidecar,
    print::{Column, Output, fields, listing, text, visible},
    rest::{Client, Connection},
};

/// Data repositories.
#[derive(Debug, Args)]
pub(crate) struct RepoArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List repositories
    Ls,
    /// Show one repository
    Show {
        /// Its name
        repo: String,
    },
    /// Switch ephemeral access on
    Enable {
        /// Its name
        repo: String,
    },
    /// Switch ephemeral access off, and end every session there
    Disable {
        /// Its name
        repo: String,
    },
}

const COLUMNS: [Column; 5] = [
    Column::new("NAME", |repo| text(&repo["name"])),
    Column::new("ENGINE", |repo| text(&repo["engine"])),
    Column::new("ACCOUNTS", |repo| text(&repo["accounts"])),
    Column::new("LISTEN", |repo| text(&repo["listen"])),
    Column::new("EPHEMERAL ACCESS", |repo| text(&repo["ephemeral_access"])),
];

const RESOURCES: [Column; 3] = [
    Column::new("RESOURCE", |found| text(&found["resource"])),
    Column::new("KIND", |found| text(&found["kind"])),
    Column::new("COLUMNS", columns),
];

impl RepoArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Ls => output.list(&COLUMNS, &client.list(&["v1", "repos"], &[]).await?),
            Command::Show { repo } => {
                let mut shown = client.get(&["v1", "repos", &repo], &[]).await?;
                complete(&client, &repo, &mut shown).await?;
                output.show_as(&shown, || described(shown.clone()))
            }
            Command::Enable { repo } => switch(&client, output, &repo, true).await,
            Command::Disable { repo } => switch(&client, output, &repo, false).await,
        }
    }
}

/// Fetches all tables where there are more than the answer has room for.
async fn complete(client: &Client, repo: &str, shown: &mut Value) -> Result<(), Error> {
    if !shown["resources_next"].is_null() {
        shown["resources"] = client.list(&["v1", "repos", repo, "resources"], &[]).await?.into();
        shown["resources_next"] = Value::Null;
    }
    Ok(())
}

/// The repo's fields, and a line for each of its tables.
fn described(mut shown: Value) -> String {
    let taken = shown.as_object_mut().and_then(|fields| {
        fields.remove("resources_next");
        fields.remove("resources")
    });
    match taken {
        Some(Value::Array(resources)) if !resources.is_empty() => {
            format!("{}\n{}", fields(&shown), listing(&RESOURCES, &resources))
        }
        Some(_) | None => fields(&shown),
    }
}

fn columns(resource: &Value) -> String {
    let column = |column: &Value| format!("{} {}", text(&column["name"]), text(&column["type"]));
    resource["columns"].as_array().into_iter().flatten().map(column).collect::<Vec<_>>().join(", ")
}

async fn switch(client: &Client, output: Output, repo: &str, on: bool) -> Result<(), Error> {
    let done = client.patch(&["v1", "repos", repo], &json!({ "ephemeral_access": on })).await?;
    output.show_as(&done, || switched(repo, on, &done))
}

fn switched(repo: &str, on: bool, done: &Value) -> String {
    let first = format!("{repo}: ephemeral access is {}", if on { "on" } else { "off" });
    std::iter::once(first).chain(per_sidecar(&done["outcomes"])).map(|line| visible(&line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repo_is_shown_with_its_tables_one_on_a_line() {
        let columns = json!([{"name": "id", "type": "integer"}, {"name": "note", "type": "text"}]);
        let resources = json!([{"resource": "public.sales", "kind": "table", "columns": columns}]);
        let shown =
            json!({"name": "sales", "engine": "postgres", "resources": resources, "resources_next": null});
        let expected = "name    sales\nengine  postgres\n\n\
                        RESOURCE      KIND   COLUMNS\npublic.sales  table  id integer, note text\n";
        assert_eq!(described(shown), expected);
        assert_eq!(described(json!({"name": "sales", "resources": []})), "name  sales\n");
    }
}
