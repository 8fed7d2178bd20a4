//! Where the binary part of the corpus comes from: histories as the machine hands them to the
//! journal, encoded. `UPDATE_CORPUS=1 cargo test -p unbroken-fuzz --test seeds` writes them anew.

use std::fs;
use std::path::Path;

use unbroken_core::fold::Fold;
use unbroken_fuzz::history::unit;
use unbroken_journal::FORMAT;
use unbroken_journal::codec::{decode_records, encode_fold, encode_records};

const SEEDS: u64 = 4;

/// A batch and the image after it, as inputs of their targets.
fn made(seed: u64) -> (Vec<u8>, Vec<u8>) {
    let (mut batch, mut image) = (vec![0, 0], vec![b'0' + FORMAT as u8]);
    let units: Vec<_> = (1..=3 + 3 * seed).map(unit).collect();
    let encoded = encode_records(&mut batch, &units);
    batch[0] = u8::try_from(encoded.records).unwrap();
    batch[1] = u8::try_from(encoded.marks).unwrap();
    let mut fold = Fold::new(true);
    let mut offset = 0;
    for unit in &units {
        for record in &unit.records {
            fold.apply(offset, record);
            offset += 1;
        }
        if let Some(mark) = &unit.mark {
            fold.mark(mark);
        }
    }
    encode_fold(&mut image, &fold);
    (batch, image)
}

#[test]
fn the_binary_corpus_is_of_today_s_format() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for seed in 0..SEEDS {
        let (batch, image) = made(seed);
        for (target, bytes) in [("batch", batch), ("image", image)] {
            let path = corpus.join(target).join(format!("history_{seed}"));
            if std::env::var_os("UPDATE_CORPUS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &bytes).unwrap();
            }
            let known = fs::read(&path).unwrap_or_default();
            assert!(known == bytes, "{target}/history_{seed} is not what is written today");
        }
    }
}

#[test]
fn the_corpus_reaches_what_it_is_for() {
    let (batch, _) = made(0);
    let encoded =
        unbroken_journal::codec::Encoded { records: batch[0].into(), marks: batch[1].into() };
    let (records, marks) = decode_records(batch[2..].to_vec().into(), encoded).unwrap();
    assert!(records.len() > 5 && !marks.is_empty());
}
