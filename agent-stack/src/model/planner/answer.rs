//! Puts an answer together from what the tools returned.

mod figures;
mod passages;
mod prices;
mod sources;

use super::finding::Finding;
use super::question::{Goal, Question};
use crate::model::engine::Engine;

/// The answer to `question`, given what the tools returned in the order of the calls.
pub(super) fn answer(question: &Question, findings: &[Finding], engine: Engine) -> String {
    let text = match question.goal() {
        Goal::Price => prices::answer(question, findings),
        Goal::Analysis => figures::answer(question, findings),
        Goal::Documents => passages::answer(findings, engine),
    };
    match engine {
        Engine::RefPlannerV1 => text,
        Engine::RefPlannerV2 => sources::named(text, findings),
    }
}
