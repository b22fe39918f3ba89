//! Asks the API server to delete one object, as it was looked at and no other.

use super::super::connect::Cluster;
use super::super::error::ClusterError;
use super::super::object::ObjectId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Preconditions};

/// Deletes the object if it is still the one that `live` is of. Its dependents go after it.
///
/// # Errors
/// When the server does not answer or refuses: with 409 when the object changed since it was looked at.
pub(super) async fn delete(
    cluster: &Cluster,
    object: &ObjectId,
    live: ObjectMeta,
) -> Result<(), ClusterError> {
    let only_this = DeleteParams::background().preconditions(Preconditions {
        uid: live.uid,
        resource_version: live.resource_version,
    });
    let api = object.api(cluster)?;
    let call = format!("delete {object}");
    cluster
        .call(&call, api.delete(&object.name, &only_this))
        .await
        .map(drop)
}
