//! From the committer back to the drivers: what is durable, or that nothing more will be.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use unbroken_core::ids::AppendId;
use unbroken_core::machine::Input;
use unbroken_journal::{Ack, JournalError, SourceTag};

use super::observe::Observe;
use super::sink::Notes;
use crate::board::Board;
use crate::crash::{self, Point};
use crate::hooks::Hooks;
use crate::render::wall_now;

/// How far the journal has come for one source. Answers are cumulative, so only the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    #[default]
    Nothing,
    Durable(AppendId),
    Failed(String),
}

/// One source's way back.
#[derive(Debug)]
pub(super) struct WayBack {
    pub(super) notes: Arc<Notes>,
    pub(super) progress: watch::Sender<Progress>,
}

/// Takes the committer's answers, on its thread: must not block.
pub(super) struct Acks {
    pub(super) ways: Vec<WayBack>,
    pub(super) board: Arc<Board>,
    pub(super) observer: Arc<dyn Observe>,
    pub(super) hooks: Arc<Hooks>,
    pub(super) failure: Arc<Failure>,
}

/// Why the journal stopped, if it did.
#[derive(Debug, Default)]
pub(super) struct Failure(Mutex<Option<Arc<JournalError>>>);

impl Failure {
    fn set(&self, error: Arc<JournalError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(super) fn take(&self) -> Option<Arc<JournalError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Acks {
    pub(super) fn handle(&self, ack: Ack) {
        match ack {
            Ack::Appended { tag, append, end_offset } => {
                if let Some(way) = self.way(tag) {
                    self.note_durable(way, append, end_offset);
                    way.progress.send_replace(Progress::Durable(append));
                }
                crash::pass(Point::Told);
            }
            Ack::Failed { tag, error, .. } => {
                if let Some(way) = self.way(tag) {
                    way.progress.send_replace(Progress::Failed(error.to_string()));
                }
                self.failure.set(error);
            }
        }
    }

    fn way(&self, tag: SourceTag) -> Option<&WayBack> {
        self.ways.get(usize::try_from(tag.0).ok()?)
    }

    fn note_durable(&self, way: &WayBack, append: AppendId, end_offset: u64) {
        let notes = way.notes.take_through(append);
        let durable = notes.iter().map(|note| &note.durable);
        self.board.committed(end_offset, durable, wall_now());
        self.hooks.durable(notes.iter().flat_map(|note| &note.rows));
        if let Some(at) = notes.iter().filter_map(|note| note.durable.event_at).max() {
            self.observer.stored(at);
        }
    }
}

/// Tells a driver how far the journal has come, until one of both is gone.
pub(super) async fn forward(mut progress: watch::Receiver<Progress>, inputs: mpsc::Sender<Input>) {
    while progress.changed().await.is_ok() {
        let input = match &*progress.borrow_and_update() {
            Progress::Nothing => continue,
            Progress::Durable(append) => Input::Appended { append: *append },
            Progress::Failed(what) => Input::AppendFailed { what: what.clone() },
        };
        if inputs.send(input).await.is_err() {
            return;
        }
    }
}
