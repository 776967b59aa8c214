//! Which trigger events a subscription wants: an expression of the Common Expression Language.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::{Context, Program, Value};

use super::reach::reach;
use super::scan::look_through;
use crate::model::limits::{EVENT_FILTER_BYTES_MAX, EVENT_FILTER_LOOP_BYTES_MAX, EVENT_FILTER_STACK_BYTES};
use crate::model::{Payload, Redaction};

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

/// A message from outside, as filters see it.
#[derive(Clone, Copy, Debug)]
pub struct EventFacts<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its key.
    pub key: &'a str,
    /// What it carries.
    pub payload: &'a Payload,
    /// Its tags.
    pub metadata: &'a BTreeMap<String, String>,
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
        let checked = on_a_deep_stack(|| guarded(|| checked(text).map(drop)));
        checked.map_err(|error| wrong(format!("it could not be checked: {error}")))?.map_err(wrong)?;
        Ok(EventFilter(text.to_owned()))
    }

    /// Says how the filter could tell of values that are hidden, by which events it wants; `None` when it cannot.
    ///
    /// It cannot if it neither names what a path ends at nor makes names while it is evaluated.
    pub fn tells_of(&self, redaction: &Redaction) -> Option<String> {
        if redaction.is_empty() {
            return None;
        }
        let told = on_a_deep_stack(|| {
            guarded(|| {
                let program = compile(&self.0)?;
                let reach = reach(program.expression());
                if !reach.is_of_payload {
                    return Ok(None);
                }
                if reach.is_computed {
                    return Ok(Some(
                        "it makes a name while it is evaluated, which may be that of a hidden value"
                            .to_owned(),
                    ));
                }
                let mut ends = redaction.ends();
                Ok(ends.find_map(|(path, name)| match name {
                    None => {
                        Some(format!("it speaks of the payload, and {path} hides values by their places"))
                    }
                    Some(name) => reach
                        .names
                        .contains(name)
                        .then(|| format!("it speaks of {name:?}, which {path} hides")),
                }))
            })
        });
        // What cannot be looked through may tell of anything.
        told.unwrap_or_else(|error| Err(error.to_string())).unwrap_or_else(Some)
    }

    /// Returns the expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EventFacts<'_> {
    /// Says of each filter why it does not want the event; `None` when it does, or there is none.
    ///
    /// # Errors
    /// The system has no thread left: no filter was asked.
    pub fn refusals(&self, filters: &[Option<&str>]) -> io::Result<Vec<Option<String>>> {
        if filters.iter().all(Option::is_none) {
            return Ok(vec![None; filters.len()]);
        }
        on_a_deep_stack(|| {
            let context = guarded(|| context(self));
            let refusal = |filter: &str| {
                let context = context.as_ref().map_err(Clone::clone);
                match context.and_then(|context| guarded(|| self.holds(filter, context))) {
                    Ok(true) => None,
                    Ok(false) => Some("the filter is false".to_owned()),
                    Err(problem) => Some(format!("the filter failed: {problem}")),
                }
            };
            filters.iter().map(|filter| refusal((*filter)?)).collect()
        })
    }

    fn holds(&self, filter: &str, context: &Context<'_, '_>) -> Result<bool, String> {
        let (program, has_loop) = checked(filter)?;
        let bytes = self.payload.text().len();
        if bytes > EVENT_FILTER_LOOP_BYTES_MAX && has_loop {
            return Err(format!(
                "the payload has {bytes} bytes: a pass over a list looks at {EVENT_FILTER_LOOP_BYTES_MAX} at most"
            ));
        }
        match program.execute(context) {
            Ok(Value::Bool(verdict)) => Ok(verdict),
            Ok(other) => Err(format!("it is a {}, not true or false", other.type_of())),
            Err(error) => Err(first_line(&error.to_string())),
        }
    }
}

/// Runs what recurses as deep as an expression says: on a thread of its own, since a stack that overflows takes the process
/// with it, and with every run in it.
fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let builder = std::thread::Builder::new().name("runlog-filter".to_owned());
    std::thread::scope(|scope| {
        let thread = builder.stack_size(EVENT_FILTER_STACK_BYTES).spawn_scoped(scope, work)?;
        thread.join().map_err(|_| io::Error::other("it panicked"))
    })
}

/// Turns a panic of the language's own code into a refusal: what one subscription says must not fail the push for the others.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let panicked = |_| Err("it cannot be evaluated: its evaluator panicked".to_owned());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

fn context(event: &EventFacts<'_>) -> Result<Context<'static, 'static>, String> {
    let payload: serde_json::Value = event.payload.read().map_err(|error| error.to_string())?;
    let metadata = event.metadata.iter().map(|(name, value)| (name.clone(), text(value)));
    let mut context = Context::default();
    context.add_variable_from_value("id", text(event.id));
    context.add_variable_from_value("key", text(event.key));
    context.add_variable_from_value("payload", value(payload));
    context.add_variable_from_value("metadata", Value::Map(metadata.collect::<HashMap<_, _>>().into()));
    Ok(context)
}

/// Reads an expression and looks through it; says whether it passes over a list, too.
fn checked(text: &str) -> Result<(Program, bool), String> {
    let program = compile(text)?;
    let has_loop = look_through(program.expression())?;
    Ok((program, has_loop))
}

fn compile(text: &str) -> Result<Program, String> {
    if text.trim().is_empty() {
        return Err("it is empty: leave it out where every event is wanted".to_owned());
    }
    Program::compile(text).map_err(|errors| {
        let first = errors.errors.first();
        first.map_or("it cannot be read".to_owned(), |error| {
            format!("line {}, column {}: {}", error.pos.0, error.pos.1, unread(&error.msg))
        })
    })
}

/// Says what the parser could not read; which of its tokens it would have taken says little.
fn unread(message: &str) -> String {
    let line = first_line(message);
    let line = line.strip_prefix("Syntax error: ").unwrap_or(&line);
    match line.split_once(" expecting ").map_or(line, |(found, _)| found) {
        found if found.contains("<EOF>") => "it ends too early".to_owned(),
        found => found.to_owned(),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
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
