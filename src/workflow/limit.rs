//! How many runs of a workflow may run at once and start in how long, and how long it must be quiet before, as a user writes
//! it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::definition::{Definition, Workflow};
use super::error::BuildError;
use crate::model::ids::check_metadata_name;
use crate::model::limit::{Debounce, Limit, LimitBy, Limited, Policy, Rate};
use crate::model::limits::{DEBOUNCE_MAX, LIMIT_SLOTS_MAX, RATE_STARTS_MAX, RATE_WINDOW_MAX};
use crate::model::{Payload, WorkflowName};

/// How many runs of a workflow that takes an `I` may run at once, counted by a key, on all nodes together.
///
/// A run counts from the moment it is let in until it ends, also while it sleeps or waits: a slot is not given away under
/// it. Runs that are not let in wait in the queue.
#[must_use = "a limit counts on a workflow"]
pub struct Concurrency<I> {
    limit: Limit,
    max_wait: Option<Duration>,
    code: Option<Arc<KeyOf>>,
    input: PhantomData<fn(I)>,
}

/// Finds a run's key by its input.
type KeyOf = dyn Fn(&Payload) -> Result<String, String> + Send + Sync;

impl<I> Concurrency<I> {
    /// Lets `slots` runs of one key run at once, 1 to 100,000. Without a key all runs of the workflow have the same one.
    /// The name is for people.
    pub fn limit(name: &str, slots: u32) -> Concurrency<I> {
        let limit = Limit {
            name: name.to_owned(),
            slots,
            rate: None,
            debounce: None,
            policy: Policy::Queue,
            by: LimitBy::Workflow,
        };
        Concurrency { limit, max_wait: None, code: None, input: PhantomData }
    }

    /// Lets `starts` runs of one key start in any window of so long, however many run at once: see
    /// [`starts`](Concurrency::starts). Where each window has one start and [`cancel_newest`](Concurrency::cancel_newest),
    /// what comes again within it is dropped.
    pub fn rate(name: &str, starts: u32, window: Duration) -> Concurrency<I> {
        Concurrency::limit(name, LIMIT_SLOTS_MAX).starts(starts, window)
    }

    /// Lets the newest run of a key start when the key was quiet for so long, however many run at once: see
    /// [`debounced`](Concurrency::debounced).
    pub fn debounce(name: &str, quiet: Duration) -> Concurrency<I> {
        Concurrency::limit(name, LIMIT_SLOTS_MAX).debounced(quiet)
    }

    /// Lets at most `starts` runs of one key start in any window of so long, on all nodes together: 1 to 10,000, a millisecond
    /// to 31 days. A run starts when it is let in, and counts for the window whether it has ended or not. Default: as many
    /// as have slots.
    pub fn starts(mut self, starts: u32, window: Duration) -> Self {
        self.limit.rate = Some(Rate { starts, window });
        self
    }

    /// Lets a run in when no newer one of its key came for so long: a millisecond to 31 days. A newer one has those cancelled
    /// that wait; what was let in goes on. A run comes when it is created, or at its `start_at`. Then it needs a slot and a
    /// start as any other. Default: a run is let in as soon as it has both.
    pub fn debounced(mut self, quiet: Duration) -> Self {
        self.limit.debounce = Some(Debounce { quiet, max_wait: None });
        self
    }

    /// Lets the newest run of a key in when the first that came since one was let in did so this long ago, though the key
    /// was not quiet: as long as it must be quiet, to 31 days. Default: a key that is never quiet starts nothing.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Counts by the text, number or boolean at a JSON pointer in the input, such as `/tenant`.
    pub fn by_input(mut self, pointer: &str) -> Self {
        self.limit.by = LimitBy::Input(pointer.to_owned());
        self
    }

    /// Counts by the metadata of a name.
    pub fn by_metadata(mut self, name: &str) -> Self {
        self.limit.by = LimitBy::Metadata(name.to_owned());
        self
    }

    /// Lets the keys take turns. Default: the runs of all keys stand in the order of the queue.
    pub fn round_robin(mut self) -> Self {
        self.limit.policy = Policy::RoundRobin;
        self
    }

    /// Has the oldest run of the key cancelled for each one that finds no free slot: its code is told and has 5 s, then the
    /// new one is let in. Where too many started, nobody is: that leaves no start.
    pub fn cancel_oldest(mut self) -> Self {
        self.limit.policy = Policy::CancelOldest;
        self
    }

    /// Has a run cancelled that finds no free slot, or too many started.
    pub fn cancel_newest(mut self) -> Self {
        self.limit.policy = Policy::CancelNewest;
        self
    }
}

impl<I: DeserializeOwned + 'static> Concurrency<I> {
    /// Counts by what `key` makes of the input. Runs can then be started only by a process that has this code.
    pub fn by(mut self, key: impl Fn(I) -> String + Send + Sync + 'static) -> Self {
        self.limit.by = LimitBy::Code;
        self.code = Some(Arc::new(move |input: &Payload| {
            let input = input.read::<I>().map_err(|error| error.to_string())?;
            // The code of a key is the user's: it fails its run only.
            let key = catch_unwind(AssertUnwindSafe(|| key(input)));
            key.map_err(|_| "the code that makes it panicked".to_owned())
        }));
        self
    }
}

