//! Sorts what the kernel said into the few outcomes that a verdict knows.

use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::io;

/// What an attempt looked like from the side that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It went out: connected (TCP), left the socket (UDP), answered (HTTP).
    Sent,
    /// Refused at once.
    Refused,
    /// No answer in time.
    Timeout,
    /// No route, or administratively prohibited.
    Unreachable,
    /// The attempt could not be made: no evidence either way.
    NotRun,
}

/// The errors that networks and firewalls answer with; which of them depends on the plugin and the sandbox.
const KNOWN: [(Errno, &str, Outcome); 8] = [
    (Errno::CONNREFUSED, "ECONNREFUSED", Outcome::Refused),
    (Errno::CONNRESET, "ECONNRESET", Outcome::Refused),
    (Errno::TIMEDOUT, "ETIMEDOUT", Outcome::Timeout),
    (Errno::HOSTUNREACH, "EHOSTUNREACH", Outcome::Unreachable),
    (Errno::NETUNREACH, "ENETUNREACH", Outcome::Unreachable),
    (Errno::NETDOWN, "ENETDOWN", Outcome::Unreachable),
    (Errno::ACCESS, "EACCES", Outcome::Unreachable),
    (Errno::PERM, "EPERM", Outcome::Unreachable),
];

/// The outcome of a failed attempt and the name of its errno.
pub(super) fn classify(error: &io::Error) -> (Outcome, String) {
    let errno = Errno::from_io_error(error);
    match KNOWN.iter().find(|(known, _, _)| errno == Some(*known)) {
        Some((_, name, outcome)) => (*outcome, (*name).to_owned()),
        None => (Outcome::NotRun, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_errno_has_its_outcome_and_an_unknown_one_is_no_evidence() {
        for (errno, name, outcome) in KNOWN {
            assert_eq!(
                classify(&io::Error::from(errno)),
                (outcome, name.to_owned())
            );
        }
        assert_eq!(classify(&io::Error::from(Errno::MFILE)).0, Outcome::NotRun);
        assert_eq!(classify(&io::Error::other("x")).0, Outcome::NotRun);
    }
}
