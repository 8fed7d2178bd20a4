//! The model checker: every schedule of a small world round the real machine, with every invariant
//! checked by its name after each step.
//!
//! Why our own search and not a library's: the machine is a value that can be cloned and hashed, so
//! a search is a loop over a stack; a state is made canonical first (moments count from now,
//! numbers that only have to differ are counted anew), which decides whether a world is small; and
//! a counterexample is told with what the machine reported at each step. Depth first, since the way
//! back up a stack is where a cycle and the longest way to Live show.

#![expect(unreachable_pub, reason = "a test's tool")]

mod act;
mod explore;
mod fault;
mod invariant;
mod ledger;
mod live;
pub mod node;
mod safety;

pub use explore::{Found, Outcome, find, search};
pub use fault::Budget;
pub use invariant::{Invariant, Tally};
pub use ledger::Told;
pub use live::shows_state;
