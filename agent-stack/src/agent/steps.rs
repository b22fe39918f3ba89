//! Carries a plan out: steps that wait for nothing run side by side, up to a bound.

use super::call::Call;
use super::event::AgentEvent;
use super::failure::TaskError;
use super::lack;
use super::mcp::Tools;
use super::output::Promise;
use super::task::Task;
use crate::model::openai::ToolCall;
use crate::plan::{self, Plan, PlanError, Step};
use crate::telemetry::ActiveSpan;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use rmcp::model::Tool;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Most calls under way at once.
pub(super) const MAX_AT_ONCE: usize = 4;

/// A step that was carried out.
pub(super) struct Done {
    pub(super) call: ToolCall,
    pub(super) result: Value,
}

/// The tools a plan calls, with what they promise.
struct Offer {
    promise: Promise,
    may_repeat: bool,
}

/// What is done, under way and open of a plan.
struct Board<'a> {
    plan: &'a Plan,
    begun: BTreeSet<usize>,
    /// Results by id of the step.
    results: BTreeMap<String, Value>,
    /// Steps that were carried out, by place.
    done: BTreeMap<usize, Done>,
    /// The failure of the step that stands first in the plan.
    failure: Option<(usize, TaskError)>,
}

impl<'a> Board<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            begun: BTreeSet::new(),
            results: BTreeMap::new(),
            done: BTreeMap::new(),
            failure: None,
        }
    }

    /// The first step that can begin; none once a step has failed.
    fn next(&mut self) -> Option<(usize, &'a Step)> {
        if self.failure.is_some() {
            return None;
        }
        let can_begin = |(place, step): &(usize, &Step)| {
            !self.begun.contains(place)
                && step
                    .waits_for()
                    .iter()
                    .all(|id| self.results.contains_key(*id))
        };
        let next = self.plan.steps.iter().enumerate().find(can_begin)?;
        self.begun.insert(next.0);
        Some(next)
    }

    fn finish(&mut self, place: usize, call: ToolCall, result: Result<Value, TaskError>) {
        match result {
            Ok(result) => {
                self.results.insert(call.id.clone(), result.clone());
                self.done.insert(place, Done { call, result });
            }
            Err(error) => self.fail(place, error),
        }
    }

    fn fail(&mut self, place: usize, error: TaskError) {
        if self
            .failure
            .as_ref()
            .is_none_or(|(first, _)| place < *first)
        {
            self.failure = Some((place, error));
        }
    }

    /// Every step in the order of the plan.
    fn outcome(self) -> Result<Vec<Done>, TaskError> {
        match self.failure {
            Some((_, error)) => Err(error),
            None => Ok(self.done.into_values().collect()),
        }
    }
}

impl Task<'_> {
    /// Carries the plan out. After a failure nothing new is begun, and what is under way is still waited for, so that
    /// its end is known and told.
    pub(super) async fn carry_out(
        &self,
        plan: &Plan,
        offered: &[Tool],
        tools: &Tools,
        span: &ActiveSpan,
    ) -> Result<Vec<Done>, TaskError> {
        let offers = offers(plan, offered)?;
        let mut board = Board::new(plan);
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < MAX_AT_ONCE
                && let Some((place, step)) = board.next()
            {
                match resolved(step, &board, offered) {
                    Ok(arguments) => {
                        let offer = &offers[step.tool.as_str()];
                        let call = Call {
                            place,
                            step,
                            arguments,
                            promise: &offer.promise,
                            may_repeat: offer.may_repeat,
                        };
                        let begun = self.begin(call, tools, span).await;
                        under_way.push(begun);
                    }
                    Err(error) => board.fail(place, error),
                }
            }
            match under_way.next().await {
                Some((place, call, result)) => board.finish(place, call, result),
                None => return board.outcome(),
            }
        }
    }

    /// Tells of the call before it is made, so that calls are told in the order they begin.
    async fn begin<'b>(
        &'b self,
        call: Call<'b>,
        tools: &'b Tools,
        span: &'b ActiveSpan,
    ) -> impl Future<Output = (usize, ToolCall, Result<Value, TaskError>)> + 'b {
        let Step { id, tool, .. } = call.step;
        let arguments = Value::Object(call.arguments.clone());
        let told = ToolCall::new(id, tool, &arguments);
        self.tell(AgentEvent::Call {
            call_id: id.clone(),
            tool: tool.clone(),
            arguments,
        })
        .await;
        async move { (call.place, told, self.call(call, tools, span).await) }
    }
}

/// The arguments of a step, from the results so far.
fn resolved(
    step: &Step,
    board: &Board<'_>,
    offered: &[Tool],
) -> Result<Map<String, Value>, TaskError> {
    plan::resolve(&step.arguments, &board.results).map_err(|source| {
        let tool = step.tool.clone();
        match nothing_there(&source, board, offered) {
            Some((from, lack)) => TaskError::NothingThere { tool, from, lack },
            None => TaskError::Arguments { tool, source },
        }
    })
}

