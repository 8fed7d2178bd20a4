//! Goal: the window of bookmarks is bounded, and says the same in both directions.

use unbroken_core::bookmark::{BOOKMARK_BYTES_MAX, BOOKMARKS_MAX, Bookmark, Bookmarks};

fn bookmark(number: u64) -> Bookmark {
    Bookmark::new(format!("t{number}").as_bytes()).unwrap()
}

fn dice(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

#[test]
fn whatever_is_inserted_it_is_bounded_and_agrees_with_itself() {
    for seed in 0..20 {
        let (mut state, mut sequence) = (seed, 0);
        let mut window = Bookmarks::default();
        for _ in 0..4_000 {
            sequence += dice(&mut state, 3);
            window.insert(sequence, bookmark(dice(&mut state, 3_000)));
            assert!(window.iter().len() <= BOOKMARKS_MAX);
        }
        assert_eq!(window.iter().len(), BOOKMARKS_MAX, "seed {seed}: it was never full");
        for (sequence, bookmark) in window.iter() {
            assert_eq!(window.sequence_of(bookmark), Some(sequence));
            assert_eq!(window.at(sequence), Some(bookmark));
        }
        let rising = window.iter().zip(window.iter().skip(1)).all(|(a, b)| a.0 < b.0);
        assert!(rising);
        assert_eq!(window.last_sequence(), window.iter().last().map(|(sequence, _)| sequence));
    }
}

#[test]
fn the_oldest_is_forgotten_and_a_known_one_keeps_its_place() {
    let mut window = Bookmarks::default();
    for sequence in 1..=BOOKMARKS_MAX as u64 {
        window.insert(sequence, bookmark(sequence));
    }
    window.insert(9_000, bookmark(7));
    assert_eq!(window.sequence_of(&bookmark(7)), Some(7));
    assert_eq!(window.sequence_of(&bookmark(1)), Some(1));
    window.insert(9_001, bookmark(9_001));
    assert_eq!(window.sequence_of(&bookmark(1)), None);
    assert_eq!(window.sequence_of(&bookmark(2)), Some(2));
}

#[test]
fn what_is_empty_or_too_long_is_none() {
    assert_eq!(Bookmark::new(b""), None);
    assert!(Bookmark::new(&vec![0; BOOKMARK_BYTES_MAX]).is_some());
    assert_eq!(Bookmark::new(&vec![0; BOOKMARK_BYTES_MAX + 1]), None);
}
