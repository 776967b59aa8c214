//! A graph for a terminal.

use super::Graph;
use super::forest::Forest;

pub(super) fn draw(graph: &Graph, width: usize) -> String {
    let drawing = Drawing { graph, forest: Forest::of(graph) };
    let mut lines = Vec::new();
    for root in &drawing.forest.roots {
        lines.extend(drawing.across(*root));
    }
    if lines.iter().any(|line| columns(line) > width) {
        lines.clear();
        for root in &drawing.forest.roots {
            drawing.down(*root, "", "", &mut lines);
        }
    }
    lines.join("\n")
}

struct Drawing<'a> {
    graph: &'a Graph,
    forest: Forest,
}

impl Drawing<'_> {
    fn node(&self, at: usize) -> String {
        let Some(node) = self.graph.nodes.get(at) else { return String::new() };
        let before = self.forest.before.get(at).map(Vec::as_slice).unwrap_or_default();
        let names =
            before.iter().filter_map(|lead| self.graph.nodes.get(*lead)).map(|lead| lead.name.as_str());
        let several = match before.len() {
            0 | 1 => String::new(),
            _ => format!(" (after {})", names.collect::<Vec<_>>().join(", ")),
        };
        format!("{} {}{several}", node.sign(), node.label())
    }

    fn behind(&self, at: usize) -> &[usize] {
        self.forest.behind.get(at).map(Vec::as_slice).unwrap_or_default()
    }

    /// Draws a node and what stands behind it, from left to right. The stack grows by a level for each node on the way.
    fn across(&self, at: usize) -> Vec<String> {
        let own = self.node(at);
        let indent = " ".repeat(columns(&own));
        let behind = self.behind(at);
        let mut lines = Vec::new();
        for (place, next) in behind.iter().enumerate() {
            let (first, only, last) = (place == 0, behind.len() == 1, place + 1 == behind.len());
            let (joint, below) = match (first, only, last) {
                (_, true, _) => (" ── ", "    "),
                (true, ..) => (" ─┬─ ", "  │  "),
                (_, _, true) => ("  └─ ", "     "),
                _ => ("  ├─ ", "  │  "),
            };
            for (line_at, line) in self.across(*next).into_iter().enumerate() {
                let left = if lines.is_empty() { &own } else { &indent };
                let joint = if line_at == 0 { joint } else { below };
                lines.push(format!("{left}{joint}{line}"));
            }
        }
        if lines.is_empty() { vec![own] } else { lines }
    }

    /// Draws a node and what stands behind it, from top to bottom.
    fn down(&self, at: usize, joint: &str, indent: &str, lines: &mut Vec<String>) {
        lines.push(format!("{joint}{}", self.node(at)));
        let behind = self.behind(at);
        for (place, next) in behind.iter().enumerate() {
            let last = place + 1 == behind.len();
            let joint = format!("{indent}{}", if last { "└─ " } else { "├─ " });
            let indent = format!("{indent}{}", if last { "   " } else { "│  " });
            self.down(*next, &joint, &indent, lines);
        }
    }
}

/// Counts characters; the signs and lines drawn here take one column each.
fn columns(line: &str) -> usize {
    line.chars().count()
}
