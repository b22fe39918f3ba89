//! The one place that writes to the terminal: results to standard output, everything else to standard error.

use crate::progress::Progress;
use serde::Serialize;
use std::error::Error;
use std::io::Write;
use std::time::Duration;

/// Prints for a person or a pipe. A closed pipe is not an error of ours, so failed writes are left alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Printer;

impl Printer {
    /// A result, for whoever reads our standard output.
    #[expect(
        clippy::unused_self,
        reason = "callers hold a printer, whatever it comes to need"
    )]
    pub(super) fn result(&self, text: &str) {
        let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
    }

    /// A result for a program.
    pub(super) fn json(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.result(&text),
            Err(error) => self.error(&error, None),
        }
    }

    /// An error with all its causes, and what to do about it.
    pub(super) fn error(&self, error: &dyn Error, hint: Option<&str>) {
        let mut text = format!("error: {error}");
        let mut cause = error.source();
        while let Some(source) = cause {
            text += &format!("\n  cause: {source}");
            cause = source.source();
        }
        if let Some(hint) = hint {
            text += &format!("\n  help: {hint}");
        }
        self.line(&text);
    }

    #[expect(
        clippy::unused_self,
        reason = "callers hold a printer, whatever it comes to need"
    )]
    fn line(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

impl Progress for Printer {
    fn started(&self, part: &str) {
        self.line(&format!("  …  {part}"));
    }

    fn finished(&self, part: &str, elapsed: Duration) {
        self.line(&format!("  ok {part} ({:.1} s)", elapsed.as_secs_f64()));
    }

    fn note(&self, message: &str) {
        self.line(&format!("     {message}"));
    }
}
