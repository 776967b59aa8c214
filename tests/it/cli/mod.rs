//! The `runlog` command, run as a person runs it.

mod demo;
