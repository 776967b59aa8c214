//! What a filter means: the pure answer, which every store gives, too.

use super::{Comparison, Field, Filter, Link, Moment, Pattern, Property, Test};
use crate::model::Timestamp;
use crate::model::ids::TaskName;
use crate::model::summary::RunSummary;

impl Filter {
    /// Says whether a run is wanted, for a question asked at `now`; `tasks` are those of its workflow's version.
    pub fn matches(&self, run: &RunSummary, tasks: &[TaskName], now: Timestamp) -> bool {
        self.terms.iter().all(|term| term.test.holds(run, tasks, now) != term.negated)
    }
}

impl Test {
    fn holds(&self, run: &RunSummary, tasks: &[TaskName], now: Timestamp) -> bool {
        match self {
            Test::Status(wanted) => wanted.contains(&run.status),
            Test::Text(Field::Task, wanted) => tasks.iter().any(|task| any(wanted, task.as_str())),
            Test::Text(field, wanted) => text(run, *field).is_some_and(|text| any(wanted, text)),
            Test::Metadata(name, wanted) => run.metadata.get(name).is_some_and(|text| any(wanted, text)),
            Test::Error(wanted) => {
                let said =
                    run.failure.as_ref().map(|failure| format!("{}: {}", failure.kind, failure.message));
                said.is_some_and(|said| {
                    let said = said.to_ascii_lowercase();
                    wanted.iter().any(|words| said.contains(&words.to_ascii_lowercase()))
                })
            }
            Test::Id(wanted) => {
                let id = run.run.uuid().simple().to_string();
                wanted.iter().any(|digits| id.starts_with(digits))
            }
            Test::Link(link, wanted) => linked(run, *link).is_some_and(|other| wanted.contains(&other)),
            Test::Node(wanted) => run.node.is_some_and(|node| wanted.contains(&node)),
            Test::Duration(wanted) => run
                .execution_time()
                .is_some_and(|time| wanted.iter().any(|(comparison, than)| comparison.holds(&time, than))),
            Test::Time(moment, wanted) => {
                let at = match moment {
                    Moment::Started => run.started_at,
                    Moment::Finished => run.finished_at,
                };
                let fits = |at| wanted.iter().any(|(comparison, when)| comparison.holds(&at, &when.at(now)));
                at.is_some_and(fits)
            }
            Test::Since(when) => run.created_at() >= when.at(now),
            Test::Until(when) => run.created_at() < when.at(now),
            Test::Is(wanted) => wanted.iter().any(|property| property.holds(run)),
        }
    }
}

impl Property {
    fn holds(self, run: &RunSummary) -> bool {
        match self {
            Property::Root => run.parent.is_none(),
            Property::Child => run.parent.is_some(),
            Property::Waiting => run.parked,
            Property::Live => !run.status.is_terminal(),
            Property::Ended => run.status.is_terminal(),
            Property::Failed => run.status.is_failure(),
            Property::Replay => linked(run, Link::ReplayOf).is_some(),
            Property::Archived => run.archived,
        }
    }
}

impl Comparison {
    fn holds<T: Ord>(self, value: &T, than: &T) -> bool {
        match self {
            Comparison::Greater => value > than,
            Comparison::AtLeast => value >= than,
            Comparison::Less => value < than,
            Comparison::AtMost => value <= than,
        }
    }
}

fn any(wanted: &[Pattern], text: &str) -> bool {
    wanted.iter().any(|pattern| match pattern {
        Pattern::Exact(exact) => text == exact,
        Pattern::Prefix(prefix) => text.starts_with(prefix.as_str()),
    })
}

fn text(run: &RunSummary, field: Field) -> Option<&str> {
    let failure = run.failure.as_ref();
    match field {
        Field::Workflow => Some(run.workflow.as_str()),
        Field::Version => Some(run.version.as_str()),
        // Not the run's own: the caller's argument.
        Field::Task => None,
        Field::FailedTask => failure?.task.as_ref().map(TaskName::as_str),
        Field::Kind => failure.map(|failure| failure.kind.as_str()),
        Field::Fingerprint => failure.map(|failure| failure.fingerprint.as_str()),
        Field::Trigger => run.trigger.as_ref().map(|trigger| trigger.kind.as_str()),
        Field::Event => run.trigger.as_ref()?.id.as_deref(),
        Field::TriggerKey => run.trigger.as_ref()?.key.as_deref(),
        Field::Key => run.key.as_ref().map(|key| key.as_str()),
    }
}

fn linked(run: &RunSummary, link: Link) -> Option<crate::model::RunId> {
    match link {
        Link::Parent => run.parent,
        Link::ReplayOf => run.trigger.as_ref()?.replay_of,
        Link::CausedBy => run.failure.as_ref()?.caused_by,
    }
}
