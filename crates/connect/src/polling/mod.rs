//! A source that is asked again and again, behind the same face as a socket.
//!
//! A [`pull::Pull`] is a connection: it opens with its first question, brings each answer as a
//! frame, and ends with the first failure, which the machine treats as it treats the end of a
//! socket. So back-off, `Retry-After`, tokens and the question asked anew need no second form here.

mod asker;
mod pull;
mod round;
mod share;

pub(crate) use asker::{Asker, refused, status};
pub(crate) use pull::Pull;
pub(crate) use share::Share;
