//! The parameters of a request beside the conversation.

use crate::model::error::ApiError;
use crate::model::openai::ChatRequest;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Most stop sequences, as in OpenAI's API.
const MAX_STOPS: usize = 4;

/// What a request may have beside the conversation; `null` is as good as absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    pub(super) tool_choice: Option<Value>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) seed: Option<i64>,
    stop: Option<Value>,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    n: Option<i64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    logit_bias: Option<BTreeMap<String, f64>>,
    logprobs: Option<bool>,
    top_logprobs: Option<i64>,
    modalities: Option<Vec<String>>,
    audio: Option<Value>,
    functions: Option<Value>,
    function_call: Option<Value>,
}

impl Parameters {
    /// Checks what is not used any further: ranges, and what this server does not do.
    ///
    /// # Errors
    /// The first parameter that is wrong.
    pub(super) fn check(&self, chat: &ChatRequest) -> Result<(), ApiError> {
        self.check_ranges()?;
        self.check_supported()?;
        if chat.stream_options.is_some() && !chat.stream {
            let reason = "belongs to requests with `stream: true`";
            return Err(ApiError::value("stream_options", reason));
        }
        if self.parallel_tool_calls.is_some() && chat.tools.is_empty() {
            let reason = "belongs to requests with `tools`";
            return Err(ApiError::value("parallel_tool_calls", reason));
        }
        Ok(())
    }

    fn check_ranges(&self) -> Result<(), ApiError> {
        within("temperature", self.temperature, 0.0..=2.0)?;
        within("top_p", self.top_p, 0.0..=1.0)?;
        within("presence_penalty", self.presence_penalty, -2.0..=2.0)?;
        within("frequency_penalty", self.frequency_penalty, -2.0..=2.0)?;
        let biases = self.logit_bias.iter().flatten();
        biases
            .into_iter()
            .try_for_each(|(_, bias)| within("logit_bias", Some(*bias), -100.0..=100.0))
    }

    fn check_supported(&self) -> Result<(), ApiError> {
        let text_only = |modalities: &Vec<String>| modalities.iter().all(|one| one == "text");
        let probabilities = "the engine has no probabilities of tokens";
        let text = "the engine reads and writes text";
        let deprecated = "it is out of use; offer `tools`";
        let refused = [
            (
                "n",
                self.n.is_some_and(|n| n != 1),
                "there is one answer to a request, so `n` is 1",
            ),
            ("logprobs", self.logprobs == Some(true), probabilities),
            (
                "top_logprobs",
                self.top_logprobs.is_some_and(|top| top != 0),
                probabilities,
            ),
            (
                "modalities",
                !self.modalities.as_ref().is_none_or(text_only),
                text,
            ),
            ("audio", self.audio.is_some(), text),
            ("functions", self.functions.is_some(), deprecated),
            ("function_call", self.function_call.is_some(), deprecated),
        ];
        match refused.into_iter().find(|(_, given, _)| *given) {
            Some((param, _, reason)) => Err(ApiError::Unsupported { param, reason }),
            None => Ok(()),
        }
    }

    /// The texts the answer ends before.
    ///
    /// # Errors
    /// When there are too many, or one is empty.
    pub(super) fn stop(&self) -> Result<Vec<String>, ApiError> {
        let form = || ApiError::value("stop", "is neither a text nor a list of texts");
        let stops = match &self.stop {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(form))
                .collect::<Result<_, _>>()?,
            Some(one) => vec![one.as_str().ok_or_else(form)?.to_owned()],
        };
        if stops.len() > MAX_STOPS {
            let reason = format!("has {} texts; it may have {MAX_STOPS}", stops.len());
            return Err(ApiError::value("stop", reason));
        }
        if stops.iter().any(String::is_empty) {
            return Err(ApiError::value("stop", "has an empty text"));
        }
        Ok(stops)
    }

    /// Most tokens of the answer, from the old or the new name of the parameter.
    ///
    /// # Errors
    /// When both names are used, or the number is less than 1.
    pub(super) fn max_tokens(&self) -> Result<Option<u32>, ApiError> {
        let (param, given) = match (self.max_completion_tokens, self.max_tokens) {
            (Some(_), Some(_)) => {
                let reason = "is the old name of `max_completion_tokens`; give one of them";
                return Err(ApiError::value("max_tokens", reason));
            }
            (None, given) => ("max_tokens", given),
            (given, None) => ("max_completion_tokens", given),
        };
        match given {
            Some(number) if number < 1 => {
                let reason = format!("is {number}; it has to be 1 or more");
                Err(ApiError::value(param, reason))
            }
            given => Ok(given.map(|number| u32::try_from(number).unwrap_or(u32::MAX))),
        }
    }

    /// Names of the parameters that are given and change nothing: they steer chance, and the engine has none.
    pub(super) fn ignored(&self) -> Vec<&'static str> {
        let chance = [
            ("temperature", self.temperature.is_some()),
            ("top_p", self.top_p.is_some()),
            ("presence_penalty", self.presence_penalty.is_some()),
            ("frequency_penalty", self.frequency_penalty.is_some()),
            ("logit_bias", self.logit_bias.is_some()),
        ];
        let given = chance.into_iter().filter(|(_, given)| *given);
        given.map(|(name, _)| name).collect()
    }
}

fn within(
    param: &'static str,
    value: Option<f64>,
    range: RangeInclusive<f64>,
) -> Result<(), ApiError> {
    match value {
        Some(value) if !range.contains(&value) => {
            let (low, high) = (range.start(), range.end());
            let reason = format!("is {value}; it has to be between {low} and {high}");
            Err(ApiError::value(param, reason))
        }
        _ => Ok(()),
    }
}
