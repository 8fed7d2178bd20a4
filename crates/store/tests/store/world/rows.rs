use std::collections::BTreeMap;

use unbroken_core::fold::{Fold, StreamFold};
use unbroken_core::ids::{GapId, Key};
use unbroken_store::{GapRow, StateFilter, StateRow, StoreReader, StreamRow};

/// Everything that the store says of state is what the fold says.
pub(crate) fn assert_equals_fold(store: &StoreReader, fold: &Fold, what: &str) {
    let filter = StateFilter { tombstones: true, ..StateFilter::default() };
    let rows = store.state(&filter).unwrap().rows;
    let gaps = store.gaps().unwrap();
    let streams = store.streams().unwrap();
    let names: Vec<_> = streams.iter().map(|row| row.stream.clone()).collect();
    assert_eq!(names, fold.streams.keys().cloned().collect::<Vec<_>>(), "{what}: streams");
    for row in &streams {
        let stream = &fold.streams[&row.stream];
        assert_stream(row, stream, what);
        assert_keys(rows.iter().filter(|r| r.stream == row.stream), stream, row, what);
        assert_gaps(gaps.iter().filter(|gap| gap.stream == row.stream), stream, what);
    }
}

fn assert_stream(row: &StreamRow, fold: &StreamFold, what: &str) {
    let name = &row.stream;
    assert_eq!(row.epoch, fold.epoch, "{what}: epoch of {name}");
    assert_eq!(row.epoch_name, fold.epoch_name, "{what}: epoch name of {name}");
    assert_eq!(row.position, fold.position, "{what}: position of {name}");
    assert_eq!(row.stale_before, fold.stale_before, "{what}: staleness of {name}");
    assert_eq!(row.covered_at, fold.covered_at, "{what}: coverage of {name}");
    assert_eq!(row.snapshot_tag, fold.snapshot_tag, "{what}: tag of {name}");
    assert_eq!(row.converging_until, fold.converging_until, "{what}: converging of {name}");
    assert_eq!(row.gaps_open, fold.open_gaps.len() as u64, "{what}: open gaps of {name}");
    let present = fold.keys.values().filter(|key| key.present).count() as u64;
    assert_eq!(row.keys_present, present, "{what}: keys of {name}");
}

fn assert_keys<'a>(
    rows: impl Iterator<Item = &'a StateRow>,
    fold: &StreamFold,
    stream: &StreamRow,
    what: &str,
) {
    let doubted = fold.open_gaps.values().map(|gap| gap.opened.wall_from).min();
    let rows: BTreeMap<Key, &StateRow> = rows.map(|row| (row.key.clone(), row)).collect();
    assert_eq!(
        rows.keys().collect::<Vec<_>>(),
        fold.keys.keys().collect::<Vec<_>>(),
        "{what}: keys"
    );
    for (key, row) in rows {
        let value = &fold.keys[&key];
        assert_eq!(row.offset, value.offset, "{what}: offset of {key}");
        assert_eq!(row.version, value.version, "{what}: version of {key}");
        assert_eq!(row.present, value.present, "{what}: presence of {key}");
        assert_eq!(row.digest, value.digest, "{what}: digest of {key}");
        assert_eq!(row.occurred_at, value.occurred_at, "{what}: time of {key}");
        assert_eq!(row.received_at, value.received_at, "{what}: arrival of {key}");
        assert_eq!(row.payload, value.payload, "{what}: payload of {key}");
        let lost = (!stream.live).then(|| stream.live_changed_at.unwrap_or(row.received_at));
        let stale_since = [fold.stale_since(value), lost, doubted].into_iter().flatten().min();
        assert_eq!(row.stale_since, stale_since, "{what}: staleness of {key}");
    }
}

fn assert_gaps<'a>(rows: impl Iterator<Item = &'a GapRow>, fold: &StreamFold, what: &str) {
    let open: BTreeMap<GapId, &GapRow> =
        rows.filter(|row| row.outcome.is_none()).map(|row| (row.gap, row)).collect();
    assert_eq!(
        open.keys().collect::<Vec<_>>(),
        fold.open_gaps.keys().collect::<Vec<_>>(),
        "{what}: open gaps"
    );
    for (gap, row) in open {
        let opened = &fold.open_gaps[&gap].opened;
        assert_eq!(
            (row.after, row.wall_from, row.cause, row.wall_to, row.reconciled),
            (opened.after, opened.wall_from, opened.cause, None, None),
            "{what}: gap {gap}"
        );
    }
}
