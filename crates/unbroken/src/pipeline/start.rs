//! Starts everything, in an order in which nothing has to be taken back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use unbroken_connect::capture::Recorder;
use unbroken_connect::{Source, SourceConfig, drive};
use unbroken_core::fold::Fold;
use unbroken_core::ids::StreamId;
use unbroken_core::machine::{Halt, Input, Machine, Now, Report};
use unbroken_journal::{CommitHandle, Committer, Gathering, SourceTag};

use super::acks::{Acks, Failure, Progress, WayBack, forward};
use super::error::PipelineError;
use super::handle::{Handle, Shared, SourceLine};
use super::observe::Observe;
use super::opened;
use super::relayed;
use super::run::Pipeline;
use super::sink::{JournalSink, Notes};
use super::sinks::{Ground, Sinks};
use super::store_keeper::StoreKeeper;
use crate::board::Board;
use crate::config::Config;
use crate::crash::{self, Point};
use crate::feed::JournalLog;
use crate::hooks::PreparedHooks;
use crate::render::wall_now;
use crate::report::ReportLog;
use crate::{control, place};

/// Inputs that may wait for a driver. Durability is told in sum, so few are ever waiting.
const INPUTS_WAITING_MAX: usize = 64;

/// Units that may wait for the committer. Far above what the drivers' bound in bytes lets through
/// with events of usual size.
const UNITS_WAITING_MAX: usize = 64 * 1024;

/// A source with its ends of the channels.
struct Prepared {
    source: Source,
    inputs: mpsc::Receiver<Input>,
    progress: watch::Receiver<Progress>,
    notes: Arc<Notes>,
    sender: mpsc::Sender<Input>,
}

/// Checks every source, then opens the journal, then starts everything.
pub(super) fn start(
    config: Config,
    seed: u64,
    observer: Arc<dyn Observe>,
) -> Result<Pipeline, PipelineError> {
    let sources = sources(config.sources, config.capture.as_ref())?;
    let hooks = PreparedHooks::new(&config.hooks).map_err(PipelineError::Hook)?;
    let opened = opened::open(&config.data_dir, &config.journal)?;
    crash::pass(Point::LogOpened);
    let listener = control::bind(&config.data_dir).map_err(PipelineError::Control)?;
    let relay = relayed::prepare(config.relay, &config.data_dir)?;

    let board = Arc::new(Board::new(opened.next_offset));
    let (prepared, lines, ways) = prepare(sources, &board, &opened.restored);
    let failure = Arc::new(Failure::default());
    let hooks = Arc::new(hooks.start());
    let acks = Acks {
        ways,
        board: Arc::clone(&board),
        observer: Arc::clone(&observer),
        hooks: Arc::clone(&hooks),
        failure: Arc::clone(&failure),
    };
    let gathering = Gathering { waiting_max: UNITS_WAITING_MAX, ..Gathering::default() };
    let (journal, committer) =
        Committer::spawn(opened.writer, gathering, move |ack| acks.handle(ack))
            .map_err(PipelineError::OpenJournal)?;
    let ground = Ground {
        reader: opened.reader.clone(),
        consumers: opened.consumers,
        data_dir: &config.data_dir,
        adopt: &config.adopt,
    };
    let store = keep_store(&ground, &board)?;
    let (sinks, sink_lines) = Sinks::start(config.sinks, ground)?;

    let (stop, stopping) = watch::channel(false);
    let journal_id = opened.journal;
    let shared = Shared {
        board,
        journal: journal_id,
        data_dir: config.data_dir,
        hooks,
        started: Instant::now(),
        sources: lines,
        sinks: sink_lines,
        stop,
    };
    let handle = Handle { shared: Arc::new(shared) };
    let relay = relayed::start(relay, opened.reader, &handle)?;
    let starter = Starter { seed, journal: &journal, handle: &handle, observer: &observer };
    let (drivers, names) = starter.spawn_all(prepared, &opened.restored, opened.next_offset);
    let answering = handle.clone();
    crash::pass(Point::Started);
    let control = tokio::spawn(control::serve(listener, move |request| answering.answer(request)));
    Ok(Pipeline {
        handle,
        drivers,
        names,
        control,
        relay,
        stopping,
        journal,
        committer,
        store,
        sinks,
        failure,
    })
}

