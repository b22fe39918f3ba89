//! Applies the objects of a plan and waits until everything answers.

use super::objects::{self, PARTS};
use super::plan::{Plan, PlanError};
use super::ready::GatewayAddress;
use crate::control::api::{ApiError, ApiServer, Kind, text};
use crate::control::failure;
use crate::control::home::Home;
use crate::control::peers::Peers;
use crate::control::stream::Events;
use futures::future::try_join_all;
use portproof_proto::names::Part;
use portproof_proto::v1::provision_event::Event;
use portproof_proto::v1::{ObjectRef, PartReady, ProvisionEvent, ProvisionRequest, StackReady};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tonic::{Code, Status};

const DEFAULT_DEADLINE: Duration = Duration::from_mins(2);
const LONGEST_DEADLINE: Duration = Duration::from_mins(15);

/// Why there is no stack.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StackError {
    /// The specification is wrong.
    #[error("the stack specification is not valid")]
    Plan(#[from] PlanError),
    /// An object could not be written as JSON.
    #[error("an object of the stack has no JSON form")]
    Serialise(#[from] serde_json::Error),
    /// The API server did not take an object.
    #[error("`{kind}/{name}` was not applied")]
    Apply {
        kind: String,
        name: String,
        #[source]
        source: ApiError,
    },
    /// An object could not be watched.
    #[error("`{object}` could not be watched")]
    Watch {
        object: &'static str,
        #[source]
        source: kube::runtime::wait::Error,
    },
    /// The Gateway lost its address again.
    #[error("the gateway has no address")]
    NoAddress,
    /// Not everything answered in time.
    #[error("not ready within {seconds} s: {waiting}")]
    NotReady { seconds: u64, waiting: String },
}

impl From<StackError> for Status {
    fn from(error: StackError) -> Self {
        let code = match &error {
            StackError::Plan(_) => Code::InvalidArgument,
            StackError::Apply { source, .. } if source.refusal().is_some() => {
                Code::FailedPrecondition
            }
            StackError::NotReady { .. } => Code::DeadlineExceeded,
            StackError::Serialise(_) => Code::Internal,
            StackError::Apply { .. } | StackError::Watch { .. } | StackError::NoAddress => {
                Code::Unavailable
            }
        };
        failure::status(code, &error)
    }
}

/// What provisioning works with.
pub(crate) struct Stage {
    pub(crate) home: Arc<Home>,
    pub(crate) api: ApiServer,
    pub(crate) peers: Peers,
}

/// The time a request gives, within reason.
pub(crate) fn deadline(request: &ProvisionRequest) -> Duration {
    match request.deadline_s {
        0 => DEFAULT_DEADLINE,
        seconds => Duration::from_secs(u64::from(seconds)).min(LONGEST_DEADLINE),
    }
}

/// Creates the stack; returns once every part answers.
pub(crate) async fn provision(
    stage: &Stage,
    request: ProvisionRequest,
    events: &Events<ProvisionEvent>,
) -> Result<(), StackError> {
    let deadline = deadline(&request);
    let spec = request
        .stack
        .ok_or(PlanError::Missing { member: "stack" })?;
    let plan = Plan::check(spec, (*stage.home).clone())?;
    let progress = Progress::new(events);
    match tokio::time::timeout(deadline, stage.build(&plan, &progress)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(stage.not_ready(deadline, &progress).await),
    }
}

impl Stage {
    async fn build(&self, plan: &Plan, progress: &Progress<'_>) -> Result<(), StackError> {
        for object in objects::foundation(plan)? {
            self.apply(&object, progress).await?;
        }
        let others = PARTS.into_iter().filter(|part| *part != Part::Agent);
        let (gateway, _) = tokio::try_join!(
            self.agent_behind_the_gateway(plan, progress),
            try_join_all(others.map(|part| self.part(part, progress))),
        )?;
        self.model_route_answers(plan, &gateway).await;
        progress.ready("route/model").await;
        self.tools_route_answers(plan, &gateway).await;
        progress.ready("route/tools").await;
        progress.complete(gateway).await;
        Ok(())
    }

    async fn agent_behind_the_gateway(
        &self,
        plan: &Plan,
        progress: &Progress<'_>,
    ) -> Result<GatewayAddress, StackError> {
        let gateway = self.gateway_address(plan).await?;
        progress.ready("gateway").await;
        self.apply(&objects::agent(plan, &gateway.url())?, progress)
            .await?;
        self.part(Part::Agent, progress).await?;
        Ok(gateway)
    }

    async fn part(&self, part: Part, progress: &Progress<'_>) -> Result<(), StackError> {
        self.part_answers(part).await?;
        progress.ready(part.name()).await;
        Ok(())
    }

    async fn apply(&self, object: &Value, progress: &Progress<'_>) -> Result<(), StackError> {
        let name = text(object, "/metadata/name");
        let failed = |source| StackError::Apply {
            kind: text(object, "/kind").to_owned(),
            name: name.to_owned(),
            source,
        };
        let Some(kind) = Kind::of(object) else {
            return Err(PlanError::Missing { member: "kind" }.into());
        };
        let applied = self
            .api
            .apply(&kind.object(&self.home.namespace, name), object)
            .await
            .map_err(failed)?;
        progress.applied(&applied).await;
        Ok(())
    }

    /// Says of everything that did not answer what its pods are waiting for.
    async fn not_ready(&self, deadline: Duration, progress: &Progress<'_>) -> StackError {
        let selector = format!("{}={}", portproof_proto::names::RUN_LABEL, self.home.run_id);
        let pods = self
            .api
            .list(&Kind::POD.collection(&self.home.namespace), &selector)
            .await
            .unwrap_or_default();
        let waiting = progress.waiting();
        let waiting: Vec<_> = waiting
            .iter()
            .map(|part| format!("{part}{}", reason(&pods, part)))
            .collect();
        StackError::NotReady {
            seconds: deadline.as_secs(),
            waiting: waiting.join(", "),
        }
    }
}

/// Why the pod of a part does not run, as kubelet and scheduler say it: ` (ErrImageNeverPull: ...)`.
fn reason(pods: &[Value], part: &str) -> String {
    let of_part = |pod: &&Value| {
        pod.pointer("/metadata/labels")
            .and_then(|labels| labels.get(portproof_proto::names::PART_LABEL))
            .and_then(Value::as_str)
            == Some(part)
    };
    let places = [
        "/status/containerStatuses/0/state/waiting",
        "/status/containerStatuses/0/lastState/terminated",
    ];
    let of_container = |pod: &Value| {
        places
            .iter()
            .filter_map(|place| pod.pointer(place))
            .map(explain)
            .find(|reason| !reason.is_empty())
    };
    let of_scheduler = |pod: &Value| {
        let conditions = pod
            .pointer("/status/conditions")
            .and_then(Value::as_array)?;
        conditions
            .iter()
            .find(|condition| text(condition, "/status") == "False")
            .map(explain)
    };
    let found = pods
        .iter()
        .filter(of_part)
        .find_map(|pod| of_container(pod).or_else(|| of_scheduler(pod)));
    found
        .filter(|reason| !reason.is_empty())
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default()
}

fn explain(state: &Value) -> String {
    let (reason, message) = (text(state, "/reason"), text(state, "/message"));
    if message.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason}: {message}")
    }
}

