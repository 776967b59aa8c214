//! How far down each stop stands: as near to the mean of its neighbours as the order and the room between two allow.

use super::layers::{Net, Stop};
use super::{BOX_HEIGHT, PART_GAP, at};

/// Walks over the layers, to the right and to the left in turn. Trees stand still after three.
const PASSES: usize = 7;

/// Between the middles of two boxes of a layer, of a box and a line that passes, and of two such lines.
const BOX_BOX: i64 = 48;
const BOX_LINE: i64 = 32;
const LINE_LINE: i64 = 16;

/// Returns the middle of each stop, from the top, and the height of them all. Parts stand below each other.
pub(super) fn place(net: &Net) -> (Vec<u32>, u32) {
    let mut centres = vec![0_i64; net.stops.len()];
    let mut top = 0_i64;
    for part in &net.parts {
        for layer in part {
            let from_top = gaps(layer, &net.stops);
            write(layer, &from_top, &mut centres);
        }
        for pass in 0..PASSES {
            match pass % 2 {
                0 => {
                    part.iter().for_each(|layer| align(layer, &net.stops, &mut centres, |stop| &stop.before))
                }
                _ => part
                    .iter()
                    .rev()
                    .for_each(|layer| align(layer, &net.stops, &mut centres, |stop| &stop.after)),
            }
        }
        top = move_to(top, part, net, &mut centres) + i64::from(PART_GAP);
    }
    let height = if net.parts.is_empty() { 0 } else { top - i64::from(PART_GAP) };
    let whole = |number: i64| u32::try_from(number).unwrap_or_default();
    (centres.into_iter().map(whole).collect(), whole(height))
}

/// Moves a part so that it begins at `top`, and returns where it ends.
fn move_to(top: i64, part: &[Vec<usize>], net: &Net, centres: &mut [i64]) -> i64 {
    let half = i64::from(BOX_HEIGHT / 2);
    let stops = || part.iter().flatten();
    let first = stops().map(|stop| at(centres, *stop)).min().unwrap_or_default();
    let last = stops().map(|stop| at(centres, *stop)).max().unwrap_or_default();
    for stop in stops() {
        if let Some(centre) = centres.get_mut(*stop).filter(|_| *stop < net.stops.len()) {
            *centre += top + half - first;
        }
    }
    top + half + last - first + half
}

/// Returns how far below the first stop of a layer each one stands at least.
fn gaps(layer: &[usize], stops: &[Stop]) -> Vec<i64> {
    let mut from_top = Vec::with_capacity(layer.len());
    let (mut above, mut sum) = (None, 0);
    for stop in layer {
        let is_bend = stops.get(*stop).is_some_and(|stop| stop.is_bend);
        sum += match (above, is_bend) {
            (None, _) => 0,
            (Some(false), false) => BOX_BOX,
            (Some(true), true) => LINE_LINE,
            (Some(true), false) | (Some(false), true) => BOX_LINE,
        };
        above = Some(is_bend);
        from_top.push(sum);
    }
    from_top
}

/// Moves a layer's stops as near to the means of their neighbours as they can stand: the sum of the squares of what is
/// missing is least. Known as isotonic regression; pool adjacent violators finds it in one walk.
fn align(layer: &[usize], stops: &[Stop], centres: &mut [i64], neighbours: impl Fn(&Stop) -> &Vec<usize>) {
    let from_top = gaps(layer, stops);
    // Stops that stand as near together as they may: the sum of where their first would like to stand, and how many.
    let mut pools: Vec<(i64, i64)> = Vec::new();
    for (stop, gap) in layer.iter().zip(&from_top) {
        let near = stops.get(*stop).map(|stop| neighbours(stop).as_slice()).unwrap_or_default();
        let sum: i64 = near.iter().map(|near| at(centres, *near)).sum();
        let count = i64::try_from(near.len()).unwrap_or(i64::MAX);
        let wish = sum.checked_div(count).unwrap_or(at(centres, *stop));
        let mut pool = (wish - gap, 1);
        while let Some((sum, count)) = pools.pop_if(|above| mean(*above) > mean(pool)) {
            pool = (pool.0 + sum, pool.1 + count);
        }
        pools.push(pool);
    }
    let places = pools.iter().flat_map(|pool| (0..pool.1).map(|_| mean(*pool)));
    let centred: Vec<i64> = places.zip(&from_top).map(|(place, gap)| place + gap).collect();
    write(layer, &centred, centres);
}

fn mean((sum, count): (i64, i64)) -> i64 {
    sum.div_euclid(count)
}

fn write(layer: &[usize], from: &[i64], centres: &mut [i64]) {
    for (stop, value) in layer.iter().zip(from) {
        if let Some(centre) = centres.get_mut(*stop) {
            *centre = *value;
        }
    }
}
