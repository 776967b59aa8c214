//! Which trigger events a subscription wants: an expression of the Common Expression Language.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::{Context, Program, Value};

use super::EventFacts;
use super::scan::look_through;
use crate::model::limits::{EVENT_FILTER_BYTES_MAX, EVENT_FILTER_DEPTH_MAX, EVENT_FILTER_LOOP_BYTES_MAX};

/// An expression over `id`, `key`, `payload` and `metadata` that is true of the events that are wanted, such as
/// `payload.total > 100 && metadata.region == "eu"`.
///
/// It computes and nothing else: there is no assignment, no call but to the language's own functions, and one pass over a list
/// at most inside another expression, so that its cost is bounded by the payload's size.
#[derive(Clone, PartialEq, Eq)]
pub struct EventFilter(String);

/// Why an expression cannot be a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the filter {text:?} cannot be used: {problem}")]
pub struct EventFilterError {
    /// The first characters of it.
    pub text: String,
    /// What is wrong, and what would do.
    pub problem: String,
}

impl EventFilter {
    /// Reads an expression, and checks what can be checked without an event.
    ///
    /// # Errors
    /// [`EventFilterError`] for what cannot be read, speaks of what there is not, is no truth value, or compares what cannot be
    /// compared.
    pub fn parse(text: &str) -> Result<EventFilter, EventFilterError> {
        let wrong = |problem: String| EventFilterError { text: text.chars().take(80).collect(), problem };
        if text.len() > EVENT_FILTER_BYTES_MAX {
            return Err(wrong(format!("it has {} bytes, the limit is {EVENT_FILTER_BYTES_MAX}", text.len())));
        }
        if nesting(text) > EVENT_FILTER_DEPTH_MAX {
            return Err(wrong(format!("it is nested deeper than {EVENT_FILTER_DEPTH_MAX} levels")));
        }
        let program = compile(text).map_err(wrong)?;
        look_through(program.expression()).map_err(wrong)?;
        Ok(EventFilter(text.to_owned()))
    }

    /// Returns the expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says why an event is not wanted; `None` when it is.
    pub fn refusal(&self, event: &EventFacts<'_>) -> Option<String> {
        match evaluate(&self.0, event) {
            Ok(true) => None,
            Ok(false) => Some("the filter is false".to_owned()),
            Err(problem) => Some(format!("the filter failed: {problem}")),
        }
    }
}

fn compile(text: &str) -> Result<Program, String> {
    Program::compile(text).map_err(|errors| {
        let first = errors.errors.first();
        first.map_or("it cannot be read".to_owned(), |error| {
            format!("line {}, column {}: {}", error.pos.0, error.pos.1, first_line(&error.msg))
        })
    })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

fn evaluate(expression: &str, event: &EventFacts<'_>) -> Result<bool, String> {
    let program = compile(expression)?;
    let bytes = event.payload.text().len();
    if bytes > EVENT_FILTER_LOOP_BYTES_MAX && look_through(program.expression())? {
        return Err(format!(
            "the payload has {bytes} bytes: a pass over a list looks at {EVENT_FILTER_LOOP_BYTES_MAX} at most"
        ));
    }
    let payload: serde_json::Value = event.payload.read().map_err(|error| error.to_string())?;
    let mut context = Context::default();
    let metadata = event.metadata.iter().map(|(name, value)| (name.clone(), text(value)));
    context.add_variable_from_value("id", text(event.id));
    context.add_variable_from_value("key", text(event.key));
    context.add_variable_from_value("payload", value(payload));
    context.add_variable_from_value("metadata", Value::Map(metadata.collect::<HashMap<_, _>>().into()));
    match program.execute(&context) {
        Ok(Value::Bool(verdict)) => Ok(verdict),
        Ok(other) => Err(format!("it is a {}, not true or false", other.type_of())),
        Err(error) => Err(first_line(&error.to_string())),
    }
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

/// Takes a JSON value as the language's own. Whole numbers are signed ones as long as they fit, as literals are.
fn value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::UInt(number),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Arc::new(text)),
        Json::Array(all) => Value::List(Arc::new(all.into_iter().map(value).collect())),
        Json::Object(all) => {
            let all = all.into_iter().map(|(name, of)| (name, value(of)));
            Value::Map(all.collect::<HashMap<_, _>>().into())
        }
    }
}

/// Returns how deep brackets are nested, those in texts counted, too.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' | b'?' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

impl fmt::Display for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
