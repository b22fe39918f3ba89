//! `Teardown`: removes what `Provision` and `Import` created in the run's namespace; objects of others stay.
//!
//! The carried CRD stays too: it is the cluster's, the agent may delete nothing there, and the orchestrator removes it by
//! its ledger when nobody else uses it.

use super::api::{ApiError, ApiServer, Deletion, Kind, text};
use super::failure;
use super::home::Home;
use super::stack::{COMPONENT, COMPONENT_LABEL, object_ref};
use super::stream::Events;
use portproof_proto::names::{RUN_LABEL, run_field_manager};
use portproof_proto::v1::teardown_event::Outcome;
use portproof_proto::v1::{ObjectRef, TeardownEvent};
use serde_json::Value;
use tonic::{Code, Status};

/// Kinds `Provision` creates, in the order of removal: routes and pods first, policies last.
const PROVISIONED: [Kind; 8] = [
    Kind::HTTP_ROUTE,
    Kind::GATEWAY,
    Kind::DEPLOYMENT,
    Kind::SERVICE,
    Kind::ROLE_BINDING,
    Kind::ROLE,
    Kind::SERVICE_ACCOUNT,
    Kind::NETWORK_POLICY,
];
/// Kinds `Import` creates, those that refer to others first.
const IMPORTED: [Kind; 2] = [Kind::TOOL, Kind::CONFIG_MAP];

/// Why not everything was removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TeardownError {
    /// The API server said no or nothing.
    #[error("the teardown broke off")]
    Api(#[from] ApiError),
}

impl From<TeardownError> for Status {
    fn from(error: TeardownError) -> Self {
        failure::status(Code::Unavailable, &error)
    }
}

/// Removes the stack, then what was imported.
pub(crate) async fn teardown(
    api: &ApiServer,
    home: &Home,
    events: &Events<TeardownEvent>,
) -> Result<(), TeardownError> {
    for object in provisioned(api, home)
        .await?
        .into_iter()
        .chain(imported(api, home).await?)
    {
        let outcome = remove(api, &object).await?;
        events.send(event(object, outcome)).await;
    }
    Ok(())
}

async fn provisioned(api: &ApiServer, home: &Home) -> Result<Vec<ObjectRef>, ApiError> {
    let selector = format!("{RUN_LABEL}={},{COMPONENT_LABEL}={COMPONENT}", home.run_id);
    let mut found = Vec::new();
    for kind in PROVISIONED {
        found.extend(references(
            kind,
            &list(api, kind, &home.namespace, &selector).await?,
        ));
    }
    Ok(found)
}

/// Imported objects carry no label of ours; their field manager tells them.
async fn imported(api: &ApiServer, home: &Home) -> Result<Vec<ObjectRef>, ApiError> {
    let manager = run_field_manager(&home.run_id);
    let mut found = Vec::new();
    for kind in IMPORTED {
        let mut items = list(api, kind, &home.namespace, "").await?;
        items.retain(|item| is_managed_by(item, &manager));
        found.extend(references(kind, &items));
    }
    Ok(found)
}

/// A kind the cluster does not know has no objects.
async fn list(
    api: &ApiServer,
    kind: Kind,
    namespace: &str,
    selector: &str,
) -> Result<Vec<Value>, ApiError> {
    match api.list(&kind.collection(namespace), selector).await {
        Err(error) if error.is_absent() => Ok(Vec::new()),
        answer => answer,
    }
}

fn is_managed_by(object: &Value, name: &str) -> bool {
    let managers = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    managers.is_some_and(|managers| {
        managers
            .iter()
            .any(|manager| text(manager, "/manager") == name)
    })
}

/// Items of a list do not say what kind they are.
fn references(kind: Kind, items: &[Value]) -> Vec<ObjectRef> {
    let reference = |item| ObjectRef {
        api_version: kind.api_version.to_owned(),
        kind: kind.kind.to_owned(),
        ..object_ref(item)
    };
    items.iter().map(reference).collect()
}

async fn remove(api: &ApiServer, object: &ObjectRef) -> Result<Outcome, ApiError> {
    let known = |kind: &Kind| kind.kind == object.kind;
    let Some(kind) = PROVISIONED.iter().chain(&IMPORTED).find(|kind| known(kind)) else {
        return Ok(Outcome::Kept);
    };
    let path = kind.object(&object.namespace, &object.name);
    Ok(match api.delete(&path, &object.uid).await? {
        Deletion::Deleted => Outcome::Deleted,
        Deletion::Absent => Outcome::Absent,
        Deletion::OtherUid => Outcome::Kept,
    })
}

fn event(object: ObjectRef, outcome: Outcome) -> TeardownEvent {
    let mut event = TeardownEvent {
        object: Some(object),
        ..TeardownEvent::default()
    };
    if outcome == Outcome::Kept {
        "the object there is not the one of this run".clone_into(&mut event.reason);
    }
    event.set_outcome(outcome);
    event
}

#[cfg(test)]
mod tests;
