//! What may come next in the search box: keys of the grammar, and values that runs have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::http::routes::lists;
use crate::http::{Caller, Params, Problem, Service};
use crate::model::filter::keys::{KEYS, TRIGGERS};
use crate::model::filter::{Pattern, Property, Term, Test, quoted};
use crate::model::limits::FILTER_CHARS_MAX;
use crate::model::{Namespace, Status};
use crate::store::Seen;

/// Suggestions of one answer: more is no choice.
const OPTIONS_MAX: usize = 12;

/// For how long what was seen is told again.
const SEEN_KEPT: Duration = Duration::from_secs(300);

/// Namespaces whose values are kept; then all are read anew.
const NAMESPACES_MAX: usize = 200;

/// Times that people ask for.
const AGES: [&str; 6] = ["15m", "1h", "24h", "7d", "30d", "90d"];
const LENGTHS: [&str; 4] = [">1s", ">10s", ">1m", ">1h"];

/// What was seen lately, by namespace: what one tenant has is told to no other.
#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<Namespace, Place>>);

/// What one namespace has, once it was read.
struct Place {
    asked_at: Instant,
    seen: Arc<OnceCell<Seen>>,
}

impl Kept {
    /// Returns the place for what a namespace has; whoever asks first fills it, the others wait for him.
    fn place(&self, namespace: &Namespace) -> Arc<OnceCell<Seen>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, place| place.asked_at.elapsed() < SEEN_KEPT);
        if kept.len() >= NAMESPACES_MAX {
            kept.clear();
        }
        let new = || Place { asked_at: Instant::now(), seen: Arc::default() };
        Arc::clone(&kept.entry(namespace.clone()).or_insert_with(new).seen)
    }

    /// Returns what a namespace has, as it was some minutes ago; nothing when that cannot be read: the grammar is known
    /// without the database.
    pub(super) async fn seen(&self, service: &Service, namespace: &Namespace) -> Seen {
        let place = self.place(namespace);
        let read = async || Ok::<_, Problem>(service.lists().await?.seen(namespace).await?);
        match place.get_or_try_init(read).await {
            Ok(seen) => seen.clone(),
            Err(problem) => {
                tracing::debug!(error = problem.detail(), "no values are known");
                Seen::default()
            }
        }
    }
}

/// What may stand in place of the word before the caret.
#[derive(Serialize)]
struct Suggestions {
    /// What stands before that word and stays.
    keep: String,
    options: Vec<Choice>,
}

#[derive(Serialize)]
struct Choice {
    /// What takes the word's place.
    text: String,
    /// What it finds.
    says: String,
}

/// Answers what may stand in place of the word at the end of `q`, the text before the caret.
pub(super) async fn answer(
    State(service): State<Arc<Service>>,
    Extension(kept): Extension<Arc<Kept>>,
    caller: Caller,
    params: Params,
) -> Result<Response, Problem> {
    let namespace = lists::namespace(&caller, &params)?;
    let typed = params.text("q").unwrap_or_default();
    if typed.chars().count() > FILTER_CHARS_MAX {
        return Ok(axum::Json(Suggestions { keep: typed.to_owned(), options: Vec::new() }).into_response());
    }
    let seen = kept.seen(&service, &namespace).await;
    let at = beginning(typed);
    let (keep, word) = typed.split_at_checked(at).unwrap_or((typed, ""));
    let options = suggested(word, &seen);
    Ok(axum::Json(Suggestions { keep: keep.to_owned(), options }).into_response())
}

/// Finds where the last word begins: behind the last white space that is not between quotes.
fn beginning(text: &str) -> usize {
    let (mut begins, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c.is_whitespace() && !quoted => begins = at + c.len_utf8(),
            _ => {}
        }
    }
    begins
}

fn suggested(word: &str, seen: &Seen) -> Vec<Choice> {
    let (sign, word) = word.strip_prefix('-').map_or(("", word), |rest| ("-", rest));
    let mut options = match word.split_once(':') {
        Some((key, typed)) => values(key, typed, seen),
        None => keys(word, seen),
    };
    options.truncate(OPTIONS_MAX);
    options.iter_mut().for_each(|option| option.text.insert_str(0, sign));
    options
}

/// Keys that begin with a word, and, once it has two letters, values that do.
fn keys(word: &str, seen: &Seen) -> Vec<Choice> {
    let word = word.to_lowercase();
    let grammar = KEYS
        .iter()
        .filter(|key| key.name != "meta.")
        .map(|key| (format!("{}:", key.name), key.finds.to_owned()));
    let named = seen.metadata.keys().map(|name| (metadata(name, ""), format!("runs by their {name}")));
    let keys = grammar.chain(named).filter(|(text, _)| text.to_lowercase().starts_with(&word));
    let keys = keys.map(|(text, says)| Choice { text, says });
    if word.chars().count() < 2 {
        return keys.collect();
    }
    let with = |key: &'static str| {
        move |value: &String| Choice { text: format!("{key}:{}", quoted(value)), says: key.replace('_', " ") }
    };
    let begins = |value: &&String| value.to_lowercase().starts_with(&word);
    let statuses = statuses();
    let all = [
        ("status", &statuses),
        ("workflow", &seen.workflows),
        ("failed_task", &seen.failed_tasks),
        ("kind", &seen.kinds),
    ];
    let values = all.into_iter().flat_map(|(key, values)| values.iter().filter(begins).map(with(key)));
    keys.chain(values).collect()
}

/// Values of a key that begin with what was typed, then those that have it anywhere.
fn values(key: &str, typed: &str, seen: &Seen) -> Vec<Choice> {
    let (before, typed) = match typed.rsplit_once(',') {
        Some((before, last)) => (format!("{before},"), last),
        None => (String::new(), typed),
    };
    let wanted = typed.trim_start_matches('"').to_lowercase();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let all = match key {
        "status" => statuses(),
        "is" => Property::ALL.map(|property| property.as_str().to_owned()).to_vec(),
        "trigger" => words(&TRIGGERS),
        "since" | "until" => words(&AGES),
        "duration" => words(&LENGTHS),
        "workflow" => seen.workflows.clone(),
        "version" => seen.versions.clone(),
        "failed_task" => seen.failed_tasks.clone(),
        "kind" => seen.kinds.clone(),
        // What runs were given is nobody's to be guessed at.
        _ => match key.strip_prefix("meta.") {
            Some(name) => seen.metadata.get(name.trim_matches('"')).cloned().unwrap_or_default(),
            None => Vec::new(),
        },
    };
    let is_plain = matches!(key, "since" | "until" | "duration");
    let (first, rest): (Vec<String>, Vec<String>) = all
        .into_iter()
        .filter(|value| value.to_lowercase().contains(&wanted))
        .partition(|value| value.to_lowercase().starts_with(&wanted));
    let choice = |value: String| {
        let written = if is_plain { value } else { quoted(&value) };
        Choice { text: format!("{key}:{before}{written}"), says: String::new() }
    };
    first.into_iter().chain(rest).map(choice).collect()
}

fn statuses() -> Vec<String> {
    Status::ALL.map(|status| status.as_str().to_lowercase()).to_vec()
}

/// Writes a term for a pair of metadata, with the name quoted where that is needed.
pub(super) fn metadata(name: &str, value: &str) -> String {
    let test = Test::Metadata(name.to_owned(), vec![Pattern::Exact(value.to_owned())]);
    let term = Term { negated: false, test }.to_string();
    if value.is_empty() { term.trim_end_matches("\"\"").to_owned() } else { term }
}
