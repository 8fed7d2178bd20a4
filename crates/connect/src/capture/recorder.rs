//! Writes a capture while a source runs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use unbroken_core::ids::ConnId;
use unbroken_core::machine::Fetch;

use crate::capture::line::{CAPTURE_VERSION, Line, Text};
use crate::capture::redaction::Redaction;
use crate::generic::shape;
use crate::secret::Secret;
use crate::transport::Ended;

/// Bytes after which a capture ends. 64 MiB: some hundred thousand events, and no danger to a disk.
pub const CAPTURE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A capture under way. It never stops the source: when it is full, or the disk is, it ends.
#[derive(Debug)]
pub struct Recorder {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: Option<File>,
    bytes: u64,
    bytes_max: u64,
    lines: u64,
}

/// One source's part in a capture.
#[derive(Debug)]
pub(crate) struct SourceRecorder {
    recorder: std::sync::Arc<Recorder>,
    source: String,
    redaction: Mutex<Redaction>,
}

impl Recorder {
    /// Begins a capture in a new file, readable for its owner alone (0600).
    ///
    /// # Errors
    /// If the file is there already, or cannot be made.
    pub fn create(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let inner = Inner { file: Some(file), bytes: 0, bytes_max, lines: 0 };
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Ends the capture.
    pub fn finish(&self) {
        self.lock().end("stopped");
    }

    fn write(&self, line: &Line) {
        self.lock().write(line);
    }

    /// A panic elsewhere leaves at worst a torn line behind.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write(&mut self, line: &Line) {
        let Ok(mut text) = serde_json::to_string(line) else { return };
        text.push('\n');
        if self.bytes + text.len() as u64 > self.bytes_max {
            return self.end("full");
        }
        self.put(&text);
    }

    fn end(&mut self, why: &str) {
        if self.file.is_none() {
            return;
        }
        let line = Line::End { at: now(), why: why.to_owned(), lines: self.lines };
        if let Ok(text) = serde_json::to_string(&line) {
            self.put(&format!("{text}\n"));
        }
        self.file = None;
        tracing::info!(why, lines = self.lines, bytes = self.bytes, "capture ended");
    }

    fn put(&mut self, text: &str) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(text.as_bytes()) {
            tracing::warn!(%error, "capture ended: it cannot be written");
            self.file = None;
            return;
        }
        self.bytes += text.len() as u64;
        self.lines += 1;
    }
}

impl SourceRecorder {
    /// A source's part. `profile`: the embedded profile it began from, and whether that was
    /// changed; `keyed`: its subscription names keys.
    pub(crate) fn new(
        recorder: std::sync::Arc<Recorder>,
        source: &str,
        (profile, changed): (Option<String>, bool),
        keyed: bool,
        redaction: Redaction,
    ) -> Self {
        recorder.write(&Line::Source {
            version: CAPTURE_VERSION,
            program: concat!("unbroken ", env!("CARGO_PKG_VERSION")).to_owned(),
            source: source.to_owned(),
            profile,
            changed,
            keyed,
        });
        Self { recorder, source: source.to_owned(), redaction: Mutex::new(redaction) }
    }

    /// A secret is in use from now on.
    pub(crate) fn know(&self, secret: Option<&Secret>) {
        if let Some(secret) = secret {
            self.redaction().know(secret);
        }
    }

    pub(crate) fn handshake(&self, path: &str, answer: &str) {
        let answer = self.redaction().without_secrets(answer.to_owned());
        let (at, source) = (now(), self.source.clone());
        let path = self.redaction().without_secrets(path.to_owned());
        self.recorder.write(&Line::Handshake { at, source, path, answer });
    }

    /// A page was answered; `understood`: the profile makes something of it.
    pub(crate) fn page(
        &self,
        what: &Fetch,
        (path, status): (&str, u16),
        headers: Vec<(String, String)>,
        (body, understood): (&Bytes, bool),
    ) {
        let (name, cursor) = match what {
            Fetch::Head => ("head", None),
            Fetch::First => ("first", None),
            Fetch::Next(cursor) => ("next", Some(cursor.to_string())),
        };
        let redaction = self.redaction();
        let headers = headers.into_iter().map(|(n, v)| (n, redaction.without_secrets(v)));
        let headers = headers.collect();
        let path = redaction.without_secrets(path.to_owned());
        let cursor = cursor.map(|cursor| redaction.without_secrets(cursor));
        drop(redaction);
        let body = self.shown(body, understood);
        let (at, source, what) = (now(), self.source.clone(), name.to_owned());
        self.recorder.write(&Line::Page { at, source, what, cursor, path, status, headers, body });
    }

