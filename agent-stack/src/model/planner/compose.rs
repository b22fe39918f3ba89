//! Makes a plan: which of the offered tools to call, in which order, with what.

use super::offer::{Ability, Offered, Table, pick, pointer_to, table_in};
use super::program;
use super::question::{Goal, Item, Question};
use crate::model::engine::Engine;
use crate::model::openai::ToolOffer;
use crate::plan::{MAX_STEPS, Plan, Step};
use serde_json::{Map, Value, json};

/// Most things of one request: each may need a search and a look-up, and one step is left for the arithmetic.
const MAX_ITEMS: usize = (MAX_STEPS - 1) / 2;

/// The plan for `question` with the tools at hand; what they cannot do stands in `missing`.
pub(super) fn compose(question: &Question, offers: &[ToolOffer], engine: Engine) -> Plan {
    let mut draft = Draft {
        offers,
        plan: Plan::default(),
    };
    match question.goal() {
        Goal::Price => draft.prices(question),
        Goal::Analysis => draft.analysis(question),
        Goal::Documents => {
            draft.search(&question.query());
        }
    }
    let mut plan = draft.plan;
    if !plan.missing.is_empty() {
        plan.steps.clear();
    }
    if engine == Engine::RefPlannerV1 {
        one_after_the_other(&mut plan);
    }
    plan
}

/// Makes every step wait for the one before it, unless an argument makes it wait anyway.
fn one_after_the_other(plan: &mut Plan) {
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.clone()).collect();
    for (previous, step) in ids.into_iter().zip(plan.steps.iter_mut().skip(1)) {
        if !step.waits_for().contains(previous.as_str()) {
            step.after.push(previous);
        }
    }
}

struct Draft<'a> {
    offers: &'a [ToolOffer],
    plan: Plan,
}

/// A step that will have run, with what is known of its result.
struct Done {
    id: String,
    tool: Offered,
}

impl Draft<'_> {
    fn prices(&mut self, question: &Question) {
        if question.items.len() > MAX_ITEMS {
            self.miss(format!("a request for at most {MAX_ITEMS} things at once"));
            return;
        }
        let found: Vec<_> = question
            .items
            .iter()
            .map(|item| self.item_number(item))
            .collect();
        let priced: Vec<_> = found
            .into_iter()
            .map(|number| self.call(Ability::Price, number))
            .collect();
        if question.needs_arithmetic() {
            let lines = question
                .items
                .iter()
                .zip(priced)
                .map(|(item, done)| self.line(item, &done?))
                .collect::<Option<Vec<_>>>();
            self.compute(lines, |lines| program::total(&lines, question.discount));
        }
    }

    /// The number of an item: named in the request, or in the best hit of a search for its words.
    fn item_number(&mut self, item: &Item) -> Option<Value> {
        if let Some(sku) = &item.sku {
            return Some(json!(sku));
        }
        if item.words.is_empty() {
            self.miss("the name of a thing in the request");
            return None;
        }
        let searched = self.search(&item.query())?;
        let wanted = pick(self.offers, Ability::Price).map(|tool| tool.argument);
        let accepts =
            |name: &str| wanted.as_deref() == Some(name) || name.to_lowercase().starts_with("sku");
        self.reference(&searched, "an item number", accepts)
    }

    /// Price, currency and number of one thing.
    fn line(&mut self, item: &Item, done: &Done) -> Option<Value> {
        let price = self.reference(done, "a price", |name| {
            name.to_lowercase().contains("price")
        })?;
        let schema = done.tool.result.as_ref()?;
        let currency = pointer_to(schema, |name| name.eq_ignore_ascii_case("currency"));
        let currency = currency.map(|pointer| json!({"from": done.id, "pointer": pointer}));
        Some(json!({"price": price, "quantity": item.quantity.unwrap_or(1), "currency": currency}))
    }

    fn analysis(&mut self, question: &Question) {
        if question.machine.is_none() {
            self.miss("the name of a machine in the request, for example P-100");
        }
        let machine = question.machine.as_ref().map(|machine| json!(machine));
        let table = self
            .call(Ability::Data, machine)
            .and_then(|done| self.rows(&done));
        self.compute(table, |(rows, table)| {
            program::statistics(&rows, &table, question)
        });
    }

    /// A reference to the rows in a result, and their form.
    fn rows(&mut self, done: &Done) -> Option<(Value, Table)> {
        let Some((pointer, table)) = done.tool.result.as_ref().and_then(table_in) else {
            self.miss(format!(
                "measured values in the result of `{}`",
                done.tool.name
            ));
            return None;
        };
        Some((json!({"from": done.id, "pointer": pointer}), table))
    }

    fn search(&mut self, query: &str) -> Option<Done> {
        self.call(Ability::Search, Some(json!(query)))
    }

    /// Adds a step that runs a program made of `values`.
    fn compute<T>(&mut self, values: Option<T>, program: impl FnOnce(T) -> Value) {
        self.call(Ability::Code, values.map(program));
    }

    /// Adds a step with a tool for `ability`; notes what is missing when there is none.
    fn call(&mut self, ability: Ability, argument: Option<Value>) -> Option<Done> {
        let Some(tool) = pick(self.offers, ability) else {
            self.miss(ability.need());
            return None;
        };
        let id = format!("step-{}", self.plan.steps.len() + 1);
        self.plan.steps.push(Step {
            id: id.clone(),
            tool: tool.name.clone(),
            arguments: Map::from_iter([(tool.argument.clone(), argument?)]),
            after: Vec::new(),
        });
        Some(Done { id, tool })
    }

    fn miss(&mut self, need: impl Into<String>) {
        let need = need.into();
        if !self.plan.missing.contains(&need) {
            self.plan.missing.push(need);
        }
    }

    /// A reference into the result of a step; notes it as missing when the result is not known to have that.
    fn reference(
        &mut self,
        done: &Done,
        what: &str,
        accepts: impl Fn(&str) -> bool,
    ) -> Option<Value> {
        let schema = done.tool.result.as_ref();
        let pointer = schema.and_then(|schema| pointer_to(schema, accepts));
        if pointer.is_none() {
            self.miss(format!("{what} in the result of `{}`", done.tool.name));
        }
        pointer.map(|pointer| json!({"from": done.id, "pointer": pointer}))
    }
}
