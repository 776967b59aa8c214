//! What the command reads of the REST interface's answers to show it. `-o json` does not pass through here.
//!
//! Only what is shown stands here; further members are ignored, for a server may be newer.

mod run;
mod trace;
mod fleet;
mod replay;
mod list;
mod explain;
mod bulk;
mod retention;
mod schedule;
mod trigger;

pub(super) use self::bulk::*;
pub(super) use self::explain::*;
pub(super) use self::fleet::*;
pub(super) use self::list::*;
pub(super) use self::replay::*;
pub(super) use self::retention::*;
pub(super) use self::run::*;
pub(super) use self::schedule::*;
pub(super) use self::trace::*;
pub(super) use self::trigger::*;
