//! Calls to addresses that somebody typed in: webhooks, chat.
//!
//! Such an address could be one of this network's own, and the control plane would ask in the place of somebody who
//! cannot get there (server-side request forgery). So names are resolved here, an address is looked at before anything
//! connects to it, and what was looked at is what is connected to. In: a URL and a body. Out: the status, or why not.

mod address;
mod caller;

pub(crate) use address::{Network, Policy};
pub(crate) use caller::{Answer, Outbound, OutboundError, check_url};
