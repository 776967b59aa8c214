//! How long the layout of a graph takes, by its size and shape.

use std::hint::black_box;
use std::time::Duration;

use runlog::inspect::{Edge, Graph, Link, Node, NodeKind};
use runlog::model::plan::Role;
use runlog::model::{RunId, TaskName, WorkflowName};
use runlog::{Status, TaskStatus};
use tokio::time::Instant;

use crate::times::percentile_ms;

/// Milliseconds that a layout may take, by its nodes.
const AIMS: [(usize, f64); 2] = [(200, 5.0), (1_000, 50.0)];

/// Lays out graphs of both sizes in three shapes, and prints how long that took.
pub fn lay_out(rounds: usize) {
    println!("\nlayout                          nodes    edges   p50 ms   p95 ms   aim ms");
    for (nodes, aim) in AIMS {
        for (shape, graph) in [
            ("a tree of three", graph(nodes, |to| if to == 0 { Vec::new() } else { vec![(to - 1) / 3] })),
            ("three before each", graph(nodes, |to| before(to, 3))),
            (
                "stages of forty, all to all",
                graph(nodes, |to| {
                    (to / 40 * 40).checked_sub(40).map_or(Vec::new(), |from| (from..from + 40).collect())
                }),
            ),
        ] {
            let mut times: Vec<Duration> = (0..rounds.max(1)).map(|_| time(&graph)).collect();
            times.sort_unstable();
            let (p50, p95) = (percentile_ms(&times, 50), percentile_ms(&times, 95));
            println!("{shape:<30} {nodes:>6} {:>8} {p50:>8.2} {p95:>8.2} {aim:>8.1}", graph.edges.len());
        }
    }
}

fn time(graph: &Graph) -> Duration {
    let begun = Instant::now();
    black_box(black_box(graph).layout());
    begun.elapsed()
}

/// Some nodes before one, near and far: the same each time.
fn before(to: usize, count: usize) -> Vec<usize> {
    let pick = |nth: usize| (to * 7_919 + nth * 104_729) % (8 << (nth * 2));
    let mut before: Vec<usize> = (0..count).filter_map(|nth| to.checked_sub(1 + pick(nth))).collect();
    before.sort_unstable();
    before.dedup();
    before
}

fn graph(count: usize, before: impl Fn(usize) -> Vec<usize>) -> Graph {
    let node = |at: usize| {
        let name = format!("task number {at}");
        let task = TaskName::new(&name).unwrap_or_else(|_| unreachable!("a short name"));
        let status = TaskStatus::Succeeded;
        let kind = NodeKind::Task { task, status, attempts: 1, role: Role::Task, skipped: None };
        Node { name, kind, duration: Some(Duration::from_millis(108)) }
    };
    let edges = (0..count)
        .flat_map(|to| before(to).into_iter().map(move |from| Edge { from, to, link: Link::After }));
    Graph {
        run: RunId::from_tick(1 << 40, 7),
        workflow: WorkflowName::new("any").unwrap_or_else(|_| unreachable!("a short name")),
        status: Status::Succeeded,
        nodes: (0..count).map(node).collect(),
        edges: edges.collect(),
    }
}