/// Which tool's result lacks what a step needs, and what that is.
fn nothing_there(
    error: &PlanError,
    board: &Board<'_>,
    offered: &[Tool],
) -> Option<(String, String)> {
    let PlanError::NoValue { from, pointer } = error else {
        return None;
    };
    let name = &board.plan.steps.iter().find(|step| step.id == *from)?.tool;
    let tool = offered.iter().find(|tool| tool.name == *name);
    let schema = tool.and_then(|tool| tool.output_schema.as_deref());
    let schema = schema.map(|schema| Value::Object(schema.clone()));
    let lack = lack::told(pointer, board.results.get(from)?, schema.as_ref());
    Some((name.clone(), lack))
}

/// What the called tools promise; a promise that cannot be checked ends the task before anything is called.
fn offers<'a>(plan: &'a Plan, offered: &[Tool]) -> Result<BTreeMap<&'a str, Offer>, TaskError> {
    let mut offers = BTreeMap::new();
    for step in &plan.steps {
        let Some(tool) = offered.iter().find(|tool| tool.name == step.tool) else {
            continue;
        };
        let promise = Promise::of(tool).map_err(|source| TaskError::OutputSchema {
            tool: step.tool.clone(),
            source,
        })?;
        let may_repeat = may_repeat(tool);
        offers.insert(
            step.tool.as_str(),
            Offer {
                promise,
                may_repeat,
            },
        );
    }
    Ok(offers)
}

/// A call whose answer was lost may have been carried out. A tool that says that a second call would do harm or have
/// an effect of its own is not called again.
fn may_repeat(tool: &Tool) -> bool {
    let Some(hints) = &tool.annotations else {
        return true;
    };
    hints.read_only_hint == Some(true)
        || (hints.destructive_hint != Some(true) && hints.idempotent_hint != Some(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::ToolAnnotations;
    use serde_json::json;

    fn plan(steps: &Value) -> Plan {
        serde_json::from_value(json!({"steps": steps})).unwrap()
    }

    fn begin(board: &mut Board<'_>) -> Vec<String> {
        std::iter::from_fn(|| board.next())
            .map(|(_, step)| step.id.clone())
            .collect()
    }

    fn call(id: &str) -> ToolCall {
        ToolCall::new(id, "t", &json!({}))
    }

    #[test]
    fn a_step_begins_when_all_it_waits_for_is_done() {
        let plan = plan(&json!([
            {"id": "a", "tool": "t"},
            {"id": "b", "tool": "t", "after": ["a"]},
            {"id": "c", "tool": "t"},
            {"id": "d", "tool": "t", "arguments": {"x": {"from": "b", "pointer": ""}, "y": {"from": "c", "pointer": ""}}}]));
        let mut board = Board::new(&plan);
        assert_eq!(begin(&mut board), ["a", "c"]);
        board.finish(2, call("c"), Ok(json!(1)));
        assert_eq!(begin(&mut board), [] as [&str; 0]);
        board.finish(0, call("a"), Ok(json!(1)));
        assert_eq!(begin(&mut board), ["b"]);
        board.finish(1, call("b"), Ok(json!(1)));
        assert_eq!(begin(&mut board), ["d"]);
        board.finish(3, call("d"), Ok(json!(1)));
        let ids: Vec<_> = board
            .outcome()
            .unwrap()
            .into_iter()
            .map(|done| done.call.id)
            .collect();
        assert_eq!(ids, ["a", "b", "c", "d"]);
    }

    #[test]
    fn nothing_begins_after_a_failure_and_the_first_of_the_plan_is_told() {
        let plan = plan(
            &json!([{"id": "a", "tool": "t"}, {"id": "b", "tool": "t"}, {"id": "c", "tool": "t"}]),
        );
        let mut board = Board::new(&plan);
        board.next();
        board.next();
        board.finish(1, call("b"), Err(TaskError::NoAnswer));
        assert_eq!(begin(&mut board), [] as [&str; 0]);
        board.finish(0, call("a"), Err(TaskError::Abandoned));
        assert!(matches!(board.outcome(), Err(TaskError::Abandoned)));
    }

    #[test]
    fn a_tool_that_says_that_a_second_call_does_harm_is_not_called_again() {
        let repeats = |annotations: Option<ToolAnnotations>| {
            let mut tool = Tool::new("t", "d", std::sync::Arc::default());
            tool.annotations = annotations;
            may_repeat(&tool)
        };
        assert!(repeats(None));
        assert!(repeats(Some(
            ToolAnnotations::new().read_only(true).destructive(true)
        )));
        assert!(!repeats(Some(ToolAnnotations::new().destructive(true))));
        assert!(!repeats(Some(ToolAnnotations::new().idempotent(false))));
    }
}
