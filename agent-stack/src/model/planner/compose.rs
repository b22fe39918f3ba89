//! Makes a plan: which of the offered tools to call, in which order, with what.

use super::offer::{Ability, Offered, pick, pointer_to};
use super::question::Question;
use crate::model::openai::ToolOffer;
use crate::plan::{Plan, Step};
use serde_json::{Value, json};

/// Integer arithmetic in cents and hundredths of a percent, so that no rounding hides in floating point.
const TOTAL_PROGRAM: &str = "\
cents = round({{price}} * 100)
total = (cents * {{quantity}} * (10000 - {{discount}}) + 5000) // 10000
print(f'{total // 100}.{total % 100:02d}')
";

/// The plan for `question` with the tools at hand; what they cannot do stands in `missing`.
pub(super) fn compose(question: &Question, offers: &[ToolOffer]) -> Plan {
    let mut draft = Draft {
        offers,
        plan: Plan::default(),
    };
    if question.asks_price {
        draft.price(question);
    } else {
        draft.search(question);
    }
    if !draft.plan.missing.is_empty() {
        draft.plan.steps.clear();
    }
    draft.plan
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
    fn price(&mut self, question: &Question) {
        let item = match &question.sku {
            Some(sku) => Some(json!(sku)),
            None => self.find_item(question),
        };
        let priced = self.call(Ability::Price, |_| item);
        if question.needs_arithmetic() {
            let price = priced.and_then(|done| {
                self.reference(&done, "a price", |name| {
                    name.to_lowercase().contains("price")
                })
            });
            self.call(Ability::Code, |_| {
                price.map(|price| total(question, &price))
            });
        }
    }

    /// Searches for the thing and refers to the item number in the best hit.
    fn find_item(&mut self, question: &Question) -> Option<Value> {
        let searched = self.search(question)?;
        let wanted = pick(self.offers, Ability::Price).map(|tool| tool.argument);
        let accepts =
            |name: &str| wanted.as_deref() == Some(name) || name.to_lowercase().starts_with("sku");
        self.reference(&searched, "an item number", accepts)
    }

    fn search(&mut self, question: &Question) -> Option<Done> {
        self.call(Ability::Search, |_| Some(json!(question.query())))
    }

    /// Adds a step with a tool for `ability`; notes what is missing when there is none.
    fn call(
        &mut self,
        ability: Ability,
        argument: impl FnOnce(&Offered) -> Option<Value>,
    ) -> Option<Done> {
        let Some(tool) = pick(self.offers, ability) else {
            self.plan.missing.push(ability.need().to_owned());
            return None;
        };
        let argument = argument(&tool)?;
        let id = format!("step-{}", self.plan.steps.len() + 1);
        let arguments = [(tool.argument.clone(), argument)].into_iter().collect();
        self.plan.steps.push(Step {
            id: id.clone(),
            tool: tool.name.clone(),
            arguments,
        });
        Some(Done { id, tool })
    }

    /// A reference into the result of a step; notes it as missing when the result is not known to have that.
    fn reference(
        &mut self,
        done: &Done,
        what: &str,
        accepts: impl Fn(&str) -> bool,
    ) -> Option<Value> {
        let pointer = done
            .tool
            .result
            .as_ref()
            .and_then(|schema| pointer_to(schema, accepts));
        if pointer.is_none() {
            self.plan
                .missing
                .push(format!("{what} in the result of `{}`", done.tool.name));
        }
        pointer.map(|pointer| json!({"from": done.id, "pointer": pointer}))
    }
}

fn total(question: &Question, price: &Value) -> Value {
    let values = json!({"price": price, "quantity": question.quantity.unwrap_or(1), "discount": question.discount});
    json!({"template": TOTAL_PROGRAM, "values": values})
}
