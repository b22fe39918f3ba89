//! The images of the lab's own pods: the sandbox program, CoreDNS and the gateways.

use super::elf::{self, Libraries};
use super::{Image, ImageError, ImageRef, Layer, Tag, layout};
use crate::lab::build::Components;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The images of a lab, each in a tar of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabImages {
    /// Process 1 of every pod sandbox.
    pub pause: ImageRef,
    /// DNS of the cluster.
    pub coredns: ImageRef,
    /// Traefik: controller and data plane in one.
    pub traefik: ImageRef,
    /// Envoy Gateway's controller and shutdown manager.
    pub envoy_gateway: ImageRef,
    /// Envoy.
    pub envoy: ImageRef,
}

/// A program that becomes an image of its own.
struct Program<'a> {
    component: &'a str,
    program: &'a str,
    path: &'a str,
    repository: &'a str,
}

const PAUSE: Program<'_> = Program {
    component: "pause",
    program: "pause",
    path: "/pause",
    repository: "docker.io/portproof/pause",
};
const COREDNS: Program<'_> = Program {
    component: "coredns",
    program: "coredns",
    path: "/usr/bin/coredns",
    repository: "docker.io/portproof/coredns",
};
const TRAEFIK: Program<'_> = Program {
    component: "traefik",
    program: "traefik",
    path: "/usr/bin/traefik",
    repository: "docker.io/portproof/traefik",
};
// Envoy Gateway starts `envoy-gateway` and `envoy` by name: both must be on the path.
const ENVOY_GATEWAY: Program<'_> = Program {
    component: "envoy-gateway",
    program: "envoy-gateway",
    path: "/usr/bin/envoy-gateway",
    repository: "docker.io/portproof/envoy-gateway",
};
const ENVOY: Program<'_> = Program {
    component: "envoy",
    program: "envoy",
    path: "/usr/bin/envoy",
    repository: "docker.io/portproof/envoy",
};

/// Makes the images of `components`, or finds them in `cache`, portproof's cache directory.
///
/// # Errors
/// [`ImageError`] when a component is missing or a file cannot be read or written.
pub fn lab_images(components: &Components, cache: &Path) -> Result<LabImages, ImageError> {
    let make = |program: &Program<'_>| image(program, components, cache);
    Ok(LabImages {
        pause: make(&PAUSE)?,
        coredns: make(&COREDNS)?,
        traefik: make(&TRAEFIK)?,
        envoy_gateway: make(&ENVOY_GATEWAY)?,
        envoy: make(&ENVOY)?,
    })
}

fn image(
    program: &Program<'_>,
    components: &Components,
    cache: &Path,
) -> Result<ImageRef, ImageError> {
    let built = components.component(program.component)?;
    let binary = components.program(program.program)?;
    let libraries = elf::libraries(std::slice::from_ref(&binary), &[PathBuf::from("/")])?;
    let key = key(program, &built.digest, &libraries)?;
    let out = cache
        .join("images")
        .join(format!("{}-{}.tar", program.program, &key[..16]));
    if out.is_file() {
        return ImageRef::read(&out);
    }
    let layer = with_libraries(base(), libraries).file(program.path, &binary, 0o755);
    Image {
        repository: program.repository,
        tag: Tag::Fixed(built.version.trim_start_matches('v')),
        layers: &[layer],
        entrypoint: &[program.path],
        env: &["PATH=/usr/bin"],
    }
    .write(&out)
}

/// Names the inputs of an image, so that none is taken from the cache that would be written differently.
fn key(
    program: &Program<'_>,
    component: &str,
    libraries: &Libraries,
) -> Result<String, ImageError> {
    let mut hash = Sha256::new();
    hash.update(format!(
        "{} {component} {} {}",
        layout::WRITER_VERSION,
        program.repository,
        program.path
    ));
    for (path, source) in &libraries.files {
        hash.update(path);
        hash.update(Sha256::digest(fs_err::read(source)?));
    }
    Ok(hex::encode(hash.finalize()))
}

/// What every image has: the user it runs as and a place for temporary files.
pub(super) fn base() -> Layer {
    let user = layout::NON_ROOT;
    Layer::new()
        .bytes(
            "etc/passwd",
            format!("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{user}:{user}:nonroot:/tmp:/sbin/nologin\n"),
            0o644,
        )
        .bytes("etc/group", format!("root:x:0:\nnonroot:x:{user}:\n"), 0o644)
        .directory("tmp", 0o1777)
}

pub(super) fn with_libraries(layer: Layer, libraries: Libraries) -> Layer {
    libraries.files.iter().fold(layer, |layer, (path, source)| {
        layer.file(path, source, 0o755)
    })
}
