//! How a user writes a workflow: a typed DAG or a plain async function, and the context both are given.
//!
//! This layer knows the model and nothing of stores or actors: an attempt's code asks its [`Cx`], the context
//! keeps a ledger of what is recorded, and whoever runs the attempt carries reports and answers in and out.

mod definition;
mod dag;
mod function;
mod limit;
mod registry;
mod error;
pub(crate) mod context;
pub mod check;

pub use self::context::{
    Child, Cx, Either, Log, Outlet, Race, RaceAll, Signal, Sleep, Step, TaskErrors, Transaction, spawn,
};
pub use self::dag::{Dag, Deps, Optional, Outcome, Task, When};
pub use self::definition::Workflow;
pub use self::error::{BuildError, CxError};
pub(crate) use self::limit::CheckedLimit;
pub use self::limit::Concurrency;

pub(crate) use self::definition::{Definition, Inputs, Judge, TaskFailure};
pub(crate) use self::error::{by_whom, for_what};
pub(crate) use self::registry::Registry;
