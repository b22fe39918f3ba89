//! A stack specification, checked: what comes after it cannot fail for a reason the caller wrote.

use crate::control::home::Home;
use portproof_proto::v1::{self, Fault, StackSpec, TrafficSplit};
use std::collections::BTreeSet;

/// Largest weight Gateway API allows.
const MAX_WEIGHT: u32 = 1_000_000;

/// What is wrong with a specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// Something that must be there is not.
    #[error("the stack specification has no `{member}`")]
    Missing { member: &'static str },
    /// A port that is none.
    #[error("the gateway port {port} is not between 1 and 65535")]
    Port { port: u32 },
    /// Weights that are no split.
    #[error(
        "the weights {stable}/{canary} are no split: at least one is positive, none above {MAX_WEIGHT}"
    )]
    Split { stable: u32, canary: u32 },
    /// The upstream is no URL of an HTTP server.
    #[error("the upstream `{upstream}` is not an http(s) URL")]
    Upstream { upstream: String },
    /// A fault this agent does not know.
    #[error("there is no fault number {number}")]
    Fault { number: i32 },
}

/// Everything the objects are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) home: Home,
    pub(crate) image: String,
    pub(crate) image_pull_policy: String,
    pub(crate) gateway_class: String,
    pub(crate) gateway_port: u16,
    pub(crate) hostname: String,
    pub(crate) runtime_class: String,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) split: TrafficSplit,
    pub(crate) faults: Faults,
}

/// A model server outside the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) url: String,
    pub(crate) port: u16,
    /// Model the agent asks it for, where that is not the planner's name.
    pub(crate) model: Option<String>,
    /// Secret with its key, where it wants one.
    pub(crate) key_secret: Option<String>,
    /// ConfigMap with its authorities, where they are not the public ones.
    pub(crate) authorities: Option<String>,
}

/// The deviations asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults(BTreeSet<i32>);

impl Faults {
    /// Checks the numbers of a specification.
    pub(crate) fn check(numbers: &[i32]) -> Result<Self, PlanError> {
        let known =
            |number: &i32| Fault::try_from(*number).is_ok_and(|fault| fault != Fault::Unspecified);
        match numbers.iter().find(|number| !known(number)) {
            Some(number) => Err(PlanError::Fault { number: *number }),
            None => Ok(Self(numbers.iter().copied().collect())),
        }
    }

    /// Whether `fault` is asked for.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.0.contains(&(fault as i32))
    }

    /// The faults by name, as [`Faults::read`] reads them.
    pub(crate) fn write(&self) -> String {
        let names = self
            .0
            .iter()
            .filter_map(|number| Fault::try_from(*number).ok())
            .map(|fault| fault.as_str_name());
        names.collect::<Vec<_>>().join(",")
    }

    /// Reads what [`Faults::write`] wrote; names of no fault are passed over.
    pub(crate) fn read(text: &str) -> Self {
        Self(
            text.split(',')
                .filter_map(Fault::from_str_name)
                .map(|fault| fault as i32)
                .collect(),
        )
    }
}

impl Plan {
    /// Checks a specification.
    pub(crate) fn check(spec: StackSpec, home: Home) -> Result<Self, PlanError> {
        let missing = |member| PlanError::Missing { member };
        let gateway = spec.gateway.ok_or(missing("gateway"))?;
        let sandbox = spec.sandbox.ok_or(missing("sandbox"))?;
        let model = spec.model.ok_or(missing("model"))?;
        let split = model.split.ok_or(missing("model.split"))?;
        let port = gateway.port;
        Ok(Self {
            home,
            image: present(spec.image, "image")?,
            image_pull_policy: pull_policy(spec.image_pull_policy),
            gateway_class: present(gateway.class_name, "gateway.class_name")?,
            gateway_port: u16::try_from(port)
                .ok()
                .filter(|port| *port > 0)
                .ok_or(PlanError::Port { port })?,
            hostname: present(gateway.hostname, "gateway.hostname")?,
            runtime_class: present(sandbox.runtime_class, "sandbox.runtime_class")?,
            upstream: model.upstream.map(upstream).transpose()?,
            split: check_split(split)?,
            faults: Faults::check(&spec.faults)?,
        })
    }
}

/// A split Gateway API accepts and that sends traffic somewhere.
pub(crate) fn check_split(split: TrafficSplit) -> Result<TrafficSplit, PlanError> {
    let TrafficSplit { stable, canary } = split;
    let within = stable <= MAX_WEIGHT && canary <= MAX_WEIGHT;
    if within && stable + canary > 0 {
        Ok(split)
    } else {
        Err(PlanError::Split { stable, canary })
    }
}

fn present(text: String, member: &'static str) -> Result<String, PlanError> {
    if text.is_empty() {
        Err(PlanError::Missing { member })
    } else {
        Ok(text)
    }
}

fn pull_policy(asked: String) -> String {
    if asked.is_empty() {
        "IfNotPresent".to_owned()
    } else {
        asked
    }
}

fn upstream(spec: v1::Upstream) -> Result<Upstream, PlanError> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    match port(&spec.url) {
        Some(port) => Ok(Upstream {
            url: spec.url,
            port,
            model: given(spec.model),
            key_secret: given(spec.key_secret),
            authorities: given(spec.authorities_config_map),
        }),
        None => Err(PlanError::Upstream { upstream: spec.url }),
    }
}

/// The port of an HTTP server's URL.
fn port(url: &str) -> Option<u16> {
    let parsed = url
        .parse::<http::Uri>()
        .ok()
        .filter(|url| url.host().is_some());
    let parsed = parsed?;
    match (parsed.port_u16(), parsed.scheme_str()) {
        (Some(port), Some("http" | "https")) => Some(port),
        (None, Some("http")) => Some(80),
        (None, Some("https")) => Some(443),
        _ => None,
    }
}
