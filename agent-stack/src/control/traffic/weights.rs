//! Weights: how they are written down, and how a fault bends them.

use crate::control::stack::Faults;
use portproof_proto::v1::{Fault, TrafficSplit};

/// Points of the share that a skewed route moves to the canary.
const SKEW_POINTS: u64 = 6;
/// Points of the share that an incomplete rollback leaves on the canary.
const LEFT_POINTS: u64 = 5;

const STABLE_ONLY: TrafficSplit = TrafficSplit {
    stable: 100,
    canary: 0,
};

/// The split as `stable/canary`.
pub(crate) fn write(split: TrafficSplit) -> String {
    format!("{}/{}", split.stable, split.canary)
}

/// Reads what [`write`] wrote.
pub(crate) fn read(text: &str) -> Option<TrafficSplit> {
    let (stable, canary) = text.split_once('/')?;
    Some(TrafficSplit {
        stable: stable.parse().ok()?,
        canary: canary.parse().ok()?,
    })
}

/// The weights the route really gets when `asked` is wanted: the same, unless a fault says otherwise.
pub(crate) fn serve(asked: TrafficSplit, faults: &Faults) -> TrafficSplit {
    if asked.canary == 0 {
        return asked;
    }
    if faults.has(Fault::CanaryNotServed) {
        return STABLE_ONLY;
    }
    if faults.has(Fault::RouteWeightsSkewed) {
        return shift(asked, SKEW_POINTS);
    }
    asked
}

/// The weights of a later change: a rollback is the change that takes the canary's share away.
pub(crate) fn change(asked: TrafficSplit, faults: &Faults) -> TrafficSplit {
    if asked.canary == 0 && faults.has(Fault::RollbackIncomplete) {
        return shift(asked, LEFT_POINTS);
    }
    serve(asked, faults)
}

/// Moves `points` of the whole from the stable to the canary version, rescaled to a hundred so that no share is lost in
/// rounding.
fn shift(split: TrafficSplit, points: u64) -> TrafficSplit {
    let (stable, canary) = (u64::from(split.stable), u64::from(split.canary));
    let whole = (stable + canary).max(1);
    let share = (100 * canary).div_ceil(whole) + points;
    let canary = u32::try_from(share.min(100)).unwrap_or(100);
    TrafficSplit {
        stable: 100 - canary,
        canary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(stable: u32, canary: u32) -> TrafficSplit {
        TrafficSplit { stable, canary }
    }

    fn faults(fault: Fault) -> Faults {
        Faults::check(&[fault as i32]).unwrap()
    }

    #[test]
    fn without_faults_the_route_serves_what_is_asked() {
        assert_eq!(serve(split(90, 10), &Faults::default()), split(90, 10));
        assert_eq!(change(split(100, 0), &Faults::default()), split(100, 0));
    }

    #[test]
    fn a_canary_that_is_not_served_gets_nothing_of_any_share() {
        let faults = faults(Fault::CanaryNotServed);
        for asked in [split(90, 10), split(1, 1), split(0, 1)] {
            assert_eq!(serve(asked, &faults), STABLE_ONLY);
            assert_eq!(change(asked, &faults), STABLE_ONLY);
        }
        assert_eq!(change(split(100, 0), &faults), split(100, 0));
    }

    #[test]
    fn a_skewed_route_gives_the_canary_six_points_more() {
        assert_eq!(
            serve(split(90, 10), &faults(Fault::RouteWeightsSkewed)),
            split(84, 16)
        );
        assert_eq!(
            serve(split(9, 1), &faults(Fault::RouteWeightsSkewed)),
            split(84, 16)
        );
    }

    #[test]
    fn a_skewed_route_still_rolls_back() {
        assert_eq!(
            change(split(100, 0), &faults(Fault::RouteWeightsSkewed)),
            split(100, 0)
        );
    }

    #[test]
    fn an_incomplete_rollback_leaves_five_points() {
        assert_eq!(
            change(split(1, 0), &faults(Fault::RollbackIncomplete)),
            split(95, 5)
        );
        assert_eq!(
            change(split(90, 10), &faults(Fault::RollbackIncomplete)),
            split(90, 10)
        );
    }

    proptest! {
        #[test]
        fn a_split_survives_writing(stable: u32, canary: u32) {
            prop_assert_eq!(read(&write(split(stable, canary))), Some(split(stable, canary)));
        }

        #[test]
        fn a_skewed_split_is_a_whole_of_a_hundred(stable in 0u32..1_000_000, canary in 1u32..1_000_000) {
            let skewed = serve(split(stable, canary), &faults(Fault::RouteWeightsSkewed));
            prop_assert_eq!(skewed.stable + skewed.canary, 100);
        }
    }
}
