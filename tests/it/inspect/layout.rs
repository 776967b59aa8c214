//! Where a graph's nodes stand on a page.

use std::fmt::Write;
use std::time::Duration;

use proptest::prelude::*;
use runlog::inspect::{Edge, Graph, LaidOut, Layout, Link, Node, NodeKind};
use runlog::model::plan::Role;
use runlog::model::{RunId, TaskName, WorkflowName};
use runlog::{Status, TaskStatus};

use super::graph::{graph_of, plans};

pub(crate) fn task(name: &str, status: TaskStatus) -> Node {
    let task = TaskName::new(name).expect("a name");
    let kind = NodeKind::Task { task, status, attempts: 1, role: Role::Task, skipped: None };
    Node { name: name.to_owned(), kind, duration: None }
}

pub(crate) fn child(workflow: &str, number: u64, status: Status) -> Node {
    let kind = NodeKind::Child { run: RunId::from_tick(1 << 40, number), status };
    Node { name: workflow.to_owned(), kind, duration: None }
}

pub(crate) fn graph(nodes: Vec<Node>, after: &[(usize, usize)]) -> Graph {
    let run = RunId::from_tick(1 << 40, 7);
    let workflow = WorkflowName::new("any").expect("a name");
    let edge = |(from, to): &(usize, usize)| {
        let is_child = nodes.get(*to).is_some_and(|node| matches!(node.kind, NodeKind::Child { .. }));
        Edge { from: *from, to: *to, link: if is_child { Link::Started } else { Link::After } }
    };
    let edges = after.iter().map(edge).collect();
    Graph { run, workflow, status: Status::Running, nodes, edges }
}

fn tasks(count: usize) -> Vec<Node> {
    (0..count).map(|at| task(&format!("task {at}"), TaskStatus::Queued)).collect()
}

fn text(layout: &Layout) -> String {
    let mut text = format!("{} × {}\n", layout.width, layout.height);
    for LaidOut { x, y, width, height } in &layout.boxes {
        let _written = writeln!(text, "box {x} {y} {width} {height}");
    }
    for path in &layout.paths {
        let _written = writeln!(text, "path {path:?}");
    }
    text
}

#[test]
fn a_task_stands_behind_those_it_waits_for_and_in_the_middle_of_them() {
    let mut nodes: Vec<Node> = ["reserve", "charge", "mail", "notify", "close", "refund"]
        .map(|name| task(name, TaskStatus::Queued))
        .into();
    nodes[1].duration = Some(Duration::from_millis(2_040));
    let shop = graph(nodes, &[(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)]);

    assert_eq!(
        text(&shop.layout()),
        "560 × 152\n\
         box 8 32 96 32\n\
         box 152 32 136 32\n\
         box 336 8 72 32\n\
         box 336 56 88 32\n\
         box 472 32 80 32\n\
         box 8 112 88 32\n\
         path [(104, 48), (152, 48)]\n\
         path [(288, 48), (336, 24)]\n\
         path [(288, 48), (336, 72)]\n\
         path [(408, 24), (424, 24), (472, 48)]\n\
         path [(424, 72), (472, 48)]\n"
    );
}

#[test]
fn a_long_edge_has_a_lane_of_its_own() {
    let chain = graph(tasks(4), &[(0, 1), (1, 2), (2, 3), (0, 3)]);

    assert_eq!(
        text(&chain.layout()),
        "512 × 80\n\
         box 8 24 88 32\n\
         box 144 8 88 32\n\
         box 280 8 88 32\n\
         box 416 24 88 32\n\
         path [(96, 40), (144, 24)]\n\
         path [(232, 24), (280, 24)]\n\
         path [(368, 24), (416, 40)]\n\
         path [(96, 40), (144, 56), (232, 56), (280, 56), (368, 56), (416, 40)]\n"
    );
}

#[test]
fn an_edge_that_leads_back_has_no_way_and_the_others_do() {
    let circle = graph(tasks(3), &[(0, 1), (1, 2), (2, 0), (1, 1)]);

    let layout = circle.layout();

    assert!(layout.paths[0].len() >= 2 && layout.paths[1].len() >= 2);
    assert!(layout.paths[2].is_empty() && layout.paths[3].is_empty());
}

