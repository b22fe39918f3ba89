//! What the model servers need for a server outside the stack: its key in a Secret and its authorities in a ConfigMap, mounted as
//! files where they are needed and nowhere else. The control agent names both and may not read the Secret.

use super::super::plan::{Plan, Upstream};
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, KeyToPath, ProjectedVolumeSource, SecretProjection, Volume, VolumeMount,
    VolumeProjection,
};
use portproof_proto::names::{Part, UPSTREAM_AUTHORITIES, UPSTREAM_KEY};

/// Where the files are in the model servers' pods.
const DIRECTORY: &str = "/etc/portproof/upstream";
const VOLUME: &str = "upstream";
/// For the process, through the pod's group, and nobody else.
const MODE: i32 = 0o440;

/// The server that `part` asks.
pub(super) fn asked_by(plan: &Plan, part: Part) -> Option<&Upstream> {
    let asks = matches!(part, Part::ModelStable | Part::ModelCanary);
    plan.upstream.as_ref().filter(|_| asks)
}

/// The flags that name the server and the files.
pub(super) fn arguments(upstream: &Upstream) -> Vec<String> {
    let file = |flag: &str, there: bool, name: &str| {
        let path = format!("{DIRECTORY}/{name}");
        there.then(|| [flag.to_owned(), path])
    };
    let files = [
        file(
            "--upstream-key-file",
            upstream.key_secret.is_some(),
            UPSTREAM_KEY,
        ),
        file(
            "--upstream-ca-file",
            upstream.authorities.is_some(),
            UPSTREAM_AUTHORITIES,
        ),
    ];
    let server = ["--upstream".to_owned(), upstream.url.clone()];
    server
        .into_iter()
        .chain(files.into_iter().flatten().flatten())
        .collect()
}

pub(super) fn volume(plan: &Plan, part: Part) -> Option<Volume> {
    let sources = sources(asked_by(plan, part)?);
    (!sources.is_empty()).then(|| Volume {
        name: VOLUME.into(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(MODE),
            sources: Some(sources),
        }),
        ..Volume::default()
    })
}

pub(super) fn mount(plan: &Plan, part: Part) -> Option<VolumeMount> {
    volume(plan, part).map(|volume| VolumeMount {
        name: volume.name,
        mount_path: DIRECTORY.into(),
        read_only: Some(true),
        ..VolumeMount::default()
    })
}

fn sources(upstream: &Upstream) -> Vec<VolumeProjection> {
    let key = upstream.key_secret.as_ref().map(|secret| VolumeProjection {
        secret: Some(SecretProjection {
            name: secret.clone(),
            items: Some(vec![entry(UPSTREAM_KEY)]),
            optional: None,
        }),
        ..VolumeProjection::default()
    });
    let authorities = upstream.authorities.as_ref().map(|map| VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: map.clone(),
            items: Some(vec![entry(UPSTREAM_AUTHORITIES)]),
            optional: None,
        }),
        ..VolumeProjection::default()
    });
    key.into_iter().chain(authorities).collect()
}

fn entry(name: &str) -> KeyToPath {
    KeyToPath {
        key: name.into(),
        path: name.into(),
        mode: None,
    }
}
