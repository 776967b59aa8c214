//! The longest common part of two columns, and what the rest is.

use std::collections::VecDeque;

use super::{Difference, OpLine, Row};

/// Operations on a side that are compared with all of the other side: a million comparisons.
const ALIGNED_MAX: usize = 1_000;

pub(super) fn rows(mut recorded: Vec<OpLine>, mut code: Vec<OpLine>, stuck: bool) -> Vec<Row> {
    let same = |(a, b): &(&OpLine, &OpLine)| is_same(a, b) && !inputs_differ(a, b);
    let before = recorded.iter().zip(&code).take_while(same).count();
    let most = recorded.len().min(code.len()) - before;
    let after = recorded.iter().rev().zip(code.iter().rev()).take(most).take_while(same).count();
    let (recorded_tail, code_tail) =
        (recorded.split_off(recorded.len() - after), code.split_off(code.len() - after));
    let (mut recorded_rest, mut code_rest) = (recorded.split_off(before), code.split_off(before));
    recorded_rest.truncate(ALIGNED_MAX);
    code_rest.truncate(ALIGNED_MAX);
    let mut rows: Vec<Row> = recorded.into_iter().zip(code).map(pair).collect();
    rows.extend(gaps(recorded_rest, code_rest));
    rows.extend(recorded_tail.into_iter().zip(code_tail).map(pair));
    mark_moved(&mut rows);
    replace(if stuck { forget_unreached(rows) } else { rows })
}

fn is_same(a: &OpLine, b: &OpLine) -> bool {
    a.kind == b.kind && a.op.name == b.op.name
}

fn inputs_differ(a: &OpLine, b: &OpLine) -> bool {
    matches!((&a.input, &b.input), (Some(a), Some(b)) if a != b)
}

fn pair((recorded, code): (OpLine, OpLine)) -> Row {
    let difference = inputs_differ(&recorded, &code).then_some(Difference::InputChanged);
    Row { recorded: Some(recorded), code: Some(code), difference }
}

fn removed(line: OpLine) -> Row {
    Row { recorded: Some(line), code: None, difference: Some(Difference::Removed) }
}

fn inserted(line: OpLine) -> Row {
    Row { recorded: None, code: Some(line), difference: Some(Difference::Inserted) }
}

/// Aligns by the heaviest common subsequence; a pair with the same input weighs more than one without.
fn gaps(recorded: Vec<OpLine>, code: Vec<OpLine>) -> Vec<Row> {
    let width = code.len() + 1;
    // weights[i][j]: the best that recorded[i..] and code[j..] come to.
    let mut weights = vec![0_u32; (recorded.len() + 1) * width];
    let at = |weights: &[u32], i: usize, j: usize| weights.get(i * width + j).copied().unwrap_or(0);
    let weight = |a: &OpLine, b: &OpLine| match (is_same(a, b), inputs_differ(a, b)) {
        (false, _) => 0,
        (true, true) => 2,
        (true, false) => 3,
    };
    for (i, a) in recorded.iter().enumerate().rev() {
        for (j, b) in code.iter().enumerate().rev() {
            let skip = at(&weights, i + 1, j).max(at(&weights, i, j + 1));
            let both = weight(a, b);
            let take = if both == 0 { 0 } else { both + at(&weights, i + 1, j + 1) };
            if let Some(cell) = weights.get_mut(i * width + j) {
                *cell = skip.max(take);
            }
        }
    }
    let mut rows = Vec::new();
    let (mut i, mut j) = (0, 0);
    let (mut recorded, mut code) = (recorded.into_iter().peekable(), code.into_iter().peekable());
    while let (Some(a), Some(b)) = (recorded.peek(), code.peek()) {
        let both = weight(a, b);
        let here = at(&weights, i, j);
        if both > 0 && here == both + at(&weights, i + 1, j + 1) {
            rows.extend(recorded.next().zip(code.next()).map(pair));
            (i, j) = (i + 1, j + 1);
        } else if here == at(&weights, i + 1, j) {
            rows.extend(recorded.next().map(removed));
            i += 1;
        } else {
            rows.extend(code.next().map(inserted));
            j += 1;
        }
    }
    rows.extend(recorded.map(removed));
    rows.extend(code.map(inserted));
    rows
}

