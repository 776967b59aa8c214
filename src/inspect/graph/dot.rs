//! A graph in Graphviz' language.

use std::fmt::Write;

use super::{Graph, Link, NodeKind};

pub(super) fn write(graph: &Graph) -> String {
    let mut text =
        format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quoted(graph.workflow.as_str()));
    for (at, node) in graph.nodes.iter().enumerate() {
        let label = quoted(&format!("{} {}", node.sign(), node.label()));
        let style = match node.kind {
            NodeKind::Task { .. } => "",
            NodeKind::Child { .. } | NodeKind::Stack { .. } => ", style=rounded",
        };
        let _written = writeln!(text, "  n{at} [label={label}, class={}{style}];", quoted(node.status()));
    }
    for edge in &graph.edges {
        let style = match edge.link {
            Link::After => "",
            Link::Started => " [style=dashed]",
        };
        let _written = writeln!(text, "  n{} -> n{}{style};", edge.from, edge.to);
    }
    text.push_str("}\n");
    text
}

/// Quotes a text as the language has it: names hold no line breaks.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