/// A limit that was checked, without the type of its input.
#[derive(Clone)]
pub(crate) struct CheckedLimit {
    pub(crate) limit: Limit,
    code: Option<Arc<KeyOf>>,
}

impl CheckedLimit {
    /// Makes it of what is known of a workflow whose code is not here.
    pub(crate) fn without_code(limit: Limit) -> CheckedLimit {
        CheckedLimit { limit, code: None }
    }

    /// Finds the place of a run to be.
    ///
    /// # Errors
    /// The key is found by code that is not here.
    pub(crate) fn of_run(
        &self,
        input: &Payload,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Limited, String> {
        if let Some(limited) = self.limit.of_run(input, metadata) {
            return Ok(limited);
        }
        let name = &self.limit.name;
        let missing =
            || format!("its limit `{name}` counts by code that is not here: start it where it is served");
        Ok(Limited::new(name, (self.code.as_ref().ok_or_else(missing)?)(input)))
    }
}

impl Definition {
    /// Finds the place of a run to be under the workflow's limit, if it has one.
    pub(crate) fn limited(&self, input: &Payload, metadata: &BTreeMap<String, String>) -> Option<Limited> {
        let limit = self.limit.as_ref()?;
        let failed = |problem| Limited::new(&limit.limit.name, Err(problem));
        Some(limit.of_run(input, metadata).unwrap_or_else(failed))
    }
}

impl<I, O> Workflow<I, O> {
    /// Limits how many runs of the workflow, all its versions together, run at once in one namespace. The limit of the
    /// version that a node registered last counts.
    #[must_use]
    pub fn concurrency(self, concurrency: Concurrency<I>) -> Self {
        self.with(|definition| {
            let Concurrency { mut limit, max_wait, code, .. } = concurrency;
            let workflow = definition.name.clone();
            match &mut limit.debounce {
                Some(debounce) => debounce.max_wait = max_wait,
                None if max_wait.is_none() => {}
                None => {
                    let problem = "a max_wait without `debounced` bounds nothing".to_owned();
                    return Err(BuildError::Limit { workflow, limit: limit.name, problem });
                }
            }
            if definition.limit.is_some() {
                return Err(BuildError::SecondLimit { workflow, limit: limit.name });
            }
            definition.limit = Some(checked(&workflow, CheckedLimit { limit, code })?);
            Ok(())
        })
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);

fn is_window(window: Duration, min: Duration, max: Duration) -> bool {
    (min..=max).contains(&window) && window.subsec_nanos().is_multiple_of(1_000_000)
}

fn days(length: Duration) -> String {
    format!("{} days", length.as_secs() / 86_400)
}

fn checked(workflow: &WorkflowName, checked: CheckedLimit) -> Result<CheckedLimit, BuildError> {
    let limit = &checked.limit;
    let refuse = |problem: String| {
        Err(BuildError::Limit { workflow: workflow.clone(), limit: limit.name.clone(), problem })
    };
    if let Err(error) = check_metadata_name(&limit.name) {
        return refuse(format!("its name: {error}"));
    }
    if limit.slots == 0 {
        return refuse("0 would never run anything, at least 1".to_owned());
    }
    if limit.slots > LIMIT_SLOTS_MAX {
        return refuse(format!("{} is out of range, 1 to {LIMIT_SLOTS_MAX}", limit.slots));
    }
    if let Some(Rate { starts, window }) = limit.rate {
        if !(1..=RATE_STARTS_MAX).contains(&starts) {
            return refuse(format!("{starts} starts are out of range, 1 to {RATE_STARTS_MAX}"));
        }
        if !is_window(window, MILLISECOND, RATE_WINDOW_MAX) {
            return refuse(format!(
                "a window of {window:?}: whole milliseconds, 1 to {}",
                days(RATE_WINDOW_MAX)
            ));
        }
    }
    if let Some(Debounce { quiet, max_wait }) = limit.debounce {
        if !is_window(quiet, MILLISECOND, DEBOUNCE_MAX) {
            return refuse(format!("quiet for {quiet:?}: whole milliseconds, 1 to {}", days(DEBOUNCE_MAX)));
        }
        if let Some(max_wait) = max_wait.filter(|max_wait| !is_window(*max_wait, quiet, DEBOUNCE_MAX)) {
            let range = format!("{quiet:?}, for which a key must be quiet, to {}", days(DEBOUNCE_MAX));
            return refuse(format!("a max_wait of {max_wait:?}: whole milliseconds, {range}"));
        }
    }
    match &limit.by {
        LimitBy::Input(pointer) if !pointer.is_empty() && !pointer.starts_with('/') => {
            refuse(format!("{pointer:?} is no JSON pointer: it begins with a slash, such as \"/tenant\""))
        }
        LimitBy::Metadata(name) if check_metadata_name(name).is_err() => {
            refuse(format!("no run can have the metadata {name:?}"))
        }
        _ => Ok(checked),
    }
}

impl fmt::Debug for CheckedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.limit.fmt(f)
    }
}
