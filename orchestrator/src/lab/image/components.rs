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

/// Makes the images of `components`, or finds them in `cache`, portproof's cache directory.
///
/// # Errors
/// [`ImageError`] when a component is missing or a file cannot be read or written.
pub fn lab_images(components: &Components, cache: &Path) -> Result<LabImages, ImageError> {
    let make = |name: &str| image(name, components, cache);
    Ok(LabImages {
        pause: make("pause")?,
        coredns: make("coredns")?,
        traefik: make("traefik")?,
        envoy_gateway: make("envoy-gateway")?,
        envoy: make("envoy")?,
    })
}

/// The image of the component `name`, which has one program of that name. The program is on the path because Envoy
/// Gateway's pods start `envoy` and `envoy-gateway` by name.
fn image(name: &str, components: &Components, cache: &Path) -> Result<ImageRef, ImageError> {
    let built = components.component(name)?;
    let program = components.program(name)?;
    let libraries = elf::libraries(std::slice::from_ref(&program), &[PathBuf::from("/")])?;
    let key = key(&built.digest, &libraries)?;
    let out = cache
        .join("images")
        .join(format!("{name}-{}.tar", &key[..16]));
    if out.is_file() {
        return ImageRef::read(&out);
    }
    let path = format!("/usr/bin/{name}");
    Image {
        repository: &format!("docker.io/portproof/{name}"),
        tag: Tag::Fixed(built.version.trim_start_matches('v')),
        layers: &[with_libraries(base(), &libraries).file(&path, &program, 0o755)],
        entrypoint: &[&path],
        env: &["PATH=/usr/bin"],
    }
    .write(&out)
}

/// Names the inputs of an image, so that none is taken from the cache that would be written differently.
fn key(component: &str, libraries: &Libraries) -> Result<String, ImageError> {
    let mut hash = Sha256::new();
    hash.update(format!("{} {component}", layout::WRITER_VERSION));
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

pub(super) fn with_libraries(layer: Layer, libraries: &Libraries) -> Layer {
    libraries.files.iter().fold(layer, |layer, (path, source)| {
        layer.file(path, source, 0o755)
    })
}
