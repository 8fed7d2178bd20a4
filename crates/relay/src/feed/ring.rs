//! The newest chunks, up to a size.

use std::collections::VecDeque;
use std::sync::Arc;

use super::chunk::Chunk;

/// See the module. Chunks follow each other without a hole.
#[derive(Debug)]
pub(super) struct Ring {
    chunks: VecDeque<Arc<Chunk>>,
    bytes: usize,
    bytes_max: usize,
    end: u64,
}

impl Ring {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { chunks: VecDeque::new(), bytes: 0, bytes_max, end: 0 }
    }

    /// The offset after the last.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Forgets everything and goes on from an offset.
    pub(super) fn restart(&mut self, at: u64) {
        self.chunks.clear();
        self.bytes = 0;
        self.end = at;
    }

    /// Gives those back for which there is no more room.
    pub(super) fn push(&mut self, chunk: Arc<Chunk>) -> Vec<Arc<Chunk>> {
        let mut too_old = Vec::new();
        self.bytes += chunk.bytes();
        self.end = chunk.end_offset;
        self.chunks.push_back(chunk);
        while self.bytes > self.bytes_max && self.chunks.len() > 1 {
            if let Some(oldest) = self.chunks.pop_front() {
                self.bytes -= oldest.bytes();
                too_old.push(oldest);
            }
        }
        too_old
    }

    /// The chunk that holds an offset.
    pub(super) fn at(&self, offset: u64) -> Option<&Arc<Chunk>> {
        let index = self.chunks.partition_point(|chunk| chunk.end_offset <= offset);
        self.chunks.get(index).filter(|chunk| chunk.first_offset <= offset)
    }
}
