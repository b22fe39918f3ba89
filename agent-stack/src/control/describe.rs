//! `Describe`: who the agent is, what cluster it stands in and what that cluster can do.

use super::api::{ApiError, ApiServer, Kind, text};
use super::home::Home;
use super::{clock, failure};
use portproof_proto::access::HTTP_ROUTE_CRD;
use portproof_proto::names::{PART_LABEL, RUN_LABEL};
use portproof_proto::v1::{DescribeResponse, PartPod};
use serde_json::Value;
use tonic::{Code, Status};

const BUNDLE_VERSION: &str = "/metadata/annotations/gateway.networking.k8s.io~1bundle-version";

/// Why the cluster could not be described.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DescribeError {
    /// Something could not be read.
    #[error("the cluster could not be described")]
    Api(#[from] ApiError),
}

impl From<DescribeError> for Status {
    fn from(error: DescribeError) -> Self {
        failure::status(Code::Unavailable, &error)
    }
}

/// Reads the cluster.
pub(crate) async fn describe(
    api: &ApiServer,
    home: &Home,
) -> Result<DescribeResponse, DescribeError> {
    let (version, gateway_classes, runtime_classes, gateway_api_version) = tokio::try_join!(
        api.get("/version"),
        names_of(api, Kind::GATEWAY_CLASS),
        names_of(api, Kind::RUNTIME_CLASS),
        gateway_api_version(api),
    )?;
    Ok(DescribeResponse {
        run_id: home.run_id.clone(),
        role: home.role.clone(),
        cluster_uid: home.cluster_uid.clone(),
        kubernetes_version: text(&version.unwrap_or_default(), "/gitVersion").to_owned(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        namespace: home.namespace.clone(),
        gateway_classes,
        runtime_classes,
        gateway_api_version,
        monotonic_ns: clock::now_ns(),
        pods: pods(api, home).await?,
    })
}

/// Names of all objects of a cluster-scoped kind; none when the cluster does not know the kind.
async fn names_of(api: &ApiServer, kind: Kind) -> Result<Vec<String>, ApiError> {
    match api.list(&kind.collection(""), "").await {
        Ok(items) => Ok(sorted_names(&items)),
        Err(error) if error.is_absent() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn sorted_names(items: &[Value]) -> Vec<String> {
    let mut names: Vec<_> = items
        .iter()
        .map(|item| text(item, "/metadata/name").to_owned())
        .collect();
    names.sort();
    names
}

async fn pods(api: &ApiServer, home: &Home) -> Result<Vec<PartPod>, ApiError> {
    let selector = format!("{RUN_LABEL}={}", home.run_id);
    let collection = Kind::POD.collection(&home.namespace);
    let pods = api.list(&collection, &selector).await?;
    Ok(pods.iter().filter_map(part_pod).collect())
}

/// A pod that names a part; a gateway implementation may keep pods of its own in the namespace.
fn part_pod(pod: &Value) -> Option<PartPod> {
    let part = pod
        .pointer("/metadata/labels")
        .and_then(|labels| labels.get(PART_LABEL))?;
    let containers = pod
        .pointer("/status/containerStatuses")
        .and_then(Value::as_array);
    let restarts = containers
        .into_iter()
        .flatten()
        .filter_map(|container| container.get("restartCount")?.as_u64());
    Some(PartPod {
        part: part.as_str()?.to_owned(),
        uid: text(pod, "/metadata/uid").to_owned(),
        restarts: restarts.sum::<u64>().try_into().unwrap_or(u32::MAX),
    })
}

async fn gateway_api_version(api: &ApiServer) -> Result<String, ApiError> {
    let crd = api.get(&Kind::CRD.object("", HTTP_ROUTE_CRD)).await?;
    Ok(crd
        .map(|crd| text(&crd, BUNDLE_VERSION).to_owned())
        .unwrap_or_default())
}
