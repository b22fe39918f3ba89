//! Which deterministic engine answers.

use clap::ValueEnum;

/// A version of the reference planner. Versions differ in how they plan, so that a canary shows in answers and not only in a header.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// One step after the other, answers in one sentence.
    #[default]
    #[value(name = "ref-planner-v1")]
    RefPlannerV1,
    /// Independent steps side by side, answers that name their sources.
    #[value(name = "ref-planner-v2")]
    RefPlannerV2,
}

impl Engine {
    /// The name it goes by in flags, in `/v1/models` and in `system_fingerprint`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RefPlannerV1 => "ref-planner-v1",
            Self::RefPlannerV2 => "ref-planner-v2",
        }
    }
}
