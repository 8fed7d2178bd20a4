//! HTTP: the table of operations, what a call is, what goes wrong, and the way from a request to
//! its answer.

mod call;
mod description;
mod dispatch;
mod guard;
mod operation;
mod schema;
mod table;

pub(crate) use call::{Call, Query};
pub(crate) use description::description;
pub(crate) use dispatch::{Peer, Road, cookie, dispatch};
pub(crate) use guard::{Names, guard};
pub(crate) use operation::{Answer, Answering};
pub(crate) use problem::Problem;
pub(crate) mod problem;
