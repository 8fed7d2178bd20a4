//! The core's own tables against the standard library's.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use unbroken_core::ahead::Ahead;
use unbroken_core::ids::Key;
use unbroken_core::key_table::KeyTable;
use unbroken_core::position::{Epoch, Position};

fn seeded() -> fastrand::Rng {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    fastrand::Rng::with_seed(seed)
}

fn key(number: u32) -> Key {
    Key::new(format!("key-{number}"))
}

fn hashed(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn a_key_table_is_a_map() {
    let mut rng = seeded();
    for keys in [3, 50, 1_000] {
        let (mut table, mut map) = (KeyTable::default(), BTreeMap::new());
        for turn in 0..20_000_u32 {
            let key = key(rng.u32(..keys));
            match rng.u8(..5) {
                0 | 1 => assert_eq!(table.insert(key.clone(), turn), map.insert(key, turn)),
                2 | 3 => assert_eq!(table.remove(&key), map.remove(&key)),
                _ => assert_eq!(table.get(&key), map.get(&key)),
            }
            assert_eq!((table.len(), table.is_empty()), (map.len(), map.is_empty()));
        }
        assert!(table.iter().eq(map.iter()));
        assert!(table.keys().eq(map.keys()));
        assert!(map.iter().all(|(key, value)| table.get(key) == Some(value)));
        assert!((0..keys).all(|n| table.contains_key(&key(n)) == map.contains_key(&key(n))));
    }
}

#[test]
fn tables_of_equal_entries_are_equal_whatever_their_history() {
    let mut rng = seeded();
    let mut numbers: Vec<u32> = (0..200).collect();
    let made = |numbers: &[u32]| {
        let mut table: KeyTable<u32> = numbers.iter().map(|n| (key(*n), *n)).collect();
        for gone in numbers.iter().filter(|n| **n % 3 == 0) {
            table.remove(&key(*gone));
        }
        table
    };
    let one = made(&numbers);
    rng.shuffle(&mut numbers);
    let mut other = made(&numbers);
    assert_eq!((&one, hashed(&one)), (&other, hashed(&other)));
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    other.insert(key(1), 7);
    assert_ne!(one, other);
    assert_ne!(hashed(&one), hashed(&other));
    other.remove(&key(1));
    assert_ne!(one, other);
}

#[test]
fn identities_ahead_are_a_set() {
    let mut rng = seeded();
    let (mut ahead, mut set) = (Ahead::default(), BTreeSet::new());
    for _ in 0..20_000 {
        let position = Position::new(Epoch(0), rng.u64(..50));
        let identity = (position, key(rng.u32(..4)), rng.u16(..2));
        match rng.u8(..8) {
            0 => {
                ahead.advance(position);
                set.retain(|(above, _, _)| *above > position);
            }
            1 | 2 => assert_eq!(ahead.contains(&identity), set.contains(&identity)),
            _ => {
                ahead.insert(identity.clone());
                set.insert(identity);
            }
        }
        assert!(ahead.iter().eq(set.iter()));
        assert_eq!(ahead.last(), set.last().map(|(position, _, _)| *position));
        assert_eq!((ahead.len(), ahead.is_empty()), (set.len(), set.is_empty()));
    }
}
