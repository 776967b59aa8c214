//! A run's tasks and child runs as a graph.

use std::collections::BTreeSet;

use proptest::prelude::*;
use runlog::inspect::{Graph, Link, NodeKind};
use runlog::model::event::{RunCreated, RunStarted, Trigger};
use runlog::model::evolve::fold;
use runlog::model::plan::{PlannedTask, Role};
use runlog::model::{Payload, Plan, Recorded, RunEvent, RunId, TaskName, Version, WorkflowName};
use runlog::{Cx, CxError, Status, TaskErrors, TaskStatus, Workflow};
use serde_json::Value;

use crate::support::{Ground, gate, on_both, soon, until};

on_both! {
    a_graph_has_the_tasks_of_the_plan_and_the_child_runs
    a_failed_run_in_three_languages
}

async fn a_graph_has_the_tasks_of_the_plan_and_the_child_runs(ground: impl Ground) {
    let dag = Workflow::dag::<Value>("family");
    let first = dag.task("first", |_: Cx, n: Value| async move { Ok::<_, CxError>(n) });
    let child = dag
        .task_after("child", &first, |cx: Cx, n: Value, _: Value| async move { cx.child(&gate(), n).await });
    let family = dag.output(&child);
    let runtime = ground.builder().workflow(family.clone()).workflow(gate()).start().await.unwrap();
    let run = runtime.run(&family, 1.into()).start().await.unwrap();
    until("its child is there", async || !run.get().await.unwrap().children.is_empty()).await;
    let child = run.get().await.unwrap().children[0].0;
    assert_eq!(run.get().await.unwrap().task("child").unwrap().children[0].run, child);

    let graph = runtime.graph(run.id()).await.unwrap().unwrap();

    let names: Vec<_> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!((names, graph.status), (vec!["first", "child", "gate"], Status::Running));
    let edges: Vec<_> = graph.edges.iter().map(|edge| (edge.from, edge.to, edge.link)).collect();
    assert_eq!(edges, [(0, 1, Link::After), (1, 2, Link::Started)]);
    assert!(matches!(graph.nodes[0].kind, NodeKind::Task { status: TaskStatus::Succeeded, attempts: 1, .. }));
    assert!(graph.nodes[0].duration.is_some() && graph.nodes[1].duration.is_none());
    assert!(matches!(graph.nodes[2].kind, NodeKind::Child { run, .. } if run == child));
    assert!(graph.ascii(200).contains(&format!(" ── ◐ child ── ◐ run gate {child}")), "{}", graph.ascii(200));
    runtime.signal(child, "go", &"on").await.unwrap();
    soon("its end", run.wait()).await.unwrap();
}

/// Leaves out what differs from run to run: durations.
fn timeless(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    graph.nodes.iter_mut().for_each(|node| node.duration = None);
    graph
}

async fn a_failed_run_in_three_languages(ground: impl Ground) {
    let dag = Workflow::dag::<()>("shop");
    let reserve = dag.task("reserve", |_: Cx, ()| async { Ok::<_, CxError>(()) });
    let charge = dag.task_after("charge", &reserve, |_: Cx, (), ()| async { Err::<(), _>(std::fmt::Error) });
    let mail = dag.task_after("mail \"it\"", &charge, |_: Cx, (), ()| async { Ok::<_, CxError>(()) });
    let notify = dag.task_after("notify", &charge, |_: Cx, (), ()| async { Ok::<_, CxError>(()) });
    let close =
        dag.task_after("close", (&mail, &notify), |_: Cx, (), ((), ())| async { Ok::<_, CxError>(()) });
    dag.on_failure("refund", |_: Cx, (), _: TaskErrors| async { Ok::<_, CxError>(()) });
    let shop = dag.output(&close);
    let runtime = ground.builder().workflow(shop.clone()).start().await.unwrap();
    let run = runtime.run(&shop, ()).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();

    let graph = timeless(&runtime.graph(run.id()).await.unwrap().unwrap());

    assert_eq!(
        graph.ascii(100),
        "✓ reserve ── ✕ charge ─┬─ – mail \"it\" ── – close (after mail \"it\", notify)\n\
         \u{20}                      └─ – notify\n\
         ✓ refund (on failure)"
    );
    assert_eq!(
        graph.ascii(40),
        "✓ reserve\n\
         └─ ✕ charge\n\
         \u{20}  ├─ – mail \"it\"\n\
         \u{20}  │  └─ – close (after mail \"it\", notify)\n\
         \u{20}  └─ – notify\n\
         ✓ refund (on failure)"
    );
    assert_eq!(
        graph.dot(),
        r#"digraph "shop" {
  rankdir=LR;
  node [shape=box];
  n0 [label="✓ reserve", class="SUCCEEDED"];
  n1 [label="✕ charge", class="FAILED"];
  n2 [label="– mail \"it\"", class="CANCELLED"];
  n3 [label="– notify", class="CANCELLED"];
  n4 [label="– close", class="CANCELLED"];
  n5 [label="✓ refund (on failure)", class="SUCCEEDED"];
  n0 -> n1;
  n1 -> n2;
  n1 -> n3;
  n2 -> n4;
  n3 -> n4;
}
"#
    );
    assert_eq!(
        graph.mermaid(),
        "flowchart LR\n  n0[\"✓ reserve\"]\n  n1[\"✕ charge\"]\n  n2[\"– mail #34;it#34;\"]\n  n3[\"– notify\"]\n  \
         n4[\"– close\"]\n  n5[\"✓ refund (on failure)\"]\n  n0 --> n1\n  n1 --> n2\n  n1 --> n3\n  n2 --> n4\n  \
         n3 --> n4\n"
    );
}