#[test]
fn a_graph_without_nodes_is_an_empty_picture() {
    let layout = graph(Vec::new(), &[]).layout();

    assert_eq!((layout.width, layout.height), (16, 16));
}

#[test]
fn a_name_without_end_makes_no_box_without_end() {
    let nodes = vec![task(&"n".repeat(128), TaskStatus::Queued), task(&"名".repeat(40), TaskStatus::Queued)];

    let named = graph(nodes, &[(0, 1)]);

    let names: Vec<String> = named.nodes.iter().map(Node::short_name).collect();
    assert_eq!(names, ["nnnnnnnnnnnnnn…nnnnnnnnnnnnn", "名名名名名名名…名名名名名名"]);
    assert!(named.layout().boxes.iter().all(|laid_out| laid_out.width <= 30 * 8 + 24));
}

#[test]
fn a_dense_graph_is_drawn_too() {
    let edges: Vec<_> = (0..256).flat_map(|to| (0..to).map(move |from| (from, to))).collect();
    let dense = graph(tasks(256), &edges);

    let layout = dense.layout();

    assert!(layout.paths.iter().all(|path| path.len() >= 2));
    assert_rightwards(&dense, &layout).expect("an order");
}

fn assert_rightwards(graph: &Graph, layout: &Layout) -> Result<(), TestCaseError> {
    prop_assert_eq!((layout.boxes.len(), layout.paths.len()), (graph.nodes.len(), graph.edges.len()));
    for (edge, path) in graph.edges.iter().zip(&layout.paths) {
        let (from, to) = (layout.boxes[edge.from], layout.boxes[edge.to]);
        prop_assert_eq!(path.first(), Some(&(from.x + from.width, from.y + from.height / 2)));
        prop_assert_eq!(path.last(), Some(&(to.x, to.y + to.height / 2)));
        prop_assert!(path.windows(2).all(|two| two[0].0 < two[1].0), "{:?}", path);
    }
    Ok(())
}

fn assert_apart_and_inside(layout: &Layout) -> Result<(), TestCaseError> {
    let inside = |x: u32, y: u32| x <= layout.width && y <= layout.height;
    for (at, one) in layout.boxes.iter().enumerate() {
        prop_assert!(one.width > 0 && one.height > 0 && inside(one.x + one.width, one.y + one.height));
        for other in &layout.boxes[at + 1..] {
            let beside = one.x + one.width <= other.x || other.x + other.width <= one.x;
            let below = one.y + one.height <= other.y || other.y + other.height <= one.y;
            prop_assert!(beside || below, "{:?} and {:?}", one, other);
        }
    }
    prop_assert!(layout.paths.iter().flatten().all(|(x, y)| inside(*x, *y)));
    Ok(())
}

/// A line that crosses a box' columns is level there, above or below it.
fn assert_no_line_under_a_box(layout: &Layout) -> Result<(), TestCaseError> {
    for two in layout.paths.iter().flat_map(|path| path.windows(2)) {
        let ((x1, y1), (x2, y2)) = (two[0], two[1]);
        for at in &layout.boxes {
            if x1.max(at.x) < x2.min(at.x + at.width) {
                let outside = y1 < at.y || y1 > at.y + at.height;
                prop_assert!(y1 == y2 && outside, "{:?} crosses {:?}", two, at);
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn boxes_stand_apart_and_edges_go_rightwards_round_them(tasks in plans()) {
        let graph = graph_of(tasks.clone());

        let layout = graph.layout();

        assert_apart_and_inside(&layout)?;
        assert_rightwards(&graph, &layout)?;
        assert_no_line_under_a_box(&layout)?;
        prop_assert_eq!(graph_of(tasks).layout(), layout);
    }

    #[test]
    fn any_nodes_and_edges_are_laid_out(
        names in proptest::collection::vec("[^\0]{1,60}", 0..30),
        edges in proptest::collection::vec((0_usize..40, 0_usize..40), 0..80),
    ) {
        let named = |name: String| Node { name, ..task("any", TaskStatus::Queued) };
        let nodes: Vec<Node> = names.into_iter().map(named).collect();
        let any = graph(nodes, &edges);

        let layout = any.layout();

        assert_apart_and_inside(&layout)?;
        assert_no_line_under_a_box(&layout)?;
        prop_assert_eq!(layout.paths.len(), any.edges.len());
    }
}
