//! Guards of the log that can be taken out on purpose, in the proof build only: a check that no
//! mutant fails is no check.

/// A guard taken out.
#[cfg_attr(not(feature = "proof"), expect(unreachable_pub, reason = "exported in the proof build"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A batch is told of before it is on the disk.
    ToldBeforeSync,
    /// A bad batch is cut although a later one proves that it was durable.
    DamageCut,
    /// What was told to readers need not be there any more.
    PublishedIgnored,
    /// An image that is not whole proves nothing by its name.
    ImageNameIgnored,
    /// The log before an image need not be the one that the image is of.
    AnchorUnchecked,
    /// An image is believed without its hash.
    ImageHashUnchecked,
    /// A consumer may have a checkpoint beyond the log's end.
    CheckpointIgnored,
    /// A restored backup keeps its id: cursors given out after it was made are misread.
    BackupKeepsId,
    /// Age deletes what a consumer still needs.
    ConsumerPassed,
    /// Size deletes what the older of two images needs: one bad image, and the state is gone.
    ImagesPassed,
}

#[cfg(feature = "proof")]
mod chosen {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static CHOSEN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    impl Mutant {
        /// Every mutant.
        pub const ALL: &[Self] = &[
            Self::ToldBeforeSync,
            Self::DamageCut,
            Self::PublishedIgnored,
            Self::ImageNameIgnored,
            Self::AnchorUnchecked,
            Self::ImageHashUnchecked,
            Self::CheckpointIgnored,
            Self::BackupKeepsId,
            Self::ConsumerPassed,
            Self::ImagesPassed,
        ];

        /// Takes a guard out of what this thread does from here on.
        pub fn take_out(mutant: Option<Self>) {
            CHOSEN.set(mutant);
        }
    }

    pub(super) fn is_chosen(mutant: Mutant) -> bool {
        CHOSEN.get() == Some(mutant)
    }
}

/// Whether a guard was taken out on purpose: never, outside the proof build.
#[cfg(feature = "proof")]
pub(crate) fn mutated(mutant: Mutant) -> bool {
    chosen::is_chosen(mutant)
}

/// Whether a guard was taken out on purpose: never, outside the proof build.
#[cfg(not(feature = "proof"))]
pub(crate) fn mutated(_mutant: Mutant) -> bool {
    false
}
