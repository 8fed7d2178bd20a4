//! Genesys Cloud's Notifications, adherence and analytics, as far as an event feed needs them.
//!
//! The calls and their shapes are those of the vendor's public SDK models and of its own clients'
//! code; values are made up. What nobody has published is marked *unpublished* here and is a
//! setting where it matters. Everything here is obeyed strictly, unless a [`crate::Fault`] says so.
//!
//! # Token
//! `POST /oauth/token`, form-encoded `grant_type=client_credentials`, the client by `Authorization:
//! Basic`. Answer: `access_token`, `token_type`, `expires_in`; there is no refresh token. Every
//! other request but a handshake and a download needs `Authorization: Bearer`. A token may make 300
//! requests a minute; then 429 with `Retry-After` and the documented body. A channel outlives the
//! token that made it (*unpublished*).
//!
//! # Channels
//! `POST /api/v2/notifications/channels` → `{connectUri,id,expires}`; `GET` lists them; `HEAD
//! …/{id}` is 200 or 404. One client of an account has 20 at most: one more evicts the one that was
//! not used for longest, unconnected ones first. Eviction is silent: the socket stays open and
//! brings nothing any more (*unpublished*; [`Settings::eviction_told`] sends `no_longer_subscribed`
//! first). A channel lives for 24 h; every `PUT`, `POST` or `DELETE` of subscriptions begins that
//! anew. A minute before its end a connected one is told `v2.system.socket_closing`; at the end the
//! socket is closed (1001), and the channel cannot be found.
//!
//! # Subscriptions
//! `GET|PUT|POST|DELETE …/channels/{id}/subscriptions`: a list of `{"id":topic}`; `PUT` replaces,
//! `POST` adds, `DELETE` removes all. Without `ignoreErrors=true` one topic that cannot be had
//! refuses the whole request (403 for permissions, 400 for what does not exist) and changes
//! nothing; with it each topic is answered as `Permitted` or `Rejected` with `rejectionReason` and
//! `missingPermissions`. A channel has 1,000 topics at most; a topic has 200 characters at most.
//! Topics: `v2.users.{id}.workforcemanagement.adherence`, `.presence`, `.routingStatus`,
//! `.activity`, `.conversations`; `v2.workforcemanagement.managementunits.{id}.adherence`;
//! `v2.workforcemanagement.teams.{id}.adherence`; `v2.routing.queues.{id}.conversations`. An event
//! is sent once for each subscribed topic that tells of it. The combined form `prefix?a&b`, and
//! subscribing over the socket, are not simulated.
//!
//! # Socket
//! The `connectUri` needs no bearer. Unknown channel: 404 at the handshake. A second connection on
//! a channel closes the first (*unpublished*). `{"topicName","version","eventBody","metadata"}`: no
//! number, no event id, no time; **nothing is replayed**: what happens while no socket is connected
//! is lost to the channel. `channel.metadata` with `WebSocket Heartbeat` every 30 s, followed by a
//! protocol ping, by whose answer the ledger knows what was read; `{"message":"ping"}` → `pong`.
//!
//! # State and history
//! `GET /api/v2/workforcemanagement/adherence?userId=…`: 1 to 100 ids, a bare array. `GET
//! …/managementunits/{id}/adherence`, `GET …/teams/{id}/adherence`: `{entities}` or, above
//! [`Settings::listing_rows_max`] rows or with `forceDownloadService=true`, `{downloadUrl}`; what
//! is downloaded is the same listing (*unpublished*). REST and notification name the same fields
//! differently. An adherence event is the agent's whole state; neighbours differ, and often no time
//! in them moves. Who leaves the unit is told of once more with `removedFromManagementUnit` and is
//! then on no row (*unpublished*); who comes back is told of as before.
//!
//! `POST /api/v2/analytics/conversations/details/query`: `interval` matches conversations that
//! began on a day it touches; `order`, `orderBy`, `paging` (25 rows, 100 at most), `totalHits`; a
//! page behind the last has no `conversations`. What is shown lags behind by
//! [`Settings::history_lag_ms`] (*unpublished*): segments that had begun by then, with their end if
//! it was over. Filters are refused.
//!
//! `POST …/adherence/historical/bulk` → 202 with a job; `GET …/bulk/jobs/{id}` → `Processing`, then
//! `Complete` with one `downloadUrls` entry for each item.
//!
//! # The ledger
//! Events are about `adherence/{userId}`, `presence/…`, `routing/…`, `activity/…` and
//! `conversation/{conversationId}`; a subscription of the ledger is one list of topics on one
//! connected socket, under its channel's id. Of all but adherence only the stream tells.

mod adherence;
mod bulk;
mod channel;
mod conversation;
mod delivery;
mod estate;
mod faults;
mod history;
mod hooks;
mod hub;
pub(crate) mod normal;
mod refusal;
mod roster;
mod serve;
mod settings;
mod stamp;
mod standing;
mod subscriptions;
mod token;
mod topic;
mod wire;
mod world;

pub(crate) use hub::Hub;
pub use settings::Settings;
