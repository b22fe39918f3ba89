//! `SetTrafficSplit`: changes the weights of the model route, and puts them back when nobody calls again.

use super::weights;
use crate::control::api::{ApiError, ApiServer, Kind, text};
use crate::control::stack::{
    FAULTS_ANNOTATION, Faults, PlanError, SPLIT_ANNOTATION, STABLE_FIRST, check_split,
};
use crate::control::{clock, failure};
use portproof_proto::names::{MODEL_ROUTE, Part};
use portproof_proto::v1::{SetTrafficSplitRequest, SetTrafficSplitResponse, TrafficSplit};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

/// Pause after a failed attempt to put the split back.
const RETRY: Duration = Duration::from_secs(1);

/// Why the split is not what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SplitError {
    /// The request has no split, or none that is one.
    #[error("the split is not valid")]
    Split(#[from] PlanError),
    /// The stack is not provisioned.
    #[error("there is no HTTPRoute `{MODEL_ROUTE}`")]
    NoRoute,
    /// The route has no rule over both versions.
    #[error("the HTTPRoute `{MODEL_ROUTE}` has no rule that splits between both versions")]
    NoSplit,
    /// The API server said no or nothing.
    #[error("the route was not changed")]
    Api(#[from] ApiError),
}

impl From<SplitError> for Status {
    fn from(error: SplitError) -> Self {
        let code = match &error {
            SplitError::Split(_) => Code::InvalidArgument,
            SplitError::NoRoute | SplitError::NoSplit => Code::FailedPrecondition,
            SplitError::Api(_) => Code::Unavailable,
        };
        failure::status(code, &error)
    }
}

/// The one place that changes the route; changes never overlap.
pub(crate) struct Keeper {
    route: Arc<Route>,
    dead_man: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    pub(crate) fn new(api: ApiServer, namespace: &str) -> Self {
        let path = Kind::HTTP_ROUTE.object(namespace, MODEL_ROUTE);
        Self {
            route: Arc::new(Route {
                api,
                path,
                changing: Mutex::new(()),
            }),
            dead_man: Mutex::new(None),
        }
    }

    /// Sets the split; any earlier dead-man time ends here.
    pub(crate) async fn set(
        &self,
        request: &SetTrafficSplitRequest,
    ) -> Result<SetTrafficSplitResponse, SplitError> {
        let asked = check_split(
            request
                .split
                .ok_or(PlanError::Missing { member: "split" })?,
        )?;
        let mut dead_man = self.dead_man.lock().await;
        // While this is held an earlier dead man puts nothing back, and it stays armed unless the change is made.
        let _one_at_a_time = self.route.changing.lock().await;
        let response = self.route.change(asked).await?;
        stop(dead_man.take());
        if request.dead_man_s > 0 {
            let after = Duration::from_secs(u64::from(request.dead_man_s));
            *dead_man = Some(tokio::spawn(Arc::clone(&self.route).restore_after(after)));
        }
        Ok(response)
    }

    /// Ends any dead-man time without putting anything back.
    pub(crate) async fn rest(&self) {
        stop(self.dead_man.lock().await.take());
    }
}

fn stop(dead_man: Option<JoinHandle<()>>) {
    if let Some(dead_man) = dead_man {
        dead_man.abort();
    }
}

struct Route {
    api: ApiServer,
    path: String,
    changing: Mutex<()>,
}

impl Route {
    /// The caller sees to it that nobody else changes the route meanwhile.
    async fn change(&self, asked: TrafficSplit) -> Result<SetTrafficSplitResponse, SplitError> {
        let route = self.read().await?;
        self.patch(&route, weights::change(asked, &faults(&route)))
            .await
    }

    /// Puts the provisioned split back after `after`, as often as it takes.
    async fn restore_after(self: Arc<Self>, after: Duration) {
        tokio::time::sleep(after).await;
        while let Err(error) = self.restore().await {
            if matches!(error, SplitError::NoRoute | SplitError::NoSplit) {
                return;
            }
            tracing::warn!(
                error = failure::chain(&error),
                "the split was not put back yet"
            );
            tokio::time::sleep(RETRY).await;
        }
        tracing::warn!("nobody called in time: the provisioned split is back");
    }

    async fn restore(&self) -> Result<SetTrafficSplitResponse, SplitError> {
        let _one_at_a_time = self.changing.lock().await;
        let route = self.read().await?;
        let provisioned = route
            .pointer("/metadata/annotations")
            .and_then(|all| all.get(SPLIT_ANNOTATION));
        let provisioned = provisioned
            .and_then(Value::as_str)
            .and_then(weights::read)
            .ok_or(SplitError::NoSplit)?;
        self.patch(&route, weights::serve(provisioned, &faults(&route)))
            .await
    }

    async fn read(&self) -> Result<Value, SplitError> {
        self.api.get(&self.path).await?.ok_or(SplitError::NoRoute)
    }

    /// Changes the two weights and nothing else; a route that changed its shape meanwhile is left alone.
    async fn patch(
        &self,
        route: &Value,
        split: TrafficSplit,
    ) -> Result<SetTrafficSplitResponse, SplitError> {
        let (rule, previous) = splitting_rule(route).ok_or(SplitError::NoSplit)?;
        let operations = operations(rule, split);
        let sent_ns = clock::now_ns();
        let patched = self.api.patch(&self.path, &operations).await?;
        Ok(SetTrafficSplitResponse {
            previous: Some(previous),
            sent_ns,
            acknowledged_ns: clock::now_ns(),
            resource_version: text(&patched, "/metadata/resourceVersion").to_owned(),
        })
    }
}

fn faults(route: &Value) -> Faults {
    let written = route
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(FAULTS_ANNOTATION));
    Faults::read(written.and_then(Value::as_str).unwrap_or_default())
}

/// The index of the rule whose backends are both versions, with the weights it has.
fn splitting_rule(route: &Value) -> Option<(usize, TrafficSplit)> {
    let rules = route.pointer("/spec/rules").and_then(Value::as_array)?;
    rules
        .iter()
        .enumerate()
        .find_map(|(index, rule)| Some((index, weights_of(rule)?)))
}

fn weights_of(rule: &Value) -> Option<TrafficSplit> {
    let backends = rule.get("backendRefs").and_then(Value::as_array)?;
    let names: Vec<_> = backends
        .iter()
        .map(|backend| text(backend, "/name"))
        .collect();
    // A weight that is absent is 1 (Gateway API, BackendRef).
    let weight = |index: usize| {
        let weight = backends[index]
            .get("weight")
            .and_then(Value::as_u64)
            .unwrap_or(1);
        u32::try_from(weight).ok()
    };
    let both = names == STABLE_FIRST.map(Part::name);
    if both {
        Some(TrafficSplit {
            stable: weight(0)?,
            canary: weight(1)?,
        })
    } else {
        None
    }
}

/// RFC 6902: `test` makes the patch fail whole when the backends are not where they were.
fn operations(rule: usize, split: TrafficSplit) -> Value {
    let [stable, canary] = STABLE_FIRST;
    let place =
        |backend: usize, member: &str| format!("/spec/rules/{rule}/backendRefs/{backend}/{member}");
    json!([
        {"op": "test", "path": place(0, "name"), "value": stable.name()},
        {"op": "test", "path": place(1, "name"), "value": canary.name()},
        {"op": "add", "path": place(0, "weight"), "value": split.stable},
        {"op": "add", "path": place(1, "weight"), "value": split.canary},
    ])
}

#[cfg(test)]
mod tests;
