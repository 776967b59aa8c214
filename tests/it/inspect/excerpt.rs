//! Less than a whole graph: its failed path, and stacks.

use runlog::inspect::{Graph, Node, NodeKind};
use runlog::model::TaskName;
use runlog::{Status, TaskStatus};

use super::layout::{child, graph, task};

fn words(graph: &Graph) -> String {
    let node = |node: &Node| {
        format!("{} {} {}", node.sign(), node.short_name(), node.detail()).trim_end().to_owned()
    };
    let nodes: Vec<String> = graph.nodes.iter().map(node).collect();
    let edges: Vec<String> = graph.edges.iter().map(|edge| format!("{}→{}", edge.from, edge.to)).collect();
    format!("{}\n{}", nodes.join("\n"), edges.join(" "))
}

/// A task whose children are `resize` but for one, the 4th and the last one of them failed.
fn gallery(children: u64) -> Graph {
    let mut nodes = vec![task("list", TaskStatus::Succeeded), task("convert", TaskStatus::Running)];
    let status = |number| match number {
        4 => Status::Failed,
        number if number + 1 == children => Status::TimedOut,
        number if number % 2 == 0 => Status::Running,
        _ => Status::Succeeded,
    };
    nodes.extend((0..children).map(|number| child("resize", number, status(number))));
    nodes.insert(5, child("index", 1_000, Status::Queued));
    let edges: Vec<(usize, usize)> = [(0, 1)].into_iter().chain((2..nodes.len()).map(|to| (1, to))).collect();
    graph(nodes, &edges)
}

#[test]
fn more_than_eight_child_runs_of_a_workflow_from_one_task_are_one_stack() {
    let stacked = gallery(240).stacked(&[]);

    assert_eq!(
        words(&stacked),
        "✓ list\n\
         ◐ convert\n\
         ✕ resize ×240 — 2 failed\n\
         ○ index\n\
         0→1 1→2 1→3"
    );
    assert!(
        matches!(&stacked.nodes[2].kind, NodeKind::Stack { task, runs: 240, .. } if task.as_str() == "convert")
    );
    assert!(stacked.nodes[2].has_failed());
}

#[test]
fn eight_child_runs_stand_for_themselves() {
    let whole = gallery(8);

    let stacked = whole.stacked(&[]);

    assert_eq!((stacked.nodes.len(), stacked.edges.len()), (whole.nodes.len(), whole.edges.len()));
}

#[test]
fn child_runs_of_two_tasks_are_two_stacks() {
    let mut nodes = vec![task("a", TaskStatus::Succeeded), task("b", TaskStatus::Succeeded)];
    nodes.extend((0..20).map(|number| child("resize", number, Status::Succeeded)));
    let edges: Vec<(usize, usize)> = (2..22).map(|to| (to % 2, to)).collect();

    let stacked = graph(nodes, &edges).stacked(&[]);

    assert_eq!(words(&stacked), "✓ a\n✓ b\n✓ resize ×10\n✓ resize ×10\n0→2 1→3");
}

#[test]
fn an_open_stack_has_its_failed_runs_first() {
    let open = gallery(10).stacked(&[TaskName::new("convert").expect("a name")]);

    assert_eq!(
        words(&open),
        "✓ list\n◐ convert\n✕ resize\n⌛ resize\n◐ resize\n✓ resize\n◐ resize\n✓ resize\n✓ resize\n◐ resize\n\
         ✓ resize\n◐ resize\n○ index\n\
         0→1 1→2 1→3 1→4 1→5 1→6 1→7 1→8 1→9 1→10 1→11 1→12"
    );
    let tops: Vec<u32> = open.layout().boxes[2..].iter().map(|laid_out| laid_out.y).collect();
    assert!(tops.is_sorted(), "{tops:?}");
}

#[test]
fn the_failed_path_is_what_led_to_the_failure_and_what_would_have_come_next() {
    let nodes = vec![
        task("reserve", TaskStatus::Succeeded),
        task("charge", TaskStatus::Failed),
        task("mail", TaskStatus::Cancelled),
        task("close", TaskStatus::Cancelled),
        task("score", TaskStatus::Succeeded),
        task("audit", TaskStatus::Succeeded),
    ];
    let whole = graph(nodes, &[(0, 1), (1, 2), (2, 3), (4, 1), (0, 5)]);

    let path = whole.failed_path().expect("a failure");

    assert_eq!(words(&path), "✓ reserve\n✕ charge\n⊘ mail\n✓ score\n0→1 3→1 1→2");
}

#[test]
fn a_graph_without_a_failure_has_no_failed_path() {
    let whole =
        graph(vec![task("reserve", TaskStatus::Succeeded), task("charge", TaskStatus::Cancelled)], &[(0, 1)]);

    assert_eq!(whole.failed_path(), None);
}

#[test]
fn a_page_begins_with_the_failed_path_over_150_nodes() {
    let of = |count: usize, last: TaskStatus| {
        let mut nodes: Vec<Node> =
            (1..count).map(|at| task(&format!("task {at}"), TaskStatus::Succeeded)).collect();
        nodes.push(task("last", last));
        graph(nodes, &[]).begins_with_failed_path()
    };

    assert!(!of(150, TaskStatus::Failed));
    assert!(of(151, TaskStatus::Failed));
    assert!(of(151, TaskStatus::TimedOut));
    assert!(!of(151, TaskStatus::Succeeded));
}

#[test]
fn a_failed_run_in_a_stack_puts_the_stack_on_the_failed_path() {
    let path = gallery(240).stacked(&[]).failed_path().expect("a failure");

    assert_eq!(words(&path), "✓ list\n◐ convert\n✕ resize ×240 — 2 failed\n0→1 1→2");
}
