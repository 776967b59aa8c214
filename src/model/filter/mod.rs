//! The one grammar by which runs are found, in code, REST, pages and the command: `status:failed meta.team:payments`.
//!
//! A filter is a list of terms that all hold. A term is `key:value,value`, whose values are alternatives, with `-` before
//! it to turn it round, or a bare word. [`keys`](self::keys::KEYS) lists the keys; [`Filter::matches`] says what each means, and the
//! stores answer exactly as it does.

pub mod keys;
mod parse;
mod value;
mod print;
mod matches;

use std::time::Duration;

pub(super) use self::keys::nearest;
pub use self::parse::FilterError;
#[cfg(feature = "dashboard")]
pub(crate) use self::print::quoted;

use super::Timestamp;
use super::ids::{NodeId, RunId};
use super::status::Status;

/// Which runs are wanted. Made by [`str::parse`] and printed by [`ToString`] in a canonical form; the empty one is every
/// run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// What must hold, all of it.
    pub terms: Vec<Term>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Whether it must not hold.
    pub negated: bool,
    /// What.
    pub test: Test,
}

/// What is asked of a run. A list holds if any of its values does; it has at least one.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Its status.
    Status(Vec<Status>),
    /// One of its texts.
    Text(Field, Vec<Pattern>),
    /// The value of the metadata pair of this name.
    Metadata(String, Vec<Pattern>),
    /// A stretch of `kind: message` of its failure, ASCII letters in either case.
    Error(Vec<String>),
    /// The first hexadecimal digits of its id, at least 6, without dashes and in lower case.
    Id(Vec<String>),
    /// A run that it is tied to.
    Link(Link, Vec<RunId>),
    /// The node that holds it, or ended it.
    Node(Vec<NodeId>),
    /// How long its code took, from start to end; a run that has not ended or never started has none.
    Duration(Vec<(Comparison, Duration)>),
    /// When its code started or it ended.
    Time(Moment, Vec<(Comparison, When)>),
    /// It was created then or later.
    Since(When),
    /// It was created before.
    Until(When),
    /// What it is.
    Is(Vec<Property>),
}

/// A text of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Its workflow.
    Workflow,
    /// The version it started with.
    Version,
    /// A task of its workflow's version, whether it came to it or not.
    Task,
    /// The task that failed first.
    FailedTask,
    /// The kind of its failure.
    Kind,
    /// The fingerprint of its failure.
    Fingerprint,
    /// What started it: `manual`, `api`, `cron`, `schedule`, `event`, `parent` or `replay`.
    Trigger,
    /// The id of the trigger event that started it.
    Event,
    /// The key of the trigger event that started it, or the name of the schedule.
    TriggerKey,
    /// The user's own id for it.
    Key,
}

/// What a text must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Exactly this.
    Exact(String),
    /// Anything that begins with this.
    Prefix(String),
}

/// How a run is tied to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The other one started it.
    Parent,
    /// It replays the other one.
    ReplayOf,
    /// It failed because the other one, some levels below it, did.
    CausedBy,
}

/// An instant in the life of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Its code started.
    Started,
    /// It ended.
    Finished,
}

/// How a value lies to the one given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Greater,
    /// `>=`, and no sign at all.
    AtLeast,
    /// `<`
    Less,
    /// `<=`
    AtMost,
}

/// An instant, by itself or counted back from the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long ago; whole milliseconds.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl When {
    /// Returns the instant, for a question asked at `now`.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            When::At(at) => at,
            When::Ago(ago) => chrono::Duration::from_std(ago)
                .ok()
                .and_then(|ago| now.checked_sub_signed(ago))
                .unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
}

/// What a run can be beside its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// No other run started it.
    Root,
    /// Another run started it.
    Child,
    /// It is RUNNING, waits, and no node holds it.
    Waiting,
    /// It is QUEUED or RUNNING.
    Live,
    /// It has ended.
    Ended,
    /// It is FAILED or TIMED_OUT.
    Failed,
    /// It replays another run.
    Replay,
    /// It ended long ago and is in the archive.
    Archived,
}