/// What the caller is told, and what is still awaited.
struct Progress<'a> {
    events: &'a Events<ProvisionEvent>,
    start: Instant,
    waiting: Mutex<BTreeSet<&'static str>>,
}

impl<'a> Progress<'a> {
    fn new(events: &'a Events<ProvisionEvent>) -> Self {
        let mut waiting: BTreeSet<_> = PARTS.iter().map(|part| part.name()).collect();
        waiting.extend(["gateway", "route/model", "route/tools"]);
        Self {
            events,
            start: Instant::now(),
            waiting: Mutex::new(waiting),
        }
    }

    async fn applied(&self, object: &Value) {
        self.send(Event::Applied(object_ref(object))).await;
    }

    async fn ready(&self, part: &'static str) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(part);
        let elapsed_ms = u32::try_from(self.start.elapsed().as_millis()).unwrap_or(u32::MAX);
        self.send(Event::Ready(PartReady {
            part: part.to_owned(),
            elapsed_ms,
        }))
        .await;
    }

    async fn complete(&self, gateway: GatewayAddress) {
        let ready = StackReady {
            gateway_address: gateway.host,
            gateway_port: u32::from(gateway.port),
        };
        self.send(Event::Stack(ready)).await;
    }

    async fn send(&self, event: Event) {
        self.events
            .send(ProvisionEvent { event: Some(event) })
            .await;
    }

    fn waiting(&self) -> Vec<&'static str> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .copied()
            .collect()
    }
}

/// The reference to an object as the API server stores it.
pub(crate) fn object_ref(object: &Value) -> ObjectRef {
    let member = |pointer| text(object, pointer).to_owned();
    ObjectRef {
        api_version: member("/apiVersion"),
        kind: member("/kind"),
        namespace: member("/metadata/namespace"),
        name: member("/metadata/name"),
        uid: member("/metadata/uid"),
    }
}
