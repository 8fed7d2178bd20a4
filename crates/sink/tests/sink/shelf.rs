//! A target in memory, and a sink that fails in front of any target.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use unbroken_core::ids::StreamId;
use unbroken_core::record::{Body, Change, GapOpened, Record, digest};
use unbroken_core::time::UnixMicros;
use unbroken_sink::{
    Batch, Checkpoint, Claim, Fence, Guarantee, Lapse, Opened, Parked, Sink, SinkError,
};

/// What all trials need of a target.
pub(crate) trait Target {
    /// Another instance of the same sink.
    fn sink(&self) -> impl Sink + 'static;

    /// The ids of what is committed, as they lie there.
    fn ids(&self) -> Vec<String>;

    /// The same, for which it has no place if it has none for something.
    fn odd(&self, change: Change) -> Change {
        Change { key: "agent\0zero".into(), ..change }
    }

    /// How many records lie aside; `None`: where that is, is not looked at.
    fn aside(&self) -> Option<usize> {
        None
    }

    /// All that it holds, also what is no record: lapses, and rows of the ledger that were open.
    fn whole(&self) -> Vec<String> {
        self.ids()
    }

    /// How it holds all that a shelf does.
    fn like(&self, held: &Held) -> Vec<String> {
        held.told.clone()
    }
}

/// See the module. With the fence that this instance had last.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<Held>>, u64);

#[derive(Default)]
pub(crate) struct Held {
    pub(crate) fence: u64,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) ids: Vec<String>,
    /// With them, in the order in which they were given: lapses, and rows of the ledger that were
    /// open.
    pub(crate) told: Vec<String>,
    pub(crate) entries: Vec<(u64, Record)>,
    pub(crate) parked: Vec<Parked>,
    pub(crate) lapses: Vec<Lapse>,
    pub(crate) open_gaps: Vec<(StreamId, GapOpened)>,
    pub(crate) as_of: Vec<Option<UnixMicros>>,
    pub(crate) commits: u64,
    pub(crate) last: Option<Batch>,
}

impl Shelf {
    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("nobody panics with it")
    }

    pub(crate) fn offsets(&self) -> Vec<u64> {
        self.held().entries.iter().map(|(offset, _)| *offset).collect()
    }
}

impl Target for Shelf {
    fn sink(&self) -> impl Sink + 'static {
        self.clone()
    }

    fn ids(&self) -> Vec<String> {
        self.held().ids.clone()
    }

    fn whole(&self) -> Vec<String> {
        self.held().told.clone()
    }
}

impl Sink for Shelf {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Transactional
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        let mut held = self.held();
        claim.accept(held.checkpoint.as_ref())?;
        if self.1 > 0 && held.fence > self.1 {
            return Err(SinkError::Fenced);
        }
        held.fence += 1;
        let (fence, checkpoint) = (Fence(held.fence), held.checkpoint);
        drop(held);
        self.1 = fence.0;
        Ok(Opened { fence, checkpoint, until: None, keeps_parts: false })
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let mut held = self.held();
        if held.fence != fence.0 {
            return Err(SinkError::Fenced);
        }
        if held.checkpoint != batch.base {
            return Err(SinkError::Moved { found: held.checkpoint.expect("one") });
        }
        held.checkpoint = Some(batch.next);
        let at = |offset: u64| format!("{}:{offset}", batch.journal());
        let ids: Vec<String> = batch.entries().map(|(offset, _)| at(offset)).collect();
        let lapse = batch.lapse.iter();
        held.told.extend(lapse.map(|it| format!("{}:lapse:{}", at(it.from_offset), it.to_offset)));
        held.told.extend(ids.iter().cloned());
        let gap = |gap: &GapOpened| format!("{}:gap:{}", at(batch.next.next_offset), gap.gap);
        held.told.extend(batch.open_gaps.iter().map(|(_, opened)| gap(opened)));
        held.ids.extend(ids);
        held.entries.extend(batch.entries().map(|(offset, record)| (offset, record.clone())));
        held.parked.extend(batch.parked.iter().cloned());
        held.lapses.extend(batch.lapse);
        held.open_gaps.extend(batch.open_gaps.iter().cloned());
        held.as_of.push(batch.as_of);
        held.commits += 1;
        held.last = Some(batch.clone());
        Ok(())
    }
}

/// The last write of each key, as a reader of the target would have it.
pub(crate) fn state(entries: &[(u64, Record)]) -> BTreeMap<String, u64> {
    let written = entries.iter().filter_map(|(offset, record)| match &record.body {
        Body::Change(change) => Some((change.key.to_string(), *offset)),
        _ => None,
    });
    written.collect()
}

/// The same, with more than a message has room for.
pub(crate) fn too_large(change: Change) -> Change {
    let payload = format!("\"{}\"", "a".repeat(1 << 20)).into_bytes();
    Change { digest: digest(&payload), payload: payload.into(), ..change }
}

/// How a sink fails.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    /// Of a hundred commits, so many fail before anything is done, and as many after everything is.
    pub(crate) percent: u32,
    /// Decides which.
    pub(crate) seed: u64,
    /// These are refused.
    pub(crate) refused: BTreeSet<u64>,
    /// And it is said which.
    pub(crate) is_named: bool,
    /// While set, nothing can be reached.
    pub(crate) is_down: bool,
    /// So many commits are done, and not answered.
    pub(crate) lost: u32,
}

/// See the module.
pub(crate) struct Faulty<S> {
    pub(crate) sink: S,
    pub(crate) faults: Arc<Mutex<Faults>>,
    rng: fastrand::Rng,
}

impl<S> Faulty<S> {
    pub(crate) fn new(sink: S, faults: Faults) -> Self {
        let rng = fastrand::Rng::with_seed(faults.seed);
        Self { sink, faults: Arc::new(Mutex::new(faults)), rng }
    }

    fn faults(&self) -> Faults {
        self.faults.lock().expect("nobody panics with it").clone()
    }
}

fn cut() -> SinkError {
    SinkError::unreachable("being tried")(io::Error::from(io::ErrorKind::ConnectionReset))
}

impl<S: Sink> Sink for Faulty<S> {
    fn guarantee(&self) -> Guarantee {
        self.sink.guarantee()
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        if self.faults().is_down {
            return Err(cut());
        }
        self.sink.open(claim).await
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let faults = self.faults();
        if faults.is_down {
            return Err(cut());
        }
        let refused = batch.entries().find(|(offset, _)| faults.refused.contains(offset));
        if let Some((offset, _)) = refused {
            let offset = faults.is_named.then_some(offset);
            return Err(SinkError::Refused { offset, why: "it is poison".to_owned() });
        }
        if faults.lost > 0 {
            self.faults.lock().expect("nobody panics with it").lost -= 1;
            self.sink.commit(fence, batch).await?;
            return Err(cut());
        }
        match self.rng.u32(0..100) {
            roll if roll < faults.percent => Err(cut()),
            roll if roll < 2 * faults.percent => {
                self.sink.commit(fence, batch).await?;
                Err(cut())
            }
            _ => self.sink.commit(fence, batch).await,
        }
    }
}