impl Property {
    /// Every one.
    pub const ALL: [Property; 8] = [
        Property::Root,
        Property::Child,
        Property::Waiting,
        Property::Live,
        Property::Ended,
        Property::Failed,
        Property::Replay,
        Property::Archived,
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Property::Root => "root",
            Property::Child => "child",
            Property::Waiting => "waiting",
            Property::Live => "live",
            Property::Ended => "ended",
            Property::Failed => "failed",
            Property::Replay => "replay",
            Property::Archived => "archived",
        }
    }
}

impl Filter {
    /// Adds what must hold, too.
    #[must_use]
    pub fn and(mut self, test: Test) -> Filter {
        self.terms.push(Term { negated: false, test });
        self
    }

    /// Adds what must not hold.
    #[must_use]
    pub fn and_not(mut self, test: Test) -> Filter {
        self.terms.push(Term { negated: true, test });
        self
    }

    /// Says whether it names runs so closely that a window of time would only hide them: by an id, a key, a trigger event
    /// or a tie to another run.
    pub fn is_lookup(&self) -> bool {
        self.positive().any(|test| match test {
            Test::Id(_) | Test::Link(..) => true,
            Test::Text(field, _) => matches!(field, Field::Key | Field::Event),
            Test::Status(_)
            | Test::Metadata(..)
            | Test::Error(_)
            | Test::Node(_)
            | Test::Duration(_)
            | Test::Time(..)
            | Test::Since(_)
            | Test::Until(_)
            | Test::Is(_) => false,
        })
    }

    /// Returns the window of creation that it asks for: from when on, and before when.
    pub fn window(&self, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        let (mut since, mut until) = (None, None);
        for test in self.positive() {
            match test {
                Test::Since(when) => since = since.max(Some(when.at(now))),
                Test::Until(when) => {
                    let at = when.at(now);
                    until = Some(until.map_or(at, |other: Timestamp| other.min(at)));
                }
                _ => {}
            }
        }
        (since, until)
    }

    /// Says whether it asks for an instant that is counted back from the question.
    pub fn is_relative(&self) -> bool {
        let ago = |when: &When| matches!(when, When::Ago(_));
        self.terms.iter().any(|term| match &term.test {
            Test::Since(when) | Test::Until(when) => ago(when),
            Test::Time(_, bounds) => bounds.iter().any(|(_, when)| ago(when)),
            _ => false,
        })
    }

    /// Returns the statuses that a run it finds can have.
    pub fn statuses(&self) -> Vec<Status> {
        let fits = |status: &Status| {
            self.positive().all(|test| match test {
                Test::Status(wanted) => wanted.contains(status),
                Test::Is(wanted) => wanted.iter().any(|property| property.allows(*status)),
                Test::Error(_) | Test::Link(Link::CausedBy, _) => status.is_failure(),
                Test::Text(Field::FailedTask | Field::Kind | Field::Fingerprint, _) => status.is_failure(),
                Test::Duration(_) | Test::Time(Moment::Finished, _) => status.is_terminal(),
                _ => true,
            }) && !self.terms.iter().any(|term| match &term.test {
                Test::Status(unwanted) if term.negated => unwanted.contains(status),
                _ => false,
            })
        };
        Status::ALL.into_iter().filter(fits).collect()
    }

    /// Says whether a run that it finds can be in the archive.
    pub fn may_be_archived(&self) -> bool {
        let excluded = |term: &Term| match &term.test {
            Test::Is(unwanted) => term.negated && unwanted.contains(&Property::Archived),
            _ => false,
        };
        self.statuses().iter().any(|status| status.is_terminal()) && !self.terms.iter().any(excluded)
    }

    /// Says whether a run that it finds can be outside of the archive.
    pub fn may_be_unarchived(&self) -> bool {
        self.positive().all(|test| match test {
            Test::Is(wanted) => wanted.iter().any(|property| *property != Property::Archived),
            _ => true,
        })
    }

    /// Lists the tests that must hold.
    pub fn positive(&self) -> impl Iterator<Item = &Test> {
        self.terms.iter().filter(|term| !term.negated).map(|term| &term.test)
    }
}

impl Property {
    fn allows(self, status: Status) -> bool {
        match self {
            Property::Root | Property::Child | Property::Replay => true,
            Property::Waiting => status == Status::Running,
            Property::Live => !status.is_terminal(),
            Property::Ended | Property::Archived => status.is_terminal(),
            Property::Failed => status.is_failure(),
        }
    }
}