/// Makes the graph of a run that started with this plan.
pub(super) fn graph_of(tasks: Vec<PlannedTask>) -> Graph {
    let run = RunId::from_tick(1 << 40, 7);
    let created = RunCreated {
        workflow: WorkflowName::new("any").expect("a name"),
        version: Version::new("1").expect("a version"),
        namespace: Default::default(),
        key: None,
        input: Payload::null(),
        metadata: Default::default(),
        priority: 0,
        start_at: None,
        start_deadline: None,
        timeout_ms: None,
        trigger: Trigger::Manual,
        parent: None,
        trace: None,
        limit: None,
    };
    let started = RunStarted { plan: Plan { tasks, output: 0 }, assigned_at: None };
    let events = [RunEvent::from(created), RunEvent::from(started)];
    let log: Vec<_> = (1..)
        .zip(events)
        .map(|(seq, event)| Recorded { seq, at: run.created_at(), node: None, event: event.into() })
        .collect();
    Graph::of(&fold(run, &log).expect("legal").expect("a run"), &[])
}

/// Any plan without a circle: a task waits for some of those that a shuffled order has before it.
pub(super) fn plans() -> impl Strategy<Value = Vec<PlannedTask>> {
    let edges = proptest::collection::vec(proptest::collection::vec(any::<u16>(), 0..4), 1..24);
    (edges, any::<u64>()).prop_map(|(edges, seed)| {
        let count = edges.len();
        // A place's rank in the order: an odd factor and an offset shuffle a power of two of places.
        let rank = |place: usize| (place as u64 ^ (seed % 32)) as usize;
        let task = |(place, leads): (usize, Vec<u16>)| {
            let below: Vec<usize> = (0..count).filter(|other| rank(*other) < rank(place)).collect();
            let pick =
                |lead: u16| below.get(usize::from(lead) % below.len().max(1)).map(|place| *place as u16);
            let after: BTreeSet<u16> = leads.into_iter().filter_map(pick).collect();
            let name = TaskName::new(format!("<task {place}>")).expect("a name");
            PlannedTask::new(name, after.into_iter().collect(), Role::Task)
        };
        edges.into_iter().enumerate().map(task).collect()
    })
}

proptest! {
    #[test]
    fn every_task_is_drawn_once_and_every_edge_is_the_plans(tasks in plans()) {
        let graph = graph_of(tasks.clone());
        prop_assert_eq!(graph.nodes.len(), tasks.len());
        let planned: BTreeSet<(usize, usize)> = tasks
            .iter()
            .enumerate()
            .flat_map(|(to, task)| task.after.iter().map(move |from| (usize::from(*from), to)))
            .collect();
        let drawn: BTreeSet<_> = graph.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        prop_assert_eq!((&drawn, graph.edges.len()), (&planned, planned.len()));

        for text in [graph.ascii(usize::MAX), graph.ascii(0)] {
            for task in &tasks {
                let own = format!("○ {}", task.name);
                prop_assert_eq!(text.matches(&own).count(), 1, "{} in\n{}", own, text);
            }
            let heads = text.matches('○').count();
            prop_assert_eq!(heads, tasks.len());
        }
        let (dot, mermaid) = (graph.dot(), graph.mermaid());
        for task in &tasks {
            prop_assert_eq!(dot.matches(task.name.as_str()).count(), 1);
        }
        for (from, to) in &planned {
            let dot_edge = format!("  n{from} -> n{to};\n");
            let mermaid_edge = format!("  n{from} --> n{to}\n");
            prop_assert!(dot.contains(&dot_edge) && mermaid.contains(&mermaid_edge));
        }
        prop_assert!(!mermaid.contains('<'), "nothing that a page would read as its own");
        prop_assert_eq!(graph_of(tasks).ascii(80), graph.ascii(80));
    }

    #[test]
    fn a_task_stands_behind_one_it_waits_for(tasks in plans()) {
        let text = graph_of(tasks.clone()).ascii(0);
        let lines: Vec<(usize, &str)> = text
            .lines()
            .map(|line| (line.chars().take_while(|c| *c != '○').count(), line))
            .collect();
        for task in tasks.iter().filter(|task| !task.after.is_empty()) {
            let own = format!("○ {}", task.name);
            let at = lines.iter().position(|(_, line)| line.contains(&own)).expect("its line");
            let above = lines[..at].iter().rev().find(|(indent, _)| *indent < lines[at].0).expect("a parent");
            let leads = task.after.iter().map(|lead| format!("○ {}", tasks[usize::from(*lead)].name));
            prop_assert!(leads.into_iter().any(|lead| above.1.contains(&lead)), "{}", text);
        }
    }
}
