//! A load plan, checked: bounded in size and time.

use crate::control::failure;
use crate::control::traffic::connection::Target;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use portproof_proto::v1::DriveTrafficRequest;
use std::time::Duration;
use tonic::{Code, Status};

const MAX_REQUESTS: u32 = 1_000_000;
const MAX_RATE: u32 = 20_000;
const MAX_CONNECTIONS: u32 = 1_024;
const MAX_TIMEOUT_MS: u32 = 60_000;
const MAX_HEADERS: usize = 32;

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// A number out of its range.
    #[error("`{member}` is {value}, it must be between 1 and {most}")]
    Range {
        member: &'static str,
        value: u32,
        most: u32,
    },
    /// The path is none.
    #[error("`{path}` is no path of a request")]
    Path { path: String },
    /// A header that is none.
    #[error("`{name}` is no valid header")]
    Header { name: String },
    /// More headers than a plan takes.
    #[error("a plan takes at most {MAX_HEADERS} headers")]
    TooManyHeaders,
}

impl From<PlanError> for Status {
    fn from(error: PlanError) -> Self {
        failure::status(Code::InvalidArgument, &error)
    }
}

/// A plan that can be carried out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(super) requests: u32,
    pub(super) rate: u32,
    pub(super) connections: u32,
    pub(super) timeout: Duration,
    path: http::Uri,
    headers: HeaderMap,
}

impl Plan {
    /// Checks a request.
    pub(crate) fn check(request: DriveTrafficRequest) -> Result<Self, PlanError> {
        let timeout_ms = within("timeout_ms", request.timeout_ms, MAX_TIMEOUT_MS)?;
        Ok(Self {
            requests: within("requests", request.requests, MAX_REQUESTS)?,
            rate: within("rate_per_s", request.rate_per_s, MAX_RATE)?,
            connections: within("connections", request.connections, MAX_CONNECTIONS)?,
            timeout: Duration::from_millis(u64::from(timeout_ms)),
            path: path(request.path)?,
            headers: headers(request.headers)?,
        })
    }

    /// When request `index` is due, counted from the start.
    pub(super) fn due(&self, index: u32) -> Duration {
        Duration::from_nanos(u64::from(index) * 1_000_000_000 / u64::from(self.rate))
    }

    /// The longest time the plan can take: the schedule, then whatever is late or still in flight, and the questions
    /// to the backends.
    pub(crate) fn longest(&self) -> Duration {
        self.due(self.requests) + 3 * self.timeout + Duration::from_secs(10)
    }

    /// What is sent and where.
    pub(super) fn target(
        &self,
        host: String,
        port: u16,
        hostname: &str,
    ) -> Result<Target, PlanError> {
        let host_header = HeaderValue::from_str(hostname).map_err(|_| PlanError::Header {
            name: "host".to_owned(),
        })?;
        Ok(Target {
            host,
            port,
            path: self.path.clone(),
            host_header,
            headers: self.headers.clone(),
            timeout: self.timeout,
        })
    }
}

fn within(member: &'static str, value: u32, most: u32) -> Result<u32, PlanError> {
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        Err(PlanError::Range {
            member,
            value,
            most,
        })
    }
}

fn path(path: String) -> Result<http::Uri, PlanError> {
    let parsed = path
        .parse::<http::Uri>()
        .ok()
        .filter(|uri| path.starts_with('/') && uri.authority().is_none());
    parsed.ok_or(PlanError::Path { path })
}

fn headers(asked: std::collections::HashMap<String, String>) -> Result<HeaderMap, PlanError> {
    if asked.len() > MAX_HEADERS {
        return Err(PlanError::TooManyHeaders);
    }
    let header = |(name, value): (String, String)| {
        let parsed = HeaderName::try_from(&name)
            .ok()
            .zip(HeaderValue::try_from(value).ok());
        parsed.ok_or(PlanError::Header { name })
    };
    asked.into_iter().map(header).collect()
}
