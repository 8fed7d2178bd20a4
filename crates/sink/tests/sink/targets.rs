//! The sinks that go through the trials.

use crate::conformance::trials;
use crate::files::Folder;
use crate::nats::Channel;
use crate::object_store::Bucket;
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
