//! One object: checked, then created from exactly the bytes the bundle carries.

use super::{ImportError, Target};
use crate::control::api::{ApiError, Create, Kind, text};
use crate::control::stack::object_ref;
use http::StatusCode;
use portproof_proto::canonical::{self, Digest};
use portproof_proto::projection;
use portproof_proto::v1::ImportResult;
use portproof_proto::v1::import_result::Outcome;
use serde_json::Value;

/// Kinds an import creates; anything else a bundle carries is refused.
const KINDS: [Kind; 2] = [Kind::CONFIG_MAP, Kind::TOOL];
/// Largest object, in bytes of its canonical form.
const MAX_OBJECT_BYTES: usize = 1024 * 1024;
/// Longest name of an object (RFC 1123 subdomain).
const MAX_NAME: usize = 253;

impl Target<'_> {
    /// Creates one object. With `missing_crd` this is a dry run, and the CRD of its kind is not there yet.
    pub(super) async fn object(
        &self,
        object: &Value,
        missing_crd: bool,
    ) -> Result<ImportResult, ImportError> {
        let sent = canonical::to_bytes(object)?;
        let kind = match self.check(object, &sent) {
            Ok(kind) => kind,
            Err(reason) => return refused(object, &reason),
        };
        if missing_crd && kind == Kind::TOOL {
            let reason =
                "not tried: a dry run creates no CRD, and without it the kind is unknown here";
            let mut result = ImportResult {
                reason: reason.to_owned(),
                ..carried(object)?
            };
            result.set_outcome(Outcome::NotTried);
            return Ok(result);
        }
        self.create(Sending {
            object,
            sent,
            collection: kind.collection(self.namespace),
        })
        .await
    }

    /// Looks first and creates only what is absent.
    async fn create(&self, sending: Sending<'_>) -> Result<ImportResult, ImportError> {
        if let Some(found) = self.existing(&sending).await? {
            return found_there(sending.object, &found);
        }
        let create = Create {
            manager: self.manager,
            dry_run: self.dry_run,
        };
        match self
            .api
            .create(&sending.collection, sending.sent.clone(), create)
            .await
        {
            Ok(admitted) => created(&sending, &admitted),
            Err(ApiError::Refused {
                status: StatusCode::CONFLICT,
                ..
            }) => self.lost_the_race(&sending).await,
            Err(error) => match error.refusal() {
                Some((_, message)) => refused(sending.object, message),
                None => Err(error.into()),
            },
        }
    }

    async fn existing(&self, sending: &Sending<'_>) -> Result<Option<Value>, ApiError> {
        let name = text(sending.object, "/metadata/name");
        self.api
            .get(&format!("{}/{name}", sending.collection))
            .await
    }

    /// Someone created an object of that name between the look and the creation.
    async fn lost_the_race(&self, sending: &Sending<'_>) -> Result<ImportResult, ImportError> {
        match self.existing(sending).await? {
            Some(found) => found_there(sending.object, &found),
            None => refused(
                sending.object,
                "an object of that name was there for a moment",
            ),
        }
    }

    /// What must be true of an object before it is sent anywhere; names end up in request paths.
    fn check(&self, object: &Value, sent: &[u8]) -> Result<Kind, String> {
        let kind = Kind::of(object).filter(|kind| KINDS.contains(kind));
        let kind = kind.ok_or_else(|| {
            format!(
                "`{} {}` is not imported",
                text(object, "/apiVersion"),
                text(object, "/kind")
            )
        })?;
        let namespace = text(object, "/metadata/namespace");
        if namespace != self.namespace {
            return Err(format!(
                "its namespace is `{namespace}`, this agent imports into `{}`",
                self.namespace
            ));
        }
        check_common(object, sent)?;
        Ok(kind)
    }
}

/// What must be true of every object and CRD.
pub(super) fn check_common(object: &Value, sent: &[u8]) -> Result<(), String> {
    let name = text(object, "/metadata/name");
    if !is_subdomain(name) {
        return Err(format!(
            "`{name}` is no name of an object (RFC 1123 subdomain)"
        ));
    }
    if sent.len() > MAX_OBJECT_BYTES {
        return Err(format!(
            "it has {} bytes, more than {MAX_OBJECT_BYTES}",
            sent.len()
        ));
    }
    if projection::project(object) != *object {
        return Err("it carries members that belong to an API server".to_owned());
    }
    Ok(())
}

/// An object on its way.
struct Sending<'a> {
    object: &'a Value,
    /// The bytes of the request: the canonical form of what the bundle carries.
    sent: Vec<u8>,
    collection: String,
}

/// Lower-case letters, digits, `-` and `.`; every label begins and ends with a letter or digit (RFC 1123).
fn is_subdomain(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let ends =
            bytes.first().copied().is_some_and(inner) && bytes.last().copied().is_some_and(inner);
        ends && bytes.iter().all(|byte| inner(*byte) || *byte == b'-')
    };
    name.len() <= MAX_NAME && name.split('.').all(label)
}

/// A result that so far only knows what was carried.
pub(super) fn carried(object: &Value) -> Result<ImportResult, ImportError> {
    Ok(ImportResult {
        object: Some(object_ref(object)),
        source_digest: projection::digest(object)?.to_string(),
        ..ImportResult::default()
    })
}

pub(super) fn refused(object: &Value, reason: &str) -> Result<ImportResult, ImportError> {
    let mut result = carried(object)?;
    result.set_outcome(Outcome::Refused);
    reason.clone_into(&mut result.reason);
    Ok(result)
}

fn created(sending: &Sending<'_>, admitted: &Value) -> Result<ImportResult, ImportError> {
    let mut result = carried(sending.object)?;
    result.set_outcome(Outcome::Created);
    result.object = Some(object_ref(admitted));
    result.request_digest = Digest::of_bytes(&sending.sent).to_string();
    result.admitted_digest = projection::digest(admitted)?.to_string();
    Ok(result)
}

/// What stands where the object would be: the same, or another one that is left as it is.
pub(super) fn found_there(object: &Value, found: &Value) -> Result<ImportResult, ImportError> {
    let mut result = carried(object)?;
    result.object = Some(object_ref(found));
    result.admitted_digest = projection::digest(found)?.to_string();
    if result.admitted_digest == result.source_digest {
        result.set_outcome(Outcome::Present);
    } else {
        result.set_outcome(Outcome::Conflict);
        "another object of that name is there; it was not changed".clone_into(&mut result.reason);
    }
    Ok(result)
}
