//! A graph as a picture and as a table that says the same.

use std::fmt::Write;

use maud::{Markup, html};

use super::mark::{Mark, run_mark, task_mark};
use crate::inspect::span::span;
use crate::inspect::{Edge, Graph, LaidOut, Link, Node, NodeKind};
use crate::model::TaskStatus;

/// Nodes of a picture and rows of its table; a page with more would not be read, nor quickly drawn.
const NODES_MAX: usize = 1_000;

/// Where a box' text begins, and its line stands.
const TEXT_X: u32 = 12;
const TEXT_Y: u32 = 21;

/// Draws a graph, and writes it as a table below. `link` says where a node leads to.
pub(super) fn graph(graph: &Graph, link: &dyn Fn(&Node) -> Option<String>) -> Markup {
    let left_out = graph.nodes.len().saturating_sub(NODES_MAX);
    html! {
        div.graph {
            @if graph.nodes.is_empty() {
                p.empty { "The run has not started: its tasks are not known." }
            } @else if left_out > 0 {
                p.empty { "These are " (graph.nodes.len()) " nodes: too many for a picture." }
            } @else {
                (picture(graph, link))
            }
        }
        @if !graph.nodes.is_empty() {
            details.as-table {
                summary { "Tasks as a table" }
                (table(graph, link))
                @if left_out > 0 { p.more { (left_out) " more." } }
            }
        }
    }
}

fn picture(graph: &Graph, link: &dyn Fn(&Node) -> Option<String>) -> Markup {
    let layout = graph.layout();
    let (width, height) = (layout.width, layout.height);
    html! {
        svg role="group" aria-label=(label(graph)) viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) {
            g aria-hidden="true" {
                @for (edge, path) in graph.edges.iter().zip(&layout.paths).filter(|(_, path)| !path.is_empty()) {
                    path class=(class_of(edge)) d=(curve(path)) {}
                }
            }
            @for (node, place) in graph.nodes.iter().zip(&layout.boxes) { (shape(node, place, link)) }
        }
    }
}

fn label(graph: &Graph) -> String {
    let failed = graph.nodes.iter().filter(|node| node.has_failed()).count();
    let nodes = graph.nodes.len();
    let plural = if nodes == 1 { "" } else { "s" };
    match failed {
        0 => format!("Graph of {}: {nodes} node{plural}", graph.workflow),
        failed => format!("Graph of {}: {nodes} node{plural}, {failed} failed", graph.workflow),
    }
}

fn class_of(edge: &Edge) -> &'static str {
    match edge.link {
        Link::After => "edge",
        Link::Started => "edge started",
    }
}

/// Draws a way: level as long as it is level, a soft S where it is not, and an arrow's head at its end.
fn curve(path: &[(u32, u32)]) -> String {
    let mut drawn = String::new();
    let mut before: Option<(u32, u32)> = None;
    for (x, y) in path {
        let _written = match before {
            None => write!(drawn, "M{x} {y}"),
            Some((_, last)) if last == *y => write!(drawn, "H{x}"),
            Some((left, last)) => {
                let middle = u32::midpoint(left, *x);
                write!(drawn, "C{middle} {last} {middle} {y} {x} {y}")
            }
        };
        before = Some((*x, *y));
    }
    drawn.push_str("m-6 -4l6 4l-6 4");
    drawn
}

fn shape(node: &Node, place: &LaidOut, link: &dyn Fn(&Node) -> Option<String>) -> Markup {
    let mark = mark(node);
    let inside = html! {
        title { (title(node)) }
        rect x=(place.x) y=(place.y) width=(place.width) height=(place.height) rx="6" {}
        text x=(place.x + TEXT_X) y=(place.y + TEXT_Y) {
            tspan.icon { (mark.icon) } " " (node.short_name())
            @let detail = node.detail();
            @if !detail.is_empty() { tspan.detail { " " (detail) } }
        }
    };
    let class = format!("node {}", mark.class);
    html! {
        @match link(node) {
            Some(href) => a id=(id(node)) class=(class) href=(href) { (inside) },
            None => g id=(id(node)) class=(class) { (inside) },
        }
    }
}

