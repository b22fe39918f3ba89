//! The portable, content-addressed bundle: what an export writes and an import reads.
//!
//! A bundle is a set of canonical JSON files and an `index.json` that lists each with its digest. Nothing in it
//! depends on time, host or run, so the same cluster state gives the same bundle digest. On the wire and on disk it
//! is a plain tar with sorted names and zeroed times and owners.

use crate::canonical::{self, CanonicalError, Digest};
use crate::descriptor::McpDescriptor;
use crate::projection;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Read as _};

/// Schema of `index.json`.
pub const SCHEMA: &str = "portproof.dev/bundle/v1";
/// Largest encoded bundle that is read, in bytes.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;
const INDEX: &str = "index.json";

/// The bytes of the files of a bundle, by path.
type Files = BTreeMap<String, Vec<u8>>;

/// Why a bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A member has no canonical form.
    #[error("`{path}` has no canonical form")]
    Canonical {
        /// Path inside the bundle.
        path: String,
        /// What is wrong with it.
        #[source]
        source: CanonicalError,
    },
    /// The tar could not be read or written.
    #[error("the bundle is not a readable tar archive")]
    Archive(#[source] io::Error),
    /// A file is not the JSON it should be.
    #[error("`{path}` in the bundle is not valid JSON of its kind")]
    Json {
        /// Path inside the bundle.
        path: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The index names a schema this version does not read.
    #[error("the bundle has schema `{found}`, this version reads `{SCHEMA}`")]
    Schema {
        /// What the index says.
        found: String,
    },
    /// A file is missing, or there is one the index does not list.
    #[error("`{path}` is {problem}")]
    Content {
        /// Path inside the bundle.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The bytes of a file are not those the index was made from.
    #[error("`{path}` has digest {found}, the index says {expected}")]
    DigestMismatch {
        /// Path inside the bundle.
        path: String,
        /// What the index says.
        expected: Digest,
        /// What the bytes have.
        found: Digest,
    },
    /// An object lacks `apiVersion`, `kind` or `metadata.name`.
    #[error("an object in the bundle has no `{member}`")]
    Unnamed {
        /// The missing member.
        member: &'static str,
    },
    /// The bundle is larger than [`MAX_BYTES`].
    #[error("the bundle has more than {MAX_BYTES} bytes")]
    TooLarge,
}

/// The table of contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Index {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the projection the objects went through.
    pub projection: String,
    /// Every other file with its digest, by path.
    pub files: BTreeMap<String, Digest>,
}

/// Portable objects, their CRDs and the MCP descriptors that go with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// CRDs, in the order of their names.
    pub crds: Vec<Value>,
    /// Objects after projection, in the order they are to be created.
    pub objects: Vec<Value>,
    /// Descriptors of the MCP servers that served the tools.
    pub descriptors: Vec<McpDescriptor>,
}

impl Bundle {
    /// Projects and sorts everything, so that the same content always makes the same bundle.
    pub fn new(crds: &[Value], objects: &[Value], mut descriptors: Vec<McpDescriptor>) -> Self {
        let mut crds: Vec<_> = crds.iter().map(projection::project).collect();
        let mut objects: Vec<_> = objects.iter().map(projection::project).collect();
        crds.sort_by_key(sort_key);
        objects.sort_by_key(sort_key);
        descriptors.sort_by(|one, other| one.server.cmp(&other.server));
        Self {
            crds,
            objects,
            descriptors,
        }
    }

    /// The digest of the bundle: that of its index.
    ///
    /// # Errors
    /// When a member has no canonical form or an object no name.
    pub fn digest(&self) -> Result<Digest, BundleError> {
        let (index, _) = self.files()?;
        Ok(Digest::of_bytes(&index))
    }

    /// Encodes the bundle as a deterministic tar.
    ///
    /// # Errors
    /// When a member has no canonical form or an object no name.
    pub fn encode(&self) -> Result<Vec<u8>, BundleError> {
        let (index, files) = self.files()?;
        let mut archive = tar::Builder::new(Vec::new());
        append(&mut archive, INDEX, &index)?;
        for (path, bytes) in &files {
            append(&mut archive, path, bytes)?;
        }
        archive.into_inner().map_err(BundleError::Archive)
    }

