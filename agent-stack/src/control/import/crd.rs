//! The Tool CRD: created only where it is absent, and awaited before anything of its kind is sent.

use super::object::{Sending, check_common, refused};
use super::{ImportError, Target};
use crate::control::api::{ApiError, Kind, text};
use portproof_proto::v1::ImportResult;
use portproof_proto::v1::import_result::Outcome;
use portproof_proto::{canonical, tool};
use serde_json::Value;
use std::time::Duration;

/// Longest time until the API server serves a new kind.
const ESTABLISH_DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

impl Target<'_> {
    /// Creates the CRD if the cluster has none of that name.
    pub(super) async fn crd(&self, crd: &Value) -> Result<ImportResult, ImportError> {
        let sent = canonical::to_bytes(crd)?;
        if let Err(reason) = check(crd, &sent) {
            return refused(crd, &reason);
        }
        if tokio::time::timeout(ESTABLISH_DEADLINE, self.until_none_is_leaving())
            .await
            .is_err()
        {
            return refused(crd, "a CRD of that name is being deleted and does not go");
        }
        let result = self
            .create(Sending {
                object: crd,
                sent,
                collection: Kind::CRD.collection(""),
            })
            .await?;
        if !self.dry_run && matches!(result.outcome(), Outcome::Created | Outcome::Present) {
            return self.established(crd, result).await;
        }
        Ok(result)
    }

    /// A CRD that is being deleted is still there for a while; what is created meanwhile would go with it.
    async fn until_none_is_leaving(&self) {
        while self.is_leaving().await {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Trouble in finding out is met again, and reported, by the creation itself.
    async fn is_leaving(&self) -> bool {
        let crd = self.api.get(&Kind::CRD.object("", tool::CRD_NAME)).await;
        crd.is_ok_and(|crd| {
            crd.is_some_and(|crd| crd.pointer("/metadata/deletionTimestamp").is_some())
        })
    }

    /// A new kind is served a moment after its CRD is stored.
    async fn established(
        &self,
        crd: &Value,
        result: ImportResult,
    ) -> Result<ImportResult, ImportError> {
        match tokio::time::timeout(ESTABLISH_DEADLINE, self.until_served()).await {
            Ok(served) => served.map(|()| result).map_err(ImportError::from),
            Err(_) => refused(crd, "the CRD was not established in time"),
        }
    }

    async fn until_served(&self) -> Result<(), ApiError> {
        while !(self.is_established().await? && self.is_served().await?) {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn is_established(&self) -> Result<bool, ApiError> {
        let crd = self.api.get(&Kind::CRD.object("", tool::CRD_NAME)).await?;
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

/// Only the one CRD of the reference stack is imported: a CRD is cluster-wide and could take over a kind of others.
fn check(crd: &Value, sent: &[u8]) -> Result<(), String> {
    let (name, group) = (text(crd, "/metadata/name"), text(crd, "/spec/group"));
    if Kind::of(crd) != Some(Kind::CRD) || name != tool::CRD_NAME || group != tool::GROUP {
        return Err(format!(
            "only the CRD `{}` of the group `{}` is imported",
            tool::CRD_NAME,
            tool::GROUP
        ));
    }
    check_common(crd, sent)
}
