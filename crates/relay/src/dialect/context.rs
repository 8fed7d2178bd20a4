//! Where clients were that do not say it themselves.
//!
//! The smallest client subscribes without a position each time it connects, and loses what happens
//! in between. Here it does not: what its WebSocket library has read is known by its answers to our
//! pings (every library sends them by itself, in order), and who comes back with the same
//! credentials and the same wish goes on from there. Every connection has a place of its own; one
//! that is in use is nobody else's.

use std::collections::HashMap;

/// Most places that are kept of one client; the oldest goes.
const PLACES_MAX: usize = 20;

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

/// Places of those who have gone. See the module.
#[derive(Debug)]
pub(crate) struct Contexts {
    kept_ms: u64,
    /// By client, in the order in which they went.
    places: HashMap<usize, Vec<Place>>,
}

impl Contexts {
    /// None yet; each is kept for so many milliseconds.
    pub(crate) fn new(kept_ms: u64) -> Self {
        Self { kept_ms, places: HashMap::new() }
    }

    /// A connection has gone; everything below `next` was confirmed.
    pub(crate) fn leave(&mut self, owner: Owner, next: u64, now_ms: u64) {
        let places = self.places.entry(owner.client).or_default();
        if places.len() >= PLACES_MAX {
            places.remove(0);
        }
        places.push(Place { scope: owner.scope, next, left_ms: now_ms });
    }

    /// Somebody has come: it takes the place of who went last.
    pub(crate) fn take(&mut self, owner: Owner, now_ms: u64) -> Option<u64> {
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

    #[test]
    fn who_comes_back_takes_its_place_once() {
        let mut contexts = Contexts::new(1_000);
        contexts.leave(owner(1, 7), 40, 10);
        assert_eq!(contexts.take(owner(1, 8), 20), None);
        assert_eq!(contexts.take(owner(2, 7), 20), None);
        assert_eq!(contexts.take(owner(1, 7), 20), Some(40));
        assert_eq!(contexts.take(owner(1, 7), 20), None);
    }

    #[test]
    fn each_of_several_has_one_and_old_ones_go() {
        let mut contexts = Contexts::new(1_000);
        contexts.leave(owner(1, 7), 40, 0);
        contexts.leave(owner(1, 7), 50, 600);
        assert_eq!(contexts.take(owner(1, 7), 1_000), Some(50));
        assert_eq!(contexts.take(owner(1, 7), 1_000), Some(40));
        contexts.leave(owner(1, 7), 60, 0);
        assert_eq!(contexts.take(owner(1, 7), 1_001), None);
        for next in 0..30 {
            contexts.leave(owner(1, 7), next, 2_000);
        }
        let taken = std::iter::from_fn(|| contexts.take(owner(1, 7), 2_000)).count();
        assert_eq!(taken, PLACES_MAX);
    }
}
