//! Guards that can be taken out on purpose, in the proof build only: a check that no mutant fails
//! is no check.

/// A guard taken out.
#[cfg_attr(not(feature = "proof"), expect(unreachable_pub, reason = "exported in the proof build"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// Dedup compares with what is durable instead of what is seen: events whose unit is still on
    /// its way to the disk are taken twice.
    DedupAgainstDurable,
    /// The position moves to a snapshot's tag with the first unit of its bracket.
    PositionBeforeEnd,
    /// An event that comes after a newer snapshot row writes state.
    LateEventTouchesState,
    /// A resume is believed without a proof.
    UnprovenGoesLive,
    /// No number is left out for what is missing from an opaque stream.
    HoleWithoutNumber,
    /// A snapshot of an opaque stream is installed while events that precede its rows are on their
    /// way.
    LooseSnapshotAtOnce,
}
