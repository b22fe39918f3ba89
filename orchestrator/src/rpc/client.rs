//! The calls to one control agent, each with its deadline.

use super::channel::Client;
use super::convert;
use super::error::RpcError;
use super::relay::Relay;
use super::request::{
    AgentDescription, EgressProbePlan, GatewayAddress, LoadPlan, PodKernels, ProvisionProgress,
    StackPlan, TaskOrder, TeardownReport,
};
use crate::verify::evidence::{
    EgressObservation, ImportOutcome, ImportedObject, SplitChange, TaskTranscript, TrafficRecord,
};
use portproof_proto::CHUNK_BYTES;
use portproof_proto::bundle::{self, Bundle, BundleError};
use portproof_proto::v1;
use std::time::Duration;
use tonic::{Request, Response, Status, Streaming};

const QUICK: Duration = Duration::from_secs(15);
const CARRY: Duration = Duration::from_mins(2);
/// What a call may take beyond the work it asks for.
const GRACE: Duration = Duration::from_secs(20);

/// A connected control agent; cheap to clone.
#[derive(Clone)]
pub struct AgentClient {
    client: Client,
}

/// A streamed answer under its deadline.
struct Answers<T> {
    call: &'static str,
    stream: Streaming<T>,
}

impl<T> Answers<T> {
    async fn next(&mut self) -> Result<Option<T>, RpcError> {
        self.stream
            .message()
            .await
            .map_err(|status| RpcError::status(self.call, &status))
    }
}

async fn within<T>(
    call: &'static str,
    deadline: Duration,
    work: impl Future<Output = Result<T, RpcError>>,
) -> Result<T, RpcError> {
    match tokio::time::timeout(deadline, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(RpcError::Deadline { call, deadline }),
    }
}

fn answer<T>(call: &'static str, outcome: Result<Response<T>, Status>) -> Result<T, RpcError> {
    outcome
        .map(Response::into_inner)
        .map_err(|status| RpcError::status(call, &status))
}

fn answers<T>(
    call: &'static str,
    outcome: Result<Response<Streaming<T>>, Status>,
) -> Result<Answers<T>, RpcError> {
    answer(call, outcome).map(|stream| Answers { call, stream })
}