    pub(crate) fn sent(&self, conn: ConnId, text: &str) {
        let text = self.shown(&Bytes::copy_from_slice(text.as_bytes()), true);
        let (at, source, conn) = (now(), self.source.clone(), conn.0);
        self.recorder.write(&Line::Sent { at, source, conn, text });
    }

    pub(crate) fn frame(&self, conn: ConnId, frame: &Bytes, understood: bool) {
        let text = self.shown(frame, understood);
        let (at, source, conn) = (now(), self.source.clone(), conn.0);
        self.recorder.write(&Line::Frame { at, source, conn, text });
    }

    pub(crate) fn closed(&self, conn: ConnId, ended: &Ended) {
        let (at, source, why) = (now(), self.source.clone(), ended.what.clone());
        self.recorder.write(&Line::Closed { at, source, conn: conn.0, code: ended.code, why });
    }

    fn shown(&self, bytes: &Bytes, understood: bool) -> Text {
        let redaction = self.redaction();
        match std::str::from_utf8(bytes) {
            _ if redaction.is_strict() && !understood => {
                let shape = std::str::from_utf8(bytes).map_or_else(|_| String::new(), shape);
                Text::Shape { shape }
            }
            Ok(text) => Text::Plain(redaction.text(text)),
            Err(_) => Text::of(bytes),
        }
    }

    fn redaction(&self) -> MutexGuard<'_, Redaction> {
        self.redaction.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use super::*;
    use crate::capture::read_lines;

    fn source(path: &Path, bytes_max: u64) -> (Arc<Recorder>, SourceRecorder) {
        let recorder = Arc::new(Recorder::create(path, bytes_max).unwrap());
        let redaction = Redaction::new(["/phone"].into_iter(), std::iter::empty());
        let source =
            SourceRecorder::new(Arc::clone(&recorder), "a", (None, false), false, redaction);
        (recorder, source)
    }

    fn lines(path: &Path) -> Vec<Line> {
        read_lines(std::fs::read(path).unwrap().as_slice()).unwrap()
    }

    #[test]
    fn a_capture_is_its_owner_s_and_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.ndjson");
        let (recorder, _) = source(&path, 10_000);
        recorder.finish();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Recorder::create(&path, 1).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(
            matches!(&lines(&path)[..], [_, Line::End { why, lines: 1, .. }] if why == "stopped")
        );
    }

    #[test]
    fn it_ends_when_it_is_full_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.ndjson");
        let (recorder, source) = source(&path, 1_000);
        for _ in 0..100 {
            source.frame(ConnId(1), &Bytes::from_static(b"{\"type\":\"event\"}"), true);
        }
        recorder.finish();
        let lines = lines(&path);
        assert!(lines.len() < 20);
        assert!(matches!(lines.last(), Some(Line::End { why, .. }) if why == "full"));
    }

    #[test]
    fn no_secret_and_no_dropped_field_reaches_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.ndjson");
        let (_, source) = source(&path, 100_000);
        source.know(Some(&Secret::new("hunter2")));
        let page = Bytes::from_static(br#"{"rows":[{"phone":"hunter3"}],"password":"hunter4"}"#);
        let headers = vec![("link".to_owned(), "</x?t=hunter2>".to_owned())];
        source.page(&Fetch::First, ("/rows/hunter2", 200), headers, (&page, true));
        source.sent(ConnId(1), r#"{"auth":"hunter2"}"#);
        source.frame(ConnId(1), &Bytes::from_static(br#"{"tel":"hunter3"}"#), false);
        source.handshake("/ws/hunter2", "accepted");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("hunter"), "{text}");
        assert_eq!(text.lines().count(), 5);
    }
}
