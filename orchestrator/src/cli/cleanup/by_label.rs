//! Clean-up without run directory and ledger: by the label that all of a run carries.

use super::target::Target;
use super::{print_report, worse};
use crate::cli::printer::Printer;
use crate::cluster::{Cluster, ClusterError};
use crate::exit::Exit;
use crate::run::leftovers::{self, Leftover};
use futures::future::join_all;
use jiff::Timestamp;
use std::time::Duration;

/// One look at clusters that the user named.
pub(super) struct ByLabel {
    targets: Vec<Target>,
    deadline: Duration,
}

/// A cluster that answered, by the name the user knows it by.
struct Known {
    name: String,
    cluster: Cluster,
}

/// What was seen, and whether something could not be seen.
struct Seen {
    known: Vec<Known>,
    leftovers: Vec<Leftover>,
    exit: Exit,
}

impl Seen {
    fn name_of<'a>(&'a self, cluster: &'a Cluster) -> &'a str {
        let same = |known: &&Known| known.cluster.uid() == cluster.uid();
        let found = self.known.iter().find(same);
        found.map_or(cluster.role().as_str(), |known| known.name.as_str())
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.known.iter().map(|known| known.name.as_str()).collect();
        names.join(" and ")
    }
}

impl ByLabel {
    pub(super) const fn new(targets: Vec<Target>, deadline: Duration) -> Self {
        Self { targets, deadline }
    }

    /// Removes one run from every cluster that answers.
    pub(super) async fn clean(self, wanted: &str, printer: &Printer) -> Exit {
        let deadline = self.deadline;
        let seen = match self.look(printer).await {
            Ok(seen) => seen,
            Err(exit) => return exit,
        };
        let chosen = match leftovers::choose(seen.leftovers.clone(), wanted) {
            Ok(chosen) => chosen,
            Err(error) => {
                printer.error(&error, Some(&error.hint()));
                return worse(Exit::Usage, seen.exit);
            }
        };
        let Some(leftover) = chosen else {
            printer.result(&format!(
                "run {wanted} has left nothing on {}",
                seen.names()
            ));
            return seen.exit;
        };
        warn_if_young(&leftover, printer);
        let mut exit = seen.exit;
        for (cluster, report) in leftover.remove(deadline).await {
            exit = worse(exit, print_report(seen.name_of(cluster), &report, printer));
        }
        exit
    }

    /// Tells which runs left something, and removes nothing.
    pub(super) async fn list(self, printer: &Printer) -> Exit {
        match self.look(printer).await {
            Ok(seen) => {
                printer.result(&listed(&seen, Timestamp::now()));
                seen.exit
            }
            Err(exit) => exit,
        }
    }

    /// Looks at every cluster that answers; those that do not are told and make the end an error.
    async fn look(self, printer: &Printer) -> Result<Seen, Exit> {
        let connected = join_all(self.targets.into_iter().map(|target| async {
            let connected = Cluster::connect(target.role, target.access).await;
            (target.name, connected)
        }));
        let mut known: Vec<Known> = Vec::new();
        let mut exit = Exit::Passed;
        for (name, connected) in connected.await {
            match connected {
                Ok(cluster) if known.iter().any(|it| it.cluster.uid() == cluster.uid()) => {}
                Ok(cluster) => known.push(Known { name, cluster }),
                Err(error) => exit = worse(exit, trouble(&name, &error, printer)),
            }
        }
        let clusters: Vec<Cluster> = known.iter().map(|it| it.cluster.clone()).collect();
        if clusters.is_empty() {
            return Err(exit);
        }
        match leftovers::survey(&clusters).await {
            Ok(leftovers) => Ok(Seen {
                known,
                leftovers,
                exit,
            }),
            Err(error) => Err(worse(exit, trouble("", &error, printer))),
        }
    }
}

fn trouble(name: &str, error: &ClusterError, printer: &Printer) -> Exit {
    if !name.is_empty() {
        printer.text(&format!("{name} cannot be looked at:"));
    }
    printer.error(error, error.hint().as_deref());
    error.exit()
}

fn warn_if_young(leftover: &Leftover, printer: &Printer) {
    let expires = leftover
        .expires
        .filter(|expires| *expires > Timestamp::now());
    if let Some(expires) = expires {
        printer.text(&format!(
            "run {} has not expired yet ({expires:.0}): should it still be under way, it will fail",
            leftover.run
        ));
    }
}

/// One line a run, in columns.
fn listed(seen: &Seen, now: Timestamp) -> String {
    if seen.leftovers.is_empty() {
        return format!("no run has left anything on {}", seen.names());
    }
    let mut lines = vec![row(["run", "since", "expires", "state", "where"])];
    for leftover in &seen.leftovers {
        let places = leftover.places.iter().map(|place| {
            let name = seen.name_of(&place.cluster);
            format!("{name} ({} objects)", place.found.objects.len())
        });
        lines.push(row([
            &leftover.run,
            &time(leftover.began),
            &time(leftover.expires),
            state(leftover, now),
            &places.collect::<Vec<_>>().join(", "),
        ]));
    }
    lines.join("\n")
}

fn row(cells: [&str; 5]) -> String {
    let [run, since, expires, state, places] = cells;
    format!("{run:<13}{since:<22}{expires:<22}{state:<13}{places}")
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "unknown".to_owned(), |time| format!("{time:.0}"))
}

fn state(leftover: &Leftover, now: Timestamp) -> &'static str {
    match leftover.expired(now) {
        Some(true) => "expired",
        Some(false) => "not expired",
        None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::FoundRun;
    use crate::cluster::fake::FakeApi;
    use crate::run::leftovers::Place;

    async fn seen(leftovers: &[(&str, Option<&str>)]) -> Seen {
        let (_, cluster) = FakeApi::start().await;
        let place = |run: &str| Place {
            cluster: cluster.clone(),
            found: FoundRun {
                run: run.to_owned(),
                objects: Vec::new(),
                began: None,
                expires: None,
            },
        };
        let leftover = |&(run, expires): &(&str, Option<&str>)| Leftover {
            run: run.to_owned(),
            began: Some("2026-11-21T08:00:00.5Z".parse().unwrap()),
            expires: expires.map(|time| time.parse().unwrap()),
            places: vec![place(run)],
        };
        Seen {
            leftovers: leftovers.iter().map(leftover).collect(),
            known: vec![Known {
                name: "context kind-b".to_owned(),
                cluster,
            }],
            exit: Exit::Passed,
        }
    }

    #[tokio::test]
    async fn a_list_says_since_when_a_run_is_there_and_whether_it_expired() {
        let seen = seen(&[
            ("r1mhj8n3k7q", Some("2026-11-22T08:00:00Z")),
            ("r1mhj8n3k7r", Some("2026-11-30T08:00:00Z")),
            ("r1mhj8n3k7s", None),
        ])
        .await;
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        insta::assert_snapshot!(listed(&seen, now), @"
        run          since                 expires               state        where
        r1mhj8n3k7q  2026-11-21T08:00:00Z  2026-11-22T08:00:00Z  expired      context kind-b (0 objects)
        r1mhj8n3k7r  2026-11-21T08:00:00Z  2026-11-30T08:00:00Z  not expired  context kind-b (0 objects)
        r1mhj8n3k7s  2026-11-21T08:00:00Z  unknown               unknown      context kind-b (0 objects)
        ");
    }

    #[tokio::test]
    async fn clusters_without_left_overs_are_named() {
        let seen = seen(&[]).await;
        let text = listed(&seen, Timestamp::UNIX_EPOCH);
        assert_eq!(text, "no run has left anything on context kind-b");
    }
}
