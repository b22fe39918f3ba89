//! Which kernel the interpreter and its twin stand on.

use super::{ProbeError, Prober, origin_part};
use crate::control::api::{ApiError, text};
use crate::control::failure;
use portproof_proto::v1::{KernelFingerprint, Origin};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(10);

/// What a pod reads about its kernel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reading {
    release: String,
    version: String,
    #[serde(default)]
    boot_id: String,
    #[serde(default)]
    proc_version: String,
    sentry_meminfo: bool,
    kallsyms: bool,
    #[serde(default)]
    kernel_log: Option<String>,
}

impl Prober<'_> {
    /// One fingerprint for each origin; one that could not be read says why.
    pub(super) async fn fingerprints(&self) -> Result<Vec<KernelFingerprint>, ProbeError> {
        let (sandbox, control) = tokio::try_join!(
            self.fingerprint(Origin::Sandbox),
            self.fingerprint(Origin::Control)
        )?;
        Ok(vec![sandbox, control])
    }

    async fn fingerprint(&self, origin: Origin) -> Result<KernelFingerprint, ApiError> {
        let part = origin_part(origin);
        let mut fingerprint = KernelFingerprint::default();
        fingerprint.set_origin(origin);
        let Some(pod) = self.pod(part).await? else {
            fingerprint.error = format!("`{}` has no ready pod", part.name());
            return Ok(fingerprint);
        };
        place(&mut fingerprint, &pod);
        match self
            .peers
            .get::<Reading>(part, "/v1/fingerprint", DEADLINE)
            .await
        {
            Ok(reading) => read(&mut fingerprint, reading),
            Err(error) => fingerprint.error = failure::chain(&error),
        }
        Ok(fingerprint)
    }
}

fn place(fingerprint: &mut KernelFingerprint, pod: &Value) {
    let member = |pointer| text(pod, pointer).to_owned();
    fingerprint.pod = member("/metadata/name");
    fingerprint.pod_uid = member("/metadata/uid");
    fingerprint.node = member("/spec/nodeName");
    fingerprint.runtime_class = member("/spec/runtimeClassName");
}

fn read(fingerprint: &mut KernelFingerprint, reading: Reading) {
    fingerprint.release = reading.release;
    fingerprint.version = reading.version;
    fingerprint.boot_id = reading.boot_id;
    fingerprint.proc_version = reading.proc_version;
    fingerprint.sentry_meminfo = reading.sentry_meminfo;
    fingerprint.kallsyms = reading.kallsyms;
    fingerprint.kernel_log = reading.kernel_log.unwrap_or_default();
}