    /// Decodes a bundle and checks every digest in it.
    ///
    /// # Errors
    /// See [`BundleError`]; a bundle from another place is untrusted input and nothing of a bad one is used.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let mut files = unpack(bytes)?;
        let index = files
            .remove(INDEX)
            .ok_or_else(|| content(INDEX, "missing"))?;
        let index: Index = parse(INDEX, &index)?;
        if index.schema != SCHEMA {
            return Err(BundleError::Schema {
                found: index.schema,
            });
        }
        verify(&index, &files)?;
        let mut bundle = Self::default();
        for (path, bytes) in &files {
            match path.split('/').next() {
                Some("crds") => bundle.crds.push(parse(path, bytes)?),
                Some("objects") => bundle.objects.push(parse(path, bytes)?),
                Some("mcp") => bundle.descriptors.push(parse(path, bytes)?),
                _ => return Err(content(path, "in no known folder")),
            }
        }
        bundle.crds.sort_by_key(sort_key);
        bundle.objects.sort_by_key(sort_key);
        Ok(bundle)
    }

    fn files(&self) -> Result<(Vec<u8>, Files), BundleError> {
        let mut files = Files::new();
        for crd in &self.crds {
            let name = text(crd, "/metadata/name", "metadata.name")?;
            insert(&mut files, &format!("crds/{name}.json"), crd)?;
        }
        for object in &self.objects {
            insert(&mut files, &object_path(object)?, object)?;
        }
        for descriptor in &self.descriptors {
            let path = format!("mcp/{}.json", descriptor.server);
            insert(&mut files, &path, &json(&path, descriptor)?)?;
        }
        Ok((index_of(&files)?, files))
    }
}

fn index_of(files: &Files) -> Result<Vec<u8>, BundleError> {
    let listed = files.iter();
    let index = Index {
        schema: SCHEMA.into(),
        projection: projection::VERSION.into(),
        files: listed
            .map(|(path, bytes)| (path.clone(), Digest::of_bytes(bytes)))
            .collect(),
    };
    canonical_bytes(INDEX, &json(INDEX, &index)?)
}

fn json(path: &str, value: &impl Serialize) -> Result<Value, BundleError> {
    serde_json::to_value(value).map_err(|source| BundleError::Json {
        path: path.into(),
        source,
    })
}

/// Objects that others refer to come first: the order of creation.
fn sort_key(object: &Value) -> (u8, String, String, String) {
    let member = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let kind = member("/kind");
    let wave = match kind.as_str() {
        "ServiceAccount" => 0,
        "ConfigMap" => 1,
        "Service" => 2,
        _ => 3,
    };
    (
        wave,
        kind,
        member("/metadata/namespace"),
        member("/metadata/name"),
    )
}

fn object_path(object: &Value) -> Result<String, BundleError> {
    let api_version = text(object, "/apiVersion", "apiVersion")?.replace('/', "_");
    let kind = text(object, "/kind", "kind")?;
    let namespace = object
        .pointer("/metadata/namespace")
        .and_then(Value::as_str)
        .unwrap_or("_cluster");
    let name = text(object, "/metadata/name", "metadata.name")?;
    Ok(format!(
        "objects/{api_version}_{kind}/{namespace}/{name}.json"
    ))
}

fn text<'a>(
    object: &'a Value,
    pointer: &str,
    member: &'static str,
) -> Result<&'a str, BundleError> {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .ok_or(BundleError::Unnamed { member })
}

fn canonical_bytes(path: &str, value: &Value) -> Result<Vec<u8>, BundleError> {
    canonical::to_bytes(value).map_err(|source| BundleError::Canonical {
        path: path.into(),
        source,
    })
}

fn insert(files: &mut Files, path: &str, value: &Value) -> Result<(), BundleError> {
    let bytes = canonical_bytes(path, value)?;
    match files.insert(path.to_owned(), bytes) {
        None => Ok(()),
        Some(_) => Err(content(path, "there twice")),
    }
}

fn content(path: &str, problem: &'static str) -> BundleError {
    BundleError::Content {
        path: path.into(),
        problem,
    }
}

fn append(
    archive: &mut tar::Builder<Vec<u8>>,
    path: &str,
    bytes: &[u8],
) -> Result<(), BundleError> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive
        .append_data(&mut header, path, bytes)
        .map_err(BundleError::Archive)
}

fn unpack(bytes: &[u8]) -> Result<Files, BundleError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(BundleError::TooLarge);
    }
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(BundleError::Archive)? {
        let mut entry = entry.map_err(BundleError::Archive)?;
        let path = entry
            .path()
            .map_err(BundleError::Archive)?
            .to_string_lossy()
            .into_owned();
        let mut bytes = Vec::new();
        entry
            .read_to_end(&mut bytes)
            .map_err(BundleError::Archive)?;
        if files.insert(path.clone(), bytes).is_some() {
            return Err(content(&path, "there twice"));
        }
    }
    Ok(files)
}

fn parse<T: serde::de::DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, BundleError> {
    serde_json::from_slice(bytes).map_err(|source| BundleError::Json {
        path: path.into(),
        source,
    })
}

fn verify(index: &Index, files: &Files) -> Result<(), BundleError> {
    for (path, expected) in &index.files {
        let bytes = files.get(path).ok_or_else(|| content(path, "missing"))?;
        let found = Digest::of_bytes(bytes);
        if found != *expected {
            return Err(BundleError::DigestMismatch {
                path: path.clone(),
                expected: expected.clone(),
                found,
            });
        }
    }
    match files.keys().find(|path| !index.files.contains_key(*path)) {
        Some(path) => Err(content(path, "not listed in the index")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
