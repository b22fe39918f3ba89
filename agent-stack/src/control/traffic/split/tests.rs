use super::*;
use crate::control::fake_api::FakeApi;
use futures::FutureExt as _;
use http::StatusCode;
use portproof_proto::v1::Fault;

const NAMESPACE: &str = "portproof-r1";

fn split(stable: u32, canary: u32) -> TrafficSplit {
    TrafficSplit { stable, canary }
}

fn path() -> String {
    Kind::HTTP_ROUTE.object(NAMESPACE, MODEL_ROUTE)
}

/// A stack provisioned at 100/0.
fn provisioned(faults: &[Fault]) -> FakeApi {
    let api = FakeApi::default();
    let faults: Vec<_> = faults.iter().map(|fault| *fault as i32).collect();
    api.put(&path(), json!({"metadata": {"name": MODEL_ROUTE, "annotations": {
            SPLIT_ANNOTATION: "100/0", FAULTS_ANNOTATION: Faults::check(&faults).unwrap().write()}},
        "spec": {"retry": "a member of a newer API version", "rules": [
            {"backendRefs": [{"name": "model-canary", "weight": 1}]},
            {"backendRefs": [{"name": "model-stable", "weight": 100}, {"name": "model-canary", "weight": 0}]},
        ]}}));
    api
}

fn served(api: &FakeApi) -> TrafficSplit {
    splitting_rule(&api.get(&path()).unwrap()).unwrap().1
}

async fn set(
    keeper: &Keeper,
    asked: TrafficSplit,
    dead_man_s: u32,
) -> Result<SetTrafficSplitResponse, SplitError> {
    keeper
        .set(&SetTrafficSplitRequest {
            split: Some(asked),
            dead_man_s,
        })
        .await
}

#[tokio::test]
async fn only_the_two_weights_change() {
    let api = provisioned(&[]);
    let mut expected = api.get(&path()).unwrap();
    let response = set(&Keeper::new(api.server(), NAMESPACE), split(90, 10), 0)
        .await
        .unwrap();
    expected["spec"]["rules"][1]["backendRefs"][0]["weight"] = json!(90);
    expected["spec"]["rules"][1]["backendRefs"][1]["weight"] = json!(10);
    expected["metadata"]["resourceVersion"] = json!(response.resource_version);
    assert_eq!(api.get(&path()).unwrap(), expected);
    assert_eq!(response.previous, Some(split(100, 0)));
    assert!(response.sent_ns <= response.acknowledged_ns);
}

#[tokio::test]
async fn a_rollback_under_the_fault_leaves_a_share() {
    let api = provisioned(&[Fault::RollbackIncomplete]);
    let keeper = Keeper::new(api.server(), NAMESPACE);
    set(&keeper, split(90, 10), 0).await.unwrap();
    assert_eq!(served(&api), split(90, 10));
    set(&keeper, split(100, 0), 0).await.unwrap();
    assert_eq!(served(&api), split(95, 5));
}

#[tokio::test]
async fn skewed_weights_are_served_under_the_fault() {
    let api = provisioned(&[Fault::RouteWeightsSkewed]);
    set(&Keeper::new(api.server(), NAMESPACE), split(90, 10), 0)
        .await
        .unwrap();
    assert_eq!(served(&api), split(84, 16));
}

#[tokio::test]
async fn a_split_of_nothing_is_refused_before_anything_is_sent() {
    let api = provisioned(&[]);
    let error = set(&Keeper::new(api.server(), NAMESPACE), split(0, 0), 0)
        .await
        .unwrap_err();
    assert_eq!(Status::from(error).code(), Code::InvalidArgument);
    assert!(api.writes().is_empty());
}

#[tokio::test]
async fn without_a_stack_there_is_nothing_to_split() {
    let error = set(
        &Keeper::new(FakeApi::default().server(), NAMESPACE),
        split(1, 1),
        0,
    )
    .await
    .unwrap_err();
    assert!(matches!(error, SplitError::NoRoute));
}

#[tokio::test]
async fn when_nobody_calls_again_the_provisioned_split_comes_back() {
    let api = provisioned(&[]);
    let route = Arc::clone(&Keeper::new(api.server(), NAMESPACE).route);
    route.change(split(50, 50)).await.unwrap();
    assert_eq!(served(&api), split(50, 50));
    route.restore_after(Duration::ZERO).await;
    assert_eq!(served(&api), split(100, 0));
}

#[tokio::test]
async fn the_next_call_ends_the_dead_man_time() {
    let api = provisioned(&[]);
    let keeper = Keeper::new(api.server(), NAMESPACE);
    set(&keeper, split(90, 10), 3_600).await.unwrap();
    let armed = keeper
        .dead_man
        .lock()
        .await
        .as_ref()
        .unwrap()
        .abort_handle();
    set(&keeper, split(80, 20), 0).await.unwrap();
    assert!(keeper.dead_man.lock().await.is_none());
    while !armed.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(served(&api), split(80, 20));
}

#[tokio::test]
async fn a_call_that_fails_or_is_given_up_does_not_end_the_dead_man_time() {
    let api = provisioned(&[]);
    let keeper = Keeper::new(api.server(), NAMESPACE);
    set(&keeper, split(90, 10), 3_600).await.unwrap();
    let is_armed = async || {
        let dead_man = keeper.dead_man.lock().await;
        dead_man.as_ref().is_some_and(|armed| !armed.is_finished())
    };
    let given_up = set(&keeper, split(80, 20), 0).now_or_never();
    assert!(given_up.is_none() && is_armed().await);
    api.refuse(&path(), StatusCode::SERVICE_UNAVAILABLE, "not now");
    set(&keeper, split(80, 20), 0).await.unwrap_err();
    assert!(is_armed().await);
}

#[tokio::test]
async fn a_route_that_changed_its_shape_meanwhile_is_left_alone() {
    let api = provisioned(&[]);
    let keeper = Keeper::new(api.server(), NAMESPACE);
    let before = keeper.route.read().await.unwrap();
    let mut other = before.clone();
    other["spec"]["rules"][1]["backendRefs"][0]["name"] = json!("model-other");
    api.put(&path(), other);
    let error = keeper
        .route
        .patch(&before, split(90, 10))
        .await
        .unwrap_err();
    let SplitError::Api(error) = error else {
        panic!("{error}")
    };
    assert_eq!(
        error.refusal().map(|(status, _)| status),
        Some(StatusCode::UNPROCESSABLE_ENTITY)
    );
}
