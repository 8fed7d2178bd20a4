//! What a person decides about a stream, as the log has it: who, when and why stay in the record.
//!
//! The log is the only truth about a stream, so a decision that has to outlive the process is a
//! record like any other, and never a change of what is there.

use crate::bookmark::{After, Bookmark};
use crate::fold::{OpenGap, StreamFold};
use crate::ids::Label;
use crate::position::{Epoch, Position};
use crate::record::{Body, GapCause, GapClosed, GapOpened, GapOutcome};
use crate::time::UnixMicros;

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

/// Why a position cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotSet {
    /// It is there already.
    #[error("the position is {0} already")]
    There(Position),
    /// The log holds events beyond it.
    #[error("the log holds events up to {0}: from further back they would be stored twice")]
    Behind(Position),
    /// The stream has no position that could be moved.
    #[error("the stream has no position")]
    NoPosition,
    /// A text where positions are numbers.
    #[error("the stream's positions are whole numbers")]
    NotANumber,
    /// A number where positions are texts.
    #[error("the stream's positions are texts of the vendor's")]
    NotAText,
}

/// Who decides, why and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decider {
    /// Who.
    pub by: Label,
    /// Why.
    pub why: Label,
    /// When.
    pub at: UnixMicros,
}

/// The records that set a stream's position, one unit.
///
/// Never below what the log holds: those events would come again and be stored twice. A bookmark
/// that is not known may lie anywhere, so it begins an epoch of its own, in which events have other
/// identities. What is stepped over is a row of the ledger, and so is what was open.
///
/// # Errors
/// See [`CannotSet`].
pub fn set_position(
    fold: &StreamFold,
    to: &After,
    decider: &Decider,
) -> Result<(Vec<Body>, Position), CannotSet> {
    let held = fold.position.ok_or(CannotSet::NoPosition)?;
    let opaque = fold.bookmarks.iter().len() > 0;
    let (position, bookmark) = match to {
        After::Sequence(_) if opaque => return Err(CannotSet::NotAText),
        After::Bookmark(_) if !opaque => return Err(CannotSet::NotANumber),
        After::Sequence(sequence) => (Position::new(fold.epoch, *sequence), None),
        After::Bookmark(bookmark) => {
            let known = fold.bookmarks.sequence_of(bookmark);
            let position = match known {
                Some(sequence) => Position::new(fold.epoch, sequence),
                None => Position::new(fold.epoch.next(), 1),
            };
            (position, Some(bookmark.clone()))
        }
    };
    match position {
        there if there == held => return Err(CannotSet::There(held)),
        behind if behind < held => return Err(CannotSet::Behind(held)),
        _ => {}
    }
    let act = Act::SetPosition { position, bookmark };
    let row = row(fold, decider);
    let mut bodies = vec![Body::GapOpened(row.clone()), directive(act, decider)];
    let row = OpenGap { opened: row, first: None };
    for gap in fold.open_gaps.values().chain([&row]) {
        bodies.push(Body::GapClosed(given_up(gap, position, decider)));
    }
    Ok((bodies, position))
}

/// The records that make a stream begin again, one unit. The row stays open until it has begun.
pub fn forget_position(fold: &StreamFold, decider: &Decider) -> Vec<Body> {
    let act = Act::ForgetPosition { epoch: fold.epoch.next() };
    vec![Body::GapOpened(row(fold, decider)), directive(act, decider)]
}

fn directive(act: Act, decider: &Decider) -> Body {
    Body::Directive(Directive { act, by: decider.by.clone(), why: decider.why.clone() })
}

fn row(fold: &StreamFold, decider: &Decider) -> GapOpened {
    GapOpened {
        gap: fold.last_gap.next(),
        after: fold.position,
        wall_from: fold.covered_at.unwrap_or(decider.at),
        cause: GapCause::Operator,
    }
}

/// An open row ends before what has come since, else where the position is put.
fn given_up(gap: &OpenGap, position: Position, decider: &Decider) -> GapClosed {
    let before = |first: Position| Position { sequence: first.sequence.saturating_sub(1), ..first };
    let opened = &gap.opened;
    GapClosed {
        gap: opened.gap,
        outcome: match opened.cause {
            GapCause::Unproven | GapCause::Partial => GapOutcome::Unproven,
            _ => GapOutcome::Unrecoverable,
        },
        after: opened.after,
        through: Some(gap.first.map_or(position, before)),
        wall_from: opened.wall_from,
        wall_to: decider.at,
        cause: opened.cause,
        closed_by: None,
        reconciled: false,
    }
}
