//! How often a source has asked its vendor for something, and how it was answered. For figures
//! alone: nothing is decided by it.

use std::sync::atomic::{AtomicU64, Ordering};

use unbroken_core::connector::{Decoded, Item};

/// Counters that may be read from anywhere.
#[derive(Debug, Default)]
pub struct Tally {
    handshakes: Answers,
    requests: Answers,
    tokens: Answers,
    frames: AtomicU64,
    unknown: AtomicU64,
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
        }
    }

    pub(crate) fn handshake<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        self.handshakes.note(&result);
        result
    }

    pub(crate) fn request<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        self.requests.note(&result);
        result
    }

    pub(crate) fn token<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        self.tokens.note(&result);
        result
    }

    pub(crate) fn frame(&self, decoded: &Decoded) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        let unknown = decoded.items.iter().filter(|item| matches!(item, Item::Unknown)).count();
        if unknown > 0 {
            self.unknown.fetch_add(unknown as u64, Ordering::Relaxed);
        }
    }
}
