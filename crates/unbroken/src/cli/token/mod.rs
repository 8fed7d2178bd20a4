//! `unbroken token`: the tokens of the relay's clients.

mod args;
mod ledger;

pub(crate) use args::TokenArgs;
pub(crate) use ledger::run;
