//! What runs left in clusters, found without run directory and ledger: by what the objects themselves say.

use crate::cluster::{self, CleanupReport, Cluster, ClusterError, FoundRun};
use crate::run::id::RunId;
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use std::time::Duration;

/// A run that left something on one or more clusters.
#[derive(Clone, Debug)]
pub struct Leftover {
    /// Id of the run.
    pub run: String,
    /// When it began, as far as its objects say.
    pub began: Option<Timestamp>,
    /// When anybody may clean it up.
    pub expires: Option<Timestamp>,
    /// What it left, cluster by cluster.
    pub places: Vec<Place>,
}

/// What a run left on one cluster.
#[derive(Clone, Debug)]
pub struct Place {
    /// The cluster.
    pub cluster: Cluster,
    /// What is there; the rest goes with the run's namespace.
    pub found: FoundRun,
}

/// Why no run can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// `latest` speaks of run directories; on a cluster the latest run may be somebody else's.
    #[error(
        "`latest` does not name a run on a cluster: the latest one there may be somebody else's"
    )]
    Latest {
        /// Runs that are there.
        known: Vec<String>,
    },
    /// No run begins like that.
    #[error("no run that begins with `{wanted}` has left anything there")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Runs that are there.
        known: Vec<String>,
    },
    /// Several do.
    #[error("`{wanted}` fits {} runs", matching.len())]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Runs that fit.
        matching: Vec<String>,
    },
}

impl ChooseError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let (runs, advice) = match self {
            Self::Latest { known } | Self::Unknown { known, .. } => {
                (known, "name one that is there")
            }
            Self::Ambiguous { matching, .. } => (matching, "give more of the id of one"),
        };
        if runs.is_empty() {
            "no run has left anything there".to_owned()
        } else {
            format!("{advice}: {}", runs.join(", "))
        }
    }
}

/// Looks for every run on every cluster; the oldest run first.
///
/// # Errors
/// When an API server does not answer or refuses.
pub async fn survey(clusters: &[Cluster]) -> Result<Vec<Leftover>, ClusterError> {
    let looks = clusters.iter().map(|cluster| async move {
        let found = cluster::find_runs(cluster).await?;
        Ok::<_, ClusterError>((cluster, found))
    });
    let mut leftovers: Vec<Leftover> = Vec::new();
    for (cluster, found) in try_join_all(looks).await? {
        for found in found {
            let place = Place {
                cluster: cluster.clone(),
                found,
            };
            add(&mut leftovers, place);
        }
    }
    leftovers.sort_by(|one, other| one.run.cmp(&other.run));
    Ok(leftovers)
}

fn add(leftovers: &mut Vec<Leftover>, place: Place) {
    let (began, expires) = (place.found.began, place.found.expires);
    match leftovers.iter_mut().find(|it| it.run == place.found.run) {
        Some(leftover) => {
            leftover.began = [leftover.began, began].into_iter().flatten().min();
            leftover.expires = [leftover.expires, expires].into_iter().flatten().max();
            leftover.places.push(place);
        }
        None => leftovers.push(Leftover {
            run: place.found.run.clone(),
            began,
            expires,
            places: vec![place],
        }),
    }
}

/// Chooses the run that `wanted` names, by its id or an unambiguous beginning of it. A whole id that is not there is no
/// error: the run has left nothing.
///
/// # Errors
/// When none or several fit.
pub fn choose(leftovers: Vec<Leftover>, wanted: &str) -> Result<Option<Leftover>, ChooseError> {
    let known: Vec<String> = leftovers.iter().map(|it| it.run.clone()).collect();
    if wanted == "latest" {
        return Err(ChooseError::Latest { known });
    }
    let fits = |leftover: &Leftover| !wanted.is_empty() && leftover.run.starts_with(wanted);
    let mut matching: Vec<Leftover> = leftovers.into_iter().filter(fits).collect();
    match matching.len() {
        0 if wanted.parse::<RunId>().is_ok() => Ok(None),
        0 => Err(ChooseError::Unknown {
            wanted: wanted.to_owned(),
            known,
        }),
        1 => Ok(matching.pop()),
        _ => Err(ChooseError::Ambiguous {
            wanted: wanted.to_owned(),
            matching: matching.into_iter().map(|it| it.run).collect(),
        }),
    }
}

impl Leftover {
    /// Removes it from every cluster side by side, within `deadline`.
    pub async fn remove(&self, deadline: Duration) -> Vec<(&Cluster, CleanupReport)> {
        let removals = self.places.iter().map(|place| async {
            let objects = place.found.objects.clone();
            let report = cluster::cleanup(&place.cluster, &self.run, objects, None, deadline).await;
            (&place.cluster, report)
        });
        join_all(removals).await
    }

    /// Objects that were found, not counting what goes with a namespace.
    pub fn objects(&self) -> usize {
        self.places
            .iter()
            .map(|place| place.found.objects.len())
            .sum()
    }

    /// Whether anybody may clean it up by `now`; `None` when its objects do not say.
    pub fn expired(&self, now: Timestamp) -> Option<bool> {
        self.expires.map(|expires| expires <= now)
    }
}

#[cfg(test)]
mod tests;
