//! Puts a bundle together from the caller's stream.

use super::ImportError;
use futures::{Stream, StreamExt as _};
use portproof_proto::bundle::{self, Bundle, BundleError};
use portproof_proto::v1::ImportRequest;
use portproof_proto::v1::import_request::Part;
use tonic::Status;

/// Objects and CRDs one import takes.
const MAX_OBJECTS: usize = 512;

/// A bundle with what is to be done with it.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) bundle: Bundle,
    /// Ask what would happen and change nothing.
    pub(crate) dry_run: bool,
}

/// Reads the options and the whole bundle, and checks every digest in it.
pub(crate) async fn receive(
    mut requests: impl Stream<Item = Result<ImportRequest, Status>> + Unpin,
) -> Result<Parcel, ImportError> {
    let options = match next(&mut requests).await? {
        Some(Part::Options(options)) => options,
        Some(Part::Chunk(_)) | None => return Err(ImportError::Order),
    };
    let mut encoded = Vec::new();
    while let Some(part) = next(&mut requests).await? {
        let Part::Chunk(chunk) = part else {
            return Err(ImportError::Order);
        };
        if (encoded.len() + chunk.data.len()) as u64 > bundle::MAX_BYTES {
            return Err(BundleError::TooLarge.into());
        }
        encoded.extend_from_slice(&chunk.data);
    }
    let bundle = Bundle::decode(&encoded)?;
    let count = bundle.crds.len() + bundle.objects.len();
    if count > MAX_OBJECTS {
        return Err(ImportError::TooMany {
            count,
            limit: MAX_OBJECTS,
        });
    }
    Ok(Parcel {
        bundle,
        dry_run: options.dry_run,
    })
}

async fn next(
    requests: &mut (impl Stream<Item = Result<ImportRequest, Status>> + Unpin),
) -> Result<Option<Part>, ImportError> {
    match requests.next().await {
        None => Ok(None),
        Some(Ok(request)) => request.part.map(Some).ok_or(ImportError::Order),
        Some(Err(status)) => Err(ImportError::Stream(Box::new(status))),
    }
}
