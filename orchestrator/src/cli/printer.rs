//! The one place that writes to the terminal: results to standard output, everything else to standard error.

use crate::progress::Progress;
use serde::Serialize;
use std::error::Error;
use std::io::{Stderr, Stdout, Write};
use std::time::Duration;

/// Prints for a person or a pipe. A closed pipe is not an error of ours, so failed writes are left alone.
#[derive(Debug)]
pub(super) struct Printer {
    results: Stdout,
    errors: Stderr,
}

impl Printer {
    /// A printer to this process's terminal or pipes.
    pub(super) fn new() -> Self {
        Self {
            results: std::io::stdout(),
            errors: std::io::stderr(),
        }
    }

    /// A result, for whoever reads our standard output.
    pub(super) fn result(&self, text: &str) {
        let _ = writeln!(self.results.lock(), "{}", text.trim_end());
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
            text.push_str("\n  cause: ");
            text.push_str(&source.to_string());
            cause = source.source();
        }
        if let Some(hint) = hint {
            text.push_str("\n  help: ");
            text.push_str(hint);
        }
        self.line(&text);
    }

    fn line(&self, text: &str) {
        let _ = writeln!(self.errors.lock(), "{text}");
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
