//! The key of a model server outside the stack: a Secret, mounted as a file where it is needed and nowhere else. The control
//! agent names the Secret and may not read it.

use super::super::plan::Plan;
use k8s_openapi::api::core::v1::{KeyToPath, SecretVolumeSource, Volume, VolumeMount};
use portproof_proto::names::{Part, UPSTREAM_KEY};

/// Where the key is in the model servers' pods.
pub(super) const KEY_DIR: &str = "/etc/portproof/upstream";
const VOLUME: &str = "upstream-key";
/// For the process, through the pod's group, and nobody else.
const MODE: i32 = 0o440;

/// The Secret that `part` needs.
pub(super) fn key_secret(plan: &Plan, part: Part) -> Option<&str> {
    let asks = matches!(part, Part::ModelStable | Part::ModelCanary);
    let upstream = plan.upstream.as_ref().filter(|_| asks)?;
    upstream.key_secret.as_deref()
}

pub(super) fn volume(plan: &Plan, part: Part) -> Option<Volume> {
    let secret = key_secret(plan, part)?;
    Some(Volume {
        name: VOLUME.into(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            default_mode: Some(MODE),
            items: Some(vec![KeyToPath {
                key: UPSTREAM_KEY.into(),
                path: UPSTREAM_KEY.into(),
                mode: None,
            }]),
            optional: None,
        }),
        ..Volume::default()
    })
}

pub(super) fn mount(plan: &Plan, part: Part) -> Option<VolumeMount> {
    key_secret(plan, part).map(|_| VolumeMount {
        name: VOLUME.into(),
        mount_path: KEY_DIR.into(),
        read_only: Some(true),
        ..VolumeMount::default()
    })
}
