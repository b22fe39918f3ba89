//! Creating: written down first, then asked for, then written down with its UID.

use super::connect::Cluster;
use super::error::ClusterError;
use super::object::ObjectId;
use crate::ledger::Ledger;
use kube::api::{DynamicObject, PostParams};
use portproof_proto::names::FIELD_MANAGER;
use serde_json::Value;

/// Creates one object and gives back its UID.
///
/// # Errors
/// [`ClusterError::AlreadyExists`] when an object of that name is there: it is never taken over. When the ledger cannot be
/// written nothing is asked for.
pub async fn create(
    cluster: &Cluster,
    ledger: &Ledger,
    object: Value,
) -> Result<String, ClusterError> {
    let id = ObjectId::of(&object)?;
    let api = id.api(cluster)?;
    let call = format!("create {id}");
    let body: DynamicObject =
        serde_json::from_value(object).map_err(|source| ClusterError::Failed {
            role: cluster.role().clone(),
            call: call.clone(),
            source: Box::new(kube::Error::SerdeError(source)),
        })?;
    let parameters = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    ledger.intend(cluster.uid(), &id)?;
    let answer = cluster.call(&call, api.create(&parameters, &body)).await;
    let created = answer.map_err(|error| as_conflict(error, &id))?;
    let uid = created
        .metadata
        .uid
        .ok_or_else(|| ClusterError::Incomplete {
            role: cluster.role().clone(),
            call,
            field: "metadata.uid",
        })?;
    ledger.created(cluster.uid(), &id, &uid)?;
    Ok(uid)
}

fn as_conflict(error: ClusterError, object: &ObjectId) -> ClusterError {
    match error {
        ClusterError::Refused { role, reason, .. } if reason == "AlreadyExists" => {
            ClusterError::AlreadyExists {
                role,
                object: object.clone(),
            }
        }
        other => other,
    }
}