fn under<T>(deadline: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

impl AgentClient {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Who the agent is and what its cluster can do.
    ///
    /// # Errors
    /// See [`RpcError`]; as for every call here.
    pub async fn describe(&self) -> Result<AgentDescription, RpcError> {
        let call = "Describe";
        within(call, QUICK, async {
            let outcome = self
                .client
                .clone()
                .describe(under(QUICK, v1::DescribeRequest {}))
                .await;
            answer(call, outcome).map(convert::description)
        })
        .await
    }

    /// Creates the stack and tells how far it has come; ends when every part answers.
    ///
    /// # Errors
    /// When a part does not answer in time, the agent's error names it.
    pub async fn provision(
        &self,
        plan: &StackPlan,
        mut progress: impl FnMut(ProvisionProgress),
    ) -> Result<GatewayAddress, RpcError> {
        let call = "Provision";
        let deadline = plan.deadline + GRACE;
        within(call, deadline, async {
            let request = under(deadline, convert::provision_request(plan));
            let mut events = answers(call, self.client.clone().provision(request).await)?;
            let mut gateway = None;
            while let Some(event) = events.next().await? {
                match convert::provision_event(event) {
                    Some(convert::Provisioned::Progress(step)) => progress(step),
                    Some(convert::Provisioned::Ready(address)) => gateway = Some(address),
                    None => {}
                }
            }
            gateway.ok_or(RpcError::Truncated { call })
        })
        .await
    }

    /// Removes what the agent created in the namespace of the run, within `deadline`; what is cluster-scoped is the
    /// ledger's.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn teardown(&self, deadline: Duration) -> Result<TeardownReport, RpcError> {
        let call = "Teardown";
        within(call, deadline, async {
            let request = under(deadline, v1::TeardownRequest::default());
            let mut events = answers(call, self.client.clone().teardown(request).await)?;
            let mut report = TeardownReport::default();
            while let Some(event) = events.next().await? {
                convert::teardown_event(event, &mut report);
            }
            Ok(report)
        })
        .await
    }

    /// Reads the selected Tools, what they refer to, their CRD and the raw MCP descriptors.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn export(&self, selector: &str) -> Result<Bundle, RpcError> {
        let call = "Export";
        within(call, CARRY, async {
            let request = under(
                CARRY,
                v1::ExportRequest {
                    selector: selector.to_owned(),
                },
            );
            let mut chunks = answers(call, self.client.clone().export(request).await)?;
            let mut bytes = Vec::new();
            while let Some(chunk) = chunks.next().await? {
                bytes.extend_from_slice(&chunk.data);
                if bytes.len() as u64 > bundle::MAX_BYTES {
                    return Err(BundleError::TooLarge.into());
                }
            }
            Ok(Bundle::decode(&bytes)?)
        })
        .await
    }

    /// Creates the objects of a bundle as they are; with `dry_run` nothing is changed. Gives back one entry an object, the
    /// definitions first: these are not created, the agent only tells whether they are there.
    ///
    /// # Errors
    /// See [`RpcError`]; an object that is refused is no error but a result.
    pub async fn import(
        &self,
        bundle: &Bundle,
        dry_run: bool,
    ) -> Result<Vec<ImportedObject>, RpcError> {
        let call = "Import";
        let bytes = bundle.encode()?;
        within(call, CARRY, async {
            let parts = convert::import_requests(&bytes, CHUNK_BYTES, dry_run);
            let request = under(CARRY, tokio_stream::iter(parts));
            let mut events = answers(call, self.client.clone().import(request).await)?;
            let mut report = Vec::new();
            let mut complete = false;
            while let Some(event) = events.next().await? {
                complete |= convert::import_event(event, &mut report);
            }
            if !complete {
                return Err(RpcError::Truncated { call });
            }
            known(call, report)
        })
        .await
    }

    /// Hands one task to the agent of the stack and waits for its end.
    ///
    /// # Errors
    /// See [`RpcError`]; a task that fails is no error but a transcript that says so.
    pub async fn run_task(&self, order: &TaskOrder) -> Result<TaskTranscript, RpcError> {
        let call = "RunTask";
        let deadline = order.deadline + GRACE;
        within(call, deadline, async {
            let request = under(deadline, convert::task_request(order));
            let mut events = answers(call, self.client.clone().run_task(request).await)?;
            let mut transcript = convert::transcript(order);
            while let Some(event) = events.next().await? {
                convert::task_event(event, &mut transcript)?;
            }
            let ended = transcript.answer.is_some() || transcript.failure.is_some();
            if ended {
                Ok(transcript)
            } else {
                Err(RpcError::Truncated { call })
            }
        })
        .await
    }

    /// Sets the weights of the model route; after `dead_man` without another call the agent puts the old ones back.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn set_split(
        &self,
        split: (u32, u32),
        dead_man: Duration,
    ) -> Result<SplitChange, RpcError> {
        let call = "SetTrafficSplit";
        within(call, QUICK, async {
            let message = convert::split_request(split, dead_man);
            let outcome = self
                .client
                .clone()
                .set_traffic_split(under(QUICK, message))
                .await;
            answer(call, outcome).map(|response| convert::split_change(split, &response))
        })
        .await
    }

    /// Drives a load plan; `started` is called once the first request is due.
    ///
    /// # Errors
    /// See [`RpcError`]; failed requests are no error but samples.
    pub async fn drive(
        &self,
        plan: &LoadPlan,
        started: impl FnOnce(),
    ) -> Result<TrafficRecord, RpcError> {
        let call = "DriveTraffic";
        let length = Duration::from_secs(u64::from(plan.requests / plan.rate.max(1)));
        let deadline = length + plan.timeout + GRACE;
        within(call, deadline, async {
            let request = under(deadline, convert::traffic_request(plan));
            let mut events = answers(call, self.client.clone().drive_traffic(request).await)?;
            let mut record = TrafficRecord::default();
            let mut started = Some(started);
            let mut complete = false;
            while let Some(event) = events.next().await? {
                match convert::traffic_event(event, &mut record) {
                    convert::Traffic::Started => drop(started.take().map(|tell| tell())),
                    convert::Traffic::Finished => complete = true,
                    convert::Traffic::Samples => {}
                }
            }
            record.samples.sort_by_key(|sample| sample.due_ns);
            if complete {
                Ok(record)
            } else {
                Err(RpcError::Truncated { call })
            }
        })
        .await
    }

    /// Runs egress probes, one observation each, in order.
    ///
    /// # Errors
    /// See [`RpcError`]; a probe that cannot run is no error but an observation that says so.
    pub async fn probe(
        &self,
        plans: &[EgressProbePlan],
    ) -> Result<Vec<EgressObservation>, RpcError> {
        let response = self.ask_probe(convert::probe_request(plans)).await?;
        convert::observations(plans, response.observations)
    }

    /// Which kernels the interpreter and its control pod stand on.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn fingerprints(&self) -> Result<PodKernels, RpcError> {
        let request = v1::ProbeRequest {
            probes: Vec::new(),
            fingerprint: true,
        };
        self.ask_probe(request)
            .await
            .map(|response| convert::pod_kernels(response.fingerprints))
    }

    async fn ask_probe(&self, message: v1::ProbeRequest) -> Result<v1::ProbeResponse, RpcError> {
        let call = "Probe";
        let length = message
            .probes
            .iter()
            .map(|probe| Duration::from_millis(probe.timeout_ms.into()))
            .sum::<Duration>();
        let deadline = length + GRACE;
        within(call, deadline, async {
            answer(
                call,
                self.client.clone().probe(under(deadline, message)).await,
            )
        })
        .await
    }

    /// Begins to collect the spans that the stack sends to the agent.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn relay(&self) -> Result<Relay, RpcError> {
        Relay::start(self.client.clone()).await
    }
}

/// The report, unless it holds an outcome that this version does not know: nothing can be built on such an import.
fn known(call: &'static str, report: Vec<ImportedObject>) -> Result<Vec<ImportedObject>, RpcError> {
    let unknown = report
        .iter()
        .find(|object| object.outcome == ImportOutcome::Unknown);
    match unknown {
        Some(object) => Err(RpcError::Protocol {
            call,
            what: format!("an outcome of {} that is not known", object.object),
        }),
        None => Ok(report),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: ImportOutcome) -> Vec<ImportedObject> {
        vec![ImportedObject {
            object: "Tool/x".into(),
            outcome,
            reason: String::new(),
            source: None,
            request: None,
            admitted: None,
        }]
    }

    #[test]
    fn a_dry_run_that_could_not_try_a_tool_is_no_trouble() {
        known("Import", report(ImportOutcome::NotTried)).unwrap();
    }

    #[test]
    fn an_import_with_an_outcome_that_is_not_known_is_trouble() {
        let error = known("Import", report(ImportOutcome::Unknown)).unwrap_err();
        assert!(error.to_string().contains("Tool/x"), "{error}");
    }
}
