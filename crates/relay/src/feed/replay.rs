//! Reading what is older than the ring: a bounded piece at a time, few clients at once.
use unbroken_render::Filter;

use super::chunk::Chunk;
use super::reading::Reading;
use super::{Feed, FeedError};
use unbroken_journal::JournalError;

/// Of one piece, in bytes of the log: what is rendered for one client at once.
const PIECE_BYTES: usize = 256 * 1024;

/// A reading, and its next piece.
pub(super) type Piece = Result<(Reading, Option<Chunk>), FeedError>;

/// Reads the next piece from an offset on; with a reading that has come so far by that, else by a
/// new one. The piece may hold nothing that passes the filter; at the end of the log it is `None`.
pub(super) async fn read(feed: Feed, kept: Option<Reading>, from: u64, filter: Filter) -> Piece {
    let permit = feed.0.replays.acquire().await.map_err(|_| FeedError::Stopped)?;
    let feed_there = feed.clone();
    let kept = kept.filter(|reading| reading.next_offset() == from);
    let read = tokio::task::spawn_blocking(move || {
        let mut reading = match kept {
            Some(reading) => reading,
            None => Reading::new(&feed_there.0.reader, from)?,
        };
        let chunk = reading.next_wanted(&filter, PIECE_BYTES)?;
        Ok((reading, chunk))
    });
    let piece = read.await.map_err(|_| FeedError::Stopped)?;
    drop(permit);
    piece.map_err(|error| explain(&feed, error))
}

fn explain(feed: &Feed, error: JournalError) -> FeedError {
    match error {
        JournalError::PastRetention { oldest, .. } => {
            FeedError::Expired { oldest: feed.cursor(oldest) }
        }
        error => FeedError::Journal(error),
    }
}
