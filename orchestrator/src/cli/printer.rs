//! The one place that writes to the terminal: results to standard output, everything else to standard error.

use crate::causes;
use crate::progress::Progress;
use crate::report::TerminalStyle;
use serde::Serialize;
use std::error::Error;
use std::io::{IsTerminal as _, Stderr, Stdout, Write};
use std::sync::Arc;
use std::time::Duration;

/// Prints for a person or a pipe. A closed pipe is not an error of ours, so failed writes are left alone.
#[derive(Clone, Debug)]
pub(super) struct Printer {
    results: Arc<Stdout>,
    errors: Arc<Stderr>,
}

impl Printer {
    /// A printer to this process's terminal or pipes.
    pub(super) fn new() -> Self {
        Self {
            results: Arc::new(std::io::stdout()),
            errors: Arc::new(std::io::stderr()),
        }
    }

    /// A result, for whoever reads our standard output.
    pub(super) fn result(&self, text: &str) {
        let _ = writeln!(self.results.lock(), "{}", text.trim_end());
    }

    /// Whether errors may be coloured: on a terminal, unless `NO_COLOR` says otherwise.
    pub(super) fn color(&self) -> bool {
        self.errors.is_terminal() && wants_color()
    }

    /// How a report for this terminal looks.
    pub(super) fn style(&self) -> TerminalStyle {
        let width = rustix::termios::tcgetwinsize(&*self.results).map_or(0, |size| size.ws_col);
        let default = TerminalStyle::default();
        TerminalStyle {
            color: self.results.is_terminal() && wants_color(),
            width: if width == 0 { default.width } else { width },
        }
    }

    /// A line that is no result.
    pub(super) fn text(&self, text: &str) {
        self.line(text.trim_end());
    }

    /// An error without a cause.
    pub(super) fn failure(&self, what: &str, hint: Option<&str>) {
        let hint = hint
            .map(|hint| format!("\n  help: {hint}"))
            .unwrap_or_default();
        self.line(&format!("error: {}{hint}", tame(what)));
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
        let causes: Vec<_> = causes::texts(error).iter().map(|text| tame(text)).collect();
        let mut text = format!("error: {}", causes.join("\n  cause: "));
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

/// Text of clusters, programs and files without what could move a cursor or change a colour.
pub(super) fn tame(text: &str) -> String {
    text.replace(
        |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t'),
        " ",
    )
}

fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_cannot_repaint_the_terminal() {
        assert_eq!(tame("a\u{1b}[2Jb\r\nc\td\u{7}"), "a [2Jb \nc\td ");
    }
}
