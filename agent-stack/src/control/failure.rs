//! How the errors of this agent look on the wire.

use std::error::Error;
use tonic::{Code, Status};

/// A status whose message is the whole chain of causes, `what: why: why`.
pub(crate) fn status(code: Code, error: &(dyn Error + 'static)) -> Status {
    Status::new(code, chain(error))
}

/// The chain of causes of an error as one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
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
