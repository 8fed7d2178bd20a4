//! What may be deleted, and who still needs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use unbroken_core::time::UnixMicros;

use crate::JournalError;
use crate::local::home::{Home, image_name, segment_name};
use crate::local::image;
use crate::local::segment::{Segment, SegmentHeader};
use crate::mutant::{Mutant, mutated};

/// How long the log is kept. Whole segments are deleted, oldest first, only sealed ones, and only
/// those that the older of the two newest images makes superfluous.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Segments sealed longer ago than this go, in milliseconds, unless a consumer still needs
    /// them. `None`: age deletes nothing.
    pub age_ms: Option<u64>,
    /// Above this size the oldest segments go, in bytes, whoever needs them. `None`: no limit.
    pub bytes_max: Option<u64>,
}

/// The checkpoints that retention must not pass, by consumer. Clones share them. Register every
/// consumer before the first commit of the process: retention runs when a segment is sealed.
#[derive(Clone, Debug, Default)]
pub struct Consumers(Arc<Mutex<BTreeMap<String, Consumer>>>);

#[derive(Clone, Copy, Debug, Default)]
struct Consumer {
    offset: u64,
    lapsed: Option<u64>,
}

/// A consumer whose next record was deleted because of `bytes_max`. It must begin again from an
/// image, with a gap row in its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapsed {
    /// The consumer.
    pub name: String,
    /// The next record that it wanted.
    pub offset: u64,
    /// The oldest record that is left.
    pub oldest: u64,
}

impl Consumers {
    /// Everything below `offset` is consumed and *synced* in the consumer's target.
    pub fn checkpoint(&self, name: &str, offset: u64) {
        let mut consumers = self.held();
        let consumer = consumers.entry(name.to_owned()).or_default();
        consumer.offset = offset;
        if consumer.lapsed.is_some_and(|oldest| offset >= oldest) {
            consumer.lapsed = None;
        }
    }

    /// The consumer is no more.
    pub fn forget(&self, name: &str) {
        self.held().remove(name);
    }

    /// The consumers that retention has overtaken, until their checkpoint has caught up.
    pub fn lapsed(&self) -> Vec<Lapsed> {
        let lapsed = |(name, consumer): (&String, &Consumer)| {
            let oldest = consumer.lapsed?;
            Some(Lapsed { name: name.clone(), offset: consumer.offset, oldest })
        };
        self.held().iter().filter_map(lapsed).collect()
    }

    fn needed_from(&self) -> u64 {
        self.held().values().map(|consumer| consumer.offset).min().unwrap_or(u64::MAX)
    }

    fn overtake(&self, oldest: u64) {
        for (name, consumer) in self.held().iter_mut().filter(|(_, c)| c.offset < oldest) {
            tracing::error!(consumer = name, offset = consumer.offset, oldest, "consumer lapsed");
            consumer.lapsed = Some(oldest);
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Consumer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deletes what is no longer wanted.
pub(crate) fn retain(
    home: &Home,
    retention: &Retention,
    consumers: &Consumers,
    now: UnixMicros,
) -> Result<(), JournalError> {
    let listing = home.list()?;
    let Some((&older, stale)) = listing.images.split_last().and_then(|(_, rest)| rest.split_last())
    else {
        return Ok(());
    };
    // The log is deleted only behind an image that was just read back and found whole.
    let Ok(image) = image::read(home, older)? else {
        tracing::warn!(image = image_name(older), "image is damaged; nothing is deleted");
        return Ok(());
    };
    for number in stale {
        home.remove(&image_name(*number))?;
    }
    let mut segments = Vec::with_capacity(listing.segments.len());
    for id in listing.segments {
        let segment = Segment::open(home, id)?;
        segments.push((segment.header, segment.len()?));
    }
    let mut bytes: u64 = segments.iter().map(|(_, len)| len).sum();
    for pair in segments.windows(2) {
        let [(old, len), (next, _)] = pair else { break };
        if old.id >= image.place.segment && !mutated(Mutant::ImagesPassed) {
            break;
        }
        let too_large = retention.bytes_max.is_some_and(|max| bytes > max);
        if !too_large && !outlived(retention, consumers, next, now) {
            break;
        }
        home.remove(&segment_name(old.id))?;
        bytes -= len;
        consumers.overtake(next.first_offset);
    }
    Ok(())
}

/// `next` begins where the segment in question ends, and was made when that was sealed.
fn outlived(
    retention: &Retention,
    consumers: &Consumers,
    next: &SegmentHeader,
    now: UnixMicros,
) -> bool {
    let age_ms = now.0.saturating_sub(next.created_at.0) / 1_000;
    retention.age_ms.is_some_and(|max| age_ms >= 0 && age_ms as u64 > max)
        && (consumers.needed_from() >= next.first_offset || mutated(Mutant::ConsumerPassed))
}
