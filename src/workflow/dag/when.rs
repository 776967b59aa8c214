//! What a task's conditions speak of.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::graph::{Graph, Node};
use super::task::Task;
use crate::model::SignalName;
use crate::model::condition::{Conditions, Expr, Term};
use crate::model::ids::NameError;
use crate::workflow::definition::Judge;

/// Something that is or is not so, for the conditions of a task of a DAG: an output, a signal, time, and what
/// [`and`](When::and) and [`or`](When::or) make of them.
///
/// ```
/// # use std::{io::Error, time::Duration};
/// # use runlog::{When, Workflow};
/// let w = Workflow::dag("checkout");
/// let score = w.task("score", |_cx, order: u32| async move { Ok::<u32, Error>(order % 100) });
/// let charge = w
///     .task_after("charge", &score, |_cx, order, _score| async move { Ok::<u32, Error>(order) })
///     .skip_if(When::output(&score, |score| *score > 90))
///     .wait_for(When::signal("approved").or(When::elapsed(Duration::from_secs(3_600))));
/// let checkout: Workflow<u32, Option<u32>> = w.output(charge.optional());
/// # checkout.check().unwrap();
/// ```
///
/// Each is judged once, and its verdict is recorded: it stays the same after a crash, and a replay takes it over.
#[must_use = "it is a condition only where a task is given it"]
pub struct When {
    leaves: Vec<Leaf>,
    expr: Expr,
}

struct Leaf {
    term: Result<Term, NameError>,
    judge: Option<Arc<Judge>>,
    /// The workflow of the task whose output it is.
    graph: Option<Arc<Mutex<Graph>>>,
}

impl When {
    /// That the output of a task is one that `judge` looks for. The task with the condition waits for that one, too. Of a
    /// task that was skipped it is not so.
    ///
    /// `judge` runs beside the run's code. When it panics, the task with the condition fails with the kind `condition`.
    pub fn output<O, E>(task: &Task<O, E>, judge: impl Fn(&O) -> bool + Send + Sync + 'static) -> When
    where
        O: DeserializeOwned,
    {
        // More tasks than places are refused before anything is made of this.
        let place = u16::try_from(task.at).unwrap_or(u16::MAX);
        When::leaf(Leaf {
            term: Ok(Term::Output { task: place }),
            judge: Some(Arc::new(move |output| Ok(judge(&output.read::<O>()?)))),
            graph: Some(Arc::clone(&task.graph)),
        })
    }

    /// That so much time passed since the tasks before it came to rest. Durable: no process needs to wait.
    pub fn elapsed(time: Duration) -> When {
        let ms = u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        When::leaf(Leaf { term: Ok(Term::Elapsed { ms }), judge: None, graph: None })
    }

    /// That a signal of that name came: one that nobody had taken when the tasks before it came to rest, or one that comes
    /// after.
    ///
    /// A condition takes no signal: one lets all tasks begin that wait for it, and their code may still
    /// [take](crate::Cx::signal) it.
    pub fn signal(name: &str) -> When {
        When::leaf(Leaf { term: signal(name, false), judge: None, graph: None })
    }

    /// As [`signal`](When::signal), of a signal that carries what `judge` looks for. Others are passed over.
    pub fn signal_that<T>(name: &str, judge: impl Fn(&T) -> bool + Send + Sync + 'static) -> When
    where
        T: DeserializeOwned,
    {
        let judge: Arc<Judge> = Arc::new(move |signal| Ok(judge(&signal.read::<T>()?)));
        When::leaf(Leaf { term: signal(name, true), judge: Some(judge), graph: None })
    }

    /// That both are so.
    pub fn and(self, other: When) -> When {
        self.join(other, When::and_expr)
    }

    /// That at least one of them is so.
    pub fn or(self, other: When) -> When {
        self.join(other, When::or_expr)
    }

    fn leaf(leaf: Leaf) -> When {
        When { leaves: vec![leaf], expr: Expr::Term(0) }
    }

    fn join(mut self, other: When, join: fn(Option<Expr>, Expr) -> Expr) -> When {
        let expr = moved(other.expr, self.leaves.len());
        self.leaves.extend(other.leaves);
        When { leaves: self.leaves, expr: join(Some(self.expr), expr) }
    }

    pub(super) fn and_expr(before: Option<Expr>, expr: Expr) -> Expr {
        match before {
            None => expr,
            Some(Expr::All(mut all)) => {
                all.push(expr);
                Expr::All(all)
            }
            Some(before) => Expr::All(vec![before, expr]),
        }
    }

    pub(super) fn or_expr(before: Option<Expr>, expr: Expr) -> Expr {
        match before {
            None => expr,
            Some(Expr::Any(mut any)) => {
                any.push(expr);
                Expr::Any(any)
            }
            Some(before) => Expr::Any(vec![before, expr]),
        }
    }

    /// Says whether it speaks of a task of another workflow.
    pub(super) fn is_foreign(&self, graph: &Arc<Mutex<Graph>>) -> bool {
        self.leaves.iter().filter_map(|leaf| leaf.graph.as_ref()).any(|of| !Arc::ptr_eq(of, graph))
    }

    /// Adds it to the conditions of a task.
    pub(super) fn add_to(
        self,
        node: &mut Node,
        place: impl FnOnce(&mut Conditions) -> &mut Option<Expr>,
        join: fn(Option<Expr>, Expr) -> Expr,
    ) {
        let expr = moved(self.expr, node.conditions.terms.len());
        for leaf in self.leaves {
            match leaf.term {
                Ok(term) => {
                    if let Term::Output { task } = term {
                        node.wait_for_output_of(usize::from(task));
                    }
                    node.conditions.terms.push(term);
                    node.code.judges.push(leaf.judge);
                }
                Err(bad) => node.bad_name = Some(bad),
            }
        }
        let place = place(&mut node.conditions);
        *place = Some(join(place.take(), expr));
    }
}

fn signal(name: &str, judged: bool) -> Result<Term, NameError> {
    Ok(Term::Signal { name: SignalName::new(name)?, judged })
}

/// Makes room for the terms that stand before those of the expression.
fn moved(expr: Expr, by: usize) -> Expr {
    let all = |exprs: Vec<Expr>| exprs.into_iter().map(|expr| moved(expr, by)).collect();
    match expr {
        Expr::Term(at) => Expr::Term(at.saturating_add(u16::try_from(by).unwrap_or(u16::MAX))),
        Expr::All(exprs) => Expr::All(all(exprs)),
        Expr::Any(exprs) => Expr::Any(all(exprs)),
    }
}
