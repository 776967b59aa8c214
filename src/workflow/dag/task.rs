//! A task's handle, and what may be set of it.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::deps::{Deps, Optional};
use super::graph::{Graph, Node, lock};
use super::when::When;
use crate::model::condition::{Conditions, Expr};
use crate::model::{Retry, Verdict};

pub(super) type Predicate<E> = Box<dyn Fn(&E) -> Verdict + Send + Sync>;

/// A task of a DAG under construction; its output is an `O`, its error an `E`.
pub struct Task<O, E> {
    pub(super) graph: Arc<Mutex<Graph>>,
    pub(super) at: usize,
    pub(super) predicate: Arc<OnceLock<Predicate<E>>>,
    pub(super) output: PhantomData<fn() -> O>,
}

impl<O, E> Task<O, E> {
    /// Sets how long one attempt may take. Default: no limit but the run's.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|node| node.rules.timeout = Some(timeout))
    }

    /// Sets when a failed attempt is tried again. Default: never.
    pub fn retry(self, retry: Retry) -> Self {
        self.change(|node| node.rules.retry = retry)
    }

    /// Sets which errors are worth another attempt, and after how long; the first call counts.
    pub fn retry_if<V: Into<Verdict>>(self, judge: impl Fn(&E) -> V + Send + Sync + 'static) -> Self {
        let _first = self.predicate.set(Box::new(move |error| judge(error).into()));
        self
    }

    /// Makes this task wait for others without taking their outputs. It is skipped when one of them is, unless that one is
    /// [`optional`](Task::optional).
    pub fn after<D: Deps>(self, others: D) -> Self {
        for handle in others.handles() {
            if Arc::ptr_eq(&self.graph, &handle.graph) {
                self.edit(|node| node.after.push((handle.at, handle.optional)));
            } else {
                self.note_foreign();
            }
        }
        self
    }

    /// Names this task as one that another may do without: where it is skipped, the other is given `None` and is not skipped
    /// for it.
    pub fn optional(&self) -> Optional<'_, O, E> {
        Optional(self)
    }

    /// Leaves this task out when the condition is met before it begins, and with it every task that needs its output. Of
    /// several calls any counts.
    ///
    /// Conditions are looked at from when the tasks before it came to rest: what is met by then skips it, and what is met
    /// while it [waits](Task::wait_for).
    pub fn skip_if(self, when: When) -> Self {
        self.condition(when, |conditions| &mut conditions.skip_if, When::or_expr)
    }

    /// Lets this task begin only when the condition is met, after the tasks before it succeeded. Of several calls all count.
    ///
    /// The run waits without memory or a thread, and says for what. When the condition cannot be met any more, since an output
    /// is not the one, the task is skipped.
    pub fn wait_for(self, when: When) -> Self {
        self.condition(when, |conditions| &mut conditions.wait_for, When::and_expr)
    }

    /// Ends the run as CANCELLED when the condition is met before this task begins, as [`skip_if`](Task::skip_if) would leave
    /// it out. Of several calls any counts.
    pub fn cancel_if(self, when: When) -> Self {
        self.condition(when, |conditions| &mut conditions.cancel_if, When::or_expr)
    }

    fn condition(
        self,
        when: When,
        place: impl FnOnce(&mut Conditions) -> &mut Option<Expr>,
        join: fn(Option<Expr>, Expr) -> Expr,
    ) -> Self {
        if when.is_foreign(&self.graph) {
            self.note_foreign();
            return self;
        }
        self.change(|node| when.add_to(node, place, join))
    }

    /// Notes that a handle of another workflow was used.
    fn note_foreign(&self) {
        let mut graph = lock(&self.graph);
        let place = graph.tasks.get(self.at).map(|node| node.name.clone()).unwrap_or_default();
        graph.foreign.get_or_insert(place);
    }

    fn change(self, change: impl FnOnce(&mut Node)) -> Self {
        self.edit(change);
        self
    }

    fn edit(&self, change: impl FnOnce(&mut Node)) {
        if let Some(node) = lock(&self.graph).tasks.get_mut(self.at) {
            change(node);
        }
    }
}
