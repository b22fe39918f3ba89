//! Reads the body of a request: declared as JSON, bounded in size and time.

use super::error::ApiError;
use crate::media_type;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use std::time::Duration;

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    /// Bytes of a body.
    pub(super) bytes: usize,
    /// Time until the last of them is there.
    pub(super) time: Duration,
}

impl Default for BodyLimits {
    /// A long conversation with many tools has some hundred KiB.
    fn default() -> Self {
        Self {
            bytes: 2 * 1024 * 1024,
            time: Duration::from_secs(30),
        }
    }
}

/// How many times the limit is read and thrown away. A client that is still sending when the connection is closed sees a
/// broken pipe instead of the answer that says what is wrong.
const DRAINED: usize = 16;

/// Reads a JSON body.
///
/// # Errors
/// When it is not declared as JSON, is too large, takes too long or breaks off.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: BodyLimits,
) -> Result<Bytes, ApiError> {
    let arrived = tokio::time::timeout(limits.time, collect(body, limits.bytes)).await;
    let body = arrived.unwrap_or(Err(ApiError::Slow { limit: limits.time }))?;
    check_media_type(headers)?;
    Ok(body)
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut kept = BytesMut::new();
    let mut size = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ApiError::Body)?.into_data() else {
            continue;
        };
        size = size.saturating_add(data.len());
        if size > limit.saturating_mul(DRAINED) {
            break;
        }
        if size <= limit {
            kept.extend_from_slice(&data);
        } else {
            kept = BytesMut::new();
        }
    }
    if size > limit {
        return Err(ApiError::TooLarge { limit });
    }
    Ok(kept.freeze())
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    if media_type::is_json(headers) {
        return Ok(());
    }
    let found = media_type::declared(headers);
    Err(ApiError::MediaType {
        found: if found.is_empty() {
            "nothing".to_owned()
        } else {
            format!("`{found}`")
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header;
    use futures::{StreamExt as _, stream};
    use std::convert::Infallible;

    const LIMITS: BodyLimits = BodyLimits {
        bytes: 8,
        time: Duration::from_mins(1),
    };

    fn declared(media_type: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, media_type.parse().unwrap())])
    }

    async fn read_json(body: impl Into<Body>, limits: BodyLimits) -> Result<Bytes, ApiError> {
        read(&declared("application/json"), body.into(), limits).await
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read_and_one_byte_more_is_not() {
        assert_eq!(read_json("12345678", LIMITS).await.unwrap(), "12345678");
        for size in [9, 100, 100_000] {
            let error = read_json("x".repeat(size), LIMITS).await.unwrap_err();
            assert!(matches!(error, ApiError::TooLarge { limit: 8 }), "{size}");
        }
    }

    #[tokio::test]
    async fn an_endless_body_is_not_read_to_its_end() {
        let endless = stream::repeat_with(|| Ok::<_, Infallible>("12345"));
        let error = read_json(Body::from_stream(endless), LIMITS).await;
        assert!(matches!(error.unwrap_err(), ApiError::TooLarge { .. }));
    }

    #[tokio::test]
    async fn a_client_that_stops_sending_is_not_waited_for() {
        let halting = stream::iter([Ok::<_, Infallible>("{")]).chain(stream::pending());
        let limits = BodyLimits {
            time: Duration::from_millis(20),
            ..LIMITS
        };
        let error = read_json(Body::from_stream(halting), limits).await;
        assert!(matches!(error.unwrap_err(), ApiError::Slow { .. }));
    }

    #[tokio::test]
    async fn only_json_is_read() {
        for fine in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(read(&declared(fine), "{}".into(), LIMITS).await.is_ok());
        }
        let form = declared("application/x-www-form-urlencoded");
        let error = read(&form, "{}".into(), LIMITS).await.unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("`application/x-www-form-urlencoded`")
        );
        let nothing = read(&HeaderMap::new(), "{}".into(), LIMITS).await;
        assert!(matches!(nothing.unwrap_err(), ApiError::MediaType { .. }));
    }
}
