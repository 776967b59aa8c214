//! What a person reads of a run.

mod run;
mod task;
mod step;
mod payload;
