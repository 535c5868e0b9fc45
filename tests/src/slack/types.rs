//! What the app has sent, against the types that Slack publishes in `@slack/web-api` and `@slack/types`.

use std::os::unix::fs::symlink;

use super::{server::Slack, web_api::FORMS};
use crate::{
    folder::{Folder, fetched},
    process::bound,
};

/// Methods that take JSON, and the types of what they take.
const ARGUMENTS: [(&str, &str); 6] = [
    ("chat.postMessage", "ChatPostMessageArguments"),
    ("chat.update", "ChatUpdateArguments"),
    ("conversations.open", "ConversationsOpenArguments"),
    ("views.open", "ViewsOpenArguments"),
    ("views.publish", "ViewsPublishArguments"),
    ("views.update", "ViewsUpdateArguments"),
];

impl Slack {
    /// Fails the test if something that was sent is not of the published type. What was not fetched is passed over.
    pub fn check_types(&self) {
        let Some(published) = fetched("slacktypes") else { return };
        let folder = Folder::new();
        symlink(published.join("node_modules"), folder.path().join("node_modules"))
            .expect("the folder is ours");
        let file = folder.write("calls.ts", self.typed());
        let mut compiler = bound("node", "KILL");
        compiler.arg(published.join("node_modules/typescript/bin/tsc"));
        compiler.args(["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"]);
        compiler.args(["--module", "node16", "--moduleResolution", "node16"]).arg(&file);
        let output = compiler.output().expect("node runs");
        let found = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "Slack's types do not have this: {found}");
    }

    /// Every call so far as a program that is right when each has its type.
    fn typed(&self) -> String {
        let names: Vec<&str> = ARGUMENTS.iter().map(|(_, name)| *name).collect();
        let mut lines = vec![format!("import type {{ {} }} from \"@slack/web-api\";", names.join(", "))];
        for (number, (method, body)) in self.state.lock().calls.iter().enumerate() {
            if FORMS.contains(&method.as_str()) {
                continue;
            }
            let found = ARGUMENTS.iter().find(|(known, _)| known == method);
            let (_, name) = found.unwrap_or_else(|| panic!("what {method} takes is not known here"));
            lines.push(format!("export const call{number}: {name} = {body};"));
        }
        lines.join("\n")
    }
}
