//! Keeps the ledger while the vendor lives, and writes it to a file if there is one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use tracing::error;

use super::file;
use super::ledger::{TruthEvent, TruthFact, TruthHistoryPage, TruthPage, TruthSubscription};
use crate::SimError;
use crate::settings::Settings;

/// The growing ledger. Events stay with the world, which needs them for replay.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) subscriptions: Vec<TruthSubscription>,
    pub(crate) pages: Vec<TruthPage>,
    pub(crate) facts: Vec<TruthFact>,
    pub(crate) history_pages: Vec<TruthHistoryPage>,
    file: Option<(PathBuf, BufWriter<File>)>,
    failure: Option<SimError>,
}

impl Recorder {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SimError> {
        let mut recorder = Self {
            subscriptions: Vec::new(),
            pages: Vec::new(),
            facts: Vec::new(),
            history_pages: Vec::new(),
            file: None,
            failure: None,
        };
        if let Some(path) = &settings.truth_file {
            let file = File::create(path).map_err(|source| SimError::LedgerFile {
                path: path.clone(),
                action: "created",
                source,
            })?;
            recorder.file = Some((path.clone(), BufWriter::with_capacity(1 << 18, file)));
            recorder.write(|out| file::write_head(out, settings));
        }
        Ok(recorder)
    }

    pub(crate) fn epoch(&mut self, name: &str) {
        self.write(|out| file::write_epoch(out, name));
    }

    pub(crate) fn event(&mut self, event: &TruthEvent) {
        self.write(|out| file::write_event(out, event));
    }

    /// Notes a new subscription; returns its number.
    pub(crate) fn subscribe(&mut self, subscription: TruthSubscription) -> usize {
        self.subscriptions.push(subscription);
        let number = self.subscriptions.len() - 1;
        self.save_subscription(number);
        number
    }

    /// Writes the present state of a subscription; the last line of each counts.
    pub(crate) fn save_subscription(&mut self, number: usize) {
        let Some(subscription) = self.subscriptions.get(number).cloned() else { return };
        self.write(|out| file::write_subscription(out, number, &subscription));
    }

    pub(crate) fn page(&mut self, page: TruthPage) {
        self.write(|out| file::write_page(out, &page));
        self.pages.push(page);
    }

    /// Notes a new fact of history; returns its number.
    pub(crate) fn fact(&mut self, fact: TruthFact) -> usize {
        self.facts.push(fact);
        let number = self.facts.len() - 1;
        self.save_fact(number);
        number
    }

    /// Writes the present state of a fact; the last line of each counts.
    pub(crate) fn save_fact(&mut self, number: usize) {
        let Some(fact) = self.facts.get(number).cloned() else { return };
        self.write(|out| file::write_fact(out, number, &fact));
    }

    pub(crate) fn history_page(&mut self, page: TruthHistoryPage) {
        self.write(|out| file::write_history_page(out, &page));
        self.history_pages.push(page);
    }

    /// Hands everything to the operating system: another process can read it now, and it survives
    /// ours.
    pub(crate) fn flush(&mut self) {
        self.write(Write::flush);
    }

    /// The first failure to write, if any: a ledger with a hole in it judges nothing.
    pub(crate) fn take_failure(&mut self) -> Option<SimError> {
        self.failure.take()
    }

    fn write(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        let Some((path, out)) = self.file.as_mut() else { return };
        if let Err(source) = write(out) {
            error!(error = %source, path = %path.display(), "truth ledger write failed");
            let path = path.clone();
            self.failure = Some(SimError::LedgerFile { path, action: "written", source });
            self.file = None;
        }
    }
}
