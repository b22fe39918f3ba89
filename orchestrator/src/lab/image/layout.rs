//! One image as one tar: an OCI image layout with a `docker save` manifest beside it.
//!
//! Both formats can stand in one tar because they share the blobs: `index.json` and `oci-layout` for containerd and
//! kind, `manifest.json` for Docker.

use super::{ImageError, Layer, layer};
use oci_spec::image::{
    Arch, Config, ConfigBuilder, Descriptor, DescriptorBuilder, ImageConfiguration,
    ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType,
    OciLayoutBuilder, Os, PlatformBuilder, RootFsBuilder, Sha256Digest,
};
use portproof_proto::canonical;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use tar::EntryType;

/// User and group that every image runs as.
pub const NON_ROOT: u32 = 65_532;

/// Changes whenever the writer would make other bytes from the same inputs; cached images of an older one are not used.
pub const WRITER_VERSION: u32 = 2;

/// Stands first in the tar, so that an image's name is found without reading all of it.
const INDEX: &str = "index.json";

/// How an image's tag is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag<'a> {
    /// This very tag.
    Fixed(&'a str),
    /// The first twelve hex digits of the configuration's digest: other content, other tag.
    OfContent,
}

/// What goes into an image.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// Full name without a tag, for example `docker.io/portproof/agent-stack`.
    pub repository: &'a str,
    /// How the tag is found.
    pub tag: Tag<'a>,
    /// Layers, lowest first.
    pub layers: &'a [Layer],
    /// Program and its first arguments.
    pub entrypoint: &'a [&'a str],
    /// Environment, as `NAME=value`.
    pub env: &'a [&'a str],
}

/// An image that lies in a tar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageRef {
    /// Full name with its tag.
    pub name: String,
    /// Digest of the manifest, `sha256:` included.
    pub digest: String,
    /// The tar.
    pub tar: PathBuf,
}

impl ImageRef {
    /// Reads name and digest from a tar that [`Image::write`] made.
    ///
    /// # Errors
    /// [`ImageError::NotAnImage`] when the tar does not begin with such an index, [`ImageError::Io`] when it cannot
    /// be read.
    pub fn read(tar: &Path) -> Result<Self, ImageError> {
        let not_an_image = || ImageError::NotAnImage {
            path: tar.to_path_buf(),
        };
        let mut archive = tar::Archive::new(fs_err::File::open(tar)?);
        let first = archive.entries()?.next().ok_or_else(not_an_image)??;
        if first.path()? != Path::new(INDEX) {
            return Err(not_an_image());
        }
        let index: serde_json::Value =
            serde_json::from_reader(first).map_err(|_| not_an_image())?;
        let text = |pointer| {
            index
                .pointer(pointer)
                .and_then(|value| value.as_str())
                .map(str::to_owned)
        };
        Ok(Self {
            name: text("/manifests/0/annotations/io.containerd.image.name")
                .ok_or_else(not_an_image)?,
            digest: text("/manifests/0/digest").ok_or_else(not_an_image)?,
            tar: tar.to_path_buf(),
        })
    }
}

/// A blob of the layout that has been described but perhaps not yet written.
struct Blob {
    descriptor: Descriptor,
    hex: String,
    content: Content,
}

enum Content {
    Memory(Vec<u8>),
    File(tempfile::NamedTempFile),
}