/// What is removed in one place and inserted in another was moved.
fn mark_moved(rows: &mut [Row]) {
    let gone: Vec<usize> = places(rows, Difference::Removed);
    for new in places(rows, Difference::Inserted) {
        let is_it = |old: &&usize| {
            let old = rows.get(**old).filter(|row| row.difference == Some(Difference::Removed));
            let lines = old.and_then(|row| row.recorded.as_ref()).zip(rows.get(new)?.code.as_ref())?;
            is_same(lines.0, lines.1).then_some(())
        };
        let Some(old) = gone.iter().find(|old| is_it(old).is_some()).copied() else { continue };
        for place in [old, new] {
            if let Some(row) = rows.get_mut(place) {
                row.difference = Some(Difference::Reordered);
            }
        }
    }
}

fn places(rows: &[Row], difference: Difference) -> Vec<usize> {
    let is_such = |(_, row): &(usize, &Row)| row.difference == Some(difference);
    rows.iter().enumerate().filter(is_such).map(|(place, _)| place).collect()
}

/// After the last operation that both have, what the code came to stands against as much of the log; what the log has
/// beyond that is unknown, as the code did not come to it.
fn forget_unreached(rows: Vec<Row>) -> Vec<Row> {
    let ends = |row: &Row| !matches!(row.difference, Some(Difference::Removed | Difference::Inserted));
    let shared = rows.iter().rposition(ends).map_or(0, |last| last + 1);
    let mut rows = rows;
    let tail = rows.split_off(shared);
    let (gone, new): (Vec<Row>, Vec<Row>) =
        tail.into_iter().partition(|row| row.difference == Some(Difference::Removed));
    let mut gone = gone.into_iter().peekable();
    let came_nowhere = new.is_empty();
    for row in new {
        let fits = |recorded: &Row| {
            let lines = recorded.recorded.as_ref().zip(row.code.as_ref());
            lines.is_some_and(|(a, b)| a.kind == b.kind || a.op.name == b.op.name)
        };
        rows.extend(gone.next_if(fits));
        rows.push(row);
    }
    if came_nowhere {
        rows.extend(gone.next());
    }
    rows.extend(gone.map(|row| Row { difference: None, ..row }));
    rows
}

/// Within one gap, what is removed and what is inserted in its place was renamed, or is of another kind now.
fn replace(rows: Vec<Row>) -> Vec<Row> {
    let mut done = Vec::with_capacity(rows.len());
    let (mut gone, mut new) = (VecDeque::new(), VecDeque::new());
    for row in rows {
        match row.difference {
            Some(Difference::Removed) => gone.extend(row.recorded),
            Some(Difference::Inserted) => new.extend(row.code),
            _ => {
                close(&mut done, &mut gone, &mut new);
                done.push(row);
            }
        }
    }
    close(&mut done, &mut gone, &mut new);
    done
}

fn close(done: &mut Vec<Row>, gone: &mut VecDeque<OpLine>, new: &mut VecDeque<OpLine>) {
    while let Some((recorded, code)) = gone.front().zip(new.front()) {
        let alike = recorded.kind == code.kind || recorded.op.name == code.op.name;
        if !alike && gone.len() != new.len() {
            // One side has more: the odd one out is whose kind comes later on the other side.
            match gone.len() > new.len() {
                true => done.extend(gone.pop_front().map(removed)),
                false => done.extend(new.pop_front().map(inserted)),
            }
            continue;
        }
        let difference =
            if recorded.kind == code.kind { Difference::Renamed } else { Difference::KindChanged };
        let (recorded, code) = (gone.pop_front(), new.pop_front());
        done.push(Row { recorded, code, difference: Some(difference) });
    }
    done.extend(gone.drain(..).map(removed));
    done.extend(new.drain(..).map(inserted));
}
