//! The sinks of a pipeline: started with it, told of by it, and known to the log's retention.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::warn;
use unbroken_journal::{Consumers, JournalId, Reader};
use unbroken_sink::{Ndjson, Progress, PumpConfig, Retry, Selection, SinkThread};

use super::error::PipelineError;
use super::sink_places::SinkPlaces;
use super::{sink_kafka, sink_targets, sink_webhook};
use crate::board::SinkStatus;
use crate::config::SinkSection;

/// How often retention is told how far they are.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How often that is written down for the next start.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Sinks {
    threads: Vec<SinkThread>,
    stop: Sender<()>,
    /// None is needed without a sink.
    keeper: Option<JoinHandle<()>>,
}

/// How they are doing, for who asks.
#[derive(Clone, Debug, Default)]
pub(super) struct SinkLines(Arc<Vec<Line>>);

#[derive(Debug)]
struct Line {
    name: String,
    target: &'static str,
    progress: Arc<Progress>,
}

/// Everything that sinks need of a pipeline.
pub(super) struct Ground<'a> {
    pub(super) reader: Reader,
    pub(super) consumers: Consumers,
    pub(super) data_dir: &'a Path,
    /// Sinks that may give up a checkpoint of another log.
    pub(super) adopt: &'a [String],
}

impl Sinks {
    /// Starts them. Must come before the first commit: retention is to know them by then.
    pub(super) fn start(
        sections: Vec<SinkSection>,
        ground: Ground<'_>,
    ) -> Result<(Self, SinkLines), PipelineError> {
        let places = SinkPlaces::read(ground.data_dir, ground.reader.journal());
        let (mut threads, mut lines) = (Vec::new(), Vec::new());
        let count = sections.len();
        for section in sections {
            ground.consumers.checkpoint(&consumer(&section.name), places.of(&section.name));
            let adopt = ground.adopt.contains(&section.name);
            let (target, thread) = start_one(section, adopt, count, &ground)?;
            let (name, progress) = (thread.name().to_owned(), Arc::clone(thread.progress()));
            lines.push(Line { name, target, progress });
            threads.push(thread);
        }
        let lines = SinkLines(Arc::new(lines));
        let (stop, stopped) = mpsc::channel();
        let keeping = Keeping {
            lines: lines.clone(),
            consumers: ground.consumers,
            data_dir: ground.data_dir.to_owned(),
            journal: ground.reader.journal(),
            stopped,
        };
        let keeper = (!threads.is_empty()).then(|| {
            let named = thread::Builder::new().name("sink-keeper".to_owned());
            named.spawn(move || keeping.run())
        });
        let keeper = keeper.transpose().map_err(|error| PipelineError::Thread("sink", error))?;
        Ok((Self { threads, stop, keeper }, lines))
    }

    /// Tells all of them, so that none waits for another one.
    pub(super) fn tell_to_stop(&self) {
        self.threads.iter().for_each(SinkThread::tell_to_stop);
    }

    /// Waits until each has given what the log holds, or has had its time.
    pub(super) fn stop(self) {
        self.tell_to_stop();
        self.threads.into_iter().for_each(SinkThread::join);
        // Both errors say that the thread has ended, which is what is asked for.
        let _ = self.stop.send(());
        let _ = self.keeper.map(JoinHandle::join);
    }
}

fn start_one(
    section: SinkSection,
    adopt: bool,
    count: usize,
    ground: &Ground<'_>,
) -> Result<(&'static str, SinkThread), PipelineError> {
    let cut = section.cut();
    if section.has_literal() {
        let sink = section.name.as_str();
        warn!(sink, "a secret stands in the configuration; use {{ env = … }} or a file");
    }
    let config = PumpConfig {
        name: section.name.clone(),
        start: section.start,
        adopt,
        selection: Arc::new(Selection::from(&section.selection)),
        fields: section.fields,
        cut,
        retry: Retry::default(),
        sinks: count,
    };
    let (name, reader) = (section.name, ground.reader.clone());
    let started = if let Some(postgres) = section.postgres {
        let sink = sink_targets::postgres(name, postgres)?;
        SinkThread::start(sink, reader, config).map(|thread| ("postgres", thread))
    } else if let Some(parquet) = section.parquet {
        let sink = sink_targets::parquet(name, parquet)?;
        SinkThread::start(sink, reader, config).map(|thread| ("parquet", thread))
    } else if let Some(redshift) = section.redshift {
        let sink = sink_targets::redshift(name, redshift)?;
        SinkThread::start(sink, reader, config).map(|thread| ("redshift", thread))
    } else if let Some(webhook) = section.webhook {
        let sink = sink_webhook::webhook(name, webhook, ground.data_dir)?;
        SinkThread::start(sink, reader, config).map(|thread| ("webhook", thread))
    } else if let Some(nats) = section.nats {
        let sink = sink_targets::nats(name, nats)?;
        SinkThread::start(sink, reader, config).map(|thread| ("nats", thread))
    } else if let Some(kafka) = section.kafka {
        sink_kafka::start(name, kafka, reader, config).map(|thread| ("kafka", thread))
    } else if let Some(ndjson) = section.ndjson {
        let sink = Ndjson::new(name, ndjson);
        SinkThread::start(sink, reader, config).map(|thread| ("ndjson", thread))
    } else {
        // The configuration was checked: each has a target.
        Err(std::io::ErrorKind::InvalidInput.into())
    };
    started.map_err(|error| PipelineError::Thread("sink", error))
}

impl SinkLines {
    /// How each of them is doing, where the log ends at an offset.
    pub(super) fn statuses(&self, end_offset: u64) -> Vec<SinkStatus> {
        let of = |line: &Line| SinkStatus::of(&line.name, line.target, &line.progress, end_offset);
        self.0.iter().map(of).collect()
    }
}

/// A sink's name among the journal's consumers.
fn consumer(name: &str) -> String {
    format!("sink {name}")
}

struct Keeping {
    lines: SinkLines,
    consumers: Consumers,
    data_dir: PathBuf,
    journal: JournalId,
    stopped: Receiver<()>,
}

impl Keeping {
    fn run(self) {
        let mut written = BTreeMap::new();
        let mut written_at = Instant::now();
        loop {
            let stopped = self.stopped.recv_timeout(LOOK_EVERY);
            let is_stopped = !matches!(stopped, Err(RecvTimeoutError::Timeout));
            let known = self.tell_retention();
            let is_due = is_stopped || written_at.elapsed() >= WRITE_EVERY;
            if is_due && known != written {
                // What is written is a lower bound: an old one keeps too much of the log.
                if let Err(error) = SinkPlaces::write(&self.data_dir, self.journal, &known) {
                    warn!(%error, "how far the sinks are is not written down");
                }
                (written, written_at) = (known, Instant::now());
            }
            if is_stopped {
                return;
            }
        }
    }

    /// Returns how far each is that has been opened.
    fn tell_retention(&self) -> BTreeMap<String, u64> {
        let known = self.lines.0.iter().filter_map(|line| {
            let needed_from = line.progress.needed_from()?;
            self.consumers.checkpoint(&consumer(&line.name), needed_from);
            Some((line.name.clone(), needed_from))
        });
        known.collect()
    }
}
