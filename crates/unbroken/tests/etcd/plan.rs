//! What breaks, and when: all of it follows from the seed.

use fastrand::Rng;
use unbroken_sim::proxy::{Break, Fault, Way};

/// Where a new connection is cut: in the handshake, or in the first events. The operations of a
/// step bring more bytes than that.
const CUT_BYTES_MAX: u64 = 6_000;
/// Where a connection of any kind is cut: each has more bytes than that to carry.
const ANY_BYTES_MAX: u64 = 300;

/// How large the test is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) keys: usize,
    /// Puts and deletes of one key.
    pub(crate) changes: usize,
    /// Transactions on three keys.
    pub(crate) transactions: usize,
    /// How often each kind of cut comes.
    pub(crate) cuts_each: usize,
    /// How often each kind of kill comes.
    pub(crate) kills_each: usize,
    /// How often a write is tried to be met by chance: seconds each time.
    pub(crate) kills_by_chance: usize,
}

impl Size {
    /// For each run of the tests.
    pub(crate) const SMALL: Self = Self {
        keys: 100,
        changes: 5_000,
        transactions: 500,
        cuts_each: 1,
        kills_each: 1,
        kills_by_chance: 0,
    };
    /// `make etcd`.
    pub(crate) const FULL: Self = Self {
        keys: 500,
        changes: 50_000,
        transactions: 5_000,
        cuts_each: 4,
        kills_each: 2,
        kills_by_chance: 2,
    };
}

/// Something that happens to the service, its path or the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The watch's connection breaks.
    Cut(Fault),
    /// The path goes down for a while, and the next watch breaks while it catches up.
    CutAgain(Fault),
    /// New connections are accepted and never answered, for a while.
    Ignore,
    /// The path becomes slow,
    Slow,
    /// … or narrow,
    Narrow,
    /// … or is clear again.
    Clear,
    /// SIGKILL at any moment, and a new life.
    Kill,
    /// SIGKILL when a part of a transaction's events has been received.
    KillInFrame,
    /// The system kills it when a part of a transaction's records has been written.
    KillInBatch,
    /// SIGKILL while a transaction's records are written, if that can be met.
    KillAtBatch,
    /// The server itself is killed, and starts again on the same directory.
    Restart,
    /// The network goes down and stays down.
    Down,
    /// The server forgets the first part of what was changed while the network was down.
    Compact,
    /// The network is there again.
    Up,
    /// The same, but the next connections break, whatever they are for.
    UpAndBroken([Fault; 3]),
}

/// An act, and how many operations are begun with it: it comes somewhere among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) operations: usize,
    pub(crate) act: Act,
}

/// Every kind of cut and kill as often as the size says, two outages with a compaction (a kill in
/// the second one), one restart of the server, and bad weather.
pub(crate) fn plan(rng: &mut Rng, size: &Size) -> Vec<Step> {
    let mut blocks: Vec<Vec<Act>> = Vec::new();
    for _ in 0..size.cuts_each {
        blocks.extend(cuts(rng).into_iter().map(|act| vec![act]));
    }
    for _ in 0..size.kills_each {
        blocks.extend([vec![Act::Kill], vec![Act::KillInFrame], vec![Act::KillInBatch]]);
    }
    blocks.resize(blocks.len() + size.kills_by_chance, vec![Act::KillAtBatch]);
    blocks.push(vec![Act::Restart]);
    blocks.push(vec![Act::Down, Act::Compact, Act::Up]);
    let mut broken = || Fault::after(Way::Down, rng.u64(..ANY_BYTES_MAX), Break::Reset);
    let broken = [broken(), broken(), broken()];
    blocks.push(vec![Act::Down, Act::Compact, Act::Kill, Act::UpAndBroken(broken)]);
    blocks.push(vec![Act::Ignore]);
    blocks.push(vec![Act::Slow, Act::Clear]);
    blocks.push(vec![Act::Narrow, Act::Clear]);
    rng.shuffle(&mut blocks);
    let acts: Vec<Act> = blocks.concat();
    share(rng, size.changes + size.transactions, &acts)
}

fn cuts(rng: &mut Rng) -> Vec<Act> {
    let down = Way::Down;
    let mut bytes = || rng.u64(..CUT_BYTES_MAX);
    vec![
        Act::Cut(Fault::now(Break::Reset)),
        Act::Cut(Fault::now(Break::Finish)),
        Act::Cut(Fault::now(Break::Silence)),
        Act::Cut(Fault::now(Break::Mute(Way::Down))),
        Act::Cut(Fault::now(Break::Mute(Way::Up))),
        Act::Cut(Fault::within(down, Break::Reset)),
        Act::Cut(Fault::within(down, Break::Finish)),
        Act::Cut(Fault::within(down, Break::Silence)),
        Act::CutAgain(Fault::after(down, bytes(), Break::Reset)),
    ]
}

/// Shares out the operations, unevenly; the last step gets what is left.
fn share(rng: &mut Rng, operations: usize, acts: &[Act]) -> Vec<Step> {
    let weights: Vec<usize> = acts.iter().map(|_| rng.usize(20..=40)).collect();
    let sum: usize = weights.iter().sum();
    let of =
        |(act, weight): (&Act, &usize)| Step { operations: operations * weight / sum, act: *act };
    let mut steps: Vec<Step> = acts.iter().zip(&weights).map(of).collect();
    let shared: usize = steps.iter().map(|step| step.operations).sum();
    if let Some(last) = steps.last_mut() {
        last.operations += operations - shared;
    }
    steps
}
