//! W3C trace context: ids that the orchestrator makes, so that a trace is known before its first span exists.

use uuid::Uuid;

/// A trace id: 32 hex digits.
pub(super) fn new_trace_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A span id: 16 hex digits.
pub(super) fn new_span_id() -> String {
    Uuid::new_v4().simple().to_string().split_off(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_length_of_the_standard_and_never_repeat() {
        assert_eq!((new_trace_id().len(), new_span_id().len()), (32, 16));
        assert_ne!(new_span_id(), new_span_id());
    }
}
