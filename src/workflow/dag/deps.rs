//! What a task takes of others: handles, alone or in tuples.

use std::sync::{Arc, Mutex};

use serde::de::DeserializeOwned;

use super::graph::Graph;
use super::task::Task;
use crate::model::{Payload, PayloadError};

/// The tasks whose outputs another one takes.
pub trait Deps {
    /// Their outputs' types.
    type Outputs: Send;
    /// Their places.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "sealed: only handles and tuples of handles are dependencies")]
    fn handles(&self) -> Vec<Handle>;
    /// Reads their outputs in order.
    #[doc(hidden)]
    fn read(outputs: &mut std::slice::Iter<'_, Option<Payload>>) -> Result<Self::Outputs, PayloadError>;
}

/// The task whose output is the run's.
pub trait Outcome {
    /// The run's output.
    type Output;
    /// Its place.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "sealed: only handles are outputs")]
    fn handle(&self) -> Handle;
}

/// A task that another one may do without; see [`Task::optional`].
pub struct Optional<'task, O, E>(pub(super) &'task Task<O, E>);

/// Where a task stands, and whether it may be missing.
pub(crate) struct Handle {
    pub(super) graph: Arc<Mutex<Graph>>,
    pub(super) at: usize,
    pub(super) optional: bool,
}

impl Handle {
    fn of<O, E>(task: &Task<O, E>, optional: bool) -> Handle {
        Handle { graph: Arc::clone(&task.graph), at: task.at, optional }
    }
}

fn next<'a>(outputs: &mut std::slice::Iter<'a, Option<Payload>>) -> Option<&'a Payload> {
    outputs.next().and_then(Option::as_ref)
}

#[expect(private_interfaces, reason = "sealed: only handles and tuples of handles are dependencies")]
impl<O: DeserializeOwned + Send, E> Deps for &Task<O, E> {
    type Outputs = O;

    fn handles(&self) -> Vec<Handle> {
        vec![Handle::of(self, false)]
    }

    fn read(outputs: &mut std::slice::Iter<'_, Option<Payload>>) -> Result<O, PayloadError> {
        let missing = || PayloadError::Malformed { message: "an output is missing".to_owned() };
        next(outputs).ok_or_else(missing)?.read()
    }
}

#[expect(private_interfaces, reason = "sealed: only handles and tuples of handles are dependencies")]
impl<O: DeserializeOwned + Send, E> Deps for Optional<'_, O, E> {
    type Outputs = Option<O>;

    fn handles(&self) -> Vec<Handle> {
        vec![Handle::of(self.0, true)]
    }

    fn read(outputs: &mut std::slice::Iter<'_, Option<Payload>>) -> Result<Option<O>, PayloadError> {
        next(outputs).map(Payload::read).transpose()
    }
}

#[expect(private_interfaces, reason = "sealed: only handles are outputs")]
impl<O, E> Outcome for &Task<O, E> {
    type Output = O;

    fn handle(&self) -> Handle {
        Handle::of(self, false)
    }
}

#[expect(private_interfaces, reason = "sealed: only handles are outputs")]
impl<O, E> Outcome for Optional<'_, O, E> {
    type Output = Option<O>;

    fn handle(&self) -> Handle {
        Handle::of(self.0, true)
    }
}

macro_rules! tuples_of_deps {
    ($(($($name:ident),+))+) => {$(
        #[expect(private_interfaces, reason = "sealed: only handles and tuples of handles are dependencies")]
        impl<$($name: Deps),+> Deps for ($($name,)+) {
            type Outputs = ($($name::Outputs,)+);

            #[expect(non_snake_case, reason = "one identifier for a type and its value")]
            fn handles(&self) -> Vec<Handle> {
                let ($($name,)+) = self;
                let mut handles = Vec::new();
                $(handles.extend($name.handles());)+
                handles
            }

            fn read(outputs: &mut std::slice::Iter<'_, Option<Payload>>) -> Result<Self::Outputs, PayloadError> {
                Ok(($($name::read(outputs)?,)+))
            }
        }
    )+};
}

tuples_of_deps! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, F) (A, B, C, D, F, G) (A, B, C, D, F, G, H)
(A, B, C, D, F, G, H, J) }
