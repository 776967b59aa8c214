//! Spans as a function of the log.

mod rules;
mod content;
mod lives;
mod programs;
mod sampling;
mod table;
