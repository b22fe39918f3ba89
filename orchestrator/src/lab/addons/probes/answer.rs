//! What a probe got to see, and what that means. Pure.

use std::fmt;
use std::net::Ipv4Addr;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The text that was asked for.
    Text(String),
    /// The pod was asked and could not get it; this is what it says.
    Refused(String),
    /// Nothing is known: the pod, the API server or the gateway could not be asked.
    Trouble(String),
}

impl Answer {
    /// Reads what the script in a pod answered.
    pub(super) fn of_pod(answer: &str) -> Self {
        match answer.split_once(' ') {
            Some(("ok", text)) => Self::Text(text.to_owned()),
            Some(("no", text)) => Self::Refused(text.to_owned()),
            _ => Self::Trouble(format!("the pod's answer is not understood: `{answer}`")),
        }
    }

    /// Whether it is exactly this text.
    pub(super) fn is_text(&self, expected: &str) -> bool {
        matches!(self, Self::Text(text) if text == expected)
    }

    /// Whether it is a usable address.
    pub(super) fn is_address(&self) -> bool {
        matches!(self, Self::Text(text) if text.parse::<Ipv4Addr>().is_ok_and(|address| !address.is_unspecified()))
    }

    /// Whether it is what gVisor's own kernel says of itself; Linux answers with its own version text.
    pub(super) fn is_gvisor(&self) -> bool {
        matches!(self, Self::Text(text) if text.to_ascii_lowercase().contains("gvisor"))
    }

    /// Whether the pod itself was turned away. Not having been able to ask it proves nothing.
    pub(super) fn is_cut_off(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "the answer was `{text}`"),
            Self::Refused(text) => write!(f, "the pod says `{text}`"),
            Self::Trouble(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Answer {
        Answer::Text(text.to_owned())
    }

    #[test]
    fn linux_is_not_taken_for_gvisor() {
        assert!(
            text("Linux version 4.19.0-gvisor #1 SMP Sun Jan 10 15:06:54 PST 2016").is_gvisor()
        );
        assert!(!text("Linux version 6.18.5 (gcc 14.2.0) #1 SMP").is_gvisor());
        assert!(!Answer::Refused("gVisor".to_owned()).is_gvisor());
    }

    #[test]
    fn only_the_script_itself_is_believed() {
        assert!(Answer::of_pod("ok n0nce").is_text("n0nce"));
        assert!(Answer::of_pod("no ConnectionRefusedError: [Errno 111]").is_cut_off());
        for other in [
            "",
            "n0nce",
            "<html>502 Bad Gateway</html>",
            "error trying to reach service",
        ] {
            assert!(
                matches!(Answer::of_pod(other), Answer::Trouble(_)),
                "{other}"
            );
        }
    }

    #[test]
    fn only_a_pod_that_was_turned_away_is_cut_off() {
        assert!(Answer::Refused("ConnectionRefusedError".to_owned()).is_cut_off());
        assert!(!Answer::Trouble("no such pod".to_owned()).is_cut_off());
        assert!(!text("n0nce").is_cut_off());
    }

    #[test]
    fn another_servers_answer_does_not_count() {
        assert!(text("n0nce").is_text("n0nce"));
        assert!(!text("404 page not found").is_text("n0nce"));
        assert!(!text("").is_text("n0nce"));
    }

    #[test]
    fn a_name_is_resolved_when_there_is_an_address() {
        assert!(text("10.51.0.77").is_address());
        assert!(!text("0.0.0.0").is_address());
        assert!(!text("server").is_address());
    }
}
