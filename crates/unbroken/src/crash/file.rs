//! An open file of [`CrashDisk`](super::seam::CrashDisk).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use unbroken_journal::disk::DiskFile;

use super::aim::{die, pass, torn};

/// What was done last to a file that has its name.
#[derive(Clone, Copy, Debug)]
enum Last {
    /// Nothing: it was found when the log was opened.
    Found,
    /// It was written to.
    Written,
    /// It was cut.
    Cut,
}

/// See the module.
#[derive(Debug)]
pub(super) struct CrashFile {
    inner: Box<dyn DiskFile>,
    kind: &'static str,
    /// Before, it is being made beside the file whose place it will take.
    is_named: Arc<AtomicBool>,
    last: Mutex<Last>,
}

impl CrashFile {
    pub(super) fn made(
        inner: Box<dyn DiskFile>,
        kind: &'static str,
        is_named: Arc<AtomicBool>,
    ) -> Self {
        Self { inner, kind, is_named, last: Mutex::new(Last::Written) }
    }

    pub(super) fn found(inner: Box<dyn DiskFile>, kind: &'static str) -> Self {
        let is_named = Arc::new(AtomicBool::new(true));
        Self { inner, kind, is_named, last: Mutex::new(Last::Found) }
    }

    fn is_named(&self) -> bool {
        self.is_named.load(Ordering::Relaxed)
    }

    fn last(&self) -> Last {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, last: Last) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    /// Writes, and dies in the middle of it or behind it if it is time to.
    fn write_through(
        &self,
        position: u64,
        bytes: &[u8],
        in_the_middle: &str,
        behind: &str,
    ) -> io::Result<()> {
        if let Some(part) = torn(in_the_middle, bytes.len()) {
            self.inner.write_at(position, bytes.get(..part).unwrap_or_default())?;
            die();
        }
        self.inner.write_at(position, bytes)?;
        pass(behind);
        Ok(())
    }
}

impl DiskFile for CrashFile {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(position, buffer)
    }

    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        let kind = self.kind;
        if !self.is_named() {
            let (torn, written) = (format!("{kind}-torn"), format!("{kind}-written"));
            return self.write_through(position, bytes, &torn, &written);
        }
        self.note(Last::Written);
        match kind {
            // A batch begins with a mark; what is written ahead is nothing but zeros.
            "segment" if bytes.first() == Some(&0) => {
                self.inner.write_at(position, bytes)?;
                pass("segment-extended");
                Ok(())
            }
            "segment" => self.write_through(position, bytes, "batch-torn", "batch-written"),
            _ => self.write_through(position, bytes, "end-torn", "end-written"),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()?;
        match self.last() {
            _ if !self.is_named() => pass(&format!("{}-synced", self.kind)),
            Last::Found => pass("tail-synced"),
            Last::Written => pass("batch-synced"),
            Last::Cut => pass("seal-synced"),
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)?;
        if matches!(self.last(), Last::Found) {
            pass("tail-cut");
        } else {
            self.note(Last::Cut);
            pass("seal-cut");
        }
        Ok(())
    }
}
