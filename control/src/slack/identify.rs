//! Finding out which workspace and which app this is, as soon as Slack can be asked.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    desk::{Slack, Workspace},
    web_api::{Method, SlackError},
};

const AGAIN: Duration = Duration::from_secs(5);

/// Asks until Slack has answered.
pub(super) async fn run(slack: Arc<Slack>) {
    loop {
        match ask(&slack).await {
            Ok(workspace) => {
                tracing::info!(team = workspace.team, app = workspace.app, "the Slack app is at work");
                slack.workspace.store(Some(Arc::new(workspace)));
                return;
            }
            Err(error) => tracing::error!(%error, "the Slack app is not at work yet; it is tried again"),
        }
        sleep(AGAIN).await;
    }
}

async fn ask(slack: &Slack) -> Result<Workspace, SlackError> {
    let me = slack.api.call(Method::AuthTest, &json!({})).await?;
    let word = |answer: &Value, pointer: &str, method: Method| {
        let found = answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        found.ok_or(SlackError::Unclear { method: method.as_str() })
    };
    let bot =
        slack.api.call(Method::BotsInfo, &json!({"bot": word(&me, "/bot_id", Method::AuthTest)?})).await?;
    Ok(Workspace {
        team: word(&me, "/team_id", Method::AuthTest)?,
        name: word(&me, "/team", Method::AuthTest)?,
        app: word(&bot, "/bot/app_id", Method::BotsInfo)?,
    })
}
