//! Where a graph's nodes stand on a page, and the ways that its edges take: layers from left to right.
//!
//! The method is Sugiyama's: longest-path layers, bends where an edge crosses a layer, an order in each layer by the
//! barycentres of neighbours, then places. Whole numbers only, so that the same graph is the same picture everywhere.

mod layers;
mod order;
mod heights;

use self::layers::{Net, Stop};
use super::text::columns;
use super::{Graph, Node};

/// Of a page's edge, and room for a focus ring.
const MARGIN: u32 = 8;
/// Of every box.
const BOX_HEIGHT: u32 = 32;
/// Between two layers: room for an arrow's curve.
const COLUMN_GAP: u32 = 48;
/// Between two parts that no edge connects.
const PART_GAP: u32 = 24;
/// One column of text in the page's small monospaced type, rounded up.
const CHAR_WIDTH: u32 = 8;
/// Left and right of a box' text together.
const PADDING: u32 = 24;
/// The icon and the space behind it, in columns.
const ICON_COLUMNS: usize = 2;

/// A picture of a graph, in pixels; the origin is the upper left corner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How wide it is.
    pub width: u32,
    /// How high it is.
    pub height: u32,
    /// Where each of [`Graph::nodes`] stands; no two overlap.
    pub boxes: Vec<LaidOut>,
    /// The way of each of [`Graph::edges`], from the right side of one box to the left side of the other: points whose first
    /// numbers grow. Empty for an edge that leads back, which no plan has.
    pub paths: Vec<Vec<(u32, u32)>>,
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaidOut {
    /// Its left side.
    pub x: u32,
    /// Its upper side.
    pub y: u32,
    /// How wide it is: its text's width, which is capped.
    pub width: u32,
    /// How high it is, the same for all.
    pub height: u32,
}

pub(super) fn lay_out(graph: &Graph) -> Layout {
    let widths: Vec<u32> = graph.nodes.iter().map(width).collect();
    let mut net = Net::of(graph);
    order::order(&mut net);
    let (centres, height) = heights::place(&net);
    let columns = Columns::of(&net, &widths);
    let boxes = (0..graph.nodes.len()).map(|node| columns.place(&net, &widths, &centres, node)).collect();
    let paths = net.routes.iter().map(|route| columns.path(&net, &widths, &centres, route)).collect();
    Layout { width: columns.width, height: height + 2 * MARGIN, boxes, paths }
}

fn width(node: &Node) -> u32 {
    let (name, detail) = (node.short_name(), node.detail());
    let detail_columns = if detail.is_empty() { 0 } else { 1 + columns(&detail) };
    let columns = ICON_COLUMNS + columns(&name) + detail_columns;
    u32::try_from(columns).unwrap_or(u32::MAX / CHAR_WIDTH / 2) * CHAR_WIDTH + PADDING
}

/// The layers' left and right sides.
struct Columns {
    sides: Vec<(u32, u32)>,
    width: u32,
}

impl Columns {
    fn of(net: &Net, widths: &[u32]) -> Columns {
        let mut widest: Vec<u32> = Vec::new();
        for (stop, width) in net.stops.iter().zip(widths) {
            if widest.len() <= stop.layer {
                widest.resize(stop.layer + 1, 0);
            }
            if let Some(known) = widest.get_mut(stop.layer) {
                *known = (*known).max(*width);
            }
        }
        let mut left = MARGIN;
        let side = |width: u32| {
            let sides = (left, left + width);
            left += width + COLUMN_GAP;
            sides
        };
        let sides: Vec<(u32, u32)> = widest.into_iter().map(side).collect();
        let width = sides.last().map_or(MARGIN, |(_, right)| *right) + MARGIN;
        Columns { sides, width }
    }

    fn sides(&self, stop: &Stop) -> (u32, u32) {
        at(&self.sides, stop.layer)
    }

    fn place(&self, net: &Net, widths: &[u32], centres: &[u32], node: usize) -> LaidOut {
        let (x, _) = net.stops.get(node).map(|stop| self.sides(stop)).unwrap_or_default();
        let y = (MARGIN + at(centres, node)).saturating_sub(BOX_HEIGHT / 2);
        LaidOut { x, y, width: at(widths, node), height: BOX_HEIGHT }
    }

    /// Goes straight through every layer on the way, where bends have a lane of their own, and aslant only between two.
    fn path(&self, net: &Net, widths: &[u32], centres: &[u32], route: &[usize]) -> Vec<(u32, u32)> {
        let mut path: Vec<(u32, u32)> = Vec::with_capacity(2 * route.len());
        for (place, stop_at) in route.iter().enumerate() {
            let Some(stop) = net.stops.get(*stop_at) else { continue };
            let ((left, right), y) = (self.sides(stop), MARGIN + at(centres, *stop_at));
            let points = match (place == 0, place + 1 == route.len()) {
                (true, _) => [left + at(widths, *stop_at), right],
                (_, true) => [left, left],
                _ => [left, right],
            };
            path.extend(points.map(|x| (x, y)));
        }
        path.dedup();
        path
    }
}

/// Reads a place of a list that has one for each stop or layer.
fn at<T: Copy + Default>(list: &[T], place: usize) -> T {
    list.get(place).copied().unwrap_or_default()
}