/// Returns the mark of a node: a task that failed and has not begun anew retries.
fn mark(node: &Node) -> Mark {
    match &node.kind {
        NodeKind::Task { status: TaskStatus::Queued, attempts: 1.., .. } => Mark::RETRYING,
        NodeKind::Task { status, .. } => task_mark(*status),
        NodeKind::Child { status, .. } | NodeKind::Stack { status, .. } => run_mark(*status),
    }
}

/// Writes all that is known of a node: its name in full, its status, how long it took, its attempts.
fn title(node: &Node) -> String {
    let mut title = match &node.kind {
        NodeKind::Task { .. } => node.name.clone(),
        NodeKind::Child { run, .. } => format!("run {} {run}", node.name),
        NodeKind::Stack { runs, .. } => format!("{runs} runs of {}", node.name),
    };
    let _written = write!(title, ": {}", mark(node).word);
    if let Some(duration) = node.duration {
        let _written = write!(title, ", {}", span(duration));
    }
    let _written = match &node.kind {
        NodeKind::Task { skipped: Some(because), .. } => write!(title, ", {because}"),
        NodeKind::Task { attempts: 2.., .. } => write!(title, ", {} attempts", attempts(node)),
        NodeKind::Stack { failed, .. } => write!(title, ", {failed} failed"),
        NodeKind::Task { .. } | NodeKind::Child { .. } => Ok(()),
    };
    title
}

fn attempts(node: &Node) -> String {
    match &node.kind {
        NodeKind::Task { attempts, .. } => attempts.to_string(),
        NodeKind::Child { .. } | NodeKind::Stack { .. } => String::new(),
    }
}

/// Returns a name for the page's parts to find the node by, which stays while the page is open.
fn id(node: &Node) -> String {
    match &node.kind {
        NodeKind::Task { task, .. } => format!("node-{}", plain(task.as_str())),
        NodeKind::Child { run, .. } => format!("node-{run}"),
        NodeKind::Stack { task, .. } => format!("stack-{}-{}", plain(task.as_str()), plain(&node.name)),
    }
}

/// Writes a name so that it can be an id: other characters by their numbers.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => plain.push(c),
            c => {
                let _written = write!(plain, ".{:x}.", u32::from(c));
            }
        }
    }
    plain
}

fn table(graph: &Graph, link: &dyn Fn(&Node) -> Option<String>) -> Markup {
    let mut before: Vec<Vec<&str>> = vec![Vec::new(); graph.nodes.len()];
    for edge in &graph.edges {
        if let (Some(before), Some(from)) = (before.get_mut(edge.to), graph.nodes.get(edge.from)) {
            before.push(&from.name);
        }
    }
    html! {
        table {
            caption { "Tasks and child runs of " (graph.workflow) }
            thead {
                tr {
                    th scope="col" { "Task" }
                    th scope="col" { "Status" }
                    th scope="col" { "Took" }
                    th scope="col" { "Attempts" }
                    th scope="col" { "After" }
                }
            }
            tbody {
                @for (node, before) in graph.nodes.iter().zip(&before).take(NODES_MAX) {
                    tr {
                        th scope="row" {
                            @match link(node) {
                                Some(href) => a href=(href) { (name(node)) },
                                None => (name(node)),
                            }
                        }
                        td { (mark(node)) }
                        td { (node.duration.map(span).unwrap_or_default()) }
                        td { (attempts(node)) }
                        td { (before.join(", ")) }
                    }
                }
            }
        }
    }
}

fn name(node: &Node) -> String {
    match &node.kind {
        NodeKind::Task { .. } => node.name.clone(),
        NodeKind::Child { run, .. } => format!("run {} {run}", node.name),
        NodeKind::Stack { .. } => format!("{} {}", node.name, node.detail()),
    }
}
