//! One running span and the W3C trace context it hands on.

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Status, TraceContextExt as _, TraceId};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use portproof_proto::telemetry::ERROR_TYPE;
use std::collections::HashMap;

/// Name of the W3C trace context header and of the MCP `_meta` member (SEP-414).
pub const TRACEPARENT: &str = "traceparent";

/// A span that ends when it is dropped.
#[derive(Debug)]
pub struct ActiveSpan {
    context: Context,
}

impl ActiveSpan {
    pub(super) fn new(context: Context) -> Self {
        Self { context }
    }

    /// The context that children of this span start from.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The `traceparent` for a peer whose span shall be a child of this one.
    pub fn traceparent(&self) -> Option<String> {
        traceparent(&self.context)
    }

    /// Trace id of this span.
    pub fn trace_id(&self) -> TraceId {
        self.context.span().span_context().trace_id()
    }

    /// Sets an attribute.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        self.context.span().set_attribute(KeyValue::new(key, value));
    }

    /// Marks the span as failed with a class of error and a text for people; success is never marked.
    pub fn fail(&self, error_type: impl Into<String>, message: impl Into<String>) {
        self.set(ERROR_TYPE, error_type.into());
        self.context
            .span()
            .set_status(Status::error(message.into()));
    }
}

impl Drop for ActiveSpan {
    fn drop(&mut self) {
        self.context.span().end();
    }
}

/// The `traceparent` of `context`; `None` when it holds no valid span.
pub fn traceparent(context: &Context) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(context, &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// The remote parent that `value` names; an unreadable value gives an empty context, so that a new trace starts.
pub fn parse_traceparent(value: &str) -> Context {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), value.to_owned())]);
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
}

/// The remote parent that a request's headers name.
pub fn header_context(headers: &http::HeaderMap) -> Context {
    match headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
    {
        Some(value) => parse_traceparent(value),
        None => Context::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_traceparent_survives_the_way_in_and_out(trace in 1_u128.., span in 1_u64..) {
            let text = format!("00-{trace:032x}-{span:016x}-01");
            prop_assert_eq!(traceparent(&parse_traceparent(&text)), Some(text));
        }

        #[test]
        fn an_unreadable_traceparent_names_no_parent(text in "[^0]{0,60}") {
            prop_assert_eq!(traceparent(&parse_traceparent(&text)), None);
        }
    }
}
