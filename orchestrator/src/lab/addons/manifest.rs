//! The add-ons' manifests: text with places to fill in, compiled into the program.

use super::{AddonError, AddonImages};
use kube::api::DynamicObject;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// What manifests are filled in with.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Values<'a> {
    pub(super) dns_address: Ipv4Addr,
    pub(super) images: &'a AddonImages,
    pub(super) class: &'a str,
}

/// A manifest that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manifest {
    CoreDns,
    Traefik,
    TraefikClass,
    EnvoyGateway,
    EnvoyGatewayClass,
    Probe,
    ProbeRoute,
    ProbePolicy,
}

impl Manifest {
    const fn name(self) -> &'static str {
        match self {
            Self::CoreDns => "coredns.yaml",
            Self::Traefik => "traefik.yaml",
            Self::TraefikClass => "traefik-class.yaml",
            Self::EnvoyGateway => "envoy-gateway.yaml",
            Self::EnvoyGatewayClass => "envoy-gateway-class.yaml",
            Self::Probe => "probe.yaml",
            Self::ProbeRoute => "probe-route.yaml",
            Self::ProbePolicy => "probe-policy.yaml",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::CoreDns => include_str!("manifests/coredns.yaml"),
            Self::Traefik => include_str!("manifests/traefik.yaml"),
            Self::TraefikClass => include_str!("manifests/traefik-class.yaml"),
            Self::EnvoyGateway => include_str!("manifests/envoy-gateway.yaml"),
            Self::EnvoyGatewayClass => include_str!("manifests/envoy-gateway-class.yaml"),
            Self::Probe => include_str!("manifests/probe.yaml"),
            Self::ProbeRoute => include_str!("manifests/probe-route.yaml"),
            Self::ProbePolicy => include_str!("manifests/probe-policy.yaml"),
        }
    }

    /// The manifest's objects, in its order, filled in with `values`.
    pub(super) fn objects(self, values: &impl Serialize) -> Result<Vec<DynamicObject>, AddonError> {
        let failed = |source| AddonError::Render {
            name: self.name().to_owned(),
            source,
        };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // JSON is YAML: every value arrives quoted, whatever it holds.
        environment.set_auto_escape_callback(|_| AutoEscape::Json);
        let values = minijinja::Value::from(Serde(values));
        let text = environment
            .render_named_str(self.name(), self.text(), values)
            .map_err(failed)?;
        parse(self.name(), &text)
    }
}

/// The objects of all `.yaml` files of a directory, by file name.
pub(super) fn directory(path: &Path) -> Result<Vec<DynamicObject>, AddonError> {
    let failed = |source| AddonError::Read {
        path: path.to_path_buf(),
        source,
    };
    let entries: Result<Vec<_>, _> = fs_err::read_dir(path).map_err(failed)?.collect();
    let mut files: Vec<PathBuf> = entries
        .map_err(failed)?
        .iter()
        .map(fs_err::DirEntry::path)
        .collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    let mut objects = Vec::new();
    for file in files {
        let text = fs_err::read_to_string(&file).map_err(failed)?;
        objects.extend(parse(&file.display().to_string(), &text)?);
    }
    Ok(objects)
}

fn parse(name: &str, text: &str) -> Result<Vec<DynamicObject>, AddonError> {
    let failed = |message: String| AddonError::Parse {
        name: name.to_owned(),
        message,
    };
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| failed(error.to_string()))?;
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .map(|document| serde_json::from_value(document).map_err(|error| failed(error.to_string())))
        .collect()
}

/// Whether an object is a CRD.
pub(super) fn is_crd(object: &DynamicObject) -> bool {
    object
        .types
        .as_ref()
        .is_some_and(|types| types.kind == "CustomResourceDefinition")
}

#[cfg(test)]
mod tests {
    use super::super::probes::ProbeValues;
    use super::*;

    fn images() -> AddonImages {
        let name = |name: &str| format!("docker.io/portproof/{name}:1");
        AddonImages {
            coredns: name("coredns"),
            traefik: name("traefik"),
            envoy_gateway: name("envoy-gateway"),
            envoy: name("envoy"),
            probe: name("agent-stack"),
        }
    }

    fn all() -> Vec<DynamicObject> {
        let images = images();
        let values = Values {
            dns_address: Ipv4Addr::new(10, 51, 0, 10),
            images: &images,
            class: "some-class",
        };
        let probe = ProbeValues::new(&images, "some-class", "n0nce");
        let mut objects = Vec::new();
        for manifest in [
            Manifest::CoreDns,
            Manifest::Traefik,
            Manifest::TraefikClass,
            Manifest::EnvoyGateway,
            Manifest::EnvoyGatewayClass,
        ] {
            objects.extend(manifest.objects(&values).unwrap());
        }
        for manifest in [Manifest::Probe, Manifest::ProbeRoute, Manifest::ProbePolicy] {
            objects.extend(manifest.objects(&probe).unwrap());
        }
        objects
    }

    /// Every container of every pod in the manifests.
    fn containers() -> Vec<Value> {
        let pointers = ["/spec/template/spec/containers", "/spec/containers"];
        let of = |object: &DynamicObject| {
            let found = pointers
                .iter()
                .find_map(|pointer| object.data.pointer(pointer)?.as_array());
            found.cloned().unwrap_or_default()
        };
        all().iter().flat_map(of).collect()
    }

    #[test]
    fn every_manifest_is_complete() {
        for object in all() {
            assert!(object.metadata.name.is_some(), "{object:?}");
            assert!(object.types.is_some(), "{object:?}");
        }
    }

    #[test]
    fn no_image_is_ever_pulled() {
        let containers = containers();
        assert_eq!(containers.len(), 5);
        for container in containers {
            assert_eq!(container["imagePullPolicy"], "Never", "{container}");
            assert!(
                container["image"]
                    .as_str()
                    .is_some_and(|image| image.starts_with("docker.io/portproof/"))
            );
        }
    }

    #[test]
    fn every_container_is_restricted_and_has_a_memory_limit() {
        for container in containers() {
            assert_eq!(
                container["securityContext"]["allowPrivilegeEscalation"], false,
                "{container}"
            );
            assert_eq!(
                container["securityContext"]["readOnlyRootFilesystem"], true,
                "{container}"
            );
            assert!(
                container["resources"]["limits"]["memory"].is_string(),
                "{container}"
            );
        }
    }

    #[test]
    fn dns_forwards_nothing() {
        let corefile = all()
            .iter()
            .find_map(|object| Some(object.data.pointer("/data/Corefile")?.to_string()));
        assert!(!corefile.unwrap().contains("forward"));
    }

    #[test]
    fn a_place_that_nobody_fills_in_is_an_error() {
        let failed = Manifest::CoreDns.objects(&serde_json::json!({ "dns_address": "10.0.0.10" }));
        assert!(matches!(failed, Err(AddonError::Render { .. })));
    }

    #[test]
    fn values_cannot_break_out_of_their_place() {
        let hostile = "x}\nkind: Secret # \"";
        let values = serde_json::json!({ "class": hostile });
        let objects = Manifest::TraefikClass.objects(&values).unwrap();
        assert_eq!(objects.len(), 1);
        assert_eq!(objects[0].metadata.name.as_deref(), Some(hostile));
    }
}
