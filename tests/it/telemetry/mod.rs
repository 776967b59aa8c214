//! What the code of a task tells by `tracing`, and what a process counts.

pub mod exposition;
pub mod context;
pub mod receiver;
mod layer;
mod otlp;
mod metrics;
pub mod spans;
mod export;
