//! A graph in Mermaid's language.

use std::fmt::Write;

use super::{Graph, Link, NodeKind};

pub(super) fn write(graph: &Graph) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (at, node) in graph.nodes.iter().enumerate() {
        let label = escaped(&format!("{} {}", node.sign(), node.label()));
        let _written = match node.kind {
            NodeKind::Task { .. } => writeln!(text, "  n{at}[\"{label}\"]"),
            NodeKind::Child { .. } | NodeKind::Stack { .. } => writeln!(text, "  n{at}([\"{label}\"])"),
        };
    }
    for edge in &graph.edges {
        let arrow = match edge.link {
            Link::After => "-->",
            Link::Started => "-.->",
        };
        let _written = writeln!(text, "  n{} {arrow} n{}", edge.from, edge.to);
    }
    text
}

/// Escapes what Mermaid, or the page that shows it, would read as its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '\\' | '`' | '[' | ']' | '{' | '}' | ';' => {
                let _written = write!(escaped, "#{};", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}
