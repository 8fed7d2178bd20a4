//! How often a source has asked its vendor for something, and how it was answered. For figures
//! alone: nothing is decided by it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use unbroken_core::connector::{Decoded, Item};
use unbroken_core::ids::StreamId;
use unbroken_core::time::UnixMicros;

use crate::auth::Granted;

/// Counters that may be read from anywhere.
#[derive(Debug, Default)]
pub struct Tally {
    handshakes: Answers,
    requests: Answers,
    tokens: Answers,
    frames: AtomicU64,
    unknown: AtomicU64,
    frame_at: Moment,
    token_expires_at: Moment,
    /// When each stream's last frame was read; set once, when the streams are known.
    heard: OnceLock<Vec<(StreamId, Moment)>>,
}

/// What a [`Tally`] has come to since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handshakes that were accepted, and that failed.
    pub handshakes: (u64, u64),
    /// Requests for the head or a page that were answered as hoped, and that were not.
    pub requests: (u64, u64),
    /// Tokens that were granted, and that were not.
    pub tokens: (u64, u64),
    /// Frames that were read.
    pub frames: u64,
    /// Well-formed things in them that the profile does not know.
    pub unknown: u64,
    /// When the last frame was read.
    pub frame_at: Option<UnixMicros>,
    /// When the last token that was granted ends, if it is known.
    pub token_expires_at: Option<UnixMicros>,
}

/// A time of the wall clock in microseconds; the least there is stands for none.
#[derive(Debug)]
struct Moment(AtomicI64);

impl Default for Moment {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Moment {
    /// So long from now; `None`: it is not known.
    fn note(&self, from_now: Option<Duration>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = from_now.and_then(|from_now| since.checked_add(from_now));
        let at = at.and_then(|at| i64::try_from(at.as_micros()).ok());
        self.0.store(at.unwrap_or(i64::MIN), Ordering::Relaxed);
    }

    fn read(&self) -> Option<UnixMicros> {
        let at = self.0.load(Ordering::Relaxed);
        (at != i64::MIN).then_some(UnixMicros(at))
    }
}

#[derive(Debug, Default)]
struct Answers {
    good: AtomicU64,
    bad: AtomicU64,
}

impl Answers {
    fn note<T, E>(&self, result: &Result<T, E>) {
        let counter = if result.is_ok() { &self.good } else { &self.bad };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        (self.good.load(Ordering::Relaxed), self.bad.load(Ordering::Relaxed))
    }
}

impl Tally {
    /// What it has come to.
    pub fn counts(&self) -> Counts {
        Counts {
            handshakes: self.handshakes.read(),
            requests: self.requests.read(),
            tokens: self.tokens.read(),
            frames: self.frames.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
            frame_at: self.frame_at.read(),
            token_expires_at: self.token_expires_at.read(),
        }
    }

    /// When a stream's last frame was read.
    pub fn heard_at(&self, stream: &str) -> Option<UnixMicros> {
        let mut streams = self.heard.get()?.iter();
        streams.find(|(name, _)| name.as_str() == stream)?.1.read()
    }

    /// The source has these streams.
    pub(crate) fn follow(&self, streams: &[StreamId]) {
        self.heard.get_or_init(|| {
            streams.iter().map(|stream| (stream.clone(), Moment::default())).collect()
        });
    }

    pub(crate) fn handshake<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        self.handshakes.note(&result);
        result
    }

    pub(crate) fn request<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        self.requests.note(&result);
        result
    }

    pub(crate) fn token<E>(&self, result: Result<Granted, E>) -> Result<Granted, E> {
        self.tokens.note(&result);
        if let Ok(granted) = &result {
            self.token_expires_at.note(granted.life_ms.map(Duration::from_millis));
        }
        result
    }

    pub(crate) fn frame(&self, stream: &StreamId, decoded: &Decoded) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.frame_at.note(Some(Duration::ZERO));
        let mut streams = self.heard.get().into_iter().flatten();
        if let Some((_, moment)) = streams.find(|(name, _)| name == stream) {
            moment.note(Some(Duration::ZERO));
        }
        let unknown = decoded.items.iter().filter(|item| matches!(item, Item::Unknown)).count();
        if unknown > 0 {
            self.unknown.fetch_add(unknown as u64, Ordering::Relaxed);
        }
    }
}
