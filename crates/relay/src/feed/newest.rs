//! The thread that follows the log while there are clients.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::error;
use unbroken_journal::JournalError;
use unbroken_journal::courtesy::{self, give_way};

use super::Feed;
use super::reading::Reading;
use super::shared::Shared;

/// Of a chunk, in bytes of the log: small enough to be sent at once, large enough that a burst is
/// few of them.
const CHUNK_BYTES: usize = 128 * 1024;

/// Records before the end that are in the ring when the first client comes: after a restart all
/// come back at once, with places a little before the end.
const WARM_RECORDS: u64 = 4096;

/// How long the log is followed when the last client has gone: one that polls comes again.
const LINGER: Duration = Duration::from_secs(30);

/// How often the thread looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Pieces that are read before those who want a few keys are woken, if there is more all the time.
const PIECES_MAX: usize = 64;

/// Time between two wakings, for each client that wants everything: a thousand of them are woken at
/// most fifty times a second, and the log keeps the processor. One alone is woken at once, if not
/// many others are given something.
const REST_PER_CLIENT: Duration = Duration::from_micros(20);

/// The longest of these times.
const REST_MAX: Duration = Duration::from_millis(100);

/// The same for each that wants a few keys and was given something: to tell it costs some twenty
/// microseconds, however little that is, so that all of this is some hundredths of a processor.
/// While much is recorded it is told more at a time.
const REST_PER_GIVEN: Duration = Duration::from_micros(500);

/// The longest of those: a thousand clients that are all given something are told twice a second.
const REST_GIVEN_MAX: Duration = Duration::from_millis(500);

/// The shortest one while nobody wants everything: the log is written a thousand times a second,
/// and to look each time would take more from it than what is found. What comes after a quiet time
/// is told at once all the same.
const REST_MIN: Duration = Duration::from_millis(4);

/// After a failure to read.
const RETRY: Duration = Duration::from_secs(1);

/// The running thread. Stop it before the journal's writer.
#[derive(Debug)]
pub struct Newest {
    feed: Feed,
    thread: JoinHandle<()>,
}

impl Newest {
    /// Starts it; it sleeps until there is a client.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(feed: Feed) -> io::Result<Self> {
        let following = feed.clone();
        let thread = thread::Builder::new()
            .name("relay-feed".to_owned())
            .spawn(move || follow_while_wanted(&following))?;
        Ok(Self { feed, thread })
    }

    /// Ends every client's reading with [`FeedError::Stopped`](super::FeedError::Stopped).
    pub fn stop(self) {
        self.feed.0.stop();
        // An error says that the thread has ended, which is what is asked for.
        let _ = self.thread.join();
    }
}

fn follow_while_wanted(feed: &Feed) {
    give_way(courtesy::CLIENTS);
    while feed.0.wait_for_client() {
        if let Err(error) = follow(feed) {
            // They have something, whatever comes after it.
            feed.0.wake_given();
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            error!(%error, cause, "relay cannot read the log; trying again");
            if feed.0.is_stopped_within(RETRY) {
                return;
            }
        }
    }
}

/// Brings what comes, until nobody has wanted it for a while or it is time to stop.
fn follow(feed: &Feed) -> Result<(), JournalError> {
    let shared = &feed.0;
    let reader = &shared.reader;
    let end = reader.end_offset()?;
    let begin = end.saturating_sub(WARM_RECORDS).max(reader.oldest_offset()?);
    let mut reading = Reading::new(reader, begin)?;
    shared.restart(begin);
    let mut wanted_at = Instant::now();
    let mut giving = Giving { shared, due: wanted_at };
    loop {
        let mut broad_count = None;
        for pieces in 0..PIECES_MAX {
            match reading.next_piece(CHUNK_BYTES)? {
                Some(chunk) => broad_count = Some(shared.publish(chunk)),
                None if pieces == 0 => reading.wait(giving.wait_max())?,
                None => break,
            }
        }
        giving.wake_if_due();
        if shared.count() > 0 {
            wanted_at = Instant::now();
        } else if wanted_at.elapsed() > LINGER {
            shared.rest();
            return Ok(());
        }
        let rest = match broad_count {
            None => Duration::ZERO,
            Some(0) => REST_MIN,
            Some(count) => rest(REST_PER_CLIENT, count).min(REST_MAX),
        };
        if shared.is_stopped_within(rest) {
            return Ok(());
        }
    }
}

/// When those are woken who want a few keys. The log is read on meanwhile, since what has just been
/// written is in memory for a short time only.
struct Giving<'a> {
    shared: &'a Shared,
    due: Instant,
}

impl Giving<'_> {
    /// How long nothing need be done if nothing comes.
    fn wait_max(&self) -> Duration {
        let left = self.due.saturating_duration_since(Instant::now());
        if self.shared.has_given() { left.min(LOOK_EVERY) } else { LOOK_EVERY }
    }

    fn wake_if_due(&mut self) {
        let now = Instant::now();
        if now >= self.due {
            let given_count = self.shared.wake_given();
            self.due = now + rest(REST_PER_GIVEN, given_count).min(REST_GIVEN_MAX);
        }
    }
}

/// The first few are served at once.
fn rest(per_client: Duration, count: usize) -> Duration {
    if count > 8 { per_client * u32::try_from(count).unwrap_or(u32::MAX) } else { Duration::ZERO }
}
