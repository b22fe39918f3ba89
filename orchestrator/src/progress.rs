//! How long work tells a person where it is, without knowing who listens.

use std::time::Duration;

/// Someone who wants to know how far work has come. Work calls it; the terminal, a log or nothing listens.
pub trait Progress: Send + Sync {
    /// A named part of the work began.
    fn started(&self, part: &str);
    /// A named part of the work ended well.
    fn finished(&self, part: &str, elapsed: Duration);
    /// A line worth reading.
    fn note(&self, message: &str);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn started(&self, _part: &str) {}
    fn finished(&self, _part: &str, _elapsed: Duration) {}
    fn note(&self, _message: &str) {}
}