impl Image<'_> {
    /// Writes the image to `out`; the file appears only when it is complete.
    ///
    /// # Errors
    /// [`ImageError`] when a file cannot be read or written, or a path leaves the image.
    pub fn write(&self, out: &Path) -> Result<ImageRef, ImageError> {
        let directory = out.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(directory)?;
        let layers = self.layer_blobs(directory)?;
        let config = json_blob(&self.configuration(&layers)?, MediaType::ImageConfig)?;
        let manifest = json_blob(&manifest(&config, &layers)?, MediaType::ImageManifest)?;
        let name = self.name(&config);
        let digest = format!("sha256:{}", manifest.hex);
        let documents = documents(&name, &manifest, &config, &layers)?;
        let mut blobs = layers;
        blobs.extend([config, manifest]);
        write_tar(directory, out, documents, blobs)?;
        let tar = out.to_path_buf();
        Ok(ImageRef { name, digest, tar })
    }

    fn name(&self, config: &Blob) -> String {
        match self.tag {
            Tag::Fixed(tag) => format!("{}:{tag}", self.repository),
            Tag::OfContent => format!("{}:{}", self.repository, &config.hex[..12]),
        }
    }

    fn layer_blobs(&self, directory: &Path) -> Result<Vec<Blob>, ImageError> {
        self.layers
            .iter()
            .map(|layer| layer_blob(layer, directory))
            .collect()
    }

    fn configuration(&self, layers: &[Blob]) -> Result<ImageConfiguration, ImageError> {
        let diff_ids: Vec<String> = layers
            .iter()
            .map(|blob| format!("sha256:{}", blob.hex))
            .collect();
        let rootfs = RootFsBuilder::default()
            .typ("layers")
            .diff_ids(diff_ids)
            .build()
            .map_err(ImageError::Specification)?;
        ImageConfigurationBuilder::default()
            .architecture(Arch::default())
            .os(Os::Linux)
            .config(self.process()?)
            .rootfs(rootfs)
            .history(Vec::new())
            .build()
            .map_err(ImageError::Specification)
    }

    fn process(&self) -> Result<Config, ImageError> {
        ConfigBuilder::default()
            .user(format!("{NON_ROOT}:{NON_ROOT}"))
            .entrypoint(owned(self.entrypoint))
            .env(owned(self.env))
            .working_dir("/")
            .build()
            .map_err(ImageError::Specification)
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn layer_blob(layer: &Layer, directory: &Path) -> Result<Blob, ImageError> {
    let file = tempfile::NamedTempFile::new_in(directory)?;
    let mut hashing = Hashing::new(BufWriter::new(file.as_file()));
    layer.write(&mut hashing)?;
    let (hex, size) = hashing.finish();
    let descriptor = describe(MediaType::ImageLayer, &hex, size)?;
    let content = Content::File(file);
    Ok(Blob {
        descriptor,
        hex,
        content,
    })
}

fn json_blob(document: &impl Serialize, media_type: MediaType) -> Result<Blob, ImageError> {
    let bytes = to_json(document)?;
    let hex = hex::encode(Sha256::digest(&bytes));
    let descriptor = describe(media_type, &hex, bytes.len() as u64)?;
    let content = Content::Memory(bytes);
    Ok(Blob {
        descriptor,
        hex,
        content,
    })
}

/// Canonical because the specification's annotations are hash maps without an order.
fn to_json(document: &impl Serialize) -> Result<Vec<u8>, ImageError> {
    let value = serde_json::to_value(document).map_err(ImageError::Describe)?;
    Ok(canonical::to_bytes(&value)?)
}

fn describe(media_type: MediaType, hex: &str, size: u64) -> Result<Descriptor, ImageError> {
    let digest = Sha256Digest::from_str(hex).map_err(ImageError::Specification)?;
    Ok(Descriptor::new(media_type, size, digest))
}

fn manifest(config: &Blob, layers: &[Blob]) -> Result<impl Serialize + use<>, ImageError> {
    let layers: Vec<Descriptor> = layers.iter().map(|blob| blob.descriptor.clone()).collect();
    ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(config.descriptor.clone())
        .layers(layers)
        .build()
        .map_err(ImageError::Specification)
}

/// The files of the tar that are not blobs, by name.
fn documents(
    name: &str,
    manifest: &Blob,
    config: &Blob,
    layers: &[Blob],
) -> Result<Vec<(&'static str, Vec<u8>)>, ImageError> {
    let layout = OciLayoutBuilder::default()
        .image_layout_version("1.0.0")
        .build()
        .map_err(ImageError::Specification)?;
    Ok(vec![
        (INDEX, to_json(&index(name, manifest)?)?),
        (
            "manifest.json",
            to_json(&docker_manifest(name, config, layers))?,
        ),
        ("oci-layout", to_json(&layout)?),
    ])
}

fn index(name: &str, manifest: &Blob) -> Result<impl Serialize + use<>, ImageError> {
    let tag = name.rsplit(':').next().unwrap_or(name);
    let annotations = HashMap::from([
        ("io.containerd.image.name".to_owned(), name.to_owned()),
        (
            "org.opencontainers.image.ref.name".to_owned(),
            tag.to_owned(),
        ),
    ]);
    let platform = PlatformBuilder::default()
        .architecture(Arch::default())
        .os(Os::Linux)
        .build();
    let entry = DescriptorBuilder::default()
        .media_type(MediaType::ImageManifest)
        .digest(manifest.descriptor.digest().clone())
        .size(manifest.descriptor.size())
        .annotations(annotations)
        .platform(platform.map_err(ImageError::Specification)?)
        .build()
        .map_err(ImageError::Specification)?;
    ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageIndex)
        .manifests(vec![entry])
        .build()
        .map_err(ImageError::Specification)
}

/// The list that `docker load` reads.
fn docker_manifest(name: &str, config: &Blob, layers: &[Blob]) -> serde_json::Value {
    let layers: Vec<String> = layers.iter().map(blob_path).collect();
    serde_json::json!([{ "Config": blob_path(config), "RepoTags": [name], "Layers": layers }])
}

fn blob_path(blob: &Blob) -> String {
    format!("blobs/sha256/{}", blob.hex)
}

fn write_tar(
    directory: &Path,
    out: &Path,
    documents: Vec<(&'static str, Vec<u8>)>,
    mut blobs: Vec<Blob>,
) -> Result<(), ImageError> {
    let file = tempfile::NamedTempFile::new_in(directory)?;
    let mut tar = tar::Builder::new(BufWriter::new(file.as_file()));
    for (name, bytes) in documents {
        append(&mut tar, name, bytes.len() as u64, bytes.as_slice())?;
    }
    blobs.sort_by(|one, other| one.hex.cmp(&other.hex));
    let mut seen = BTreeSet::new();
    for blob in blobs {
        if seen.insert(blob.hex.clone()) {
            append_blob(&mut tar, blob)?;
        }
    }
    tar.into_inner()?.flush()?;
    publish(file, out)
}

/// Temporary files are private; an image may be read by all.
fn publish(file: tempfile::NamedTempFile, out: &Path) -> Result<(), ImageError> {
    use std::os::unix::fs::PermissionsExt as _;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.persist(out).map_err(|failed| failed.error)?;
    Ok(())
}

fn append_blob<W: Write>(tar: &mut tar::Builder<W>, blob: Blob) -> Result<(), ImageError> {
    let (path, size) = (blob_path(&blob), blob.descriptor.size());
    match blob.content {
        Content::Memory(bytes) => append(tar, &path, size, bytes.as_slice()),
        Content::File(file) => append(tar, &path, size, file.reopen()?),
    }
}

fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    size: u64,
    data: impl Read,
) -> Result<(), ImageError> {
    let mut header = layer::header(EntryType::Regular, 0o644, size);
    tar.append_data(&mut header, path, data)?;
    Ok(())
}

/// Passes bytes on and takes their digest and number.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            size: 0,
        }
    }

    fn finish(self) -> (String, u64) {
        (hex::encode(self.hash.finalize()), self.size)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
