//! The sinks that go through the trials.

use crate::conformance::trials;
use crate::files::Folder;
use crate::nats::Channel;
use crate::object_store::Bucket;
use crate::overtaken::lapses;
use crate::points::{ONCE, SMALL, Size, points};
use crate::postgres::Database;
use crate::redshift::Cluster;
use crate::shelf::Shelf;
use crate::tables::Files;
use crate::webhook::Endpoint;

trials!(shelf, Shelf::default());
trials!(ndjson, Folder::new());
trials!(parquet, Files::new());
trials!(parquet_s3, Bucket::new());
trials!(postgres, Database::new());
trials!(postgres_by_day, Database::by_day());
trials!(redshift, Cluster::new());
trials!(webhook, Endpoint::new());
trials!(nats, Channel::new());

mod at_points {
    use super::*;

    /// More than NATS takes at once: it goes as a chain, where nothing of it is large.
    const LARGE: Size = Size { events: 1_200, records_max: 5_000, has_odd: false, times: 2 };

    points!(any, "any", SMALL, Shelf::default());
    points!(ndjson, "ndjson", SMALL, Folder::of_offsets(10));
    points!(parquet, "parquet", SMALL, Files::new());
    points!(parquet_s3, "parquet on S3", SMALL, Bucket::new());
    points!(postgres, "postgres", ONCE, Database::new());
    points!(redshift, "redshift", ONCE, Cluster::new());
    points!(webhook, "webhook", SMALL, Endpoint::refusing("agent\\u0000zero"));
    points!(nats, "nats", SMALL, Channel::new());
    points!(nats_chain, "nats, of a backlog", LARGE, Channel::new());
}

mod in_lapses {
    use super::*;

    lapses!(ndjson, Folder::of_offsets(10));
    lapses!(parquet, Files::new());
    lapses!(parquet_s3, Bucket::new());
    lapses!(postgres, Database::new());
    lapses!(redshift, Cluster::new());
    lapses!(webhook, Endpoint::new());
    lapses!(nats, Channel::new());
}
