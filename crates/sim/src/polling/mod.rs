//! A polled vendor: the dialect of CXone's agent states, its published rules, its own faults.
//!
//! Written from the published description alone, on the same world and with the same kind of
//! ledger as the vendor of [`crate::cxone`]. Everything here is obeyed, unless a [`PollFault`] says
//! so.
//!
//! # Token
//! `POST /authentication/v1/token/access-key`, JSON `{"accessKeyId":…,"accessKeySecret":…}` →
//! `access_token`, `token_type`, `expires_in`. Every other request needs `Authorization: Bearer`.
//!
//! # Hosts
//! At [`PollVendor::discovery_url`], which never moves: `GET
//! /.well-known/cxone-configuration?tenantId=` → `api_endpoint` and others. The API may be moved to
//! another host; the old one is gone then.
//!
//! # States
//! `GET /InContactAPI/services/v28.0/agents/states?updatedSince=&top=&skip=` →
//! `{"totalRecords":N,"lastPollTime":"…","agentStates":[…]}`: each agent whose last change is after
//! `updatedSince`, with its present state, in the order of `lastUpdateTime`; without `updatedSince`
//! every agent. `totalRecords` counts the rows of all pages. Each page is of its own moment, so a
//! row moves to the end when its agent changes between two pages. Nothing changed, or nobody there:
//! 204. An error says why in the header `icStatusDescription`. Of an agent that is removed no
//! answer says anything any more.
//!
//! # Truth
//! A poll shows states, not changes: what an agent was between two answers, no client can know. So
//! the ledger says of each state whether an answer to a poll showed it that the client has
//! certainly read (it asked for something else on the same connection afterwards).

mod fault;
mod hosts;
mod ledger;
mod play;
mod serve;
mod states;
mod vendor;

pub use fault::PollFault;
pub use ledger::{PollTruth, Shown, judge_poll};
pub use vendor::PollVendor;
