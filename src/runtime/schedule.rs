//! A schedule, as whoever makes one says it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::control::Runtime;
use super::error::Error;
use super::wanted::{add_metadata, check_instant, check_priority};
use crate::model::schedule::{Misfire, MisfireError, Timing};
use crate::model::{Namespace, Payload, ScheduleName, Timestamp, WorkflowName};
use crate::store::{NewSchedule, ScheduleSpec, Times};
use crate::workflow::{Definition, Workflow};

/// What starts runs of a workflow by the clock: again and again by a cron expression, or once.
///
/// ```
/// # fn report() -> runlog::Workflow<u32, u32> {
/// #     runlog::Workflow::function("report", |_, week: u32| async move { anyhow::Ok(week) })
/// # }
/// # fn nightly() -> runlog::Schedule {
/// runlog::Schedule::cron("nightly", "30 2 * * *", &report(), 7).zone("Europe/Berlin")
/// # }
/// ```
///
/// Each occurrence starts exactly one run, however many nodes there are and whenever they are restarted.
#[derive(Clone, Debug)]
#[must_use = "a schedule starts runs when a runtime has it"]
pub struct Schedule {
    wanted: Result<Wanted, Arc<Error>>,
}

#[derive(Clone)]
struct Wanted {
    name: ScheduleName,
    namespace: Namespace,
    workflow: WorkflowName,
    code: Option<Arc<Definition>>,
    times: Times,
    input: Payload,
    metadata: BTreeMap<String, String>,
    priority: i16,
    misfire: Option<Misfire>,
    by: Option<String>,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}: {:?}", self.name, self.workflow, self.times)
    }
}

impl Schedule {
    /// Makes one that starts a run whenever a cron expression is due: five fields (minute, hour, day of the month, month, day of
    /// the week), or six with the second before them. It is read in UTC, unless [`zone`](Schedule::zone) says otherwise.
    ///
    /// A time that a clock change skips is due at the first instant after the gap; one that comes twice is due the first time.
    pub fn cron<I: Serialize, O>(
        name: impl AsRef<str>,
        expression: impl Into<String>,
        workflow: &Workflow<I, O>,
        input: I,
    ) -> Schedule {
        let times = Times::Cron { expression: expression.into(), zone: "UTC".to_owned() };
        Schedule::typed(name.as_ref(), times, workflow, &input)
    }

    /// Makes one that starts one run, at an instant of the database's clock.
    pub fn at<I: Serialize, O>(
        name: impl AsRef<str>,
        at: Timestamp,
        workflow: &Workflow<I, O>,
        input: I,
    ) -> Schedule {
        Schedule::typed(name.as_ref(), Times::At(at), workflow, &input)
    }

    /// As [`cron`](Schedule::cron), of a workflow by its name; `input` is JSON. Where the workflow is served here, the JSON is
    /// read as its input first.
    pub fn cron_by_name(
        name: impl AsRef<str>,
        expression: impl Into<String>,
        workflow: impl AsRef<str>,
        input: impl Into<String>,
    ) -> Schedule {
        let times = Times::Cron { expression: expression.into(), zone: "UTC".to_owned() };
        Schedule::untyped(name.as_ref(), times, workflow.as_ref(), input.into())
    }

    /// As [`at`](Schedule::at), of a workflow by its name; `input` is JSON.
    pub fn at_by_name(
        name: impl AsRef<str>,
        at: Timestamp,
        workflow: impl AsRef<str>,
        input: impl Into<String>,
    ) -> Schedule {
        Schedule::untyped(name.as_ref(), Times::At(at), workflow.as_ref(), input.into())
    }

    fn typed<I: Serialize, O>(name: &str, times: Times, workflow: &Workflow<I, O>, input: &I) -> Schedule {
        let wanted = || {
            let definition = Arc::clone(workflow.definition()?);
            let input = Payload::of(input).map_err(|source| Error::Payload { field: "input", source })?;
            Ok(Wanted::new(ScheduleName::new(name)?, times, definition.name.clone(), Some(definition), input))
        };
        Schedule { wanted: wanted().map_err(Arc::new) }
    }

    fn untyped(name: &str, times: Times, workflow: &str, input: String) -> Schedule {
        let wanted = || {
            let input = Payload::parse(input).map_err(|source| Error::Payload { field: "input", source })?;
            Ok(Wanted::new(ScheduleName::new(name)?, times, WorkflowName::new(workflow)?, None, input))
        };
        Schedule { wanted: wanted().map_err(Arc::new) }
    }

