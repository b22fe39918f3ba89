use super::*;
use crate::cluster::ObjectId;
use crate::cluster::fake::{FakeApi, path_of};
use portproof_proto::names::{self, RUN_LABEL};
use serde_json::json;

const RUN: &str = "r1mhj8n3k7q";
const SIBLING: &str = "r1mhj8n3k7r";
const OTHER: &str = "r2000000000";

fn namespace(run: &str) -> ObjectId {
    ObjectId::of_namespace(&names::run_namespace(run))
}

fn put(fake: &FakeApi, object: &ObjectId, run: Option<&str>) {
    let labels = run.map_or_else(|| json!({}), |run| json!({RUN_LABEL: run}));
    let object_there = json!({
        "apiVersion": object.api_version, "kind": object.kind,
        "metadata": {
            "name": object.name, "uid": object.name, "labels": labels,
            "annotations": {
                names::CREATED_AT_ANNOTATION: "2026-11-21T08:00:00Z",
                names::EXPIRES_AT_ANNOTATION: "2026-11-22T08:00:00Z",
            },
        },
    });
    fake.put(&path_of(object), object_there);
}

/// Two clusters: both with two runs that are alike and a namespace of nobody's, the second with one run more.
async fn two_clusters() -> [(FakeApi, Cluster); 2] {
    let clusters = [FakeApi::start().await, FakeApi::start().await];
    for (fake, _) in &clusters {
        put(fake, &namespace(RUN), Some(RUN));
        put(fake, &namespace(SIBLING), Some(SIBLING));
        put(fake, &ObjectId::of_namespace("team"), None);
    }
    put(&clusters[1].0, &namespace(OTHER), Some(OTHER));
    clusters
}

async fn surveyed(clusters: &[(FakeApi, Cluster); 2]) -> Vec<Leftover> {
    let clusters = clusters.each_ref().map(|(_, cluster)| cluster.clone());
    survey(&clusters).await.unwrap()
}

#[tokio::test]
async fn a_run_is_one_run_wherever_it_left_something() {
    let clusters = two_clusters().await;
    let leftovers = surveyed(&clusters).await;
    let places: Vec<_> = leftovers
        .iter()
        .map(|it| (it.run.as_str(), it.places.len()))
        .collect();
    assert_eq!(places, [(RUN, 2), (SIBLING, 2), (OTHER, 1)]);
    let expires: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
    let before = expires - Duration::from_secs(1);
    assert_eq!(leftovers[0].expired(before), Some(false));
    assert_eq!(leftovers[0].expired(expires), Some(true));
}

#[tokio::test]
async fn only_the_chosen_run_is_removed_and_from_every_cluster() {
    let clusters = two_clusters().await;
    let chosen = choose(surveyed(&clusters).await, RUN).unwrap().unwrap();
    let reports = chosen.remove(Duration::from_mins(5)).await;
    for ((fake, _), (_, report)) in clusters.iter().zip(reports) {
        assert_eq!((report.removed, report.left.len()), (1, 0));
        let of_run = path_of(&namespace(RUN));
        let round = [format!("DELETE {of_run}"), format!("DELETE {of_run}/pods")];
        assert_eq!(fake.changes(), round);
        assert!(fake.holds(&path_of(&ObjectId::of_namespace("team"))));
    }
}

#[tokio::test]
async fn a_beginning_chooses_a_run_only_if_no_other_begins_like_that() {
    let leftovers = surveyed(&two_clusters().await).await;
    let chosen = choose(leftovers.clone(), "r2").unwrap().unwrap();
    assert_eq!(chosen.run, OTHER);
    let error = choose(leftovers, "r1").unwrap_err();
    assert_eq!(error.to_string(), "`r1` fits 2 runs");
    assert_eq!(
        error.hint(),
        format!("give more of the id of one: {RUN}, {SIBLING}")
    );
}

#[tokio::test]
async fn a_run_that_is_not_there_is_told_from_one_that_left_nothing() {
    let leftovers = surveyed(&two_clusters().await).await;
    assert!(choose(leftovers.clone(), "r3000000000").unwrap().is_none());
    for wanted in ["r3", "", "latest"] {
        let error = choose(leftovers.clone(), wanted).unwrap_err();
        assert!(error.hint().contains(OTHER), "{error}: {}", error.hint());
    }
    let error = choose(Vec::new(), "r3").unwrap_err();
    assert_eq!(error.hint(), "no run has left anything there");
}
