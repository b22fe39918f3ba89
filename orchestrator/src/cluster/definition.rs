//! The definition that is carried. It belongs to the whole cluster, so it is created with the rights of whoever runs
//! portproof, and the control agent needs none to change a cluster. As with every carried object, the request is the very
//! bytes of the bundle, and what is there already is never changed.

use super::connect::Cluster;
use super::error::ClusterError;
use super::object::ObjectId;
use crate::ledger::Ledger;
use crate::verify::evidence::{ImportOutcome, ImportedObject};
use http::{Method, Request};
use portproof_proto::canonical::{self, Digest};
use portproof_proto::{names, projection, tool};
use serde_json::Value;
use std::time::Duration;

const COLLECTION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Longest wait for a definition of the same name that is being deleted.
const LEAVING_DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// Whether a carry is meant, or only asks what would happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// Objects are created.
    Real,
    /// Nothing is changed.
    DryRun,
}

/// Creates the carried definition where the cluster has none of that name; the intent is in the ledger first. A dry run
/// writes nothing, here or there.
///
/// # Errors
/// When the API server does not answer, is in trouble or lacks the permission, or the ledger cannot be written. A definition
/// that the API server finds invalid is no error but a result.
pub async fn define(
    cluster: &Cluster,
    ledger: &Ledger,
    run: &str,
    crd: &Value,
    carry: Carry,
) -> Result<ImportedObject, ClusterError> {
    let carried = Carried {
        cluster,
        crd,
        manager: names::run_field_manager(run),
    };
    if let Err(reason) = check(crd) {
        return Ok(carried.refused(reason));
    }
    match carried.settled().await? {
        Standing::Leaving => {
            Ok(carried.refused("one of that name is being deleted and does not go"))
        }
        Standing::There(found) => Ok(carried.found(&found)),
        Standing::Absent => carried.create(ledger, carry).await,
    }
}

/// Only the one definition of the reference stack is created: another could take over a kind of others.
fn check(crd: &Value) -> Result<(), &'static str> {
    if !tool::is_definition(crd) {
        return Err("only the definition of Tool is carried");
    }
    if projection::project(crd) != *crd {
        return Err("it carries members that belong to an API server");
    }
    Ok(())
}

/// What stands where the definition goes.
enum Standing {
    Absent,
    There(Value),
    Leaving,
}

/// A definition on its way into a cluster.
struct Carried<'a> {
    cluster: &'a Cluster,
    crd: &'a Value,
    manager: String,
}

impl Carried<'_> {
    async fn create(&self, ledger: &Ledger, carry: Carry) -> Result<ImportedObject, ClusterError> {
        let sent = match canonical::to_bytes(self.crd) {
            Ok(sent) => sent,
            Err(error) => return Ok(self.refused(format!("it has no canonical form: {error}"))),
        };
        let (id, uid) = (ObjectId::of_definition(tool::CRD_NAME), self.cluster.uid());
        if carry == Carry::Real {
            ledger.intend(uid, &id)?;
        }
        match self.post(&sent, carry).await {
            Ok(admitted) => {
                if carry == Carry::Real {
                    ledger.created(uid, &id, self.uid_of(&admitted)?)?;
                }
                Ok(self.created(&sent, &admitted))
            }
            Err(ClusterError::Refused { code: 409, .. }) => self.lost_the_race().await,
            Err(ClusterError::Refused {
                code: 400 | 422,
                message,
                ..
            }) => Ok(self.refused(message)),
            Err(error) => Err(error),
        }
    }

    async fn post(&self, sent: &[u8], carry: Carry) -> Result<Value, ClusterError> {
        let dry_run = if carry == Carry::DryRun {
            "&dryRun=All"
        } else {
            ""
        };
        let path = format!(
            "{COLLECTION}?fieldManager={}&fieldValidation=Strict{dry_run}",
            self.manager
        );
        self.call("create", Method::POST, &path, sent.to_vec())
            .await
    }

    /// One that is being deleted is still there for a while, and what was created meanwhile would go with it.
    async fn settled(&self) -> Result<Standing, ClusterError> {
        let until = tokio::time::Instant::now() + LEAVING_DEADLINE;
        loop {
            match self.look().await? {
                None => return Ok(Standing::Absent),
                Some(found) if found.pointer("/metadata/deletionTimestamp").is_none() => {
                    return Ok(Standing::There(found));
                }
                Some(_) if tokio::time::Instant::now() >= until => return Ok(Standing::Leaving),
                Some(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Someone created one between the look and the creation.
    async fn lost_the_race(&self) -> Result<ImportedObject, ClusterError> {
        Ok(match self.look().await? {
            Some(found) => self.found(&found),
            None => self.refused("one of that name was there for a moment"),
        })
    }

    async fn look(&self) -> Result<Option<Value>, ClusterError> {
        let path = format!("{COLLECTION}/{}", tool::CRD_NAME);
        match self.call("read", Method::GET, &path, Vec::new()).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One raw call: typed objects forget members that they do not know.
    async fn call(
        &self,
        verb: &str,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Value, ClusterError> {
        let call = named(verb);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| {
                let error = kube::Error::HttpError(error);
                ClusterError::from_client(self.cluster.role(), &call, error)
            })?;
        self.cluster
            .call(&call, self.cluster.client().request(request))
            .await
    }

    fn uid_of<'v>(&self, admitted: &'v Value) -> Result<&'v str, ClusterError> {
        let uid = admitted.pointer("/metadata/uid").and_then(Value::as_str);
        uid.ok_or_else(|| ClusterError::Incomplete {
            role: self.cluster.role().clone(),
            call: named("create"),
            field: "metadata.uid",
        })
    }

    fn created(&self, sent: &[u8], admitted: &Value) -> ImportedObject {
        ImportedObject {
            request: Some(Digest::of_bytes(sent)),
            admitted: projection::digest(admitted).ok(),
            ..self.result(ImportOutcome::Created, "")
        }
    }

    fn found(&self, found: &Value) -> ImportedObject {
        let admitted = projection::digest(found).ok();
        let (outcome, reason) = if admitted.is_some() && admitted == self.digest() {
            (ImportOutcome::Present, "")
        } else {
            let reason = "another one of that name is there; it was not changed";
            (ImportOutcome::Conflict, reason)
        };
        ImportedObject {
            admitted,
            ..self.result(outcome, reason)
        }
    }

    fn refused(&self, reason: impl Into<String>) -> ImportedObject {
        self.result(ImportOutcome::Refused, reason)
    }

    fn result(&self, outcome: ImportOutcome, reason: impl Into<String>) -> ImportedObject {
        ImportedObject {
            object: ImportedObject::name_of(self.crd),
            outcome,
            reason: reason.into(),
            source: self.digest(),
            request: None,
            admitted: None,
        }
    }

    fn digest(&self) -> Option<Digest> {
        projection::digest(self.crd).ok()
    }
}

/// What a call does, for its error.
fn named(verb: &str) -> String {
    format!("{verb} {}", ObjectId::of_definition(tool::CRD_NAME))
}

#[cfg(test)]
mod tests;
