//! From instants to places: a line without the long times in which nothing ran.

use super::phases::{Stretch, joined, without};
use super::{Gap, Mark, Phase, length};
use crate::model::Timestamp;

/// The picture's width.
pub(super) const WHOLE: u32 = 1_000;

/// A time in which nothing ran is drawn narrower if it is more than this share of the whole, in hundredths.
const GAP_SHARE: i64 = 30;

/// How wide it is drawn then.
const GAP_WIDTH: u32 = 40;

/// Where instants stand.
pub(super) struct Axis {
    /// Pieces that follow each other, from the run's start to its end.
    pieces: Vec<Piece>,
}

struct Piece {
    from: Timestamp,
    to: Timestamp,
    at: u32,
    width: u32,
    is_gap: bool,
}

/// How far the pieces are.
struct Scale {
    /// Microseconds that are drawn as long as they were, in all.
    shown: i64,
    /// The width for them.
    room: u32,
    /// Those that have a place.
    passed: i64,
    /// Gaps that have one.
    gaps: u32,
}

impl Axis {
    pub(super) fn of<'a>(
        from: Timestamp,
        to: Timestamp,
        stretches: impl Iterator<Item = &'a Stretch>,
    ) -> Axis {
        let ran =
            stretches.filter(|stretch| stretch.phase == Phase::Run).map(|stretch| (stretch.from, stretch.to));
        let idle = without(vec![(from, to)], &joined(ran.collect()));
        let whole = micros(from, to);
        let is_long = |(from, to): &(Timestamp, Timestamp)| micros(*from, *to) * 100 > whole * GAP_SHARE;
        let mut gaps: Vec<(Timestamp, Timestamp)> = idle.into_iter().filter(is_long).collect();
        let mut shown = whole - gaps.iter().map(|(from, to)| micros(*from, *to)).sum::<i64>();
        if shown <= 0 {
            // Nothing ran: nothing gains by a narrower wait.
            gaps.clear();
            shown = whole;
        }
        let gaps_width = GAP_WIDTH * u32::try_from(gaps.len()).unwrap_or_default();
        let mut scale = Scale { shown, room: WHOLE.saturating_sub(gaps_width), passed: 0, gaps: 0 };
        let mut axis = Axis { pieces: Vec::new() };
        let mut at = from;
        for (gap_from, gap_to) in gaps {
            axis.add(at, gap_from, false, &mut scale);
            axis.add(gap_from, gap_to, true, &mut scale);
            at = gap_to;
        }
        axis.add(at, to, false, &mut scale);
        axis
    }

    fn add(&mut self, from: Timestamp, to: Timestamp, is_gap: bool, scale: &mut Scale) {
        let at = self.pieces.last().map_or(0, |piece| piece.at + piece.width);
        match is_gap {
            true => scale.gaps += 1,
            false => scale.passed += micros(from, to),
        }
        // From all that has passed rather than from the piece alone: rounding does not add up.
        let end = GAP_WIDTH * scale.gaps + share(scale.passed, scale.shown, scale.room);
        self.pieces.push(Piece { from, to, at, width: end.saturating_sub(at), is_gap });
    }

    /// Returns where an instant stands; the ends, where it is before or behind them.
    pub(super) fn place(&self, at: Timestamp) -> u32 {
        let piece = self.pieces.iter().find(|piece| at <= piece.to).or(self.pieces.last());
        piece.map_or(0, |piece| {
            piece.at + share(micros(piece.from, at), micros(piece.from, piece.to), piece.width)
        })
    }

    /// Says whether something of a stretch is between the ends.
    pub(super) fn shows(&self, stretch: &Stretch) -> bool {
        let (Some(first), Some(last)) = (self.pieces.first(), self.pieces.last()) else { return false };
        // What took no time is where it was.
        let touches = stretch.from == stretch.to && (first.from..=last.to).contains(&stretch.from);
        touches || (stretch.from < last.to && stretch.to > first.from)
    }

    /// Returns where the pieces begin and the last one ends, as times after `start`.
    pub(super) fn marks(&self, start: Timestamp) -> Vec<Mark> {
        let begins = self.pieces.iter().map(|piece| (piece.at, piece.from));
        let ends = self.pieces.last().map(|piece| (piece.at + piece.width, piece.to));
        begins.chain(ends).map(|(at, when)| Mark { at, after: length(start, when) }).collect()
    }

    /// Returns what is drawn narrower.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let gaps = self.pieces.iter().filter(|piece| piece.is_gap);
        gaps.map(|piece| Gap { at: piece.at, width: piece.width, length: length(piece.from, piece.to) })
            .collect()
    }
}

/// Returns `part` of `whole`, of a width; 0 of nothing.
fn share(part: i64, whole: i64, width: u32) -> u32 {
    let part = i128::from(part.clamp(0, whole.max(0)));
    let share = (part * i128::from(width)).checked_div(i128::from(whole.max(0))).unwrap_or_default();
    u32::try_from(share).unwrap_or(width)
}

fn micros(from: Timestamp, to: Timestamp) -> i64 {
    (to - from).num_microseconds().unwrap_or(i64::MAX / 1_000).max(0)
}
