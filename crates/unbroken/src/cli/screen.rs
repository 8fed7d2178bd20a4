//! The live view: lines that stay, and on a terminal one line at the bottom that moves.

use std::io::{self, IsTerminal, Write};

use unbroken::render::Paint;

/// See the module. Writes to stderr: the story is not data.
#[derive(Debug)]
pub(crate) struct Screen {
    moving: bool,
    shown: bool,
    paint: Paint,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let stderr = io::stderr();
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { moving: stderr.is_terminal() && !dumb, shown: false, paint: Paint::of(&stderr) }
    }

    /// How to colour.
    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    /// A line that stays.
    pub(crate) fn line(&mut self, line: &str) {
        let mut text = self.erased();
        text.push_str(line);
        text.push('\n');
        self.write(&text);
    }

    /// The line that moves; nothing where lines cannot move.
    pub(crate) fn status(&mut self, status: &str) {
        if !self.moving {
            return;
        }
        let mut text = self.erased();
        text.push_str(status);
        self.shown = true;
        self.write(&text);
    }

    /// Takes the moving line away.
    pub(crate) fn clear(&mut self) {
        let text = self.erased();
        self.write(&text);
    }

    fn erased(&mut self) -> String {
        if std::mem::take(&mut self.shown) { "\r\x1b[K".to_owned() } else { String::new() }
    }

    /// If stderr is gone nobody is watching; the run goes on.
    fn write(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes());
        let _ = stderr.flush();
    }
}
