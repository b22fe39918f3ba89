//! Which parts of the stack did not live through the tasks.

use crate::verify::evidence::PartPod;
use std::collections::BTreeSet;

/// The parts of which a pod that was there before is gone or was restarted since. What a process had not sent when it ended
/// is lost, and nobody counts it: exporters hold spans back for a moment (OpenTelemetry, batch span processor).
pub fn restarted(before: &[PartPod], after: &[PartPod]) -> BTreeSet<String> {
    let lives = |pod: &&PartPod| after.contains(pod);
    before
        .iter()
        .filter(|pod| !lives(pod))
        .map(|pod| pod.part.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(part: &str, uid: &str, restarts: u32) -> PartPod {
        PartPod {
            part: part.to_owned(),
            uid: uid.to_owned(),
            restarts,
        }
    }

    #[test]
    fn what_is_as_it_was_was_not_restarted_whatever_came_beside_it() {
        let before = [pod("agent", "u1", 2), pod("interpreter", "u2", 0)];
        let after = [
            pod("interpreter", "u2", 0),
            pod("agent", "u3", 0),
            pod("agent", "u1", 2),
        ];
        assert!(restarted(&before, &after).is_empty());
    }

    #[test]
    fn a_container_that_was_restarted_and_a_pod_that_was_replaced_are_told_by_their_part() {
        let before = [
            pod("agent", "u1", 0),
            pod("interpreter", "u2", 0),
            pod("tool-gateway", "u3", 0),
        ];
        let after = [
            pod("agent", "u1", 1),
            pod("interpreter", "u4", 0),
            pod("tool-gateway", "u3", 0),
        ];
        let expected = ["agent", "interpreter"].map(str::to_owned);
        assert_eq!(restarted(&before, &after), BTreeSet::from(expected));
    }
}
