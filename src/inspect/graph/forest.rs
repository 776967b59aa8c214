//! A graph as a forest: every node once, behind one of those that lead to it.

use super::Graph;

/// The nodes of a graph as trees.
pub(super) struct Forest {
    /// Nodes that nothing leads to.
    pub(super) roots: Vec<usize>,
    /// What stands behind each node.
    pub(super) behind: Vec<Vec<usize>>,
    /// The nodes that lead to each one.
    pub(super) before: Vec<Vec<usize>>,
}

impl Forest {
    /// Puts each node behind the one before it that is furthest from the roots, the first of several.
    pub(super) fn of(graph: &Graph) -> Forest {
        let count = graph.nodes.len();
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); count];
        for edge in graph.edges.iter().filter(|edge| edge.from < count) {
            if let Some(before) = before.get_mut(edge.to).filter(|before| !before.contains(&edge.from)) {
                before.push(edge.from);
            }
        }
        let depths = depths(&before);
        let depth = |node: &usize| depths.get(*node).copied().unwrap_or_default();
        let mut forest = Forest { roots: Vec::new(), behind: vec![Vec::new(); count], before };
        for node in 0..count {
            let leads = forest.before.get(node).map(Vec::as_slice).unwrap_or_default();
            // The first of the deepest: `max_by_key` takes the last.
            let parent = leads.iter().rev().max_by_key(|lead| depth(lead)).copied();
            match parent.and_then(|parent| forest.behind.get_mut(parent)) {
                Some(behind) => behind.push(node),
                None => forest.roots.push(node),
            }
        }
        forest
    }
}

/// Returns how many edges the longest way to each node has. A plan may name a task before the ones it waits for.
fn depths(before: &[Vec<usize>]) -> Vec<usize> {
    let mut depths = vec![0; before.len()];
    // The longest way has fewer edges than there are nodes.
    for _ in 0..before.len() {
        let mut moved = false;
        for (node, leads) in before.iter().enumerate() {
            let deepest = leads.iter().filter_map(|lead| depths.get(*lead)).max();
            let depth = deepest.map_or(0, |deepest: &usize| deepest + 1);
            if let Some(known) = depths.get_mut(node).filter(|known| **known < depth) {
                *known = depth;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    depths
}
