//! How the errors of this agent look on the wire.

pub(crate) use crate::telemetry::chain;
use std::error::Error;
use tonic::{Code, Status};

/// A status whose message is the whole chain of causes, `what: why: why`.
pub(crate) fn status(code: Code, error: &(dyn Error + 'static)) -> Status {
    Status::new(code, chain(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the door is shut")]
    struct Shut(#[source] std::io::Error);

    #[test]
    fn the_message_names_every_cause_once() {
        let status = status(Code::Unavailable, &Shut(std::io::Error::other("no key")));
        assert_eq!(status.message(), "the door is shut: no key");
    }
}
