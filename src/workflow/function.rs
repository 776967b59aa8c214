//! A workflow that is one plain async function.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Cx;
use super::definition::{Definition, Inputs, TaskCode, TaskFailure, Workflow};
use super::error::BuildError;
use crate::model::command::TaskRules;
use crate::model::{Payload, Plan, Retry, Rules, TaskName, Verdict, Version, WorkflowName};

impl<I, O> Workflow<I, O>
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize + DeserializeOwned + Send + 'static,
{
    /// Makes a durable function a workflow of version `"1"`, without timeout or retry.
    ///
    /// The function is run from its beginning after every crash and every parking; what its `cx` recorded is
    /// answered from the log and not done again. Between two uses of `cx` it may run any code that gives the same
    /// decisions for the same answers.
    #[track_caller]
    pub fn function<F, Fut, E>(name: &str, function: F) -> Workflow<I, O>
    where
        F: Fn(Cx, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let location = std::panic::Location::caller();
        let function = Arc::new(function);
        let run = move |cx: Cx, inputs: Inputs| {
            let function = Arc::clone(&function);
            async move {
                let input = inputs.input.read::<I>()?;
                let output =
                    function(cx, input).await.map_err(|error| TaskFailure::of(error, Verdict::Retry))?;
                Ok(Payload::of(&output)?)
            }
            .boxed()
        };
        let code = TaskCode {
            location: format!("{}:{}", location.file(), location.line()),
            run: Arc::new(run),
            judges: Vec::new(),
        };
        Workflow::from_definition(definition(name, code, |input| input.read::<I>().map(|_| ())))
    }

    /// Sets the version. Runs stay on the version they started with; serve the old one until its runs ended.
    #[must_use]
    pub fn version(self, version: &str) -> Self {
        self.with(|definition| {
            definition.version = Version::new(version)
                .map_err(|source| BuildError::Name { workflow: definition.name.to_string(), source })?;
            Ok(())
        })
    }

    /// Sets how long a run may take from its start before it ends as TIMED_OUT.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|definition| {
            definition.timeout = Some(timeout);
            Ok(())
        })
    }

    /// Sets how long a run may wait for its start before it ends as TIMED_OUT.
    #[must_use]
    pub fn start_timeout(self, timeout: Duration) -> Self {
        self.with(|definition| {
            definition.start_timeout = Some(timeout);
            Ok(())
        })
    }

    /// Sets when the function is tried again after an error; recorded steps are not done again.
    ///
    /// On a DAG this is the policy of every task that has none of its own.
    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        self.with(|definition| {
            for rules in definition.rules.tasks.iter_mut().filter(|rules| rules.retry == Retry::none()) {
                rules.retry = retry.clone();
            }
            Ok(())
        })
    }
}

fn definition(
    name: &str,
    code: TaskCode,
    check_input: fn(&Payload) -> Result<(), crate::model::PayloadError>,
) -> Result<Definition, BuildError> {
    let named = |source| BuildError::Name { workflow: name.to_owned(), source };
    let task = TaskName::new(name).map_err(named)?;
    Ok(Definition {
        name: WorkflowName::new(name).map_err(named)?,
        version: Version::new("1").map_err(named)?,
        plan: Plan::function(task),
        rules: Rules { tasks: vec![TaskRules::default()] },
        code: vec![code],
        timeout: None,
        start_timeout: None,
        limit: None,
        check_input,
    })
}
