//! Looks at a live source without touching any record: what `unbroken check` tells.
//!
//! Each [`Step`] is one thing that must work before the next one can: the way there, the token, its
//! scope, the snapshot, the handshake, the subscription, the first frames, an older position, the
//! end. Beside the steps, [`Sightings`] gather what the source was seen to do, and
//! [`mismatches`] holds it against what the profile declares: recovery is planned from the
//! declaration, so a wrong one is worse than a failed step.

mod asking;
mod certificate;
mod listening;
mod mismatch;
mod observe;
mod replaying;
mod sightings;
mod step;
mod talk;
mod way;

pub use mismatch::{Mismatch, Weight, mismatches};
pub use observe::{Observation, Wish, observe};
pub use sightings::{ReplaySeen, SecondSeen, Sightings, SnapshotSeen};
pub use step::{Blame, Outcome, Step};
