//! The dialect and the published rules.
//!
//! The endpoints and shapes are those that users report of a CXone notification stream; the vendor
//! documents none of them. Everything here is obeyed strictly, unless a [`crate::Fault`] says so.
//!
//! # Token
//! `POST /token`, form-encoded: `grant_type=client_credentials` or `password` (`username`,
//! `password`), the client by `Authorization: Basic` or `client_id` and `client_secret` in the
//! body, optionally `scope`. Answer: `access_token`, `token_type`, `expires_in` (seconds), `scope`.
//! Errors are `{"error":…,"error_description":…}` with 400 or 401. Every other request needs
//! `Authorization: Bearer`. 401 `invalid_token` means: get a new one; 403 `insufficient_scope`
//! means that a new one does not help. A token is looked at when a request or a handshake arrives;
//! a stream outlives its token's expiry, not its revocation
//! (`{"type":"error","code":"unauthorized"}`, then close code 4401).
//!
//! # Baseline
//! `GET /api/v2/wfm/schedules?limit=&offset=`, scope `wfm:schedule:read`:
//! `{"sequenceId":N,"epoch":"…","total":T,"offset":O,"limit":L,"generatedAt":"…","schedules":[…]}`.
//! Rows are sorted by `agentId`; a page has at most as many rows as the vendor chooses, whatever
//! `limit` says. Each page is of its own moment: `sequenceId` is the head at that moment, and every
//! row shows exactly the events up to it. Between two pages rows change, and move when agents leave
//! or join. An answer may come from a cache, at most `staleness_ms` old.
//! A row is `{"agentId":…,"shift":{…},"adherence":{…}}`; the adherence object has the same bytes as
//! in the agent's last event. Where the baseline carries schedules only, it is left out.
//! `?limit=1` is the cheap way to read the head.
//!
//! # Stream
//! `GET /notifications/v1/stream` with `Upgrade: websocket`. Messages are JSON texts.
//! * `{"action":"subscribe","resource":"adherence","payload":{…}}` with a payload of
//!   `{"sequenceId":N,"resources":["adherence"],"agentIds":[…]}`: all but `action` may be left out.
//!   `sequenceId` N: serve every event after N that is kept, in order, then live ones in order, on
//!   this one subscription. Without it: serve events from now on. An `epoch` in the payload must be
//!   the present one. A second subscribe on a socket replaces the first.
//! * Answer: `{"type":"subscribed","subscriptionId":"…","epoch":"…"}`; with `ack_position` also
//!   `sequenceId`, the position after which events begin.
//! * N at or above the floor and at or below the head is accepted. Below the floor (the oldest
//!   position from which all is kept): `{"type":"error","code":"stale_sequence"}`, with
//!   `announce_floor` also `floor`. Above the head: `unknown_sequence`. The socket stays open.
//! * Events:
//!   `{"type":"event","subscriptionId":"…","epoch":"…","sequenceId":N,"resource":"adherence",
//!   "timestamp":"…","adherence":{…}}`. An agent that left: the same with `"type":"removed"` and an
//!   adherence object that holds the `agentId` alone. Neighbouring events of an agent always
//!   differ.
//! * `{"type":"heartbeat","sequenceId":N}` every `heartbeat_ms`: every event of the subscription up
//!   to N was sent before it on this socket. Without a subscription N is left out. A protocol ping
//!   follows each.
//! * `{"action":"unsubscribe"}` → `{"type":"unsubscribed","subscriptionId":"…"}`;
//!   `{"action":"ping"}` → `{"type":"pong"}`; protocol pings are answered.
//! * `{"type":"closing","inSeconds":S}`: the vendor will close this socket; another may be opened
//!   beside it. Any number of sockets may be open.
//!
//! # Numberings
//! `contiguous`: each event's number is the one before plus 1, over all agents; a subscription to
//! some agents only sees holes. `increasing`: tenant-wide, with holes made by events that nobody
//! here is shown, which move the head too. `none`: no `sequenceId` and no `epoch` anywhere; one in
//! a subscribe message is ignored; there is no replay.
//!
//! # Epochs
//! The epoch names the numbering. When it changes, sockets break, history is gone, and numbers
//! begin at 1. Agents and their state stay.

pub(crate) mod delivery;
mod estate;
pub(crate) mod hub;
pub(crate) mod message;
mod route;
pub(crate) mod schedules;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod subscribe;
pub(crate) mod token;

pub(crate) use hub::{Hub, State};
pub(crate) use route::Answer;
