//! The layer of every node, the bends of long edges, and the parts that nothing connects.

use std::collections::VecDeque;

use super::super::{Edge, Graph};
use super::at;

/// Nodes and bends in all: a dense graph of 512 tasks would have more of them than a picture can show. Edges beyond go
/// straight, under boxes.
const STOPS_MAX: usize = 20_000;

/// A graph whose edges lead from one layer to the next.
pub(super) struct Net {
    /// The graph's nodes, then the bends.
    pub(super) stops: Vec<Stop>,
    /// The stops of each of the graph's edges, both ends among them; empty for one that leads back.
    pub(super) routes: Vec<Vec<usize>>,
    /// What hangs together: the stops of each layer, from top to bottom.
    pub(super) parts: Vec<Vec<Vec<usize>>>,
}

/// A node, or where a long edge crosses a layer.
#[derive(Default)]
pub(super) struct Stop {
    pub(super) layer: usize,
    pub(super) is_bend: bool,
    /// Its neighbours in the layer before.
    pub(super) before: Vec<usize>,
    /// Its neighbours in the next layer.
    pub(super) after: Vec<usize>,
}

impl Net {
    pub(super) fn of(graph: &Graph) -> Net {
        let layers = layers(graph.nodes.len(), &graph.edges);
        let nodes = layers.iter().map(|layer| Stop { layer: *layer, ..Stop::default() });
        let mut net = Net { stops: nodes.collect(), routes: Vec::new(), parts: Vec::new() };
        // The long edges of one node share their bends as far as they go together.
        let mut trails: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
        for edge in &graph.edges {
            let route = match trails.get_mut(edge.from).filter(|_| edge.to < layers.len()) {
                Some(trail) => net.route(*edge, trail),
                None => Vec::new(),
            };
            net.routes.push(route);
        }
        net.find_parts();
        net
    }

    fn route(&mut self, edge: Edge, trail: &mut Vec<usize>) -> Vec<usize> {
        let layer = |at: usize| self.stops.get(at).map_or(0, |stop| stop.layer);
        let (from, to) = (layer(edge.from), layer(edge.to));
        if to <= from {
            return Vec::new();
        }
        let bends = to - from - 1;
        let missing = bends.saturating_sub(trail.len());
        let room = STOPS_MAX.saturating_sub(self.stops.len());
        if missing > room {
            return vec![edge.from, edge.to];
        }
        for layer in (from + 1..to).skip(trail.len()).collect::<Vec<_>>() {
            let bend = self.stops.len();
            self.stops.push(Stop { layer, is_bend: true, ..Stop::default() });
            self.link(trail.last().copied().unwrap_or(edge.from), bend);
            trail.push(bend);
        }
        let mut route = vec![edge.from];
        route.extend(trail.iter().take(bends));
        self.link(route.last().copied().unwrap_or(edge.from), edge.to);
        route.push(edge.to);
        route
    }

    fn link(&mut self, from: usize, to: usize) {
        if let Some(stop) = self.stops.get_mut(from) {
            stop.after.push(to);
        }
        if let Some(stop) = self.stops.get_mut(to) {
            stop.before.push(from);
        }
    }

    /// Finds what hangs together, and has each layer in the order of a walk from the first node, which leaves trees without
    /// crossings.
    fn find_parts(&mut self) {
        let mut seen = vec![false; self.stops.len()];
        for first in 0..self.stops.len() {
            let mut part: Vec<Vec<usize>> = Vec::new();
            let mut open = vec![first];
            while let Some(next) = open.pop() {
                let Some(seen) = seen.get_mut(next).filter(|seen| !**seen) else { continue };
                *seen = true;
                let Some(stop) = self.stops.get(next) else { continue };
                if part.len() <= stop.layer {
                    part.resize(stop.layer + 1, Vec::new());
                }
                if let Some(layer) = part.get_mut(stop.layer) {
                    layer.push(next);
                }
                // The last one in is the first one out: first what is behind, in its order.
                open.extend(stop.before.iter().rev());
                open.extend(stop.after.iter().rev());
            }
            if !part.is_empty() {
                self.parts.push(part);
            }
        }
    }
}

/// Returns how many edges the longest way to each node has. Where edges go in a circle, the first node of it counts as its
/// beginning.
fn layers(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut open_before = vec![0_usize; count];
    for edge in edges.iter().filter(|edge| edge.from < count && edge.from != edge.to) {
        if let (Some(open), Some(after)) = (open_before.get_mut(edge.to), after.get_mut(edge.from)) {
            *open += 1;
            after.push(edge.to);
        }
    }
    let mut layers = vec![0; count];
    let mut taken = vec![false; count];
    let mut ready: VecDeque<usize> = (0..count).filter(|node| at(&open_before, *node) == 0).collect();
    let mut rest = 0..count;
    loop {
        // Nothing is ready and something is left: a circle.
        let Some(node) = ready.pop_front().or_else(|| rest.find(|node| !at(&taken, *node))) else {
            return layers;
        };
        let Some(taken_here) = taken.get_mut(node).filter(|taken| !**taken) else { continue };
        *taken_here = true;
        let layer = at(&layers, node) + 1;
        for next in after.get(node).into_iter().flatten() {
            let is_open = !at(&taken, *next);
            if let (Some(known), Some(open)) = (layers.get_mut(*next), open_before.get_mut(*next)) {
                *open = open.saturating_sub(1);
                if is_open {
                    *known = (*known).max(layer);
                    if *open == 0 {
                        ready.push_back(*next);
                    }
                }
            }
        }
    }
}
