//! Finding out by use that a cluster works.
//!
//! Two pods are started, a server on the default runtime and a client in the sandbox. What they see from where they
//! stand is asked for through the API server, so nothing needs a way into the pod network. Each probe is tried again
//! until it holds or time is up; what the last try showed is in the error.

mod answer;
mod pods;
mod route;

use super::apply::Applier;
use super::manifest::Manifest;
use super::{AddonError, AddonImages, AddonSpec, gateway};
use crate::progress::Progress;
use answer::Answer;
use futures::future::{try_join, try_join3};
use kube::Client;
use pods::Pods;
use serde::Serialize;
use std::future::Future;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Namespace of the probes; it is gone when they have passed.
pub const NAMESPACE: &str = "portproof-lab-probe";
const HOST: &str = "probe.portproof.test";
const SCRIPT: &str = include_str!("../manifests/probe.py");
/// Between two tries of a probe.
const PAUSE: Duration = Duration::from_millis(100);

/// What the manifests of the probes are filled in with.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ProbeValues<'a> {
    namespace: &'static str,
    images: &'a AddonImages,
    class: &'a str,
    host: &'static str,
    script: &'static str,
    nonce: &'a str,
    pods: [ProbePod; 2],
}

#[derive(Clone, Copy, Debug, Serialize)]
struct ProbePod {
    name: &'static str,
    runtime_class: Option<&'static str>,
}

impl<'a> ProbeValues<'a> {
    pub(super) fn new(images: &'a AddonImages, class: &'a str, nonce: &'a str) -> Self {
        Self {
            namespace: NAMESPACE,
            images,
            class,
            host: HOST,
            script: SCRIPT,
            nonce,
            pods: [
                ProbePod {
                    name: "server",
                    runtime_class: None,
                },
                ProbePod {
                    name: "client",
                    runtime_class: Some("gvisor"),
                },
            ],
        }
    }
}

/// One cluster under probe.
struct Probes<'a> {
    cluster: &'a AddonSpec,
    applier: Applier,
    pods: Pods,
    nonce: String,
    deadline: Instant,
    start: Instant,
    progress: &'a dyn Progress,
}

/// Returns when DNS, Services, NetworkPolicy, the sandbox and the gateway of a cluster have been seen to work.
///
/// # Errors
/// [`AddonError::NotWorking`] names what does not work after `patience`, and the pods that are not ready.
pub async fn wait_working(
    client: Client,
    cluster: &AddonSpec,
    patience: Duration,
    progress: &dyn Progress,
) -> Result<(), AddonError> {
    let start = Instant::now();
    let probes = Probes {
        cluster,
        applier: Applier::new(client.clone()),
        pods: Pods::new(client),
        nonce: Uuid::new_v4().simple().to_string(),
        deadline: start + patience,
        start,
        progress,
    };
    probes
        .pods
        .remove_namespace(NAMESPACE, probes.deadline)
        .await?;
    probes.run().await?;
    probes.pods.forget_namespace(NAMESPACE).await
}

impl Probes<'_> {
    async fn run(&self) -> Result<(), AddonError> {
        self.apply(Manifest::Probe).await?;
        try_join3(self.gateway(), self.sandbox(), self.network()).await?;
        Ok(())
    }

    async fn sandbox(&self) -> Result<(), AddonError> {
        self.until(
            "the sandbox is gVisor",
            || self.ask("client", "kernel"),
            Answer::is_gvisor,
        )
        .await
    }

    /// The policy comes last: until it is lifted the client reaches nothing.
    async fn network(&self) -> Result<(), AddonError> {
        let name = format!("server.{NAMESPACE}.svc.cluster.local");
        let (resolve, by_name) = (format!("resolve/{name}"), format!("fetch/{name}/80"));
        try_join(
            self.until(
                "DNS answers",
                || self.ask("client", &resolve),
                Answer::is_address,
            ),
            self.until(
                "a Service answers",
                || self.ask("client", &by_name),
                |answer| answer.is_text(&self.nonce),
            ),
        )
        .await?;
        self.policy().await
    }

    async fn policy(&self) -> Result<(), AddonError> {
        let direct = format!(
            "fetch/{}/8080",
            self.pods.address(NAMESPACE, "server").await?
        );
        let reach = || self.ask("client", &direct);
        self.until("a pod reaches a pod", reach, |answer| {
            answer.is_text(&self.nonce)
        })
        .await?;
        self.apply(Manifest::ProbePolicy).await?;
        self.until("a NetworkPolicy blocks", reach, Answer::is_cut_off)
            .await?;
        self.pods.remove_policy(NAMESPACE, "client").await?;
        self.until("without it the way is open", reach, |answer| {
            answer.is_text(&self.nonce)
        })
        .await
    }

    async fn gateway(&self) -> Result<(), AddonError> {
        self.apply(Manifest::ProbeRoute).await?;
        let what = format!(
            "the gateway ({}) answers",
            gateway::class(self.cluster.gateway)
        );
        self.until(
            &what,
            || self.ask_gateway(),
            |answer| answer.is_text(&self.nonce),
        )
        .await
    }

    async fn ask(&self, pod: &str, path: &str) -> Answer {
        self.pods.ask(NAMESPACE, pod, path).await
    }

    async fn ask_gateway(&self) -> Answer {
        match self.pods.gateway_address(NAMESPACE, "probe").await {
            Ok(Some(address)) => route::ask(&address, HOST, "/hello").await,
            Ok(None) => Answer::Trouble("the Gateway has no address yet".to_owned()),
            Err(error) => Answer::Trouble(error.to_string()),
        }
    }

    async fn apply(&self, manifest: Manifest) -> Result<(), AddonError> {
        let class = gateway::class(self.cluster.gateway);
        let values = ProbeValues::new(&self.cluster.images, class, &self.nonce);
        self.applier
            .apply_in_order(&manifest.objects(&values)?)
            .await
    }

    /// Tries until `holds`, and says so.
    async fn until<F: Future<Output = Answer>>(
        &self,
        what: &str,
        ask: impl Fn() -> F,
        holds: impl Fn(&Answer) -> bool,
    ) -> Result<(), AddonError> {
        let part = format!("{}: {what}", self.cluster.cluster);
        self.progress.started(&part);
        loop {
            let answer = ask().await;
            if holds(&answer) {
                self.progress.finished(&part, self.start.elapsed());
                return Ok(());
            }
            if Instant::now() > self.deadline {
                return Err(self.not_working(&part, &answer).await);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn not_working(&self, part: &str, last: &Answer) -> AddonError {
        AddonError::NotWorking {
            what: part.to_owned(),
            waited: self.start.elapsed(),
            last: last.to_string(),
            hints: self.pods.hints().await,
        }
    }
}
