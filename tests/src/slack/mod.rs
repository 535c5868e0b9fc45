//! A double of Slack: the Web API that the app calls, the calls that Slack makes, and people who click.
//!
//! It is as strict as Slack: a payload that Slack would refuse is refused, remembered, and fails the test when the
//! double goes. In: what the app sends. Out: messages, dialogs and home tabs as people see them.

mod blocks;
mod calls;
mod elements;
mod faults;
mod limits;
mod modal;
mod render;
mod server;
mod socket;
mod types;
mod views;
mod web_api;
mod workspace;

pub use calls::{Answer, Seal};
pub use faults::Fault;
pub use modal::Modal;
pub use render::rendered;
pub use server::{Slack, Way};
pub use workspace::{APP, BOT, CHANNEL, Message, TEAM, User};
