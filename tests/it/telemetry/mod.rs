//! What the code of a task tells by `tracing`, and what a process counts.

pub mod exposition;
pub mod receiver;
pub mod context;
mod layer;
mod otlp;
mod metrics;
pub mod spans;
mod push;
mod export;