    /// Sets on which wall clock the expression is read, by a name of the tz database, such as `Europe/Berlin`. Default: UTC.
    /// Without an expression it is refused.
    pub fn zone(self, name: impl Into<String>) -> Self {
        self.change(|wanted| match &mut wanted.times {
            Times::Cron { zone, .. } => {
                *zone = name.into();
                Ok(())
            }
            Times::At(_) => {
                let problem = "an instant has none: leave it out, or give a cron expression".to_owned();
                Err(Error::Field { field: "zone", problem })
            }
        })
    }

    /// Sets whose it is, and its runs. Its name is unique in there. Default: `default`.
    pub fn namespace(self, namespace: impl AsRef<str>) -> Self {
        self.change(|wanted| {
            wanted.namespace = Namespace::new(namespace)?;
            Ok(())
        })
    }

    /// Adds tags of its runs: at most 32 pairs, values of at most 1,024 bytes.
    pub fn metadata<K: Into<String>, V: Into<String>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        self.change(|wanted| add_metadata(&mut wanted.metadata, pairs))
    }

    /// Sets the priority of its runs, -1,000 to 1,000; higher goes first. Default: 0.
    pub fn priority(self, priority: i16) -> Self {
        self.change(|wanted| {
            wanted.priority = check_priority(priority)?;
            Ok(())
        })
    }

    /// Sets what becomes of occurrences that were missed because no node was there. Default: [`Misfire::Skip`] for an
    /// expression, [`Misfire::Once`] for an instant.
    pub fn misfire(self, misfire: Misfire) -> Self {
        self.change(|wanted| {
            wanted.misfire = Some(misfire);
            Ok(())
        })
    }

    /// Sets who makes it. Default: nobody is named.
    pub fn by(self, by: impl Into<String>) -> Self {
        let by = by.into();
        self.change(|wanted| {
            super::control::check_text("by", Some(&by))?;
            wanted.by = Some(by);
            Ok(())
        })
    }

    fn change(mut self, change: impl FnOnce(&mut Wanted) -> Result<(), Error>) -> Self {
        self.wanted = self.wanted.and_then(|mut wanted| {
            change(&mut wanted).map_err(Arc::new)?;
            Ok(wanted)
        });
        self
    }

    /// Checks everything, and finds its first occurrence.
    pub(super) async fn checked(self, runtime: &Runtime, declared: bool) -> Result<NewSchedule, Error> {
        let wanted = self.wanted.map_err(Error::shared)?;
        let (engine, now) = (&runtime.engine, runtime.engine.clock.now());
        let code = wanted.code.as_ref().or_else(|| engine.registry.newest(wanted.workflow.as_str()));
        match code {
            Some(code) => {
                let refused = |source| Error::Payload { field: "input", source };
                (code.check_input)(&wanted.input).map_err(refused)?;
            }
            None => drop(runtime.registered(&wanted.workflow).await?),
        }
        let timing = wanted.times.timing()?;
        if let Timing::At(at) = timing {
            check_instant("at", at, now)?;
        }
        let usual = match &timing {
            Timing::Cron(_) => Misfire::Skip,
            Timing::At(_) => Misfire::Once,
        };
        let misfire = wanted.misfire.unwrap_or(usual);
        let refused = |error: MisfireError| Error::Field { field: "misfire", problem: error.to_string() };
        let misfire = misfire.checked().map_err(refused)?;
        let times = match &timing {
            Timing::Cron(cron) => {
                Times::Cron { expression: cron.expression().to_owned(), zone: cron.zone().to_owned() }
            }
            Timing::At(at) => Times::At(*at),
        };
        Ok(NewSchedule {
            spec: ScheduleSpec {
                namespace: wanted.namespace,
                name: wanted.name,
                workflow: wanted.workflow,
                times,
                input: wanted.input,
                metadata: wanted.metadata,
                priority: wanted.priority,
                misfire,
            },
            declared,
            by: wanted.by,
            next_at: timing.next_after(now),
        })
    }
}

impl Wanted {
    fn new(
        name: ScheduleName,
        times: Times,
        workflow: WorkflowName,
        code: Option<Arc<Definition>>,
        input: Payload,
    ) -> Wanted {
        Wanted {
            name,
            namespace: Namespace::default(),
            workflow,
            code,
            times,
            input,
            metadata: BTreeMap::new(),
            priority: 0,
            misfire: None,
            by: None,
        }
    }
}
