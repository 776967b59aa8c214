//! The pieces of pages as text, for the tests that give them any graph, run or text: no part of the interface.

use crate::inspect::{Graph, Node, Timeline};
use crate::model::TaskName;

/// Shows a payload.
pub fn payload(text: &str) -> String {
    super::payload::payload(text).into_string()
}

/// Draws a graph.
pub fn graph(graph: &Graph, link: &dyn Fn(&Node) -> Option<String>) -> String {
    super::graph::graph(graph, link).into_string()
}

/// Draws a timeline.
pub fn timeline(timeline: &Timeline, link: &dyn Fn(&TaskName) -> Option<String>) -> String {
    super::timeline::timeline(timeline, link).into_string()
}
