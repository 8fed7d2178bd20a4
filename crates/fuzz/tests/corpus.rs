//! What must hold, on the corpus and on small changes of it, without a fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use unbroken_fuzz::TARGETS;
use unbroken_journal::simdisk::Dice;

/// Changed inputs for each target: a second or two.
const CHANGED: u64 = 1_500;
const SEED: u64 = 7;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        fs::read_dir(folder(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{target}: a corpus of {} is none", files.len());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn the_corpus_and_small_changes_of_it_hold() {
    for (target, check) in TARGETS {
        let seeds = corpus(target);
        let understood = seeds.iter().filter(|seed| check(seed)).count();
        assert!(understood > 0, "{target}: nothing in the corpus makes sense");
        let mut dice = Dice::new(SEED);
        for _ in 0..CHANGED {
            let changed = change(&mut dice, &seeds);
            let _ = check(&changed);
        }
        println!(
            "{target}: {} files, {understood} of them understood, {CHANGED} changes, seed {SEED}",
            seeds.len()
        );
    }
}

/// An input with some of its bytes changed, cut out, doubled, or taken from another.
fn change(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let pick = |dice: &mut Dice| &seeds[dice.below(seeds.len() as u64) as usize];
    let mut input = pick(dice).clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() as u64 + 1) as usize;
        let len = dice.below(8).min((input.len() - at) as u64) as usize;
        match dice.below(5) {
            0 if at < input.len() => input[at] = dice.roll() as u8,
            1 if at < input.len() => input[at] ^= 1 << dice.below(8),
            2 => drop(input.drain(at..at + len)),
            3 => input.extend_from_within(at..at + len),
            _ => {
                let other = pick(dice);
                let from = dice.below(other.len() as u64 + 1) as usize;
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
    input
}
