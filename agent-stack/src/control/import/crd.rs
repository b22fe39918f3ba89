//! The Tool CRD: the cluster's, so whoever runs the import creates it. It is looked at, and awaited before anything of its
//! kind is sent.

use super::object::{carried, check_common, found_there, refused};
use super::{ImportError, Target};
use crate::control::api::{ApiError, Kind, text};
use portproof_proto::v1::ImportResult;
use portproof_proto::v1::import_result::Outcome;
use portproof_proto::{canonical, tool};
use serde_json::Value;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(50);

impl Target<'_> {
    /// Tells whether the cluster has the CRD that is carried, and waits until it serves the kind.
    pub(super) async fn crd(&self, crd: &Value) -> Result<ImportResult, ImportError> {
        if let Err(reason) = check(crd, &canonical::to_bytes(crd)?) {
            return refused(crd, &reason);
        }
        let Some(found) = self.stored().await? else {
            return self.absent(crd);
        };
        if found.pointer("/metadata/deletionTimestamp").is_some() {
            return refused(crd, "the CRD of that name is being deleted");
        }
        let result = found_there(crd, &found)?;
        match tokio::time::timeout(self.patience, self.until_served()).await {
            Ok(served) => served.map(|()| result).map_err(ImportError::from),
            // Another definition of that name need not serve this kind at all.
            Err(_) if result.outcome() == Outcome::Conflict => Ok(result),
            Err(_) => refused(crd, "the CRD was not established in time"),
        }
    }

    fn absent(&self, crd: &Value) -> Result<ImportResult, ImportError> {
        if !self.dry_run {
            return refused(
                crd,
                "it is not there: a CRD belongs to the cluster, and whoever imports creates it first",
            );
        }
        let mut result = carried(crd)?;
        result.set_outcome(Outcome::NotTried);
        "not tried: whoever imports creates the CRD".clone_into(&mut result.reason);
        Ok(result)
    }

    async fn stored(&self) -> Result<Option<Value>, ApiError> {
        self.api.get(&Kind::CRD.object("", tool::CRD_NAME)).await
    }

    /// A new kind is served a moment after its CRD is stored.
    async fn until_served(&self) -> Result<(), ApiError> {
        while !(self.is_established().await? && self.is_served().await?) {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn is_established(&self) -> Result<bool, ApiError> {
        let crd = self.stored().await?;
        let conditions = crd
            .as_ref()
            .and_then(|crd| crd.pointer("/status/conditions"))
            .and_then(Value::as_array);
        Ok(conditions.is_some_and(|conditions| {
            conditions
                .iter()
                .any(|one| text(one, "/type") == "Established" && text(one, "/status") == "True")
        }))
    }

    async fn is_served(&self) -> Result<bool, ApiError> {
        match self
            .api
            .list(&Kind::TOOL.collection(self.namespace), "")
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.is_absent() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Only the one CRD of the reference stack is carried: another would say nothing about the Tools.
fn check(crd: &Value, sent: &[u8]) -> Result<(), String> {
    if !tool::is_definition(crd) {
        return Err(format!(
            "only the CRD `{}` of the group `{}` is carried",
            tool::CRD_NAME,
            tool::GROUP
        ));
    }
    check_common(crd, sent)
}
