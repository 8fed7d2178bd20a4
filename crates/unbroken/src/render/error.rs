//! An error, as a person sees it: what, why, and what to do.

use std::error::Error;
use std::fmt::Write as _;

use super::paint::Paint;

/// The chain of causes, one a line, and the hint. Errors of this house do not repeat their cause
/// in their own text; a foreign one that does is not printed twice.
pub fn render_error(error: &dyn Error, hint: Option<&str>, paint: Paint) -> String {
    let mut text = format!("{} {error}\n", paint.bad("error:"));
    let mut last = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Those of a parser end with a line end.
        let words = error.to_string().trim_end().to_owned();
        if !last.ends_with(&words) {
            let _ = writeln!(text, "  {} {words}", paint.dim("caused by:"));
        }
        last = words;
        cause = error.source();
    }
    if let Some(hint) = hint {
        let _ = writeln!(text, "  {} {hint}", paint.good("hint:"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;

    use thiserror::Error;

    use super::render_error;
    use crate::render::Paint;

    #[derive(Debug, Error)]
    #[error("journal cannot be opened")]
    struct Open(#[source] io::Error);

    #[test]
    fn every_cause_is_told_once_and_the_hint_last() {
        let error: Box<dyn Error> = Box::new(Open(io::Error::other("disk is gone")));
        assert_eq!(
            render_error(error.as_ref(), Some("bring it back"), Paint::plain()),
            "error: journal cannot be opened\n  caused by: disk is gone\n  hint: bring it back\n"
        );
    }
}