fn keep_store(ground: &Ground<'_>, board: &Arc<Board>) -> Result<StoreKeeper, PipelineError> {
    StoreKeeper::start(
        place::store_path(ground.data_dir),
        JournalLog(ground.reader.clone()),
        ground.consumers.clone(),
        Arc::clone(board),
    )
}

fn sources(
    configs: Vec<SourceConfig>,
    capture: Option<&Arc<Recorder>>,
) -> Result<Vec<Source>, PipelineError> {
    let mut sources = configs
        .into_iter()
        .map(|source| Source::new(source).map_err(PipelineError::Source))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(recorder) = capture {
        sources.iter_mut().for_each(|source| source.record(Arc::clone(recorder)));
    }
    Ok(sources)
}

/// What every driver is started with.
struct Starter<'a> {
    seed: u64,
    journal: &'a CommitHandle,
    handle: &'a Handle,
    observer: &'a Arc<dyn Observe>,
}

impl Starter<'_> {
    /// Returns the drivers, and which source each is for.
    fn spawn_all(
        &self,
        prepared: Vec<Prepared>,
        fold: &Fold,
        next_offset: u64,
    ) -> (JoinSet<Halt>, HashMap<Id, String>) {
        let (mut drivers, mut names) = (JoinSet::new(), HashMap::new());
        for (tag, prepared) in (0..).map(SourceTag).zip(prepared) {
            let restored = restored(&prepared.source, fold, next_offset);
            let name = prepared.source.name().to_owned();
            names.insert(self.spawn(&mut drivers, prepared, tag, restored), name);
        }
        (drivers, names)
    }

    fn spawn(
        &self,
        drivers: &mut JoinSet<Halt>,
        prepared: Prepared,
        tag: SourceTag,
        restored: Input,
    ) -> Id {
        let Prepared { source, inputs, progress, notes, sender } = prepared;
        let machine = Machine::new(source.machine_config(self.seed ^ u64::from(tag.0)));
        let sink = JournalSink::new(tag, self.journal.clone(), notes);
        let (board, observer) = (Arc::clone(&self.handle.shared.board), Arc::clone(self.observer));
        let hooks = Arc::clone(&self.handle.shared.hooks);
        let mut log = ReportLog::default();
        let reports = move |now: Now, report: Report| {
            log.write(&report);
            board.reported(now.wall, &report);
            observer.reported(now.wall, &report);
            hooks.reported(now.wall, &report);
        };
        let driver = drivers.spawn(async move {
            // The queue is new and empty: the first input cannot be refused.
            let _ = sender.send(restored).await;
            let acks = tokio::spawn(forward(progress, sender));
            let halt = drive(source, machine, sink, inputs, reports).await;
            acks.abort();
            halt
        });
        driver.id()
    }
}

fn prepare(
    sources: Vec<Source>,
    board: &Board,
    fold: &Fold,
) -> (Vec<Prepared>, Vec<SourceLine>, Vec<WayBack>) {
    let (mut prepared, mut lines, mut ways) = (Vec::new(), Vec::new(), Vec::new());
    for source in sources {
        let known = |id: &StreamId| fold.streams.get(id);
        let gaps = |id: &StreamId| {
            known(id).map(|stream| stream.open_gaps.keys().copied().collect()).unwrap_or_default()
        };
        let streams: Vec<_> = source.streams().iter().map(|id| (id.clone(), gaps(id))).collect();
        board.add_source(source.name(), &streams, wall_now());
        for id in source.streams() {
            if let Some(position) = known(id).and_then(|stream| stream.position) {
                board.restored(id, position);
            }
        }
        let (sender, inputs) = mpsc::channel(INPUTS_WAITING_MAX);
        let (progress, progressing) = watch::channel(Progress::default());
        let notes = Arc::new(Notes::default());
        lines.push(SourceLine {
            name: source.name().to_owned(),
            streams: source.streams().to_vec(),
            keys: source.handle(),
            snapshots: source.snapshots(),
            tally: source.tally(),
            notes: Arc::clone(&notes),
            inputs: sender.clone(),
        });
        ways.push(WayBack { notes: Arc::clone(&notes), progress });
        prepared.push(Prepared { source, inputs, progress: progressing, notes, sender });
    }
    (prepared, lines, ways)
}

/// What the log holds of a source's streams.
fn restored(source: &Source, fold: &Fold, next_offset: u64) -> Input {
    let of = |id: &StreamId| fold.streams.get(id).map(|stream| (id.clone(), stream.clone()));
    Input::Restored { streams: source.streams().iter().filter_map(of).collect(), next_offset }
}
