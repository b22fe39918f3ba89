//! The two forms in which events leave: lines of JSON, and server-sent events (WHATWG HTML, section 9.2).

use super::event::AgentEvent;
use super::request::RequestError;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use headers_accept::Accept;
use mediatype::names::{APPLICATION, JSON, TEXT};
use mediatype::{MediaType, Name};
use std::convert::Infallible;
use std::time::Duration;

const NDJSON: &str = "application/x-ndjson";
const SSE: MediaType<'static> = MediaType::new(TEXT, Name::new_unchecked("event-stream"));
/// The forms an answer can have. Who asks for JSON gets lines of it.
static OFFERED: [MediaType<'static>; 3] = [
    MediaType::new(APPLICATION, Name::new_unchecked("x-ndjson")),
    SSE,
    MediaType::new(APPLICATION, JSON),
];
/// Pause after which a comment shows that the stream lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A form of the stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON object per line.
    Ndjson,
    /// Server-sent events with ids from 1.
    Sse,
}

impl Form {
    /// What the request accepts most gladly (RFC 9110, section 12.5.1); lines where it does not say.
    pub(super) fn accepted(headers: &HeaderMap) -> Result<Self, RequestError> {
        let values: Vec<_> = headers
            .get_all(header::ACCEPT)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let accepted = values.join(", ");
        if accepted.trim().is_empty() {
            return Ok(Self::Ndjson);
        }
        let accept: Option<Accept> = accepted.parse().ok();
        match accept.and_then(|accept| accept.negotiate(&OFFERED)) {
            Some(kind) if *kind == SSE => Ok(Self::Sse),
            Some(_) => Ok(Self::Ndjson),
            None => Err(RequestError::Accept { accepted }),
        }
    }

    /// The answer that carries `events`.
    pub(super) fn answer(
        self,
        events: impl Stream<Item = AgentEvent> + Send + 'static,
    ) -> Response {
        match self {
            Self::Ndjson => {
                let lines = events.map(|event| Ok::<_, Infallible>(line(&event)));
                ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response()
            }
            Self::Sse => {
                let numbered = events.enumerate();
                let sent =
                    numbered.map(|(place, event)| Ok::<_, Infallible>(sse(place + 1, &event)));
                let alive = KeepAlive::new().interval(KEEP_ALIVE);
                Sse::new(sent).keep_alive(alive).into_response()
            }
        }
    }
}

fn sse(id: usize, event: &AgentEvent) -> Event {
    let data = serde_json::to_string(event).unwrap_or_default();
    Event::default()
        .id(id.to_string())
        .event(event.name())
        .data(data)
}

fn line(event: &AgentEvent) -> Bytes {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    Bytes::from(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn accepted(value: Option<&'static str>) -> Result<Form, RequestError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(header::ACCEPT, HeaderValue::from_static(value));
        }
        Form::accepted(&headers)
    }

    #[test]
    fn the_first_form_that_is_accepted_is_sent() {
        for (value, form) in [
            (None, Form::Ndjson),
            (Some("*/*"), Form::Ndjson),
            (Some("text/event-stream"), Form::Sse),
            (Some("TEXT/Event-Stream;q=0.9, */*;q=0.1"), Form::Sse),
            (
                Some("application/x-ndjson, text/event-stream"),
                Form::Ndjson,
            ),
            (Some("text/event-stream;q=0, */*"), Form::Ndjson),
            (Some("application/json;q=0.5, text/event-stream"), Form::Sse),
            (Some("application/json"), Form::Ndjson),
        ] {
            assert_eq!(accepted(value).unwrap(), form, "{value:?}");
        }
        for refused in ["text/html, image/png", "text/event-stream;q=0", "json"] {
            assert!(matches!(
                accepted(Some(refused)),
                Err(RequestError::Accept { .. })
            ));
        }
    }
}
