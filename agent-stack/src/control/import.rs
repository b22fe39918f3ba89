//! `Import`: creates the objects of a bundle byte for byte. The bundle is untrusted input: kinds, names, namespace and sizes
//! are checked before anything is sent, and nothing that is already there is ever changed.

mod crd;
mod object;
mod receive;

pub(crate) use receive::{Parcel, receive};

use super::api::{ApiError, ApiServer};
use super::failure;
use super::home::Home;
use super::stream::Events;
use portproof_proto::bundle::BundleError;
use portproof_proto::canonical::CanonicalError;
use portproof_proto::names;
use portproof_proto::v1::import_event::Event;
use portproof_proto::v1::import_result::Outcome;
use portproof_proto::v1::{ImportEvent, ImportResult, ImportSummary};
use std::time::Duration;
use tonic::{Code, Status};

const ESTABLISH_DEADLINE: Duration = Duration::from_secs(30);

/// Why an import broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// The stream does not begin with options.
    #[error("the first message of an import carries the options, the others the bundle")]
    Order,
    /// The caller's stream broke.
    #[error("the bundle did not arrive")]
    Stream(#[source] Box<Status>),
    /// The bundle is no bundle.
    #[error("the bundle cannot be read")]
    Bundle(#[from] BundleError),
    /// More objects than one import takes.
    #[error("the bundle has {count} objects, more than {limit}")]
    TooMany { count: usize, limit: usize },
    /// A digest could not be taken.
    #[error("an object has no canonical form")]
    Canonical(#[from] CanonicalError),
    /// The API server was in trouble; that says nothing about the bundle.
    #[error("the import broke off")]
    Api(#[from] ApiError),
}

impl From<ImportError> for Status {
    fn from(error: ImportError) -> Self {
        let code = match &error {
            ImportError::Stream(status) => status.code(),
            ImportError::Api(_) => Code::Unavailable,
            _ => Code::InvalidArgument,
        };
        failure::status(code, &error)
    }
}

/// Looks at the CRDs first, then creates the objects in their order; one event for each, then the summary.
///
/// Carried objects bear no label of ours. All are created under the field manager of the run, by which `Teardown` and a
/// clean-up after a crash tell them from those of others.
pub(crate) async fn import(
    api: &ApiServer,
    home: &Home,
    parcel: &Parcel,
    events: &Events<ImportEvent>,
) -> Result<(), ImportError> {
    let target = Target {
        api,
        namespace: &home.namespace,
        manager: &names::run_field_manager(&home.run_id),
        dry_run: parcel.dry_run,
        patience: ESTABLISH_DEADLINE,
    };
    let mut summary = ImportSummary::default();
    let mut missing_crd = false;
    for crd in &parcel.bundle.crds {
        let result = target.crd(crd).await?;
        missing_crd |= result.outcome() == Outcome::NotTried;
        report(result, &mut summary, events).await;
    }
    for object in &parcel.bundle.objects {
        let result = target.object(object, missing_crd).await?;
        report(result, &mut summary, events).await;
    }
    events
        .send(ImportEvent {
            event: Some(Event::Summary(summary)),
        })
        .await;
    Ok(())
}

/// Where a bundle goes.
struct Target<'a> {
    api: &'a ApiServer,
    namespace: &'a str,
    manager: &'a str,
    dry_run: bool,
    /// Longest time until the API server serves a new kind.
    patience: Duration,
}

async fn report(result: ImportResult, summary: &mut ImportSummary, events: &Events<ImportEvent>) {
    match result.outcome() {
        Outcome::Created => summary.created += 1,
        Outcome::Present => summary.present += 1,
        Outcome::Conflict | Outcome::Refused => summary.failed += 1,
        Outcome::NotTried | Outcome::Unspecified => {}
    }
    events
        .send(ImportEvent {
            event: Some(Event::Object(result)),
        })
        .await;
}

#[cfg(test)]
mod tests;
