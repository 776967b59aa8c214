//! What a person reads of a run.

mod run;
mod task;
mod step;
mod payload;
mod why;
mod why_virtual;
mod why_others;
mod damaged;
mod diff;
mod state_at;
mod last_good;
mod graph;
mod timeline;
pub(crate) mod layout;
mod excerpt;
mod search;
