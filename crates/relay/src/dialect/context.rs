//! Where clients were that do not say it themselves.
//!
//! The smallest client subscribes without a position each time it connects, and loses what happens
//! in between. Here it does not: what its WebSocket library has read is known by its answers to our
//! pings (every library sends them by itself, in order), and who comes back with the same
//! credentials and the same wish goes on from there. Every connection has a place of its own; one
//! that is in use is nobody else's, unless its client has been silent for a while: then the network
//! has eaten its end, and who comes is most likely the same client.

use std::collections::HashMap;

/// Most places that are kept of one client; the oldest goes.
const PLACES_MAX: usize = 20;

/// A client that has left a ping unanswered for so long is taken to be gone, in milliseconds. Less
/// than the wait of the smallest client before it connects again.
pub(crate) const SILENT_MS: u64 = 1_500;

/// Whose place it is: a client by its credentials, and what it has subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Number of the credentials.
    pub(crate) client: usize,
    /// Digest of what is subscribed to.
    pub(crate) scope: u128,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    scope: u128,
    /// First offset that was not confirmed.
    next: u64,
    left_ms: u64,
}

/// Where a connected client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whose place it is.
    pub(crate) owner: Owner,
    /// First offset that was not confirmed.
    pub(crate) next: u64,
    /// Since when a ping is unanswered.
    pub(crate) silent_since_ms: Option<u64>,
}

/// Places of those who have gone, and of those who are here. See the module.
#[derive(Debug)]
pub(crate) struct Contexts {
    kept_ms: u64,
    /// By connection.
    present: HashMap<u64, Standing>,
    /// By client, in the order in which they went.
    places: HashMap<usize, Vec<Place>>,
}

impl Contexts {
    /// None yet; each is kept for so many milliseconds.
    pub(crate) fn new(kept_ms: u64) -> Self {
        Self { kept_ms, present: HashMap::new(), places: HashMap::new() }
    }

    /// A connection is so far; `None`: it is not subscribed any more.
    pub(crate) fn note(&mut self, conn: u64, standing: Option<Standing>) {
        match standing {
            Some(standing) => drop(self.present.insert(conn, standing)),
            None => drop(self.present.remove(&conn)),
        }
    }

    /// A connection has gone.
    pub(crate) fn leave(&mut self, conn: u64, now_ms: u64) {
        // Somebody else has taken its place: then it has none.
        let Some(Standing { owner, next, .. }) = self.present.remove(&conn) else { return };
        let places = self.places.entry(owner.client).or_default();
        if places.len() >= PLACES_MAX {
            places.remove(0);
        }
        places.push(Place { scope: owner.scope, next, left_ms: now_ms });
    }

    /// Somebody has come: it takes the place of who went last, or has been silent for longest.
    pub(crate) fn take(&mut self, owner: Owner, now_ms: u64) -> Option<u64> {
        self.take_left(owner, now_ms).or_else(|| {
            let silent = self.present.iter().filter(|(_, standing)| standing.owner == owner);
            let since = silent.filter_map(|(conn, it)| Some((it.silent_since_ms?, *conn)));
            let (_, conn) = since
                .min()
                .filter(|(since_ms, _)| now_ms.saturating_sub(*since_ms) >= SILENT_MS)?;
            self.present.remove(&conn).map(|standing| standing.next)
        })
    }

    fn take_left(&mut self, owner: Owner, now_ms: u64) -> Option<u64> {
        let kept_ms = self.kept_ms;
        let places = self.places.get_mut(&owner.client)?;
        places.retain(|place| now_ms.saturating_sub(place.left_ms) <= kept_ms);
        let at = places.iter().rposition(|place| place.scope == owner.scope)?;
        Some(places.remove(at).next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(client: usize, scope: u128) -> Owner {
        Owner { client, scope }
    }

    fn here(owner: Owner, next: u64, silent_since_ms: Option<u64>) -> Option<Standing> {
        Some(Standing { owner, next, silent_since_ms })
    }

    /// A connection that came, and went at once.
    fn left(contexts: &mut Contexts, owner: Owner, next: u64, now_ms: u64) {
        contexts.note(7, here(owner, next, None));
        contexts.leave(7, now_ms);
    }

    #[test]
    fn who_comes_back_takes_its_place_once() {
        let mut contexts = Contexts::new(1_000);
        left(&mut contexts, owner(1, 7), 40, 10);
        assert_eq!(contexts.take(owner(1, 8), 20), None);
        assert_eq!(contexts.take(owner(2, 7), 20), None);
        assert_eq!(contexts.take(owner(1, 7), 20), Some(40));
        assert_eq!(contexts.take(owner(1, 7), 20), None);
    }

    #[test]
    fn each_of_several_has_one_and_old_ones_go() {
        let mut contexts = Contexts::new(1_000);
        left(&mut contexts, owner(1, 7), 40, 0);
        left(&mut contexts, owner(1, 7), 50, 600);
        assert_eq!(contexts.take(owner(1, 7), 1_000), Some(50));
        assert_eq!(contexts.take(owner(1, 7), 1_000), Some(40));
        left(&mut contexts, owner(1, 7), 60, 0);
        assert_eq!(contexts.take(owner(1, 7), 1_001), None);
        for next in 0..30 {
            left(&mut contexts, owner(1, 7), next, 2_000);
        }
        let taken = std::iter::from_fn(|| contexts.take(owner(1, 7), 2_000)).count();
        assert_eq!(taken, PLACES_MAX);
    }

    #[test]
    fn the_place_of_who_is_here_is_taken_only_after_a_silence() {
        let mut contexts = Contexts::new(1_000);
        contexts.note(1, here(owner(1, 7), 40, None));
        contexts.note(2, here(owner(1, 7), 50, Some(500)));
        assert_eq!(contexts.take(owner(1, 7), 500 + SILENT_MS - 1), None);
        assert_eq!(contexts.take(owner(1, 7), 500 + SILENT_MS), Some(50));
        // Its end comes through at last: it has no place any more.
        contexts.leave(2, 3_000);
        assert_eq!(contexts.take(owner(1, 7), 3_000), None);
        contexts.note(1, None);
        contexts.leave(1, 3_000);
        assert_eq!(contexts.take(owner(1, 7), 3_000), None);
    }
}
