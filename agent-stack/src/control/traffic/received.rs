//! What the model servers counted themselves: a check on the generator that does not come from it.

use crate::control::peers::Peers;
use portproof_proto::names::Part;
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(3);
const VERSIONS: [Part; 2] = [Part::ModelStable, Part::ModelCanary];

#[derive(Deserialize)]
struct Requests {
    count: u64,
}

/// Counts of the backends at one moment; a backend that did not answer is absent.
pub(super) struct Counts(HashMap<Part, u64>);

impl Counts {
    /// Asks every model server how many requests it has had.
    pub(super) async fn read(peers: &Peers) -> Self {
        let answers = VERSIONS.map(|part| async move {
            let answer = peers.get::<Requests>(part, "/requests", DEADLINE).await;
            answer.ok().map(|requests| (part, requests.count))
        });
        Self(
            futures::future::join_all(answers)
                .await
                .into_iter()
                .flatten()
                .collect(),
        )
    }

    /// What each backend had since `earlier`, where both moments are known and the backend was not restarted.
    pub(super) fn since(&self, earlier: &Self) -> HashMap<String, u64> {
        let difference = |(part, count): (&Part, &u64)| {
            let received = count.checked_sub(*earlier.0.get(part)?)?;
            Some((part.name().to_owned(), received))
        };
        self.0.iter().filter_map(difference).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_was_restarted_is_left_out() {
        let earlier = Counts([(Part::ModelStable, 10), (Part::ModelCanary, 10)].into());
        let later = Counts([(Part::ModelStable, 25), (Part::ModelCanary, 3)].into());
        assert_eq!(
            later.since(&earlier),
            HashMap::from([("model-stable".to_owned(), 15)])
        );
    }
}
