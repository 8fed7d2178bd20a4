//! The connection to a target is cut at any byte of what passes while a batch is committed: nothing
//! says then how the commit ended, and it may have ended either way.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use unbroken_sink::{
    Batch, Checkpoint, Claim, Ended, Fence, Guarantee, Nats, Opened, Sink, SinkCounts, SinkError,
};

use crate::house::{House, quick};
use crate::nats::Channel;
use crate::object_store::Bucket;
use crate::postgres::Database;
use crate::redshift::Cluster;
use crate::road::{Road, Way};
use crate::server::Server;
use crate::shelf::Target;
use crate::webhook::Endpoint;

/// What a road leads to.
pub(crate) trait Reached: Target {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// The same sink, by another way.
    fn sink_by(&self, at: SocketAddr) -> impl Sink + 'static;
}

/// A database, and a server that listens.
pub(crate) struct Listening(Database);

impl Listening {
    pub(crate) fn new() -> Self {
        Self(Database::of(Server::listening()))
    }
}

impl Target for Listening {
    fn sink(&self) -> impl Sink + 'static {
        self.0.sink()
    }

    fn ids(&self) -> Vec<String> {
        self.0.ids()
    }
}

impl Reached for Listening {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.0.0.port()).into()
    }

    fn sink_by(&self, at: SocketAddr) -> impl Sink + 'static {
        self.0.by("test", &format!("postgresql://unbroken@{at}/postgres"))
    }
}

impl Reached for Channel {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.0.port()).into()
    }

    fn sink_by(&self, at: SocketAddr) -> impl Sink + 'static {
        Nats::new(Self::config_of("test", &format!("nats://{at}")))
    }
}

impl Reached for Cluster {
    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn sink_by(&self, at: SocketAddr) -> impl Sink + 'static {
        self.by(&format!("postgresql://unbroken@{at}/postgres"))
    }
}

impl Reached for Bucket {
    fn address(&self) -> SocketAddr {
        let address = self.endpoint.strip_prefix("http://").expect("in clear");
        address.parse().expect("an address")
    }

    fn sink_by(&self, at: SocketAddr) -> impl Sink + 'static {
        self.by(&format!("http://{at}"))
    }
}

impl Reached for Endpoint {
    fn address(&self) -> SocketAddr {
        self.receiver.address()
    }

    fn sink_by(&self, at: SocketAddr) -> impl Sink + 'static {
        self.by(at)
    }
}

/// The bucket of a cluster, from which that reads by its own way.
pub(crate) struct Staged(pub(crate) Cluster);

impl Target for Staged {
    fn sink(&self) -> impl Sink + 'static {
        self.0.sink()
    }

    fn ids(&self) -> Vec<String> {
        self.0.ids()
    }
}

impl Reached for Staged {
    fn address(&self) -> SocketAddr {
        self.0.0.bucket.address()
    }

    fn sink_by(&self, at: SocketAddr) -> impl Sink + 'static {
        self.0.by_way_of(&format!("http://{at}"))
    }
}

/// So many are more than enough to see both ends.
const CUTS_MAX: u32 = 400;

/// How commits ended of which nothing was heard.
#[derive(Clone, Copy, Debug, Default)]
struct Fates {
    done: u32,
    undone: u32,
}

/// Finds out when the sink is opened again.
struct Watched<S> {
    sink: S,
    unknown: Option<[Option<Checkpoint>; 2]>,
    fates: Arc<Mutex<Fates>>,
}

impl<S: Sink> Sink for Watched<S> {
    fn guarantee(&self) -> Guarantee {
        self.sink.guarantee()
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        let opened = self.sink.open(claim).await?;
        if let Some([base, next]) = self.unknown.take() {
            let mut fates = self.fates.lock().expect("nobody panics with it");
            fates.done += u32::from(opened.checkpoint == next);
            fates.undone += u32::from(opened.checkpoint == base);
        }
        Ok(opened)
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let committed = self.sink.commit(fence, batch).await;
        if let Err(SinkError::Unreachable { .. }) = &committed {
            self.unknown = Some([batch.base, Some(batch.next)]);
        }
        committed
    }
}

/// Cuts until enough was seen, or this was no trial.
async fn a_connection_is_cut_in_the_middle_of_commits(
    target: &impl Reached,
    is_enough: impl Fn(Fates) -> bool,
) {
    let (mut house, road) = (House::new(), Road::to(target.address()));
    let fates = Arc::new(Mutex::new(Fates::default()));
    let sink =
        Watched { sink: target.sink_by(road.at()), unknown: None, fates: Arc::clone(&fates) };
    let running = house.pump(sink, quick());
    let mut rng = fastrand::Rng::with_seed(1);
    let told = || *fates.lock().expect("nobody panics with it");
    let mut cuts = 0;
    while !is_enough(told()) {
        assert!(cuts < CUTS_MAX, "{:?} after {cuts} cuts", told());
        cuts += 1;
        let failures = running.progress.counts().failures;
        match rng.bool() {
            true => road.close_after(Way::Back, rng.i64(0..400)),
            false => road.close_after(Way::Forth, rng.i64(0..25_000)),
        }
        house.events(140);
        let end = house.reader.end_offset().expect("a log");
        let goes_on = |counts: SinkCounts| counts.failures > failures || counts.next_offset == end;
        running.until("it is cut, or through", |it| goes_on(it.counts())).await;
        road.open();
        running.until("it goes on", |it| it.counts().next_offset == end).await;
    }
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(target.ids(), house.ids_from(0));
}

/// Commits of which nothing was heard, and that were done, and others that were not.
fn both_ends(fates: Fates) -> bool {
    fates.done >= 2 && fates.undone >= 2
}

#[tokio::test]
async fn postgres_knows_how_a_commit_ended_that_was_cut() {
    a_connection_is_cut_in_the_middle_of_commits(&Listening::new(), both_ends).await;
}

#[tokio::test]
async fn nats_knows_how_a_commit_ended_that_was_cut() {
    a_connection_is_cut_in_the_middle_of_commits(&Channel::new(), both_ends).await;
}

#[tokio::test]
async fn an_object_store_knows_how_a_commit_ended_that_was_cut() {
    a_connection_is_cut_in_the_middle_of_commits(&Bucket::new(), both_ends).await;
}

/// The tables are told of nothing before all of it is in the bucket.
#[tokio::test]
async fn a_batch_that_is_cut_on_its_way_to_a_bucket_is_in_no_table() {
    let cluster = Staged(Cluster::new());
    a_connection_is_cut_in_the_middle_of_commits(&cluster, |fates| fates.undone >= 4).await;
}

/// The checkpoint is elsewhere: what was taken and not answered is given again, with its key.
#[tokio::test]
async fn what_an_endpoint_may_not_have_is_given_again() {
    let endpoint = Endpoint::new();
    let taken = || {
        let keys: Vec<String> = endpoint.keys().into_iter().map(|(key, _)| key).collect();
        let again = keys.len() - keys.iter().collect::<BTreeSet<_>>().len();
        u32::try_from(again).expect("some")
    };
    let is_enough = |fates: Fates| taken() >= 2 && fates.undone >= taken() + 2;
    a_connection_is_cut_in_the_middle_of_commits(&endpoint, is_enough).await;
}
