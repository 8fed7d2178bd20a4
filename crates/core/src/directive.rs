//! What a person decides about a stream, as the log has it: who, when and why stay in the record.
//!
//! The log is the only truth about a stream, so a decision that has to outlive the process is a
//! record like any other, and never a change of what is there.

use crate::bookmark::Bookmark;
use crate::ids::Label;
use crate::position::{Epoch, Position};

/// A decision. Its record says when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Directive {
    /// What was decided.
    pub act: Act,
    /// Who, as the operating system names them.
    pub by: Label,
    /// Why, in their words; may be empty.
    pub why: Label,
}

/// What can be decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// The subscription ends, and nothing is asked of the vendor until it is resumed.
    Pause,
    /// The stream goes on from what is durable.
    Resume,
    /// The next subscription begins after this position. Of the present epoch, and then never below
    /// what is held; or the first of another one.
    SetPosition {
        /// Where.
        position: Position,
        /// The vendor's opaque name of it, where positions are opaque.
        bookmark: Option<Bookmark>,
    },
    /// The position is forgotten: the stream begins again like one that never was, in a numbering
    /// of its own.
    ForgetPosition {
        /// The new epoch. An event that the vendor serves again belongs to it, and is another
        /// identity.
        epoch: Epoch,
    },
}
