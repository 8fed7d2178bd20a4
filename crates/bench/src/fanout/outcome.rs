//! What one run has shown.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::house::Kind;
use crate::Failure;

/// A client has had everything below an offset, at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) below: u64,
    /// Wall clock, in microseconds.
    pub(super) at: u64,
}

/// Numbers, one behind the other.
pub(super) fn to_bytes(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn read_numbers(path: &Path) -> Result<Vec<u64>, Failure> {
    let bytes = fs::read(path)?;
    let number = |bytes: &[u8]| Ok(u64::from_le_bytes(bytes.try_into()?));
    bytes.chunks_exact(8).map(number).collect()
}

impl Receipt {
    /// For each client how many there are, and then these.
    pub(super) fn to_bytes(clients: &[Vec<Self>]) -> Vec<u8> {
        let mut numbers = Vec::new();
        for receipts in clients {
            numbers.push(receipts.len() as u64);
            numbers.extend(receipts.iter().flat_map(|receipt| [receipt.below, receipt.at]));
        }
        to_bytes(&numbers)
    }
}

/// One run's figures.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) kind: &'static str,
    pub(super) clients: usize,
    pub(super) round: usize,
    /// Events per second that all clients together were told, from the first commit to the last
    /// receipt; of a run at full speed.
    pub(super) events_per_s: Option<f64>,
    /// The server's time on the processor, its writing of the log included.
    pub(super) cpu_us_per_event: f64,
    /// From the durable commit of an event to a client's having it, over all clients and all events
    /// but the first tenth, in microseconds; of a run at a fixed rate.
    pub(super) p50_us: Option<u64>,
    pub(super) p99_us: Option<u64>,
}

impl Outcome {
    pub(super) fn new(kind: Kind, clients: usize, round: usize, cpu_us_per_event: f64) -> Self {
        Self {
            kind: kind.name(),
            clients,
            round,
            events_per_s: None,
            cpu_us_per_event,
            p50_us: None,
            p99_us: None,
        }
    }
}

/// Delays of all clients, sorted. Fails if one of them was not told of everything in order.
pub(super) fn delays(commits: &Path, receipts: &Path) -> Result<Vec<u64>, Failure> {
    let commits = read_numbers(commits)?;
    let numbers = read_numbers(receipts)?;
    let mut numbers = numbers.into_iter();
    let mut delays = Vec::new();
    while let Some(count) = numbers.next() {
        let mut had = 0;
        for _ in 0..count {
            let (below, at) = (numbers.next(), numbers.next());
            let (below, at) = below.zip(at).ok_or("receipts end too early")?;
            let told = commits.get(had as usize..below as usize);
            let told = told.filter(|told| !told.is_empty()).ok_or("receipts are out of order")?;
            let late = (had as usize..).zip(told).filter(|(event, _)| event * 10 >= commits.len());
            delays.extend(late.map(|(_, commit)| at.saturating_sub(*commit)));
            had = below;
        }
        if had as usize != commits.len() {
            return Err(format!("a client had {had} of {} events", commits.len()).into());
        }
    }
    delays.sort_unstable();
    Ok(delays)
}

#[cfg(test)]
mod tests {
    use super::{Receipt, delays, to_bytes};

    fn delays_of(receipts: &[Receipt]) -> Result<Vec<u64>, crate::Failure> {
        let dir = tempfile::tempdir().expect("a directory");
        let (commits, told) = (dir.path().join("commits"), dir.path().join("receipts"));
        std::fs::write(&commits, to_bytes(&[10, 20, 30])).expect("a file");
        std::fs::write(&told, Receipt::to_bytes(&[receipts.to_vec()])).expect("a file");
        delays(&commits, &told)
    }

    #[test]
    fn delays_are_those_of_each_event_and_whoever_misses_one_fails() {
        let receipt = |below, at| Receipt { below, at };
        let told = delays_of(&[receipt(2, 25), receipt(3, 31)]).expect("all");
        assert_eq!(told, [1, 5], "the first one is left out");
        assert!(delays_of(&[receipt(2, 25)]).is_err(), "the third was not told");
        assert!(delays_of(&[receipt(3, 31), receipt(3, 32)]).is_err(), "told twice");
    }
}
