//! The order in each layer: stops near the middle of their neighbours, so that few lines cross.

use super::at;
use super::layers::{Net, Stop};

/// Walks over the layers, to the left and to the right in turn. More of them hardly change a picture.
const SWEEPS: usize = 8;

/// A mean's fractions.
const SCALE: usize = 1_024;

pub(super) fn order(net: &mut Net) {
    let Net { stops, parts, .. } = net;
    let mut places = vec![0_usize; stops.len()];
    for part in parts {
        part.iter().for_each(|layer| number(layer, &mut places));
        for sweep in 0..SWEEPS {
            // The last one goes to the right: what stands behind a node follows it.
            match sweep % 2 {
                0 => part
                    .iter_mut()
                    .rev()
                    .for_each(|layer| sort(layer, stops, &mut places, |stop| &stop.after)),
                _ => part.iter_mut().for_each(|layer| sort(layer, stops, &mut places, |stop| &stop.before)),
            }
        }
    }
}

fn number(layer: &[usize], places: &mut [usize]) {
    for (place, stop) in layer.iter().enumerate() {
        if let Some(known) = places.get_mut(*stop) {
            *known = place;
        }
    }
}

/// Sorts a layer by the means of neighbours' places; who has none on that side keeps its own, and equals keep their order.
fn sort(
    layer: &mut [usize],
    stops: &[Stop],
    places: &mut [usize],
    neighbours: impl Fn(&Stop) -> &Vec<usize>,
) {
    layer.sort_by_cached_key(|stop| {
        let near = stops.get(*stop).map(|stop| neighbours(stop).as_slice()).unwrap_or_default();
        let sum: usize = near.iter().map(|near| at(places, *near)).sum();
        (sum * SCALE).checked_div(near.len()).unwrap_or(at(places, *stop) * SCALE)
    });
    number(layer, places);
}
