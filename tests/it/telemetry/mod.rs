//! What the code of a task tells by `tracing`, and what a process counts.

pub mod exposition;
pub mod context;
mod layer;
mod metrics;
