//! Media types of requests (RFC 9110, section 8.3).

use axum::http::{HeaderMap, header};
use mediatype::MediaType;
use mediatype::names::{APPLICATION, JSON};

/// Whether a body is declared as JSON, once and readably.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let mut declared = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (declared.next(), declared.next()) else {
        return false;
    };
    let kind = value.to_str().ok().map(MediaType::parse);
    matches!(kind, Some(Ok(kind)) if (kind.ty, kind.subty, kind.suffix) == (APPLICATION, JSON, None))
}

/// What a body is declared as, in the words of the client; empty where it says nothing.
pub(crate) fn declared(headers: &HeaderMap) -> String {
    let values = headers.get_all(header::CONTENT_TYPE).iter();
    let texts: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let pairs = values
            .iter()
            .map(|value| (header::CONTENT_TYPE, value.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn json_is_known_by_its_essence() {
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json ; a=\"b;c\"",
        ] {
            assert!(is_json(&headers(&[json])), "{json}");
        }
        for other in [
            "",
            "text/json",
            "application/jsonl",
            "application/a+json",
            "json",
            "application/json, text/plain",
        ] {
            assert!(!is_json(&headers(&[other])), "{other}");
        }
    }

    #[test]
    fn a_body_that_is_declared_twice_or_not_at_all_is_not_json() {
        let twice = headers(&["application/json", "text/plain"]);
        assert!(!is_json(&twice) && !is_json(&HeaderMap::new()));
        assert_eq!(declared(&twice), "application/json, text/plain");
        assert_eq!(declared(&HeaderMap::new()), "");
    }
}
