//! Less than a whole graph: its failed path, and many like child runs as one node.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Edge, Graph, Link, Node, NodeKind};
use crate::model::{Status, TaskName};

/// More child runs of one workflow from one task are one node.
const CHILDREN_APART_MAX: usize = 8;

/// What a person takes in at once; a picture of more nodes begins with less.
pub(super) const NODES_AT_ONCE_MAX: usize = 150;

pub(super) fn failed_path(graph: &Graph) -> Option<Graph> {
    let failed: Vec<bool> = graph.nodes.iter().map(Node::has_failed).collect();
    if !failed.contains(&true) {
        return None;
    }
    let is = |marks: &[bool], at: usize| marks.get(at).copied().unwrap_or_default();
    let mut kept = failed.clone();
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for edge in &graph.edges {
        if let Some(before) = before.get_mut(edge.to) {
            before.push(edge.from);
        }
    }
    let mut open: Vec<usize> = (0..kept.len()).filter(|node| is(&failed, *node)).collect();
    while let Some(node) = open.pop() {
        for lead in before.get(node).into_iter().flatten() {
            if let Some(mark) = kept.get_mut(*lead).filter(|mark| !**mark) {
                *mark = true;
                open.push(*lead);
            }
        }
    }
    for edge in graph.edges.iter().filter(|edge| is(&failed, edge.from)) {
        if let Some(mark) = kept.get_mut(edge.to) {
            *mark = true;
        }
    }
    let places: Vec<usize> = (0..kept.len()).filter(|node| is(&kept, *node)).collect();
    Some(rearranged(graph, places.into_iter().map(|node| vec![node]).collect()))
}

pub(super) fn stacked(graph: &Graph, open: &[TaskName]) -> Graph {
    let mut started: BTreeMap<usize, usize> = BTreeMap::new();
    for edge in graph.edges.iter().filter(|edge| edge.link == Link::Started) {
        started.insert(edge.to, edge.from);
    }
    // Child runs by who started them and what they are; each group where its first one stood.
    let mut groups: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let mut places: Vec<Vec<usize>> = Vec::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        let starter = started.get(&at).filter(|_| matches!(node.kind, NodeKind::Child { .. }));
        let known = starter.map(|starter| *groups.entry((*starter, &node.name)).or_insert(places.len()));
        match known.and_then(|group| places.get_mut(group)) {
            Some(group) => group.push(at),
            None => places.push(vec![at]),
        }
    }
    let mut apart: Vec<Vec<usize>> = Vec::new();
    for mut group in places {
        let task = group.first().and_then(|first| started.get(first)).and_then(|task| task_of(graph, *task));
        let is_large = group.len() > CHILDREN_APART_MAX;
        match task.filter(|_| is_large) {
            Some(task) if !open.contains(task) => apart.push(group),
            Some(_) => {
                group.sort_by_key(|node| Reverse(graph.nodes.get(*node).is_some_and(Node::has_failed)));
                apart.extend(group.into_iter().map(|node| vec![node]));
            }
            None => apart.extend(group.into_iter().map(|node| vec![node])),
        }
    }
    rearranged(graph, apart)
}

fn task_of(graph: &Graph, at: usize) -> Option<&TaskName> {
    match &graph.nodes.get(at)?.kind {
        NodeKind::Task { task, .. } => Some(task),
        NodeKind::Child { .. } | NodeKind::Stack { .. } => None,
    }
}

/// Makes a graph of some of another's nodes, several as one where a group has more than one, and the edges between them.
fn rearranged(graph: &Graph, groups: Vec<Vec<usize>>) -> Graph {
    let mut now_at: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    for (to, group) in groups.iter().enumerate() {
        for from in group {
            if let Some(place) = now_at.get_mut(*from) {
                *place = Some(to);
            }
        }
    }
    let place = |node: usize| now_at.get(node).copied().flatten();
    let edges = graph.edges.iter();
    let edges =
        edges.filter_map(|edge| Some(Edge { from: place(edge.from)?, to: place(edge.to)?, link: edge.link }));
    // All edges to a stack's runs are one.
    let mut seen = BTreeSet::new();
    let mut edges: Vec<Edge> = edges.filter(|edge| seen.insert((edge.from, edge.to))).collect();
    // As a whole graph has them; a picture's order follows.
    edges.sort_by_key(|edge| edge.to);
    let starter = |to: usize| {
        let edge = graph.edges.iter().find(|edge| edge.to == to && edge.link == Link::Started);
        edge.and_then(|edge| task_of(graph, edge.from))
    };
    let node = |group: &Vec<usize>| match group.as_slice() {
        [node] => graph.nodes.get(*node).cloned(),
        several => stack(graph, several, starter(*several.first()?)?),
    };
    // A group has a node, or a stack's runs: there is none without.
    let nodes: Option<Vec<Node>> = groups.iter().map(node).collect();
    match nodes {
        Some(nodes) => {
            Graph { run: graph.run, workflow: graph.workflow.clone(), status: graph.status, nodes, edges }
        }
        None => graph.clone(),
    }
}

fn stack(graph: &Graph, nodes: &[usize], task: &TaskName) -> Option<Node> {
    let runs: Vec<&Node> = nodes.iter().filter_map(|node| graph.nodes.get(*node)).collect();
    let statuses = runs.iter().filter_map(|node| match &node.kind {
        NodeKind::Child { status, .. } => Some(*status),
        NodeKind::Task { .. } | NodeKind::Stack { .. } => None,
    });
    let status = statuses.min_by_key(|status| match status {
        Status::Failed => 0,
        Status::TimedOut => 1,
        Status::Running => 2,
        Status::Queued => 3,
        Status::Cancelled => 4,
        Status::Succeeded => 5,
    })?;
    let failed = runs.iter().filter(|node| node.has_failed()).count();
    let kind = NodeKind::Stack { task: task.clone(), runs: runs.len(), failed, status };
    Some(Node { name: runs.first()?.name.clone(), kind, duration: None })
}
