//! Races, whose winner is recorded so that it wins again after a crash.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::cx::Cx;
use super::racers;
use super::rehearsal::Ask;
use crate::model::state::OpState;
use crate::model::{OpKey, Report};

/// The outcome of a race of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first won.
    First(A),
    /// The second won.
    Second(B),
}

/// A race of two; its outcome is an `O`.
#[must_use = "a race is run when it is awaited"]
pub struct Race<A: Future, B: Future, O = Either<<A as Future>::Output, <B as Future>::Output>> {
    lane: RaceLane,
    first: Option<Pin<Box<A>>>,
    second: Option<Pin<Box<B>>>,
    held: Option<(usize, O)>,
}

impl<A: Future, B: Future, O> Unpin for Race<A, B, O> {}

impl<A: Future, B: Future> Race<A, B> {
    #[track_caller]
    pub(super) fn new(cx: &Cx, first: A, second: B) -> Race<A, B> {
        let (first, second) = (Some(Box::pin(first)), Some(Box::pin(second)));
        Race { lane: RaceLane::new(cx), first, second, held: None }
    }
}

impl<A: Future, B: Future> Future for Race<A, B> {
    type Output = Either<A::Output, B::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(output) = this.lane.release(&mut this.held) {
            (this.first, this.second) = (None, None);
            return Poll::Ready(output);
        }
        if let Some(first) = this.first.as_mut().filter(|_| this.lane.may_win(0))
            && let Poll::Ready(output) = this.lane.poll(0, first, context)
        {
            this.first = None;
            let output = Either::First(output);
            match this.lane.ends(0) {
                Ends::Now => {
                    this.second = None;
                    return Poll::Ready(output);
                }
                Ends::Later => return this.lane.hold(&mut this.held, 0, output, context),
                Ends::Never => {}
            }
        }
        if let Some(second) = this.second.as_mut().filter(|_| this.lane.may_win(1))
            && let Poll::Ready(output) = this.lane.poll(1, second, context)
        {
            this.second = None;
            let output = Either::Second(output);
            match this.lane.ends(1) {
                Ends::Now => {
                    this.first = None;
                    return Poll::Ready(output);
                }
                Ends::Later => return this.lane.hold(&mut this.held, 1, output, context),
                Ends::Never => {}
            }
        }
        Poll::Pending
    }
}

/// A race of many of one type; gives the winner's place and output, an `O`. A race of none is never over.
#[must_use = "a race is run when it is awaited"]
pub struct RaceAll<F: Future, O = <F as Future>::Output> {
    lane: RaceLane,
    racers: Vec<Option<Pin<Box<F>>>>,
    held: Option<(usize, O)>,
}

impl<F: Future, O> Unpin for RaceAll<F, O> {}

impl<F: Future> RaceAll<F> {
    #[track_caller]
    pub(super) fn new(cx: &Cx, racers: impl IntoIterator<Item = F>) -> RaceAll<F> {
        RaceAll {
            lane: RaceLane::new(cx),
            racers: racers.into_iter().map(|racer| Some(Box::pin(racer))).collect(),
            held: None,
        }
    }
}

impl<F: Future> Future for RaceAll<F> {
    type Output = (usize, F::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let place = this.held.as_ref().map_or(0, |(place, _)| *place);
        if let Some(output) = this.lane.release(&mut this.held) {
            this.racers.clear();
            return Poll::Ready((place, output));
        }
        for (place, slot) in this.racers.iter_mut().enumerate() {
            let Some(racer) = slot.as_mut().filter(|_| this.lane.may_win(place)) else { continue };
            if let Poll::Ready(output) = this.lane.poll(place, racer, context) {
                *slot = None;
                match this.lane.ends(place) {
                    Ends::Now => {
                        this.racers.clear();
                        return Poll::Ready((place, output));
                    }
                    Ends::Later => {
                        let held = this.lane.hold(&mut this.held, place, output, context);
                        return held.map(|output| (place, output));
                    }
                    Ends::Never => {}
                }
            }
        }
        Poll::Pending
    }
}

/// The winner of a race that must not go on: the log has something else in its place.
const NOBODY: u32 = u32::MAX;

/// What a racer that is ready makes of its race.
enum Ends {
    /// It wins.
    Now,
    /// It wins where the log that the code is checked against has that.
    Later,
    /// Another one wins in that log.
    Never,
}

/// What both races have in common.
struct RaceLane {
    cx: Cx,
    op: OpKey,
    location: &'static Location<'static>,
    winner: Option<u32>,
    /// Who won in the log that the code is checked against: nobody else may, however ready.
    foreseen: Option<u32>,
    /// What each racer built so far, while there is no winner.
    built: Vec<Vec<OpKey>>,
}

impl RaceLane {
    #[track_caller]
    fn new(cx: &Cx) -> RaceLane {
        let (op, _) = cx.claim("race");
        let read = |recorded: &OpState| match recorded {
            OpState::Race { winner, .. } => Some(Ok(*winner)),
            other => Some(Err(other.kind())),
        };
        let winner = cx.ledger.recorded(&op, read).map(|recorded| {
            recorded.unwrap_or_else(|other| {
                cx.ledger.diverge(&op, "race", other);
                NOBODY
            })
        });
        let foreseen = match cx.ledger.foreseen(&op) {
            Some(OpState::Race { winner, .. }) => Some(*winner),
            _ => None,
        };
        let location = Location::caller();
        RaceLane { cx: cx.clone(), op, location, winner, foreseen, built: Vec::new() }
    }

    /// Says whether the racer in `place` can win: all can before there is a winner, and only that one after.
    fn may_win(&self, place: usize) -> bool {
        self.winner.is_none_or(|winner| usize::try_from(winner) == Ok(place))
    }

    fn poll<F: Future>(
        &mut self,
        place: usize,
        racer: &mut Pin<Box<F>>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        if self.winner.is_some() {
            return racer.as_mut().poll(context);
        }
        if self.built.len() <= place {
            self.built.resize_with(place + 1, Vec::new);
        }
        match self.built.get_mut(place) {
            Some(built) => racers::poll(built, || racer.as_mut().poll(context)),
            None => racer.as_mut().poll(context),
        }
    }

    /// Keeps the output of a racer that wins later.
    fn hold<T>(
        &self,
        held: &mut Option<(usize, T)>,
        place: usize,
        output: T,
        context: &Context<'_>,
    ) -> Poll<T> {
        *held = Some((place, output));
        self.cx.ledger.register(context.waker());
        Poll::Pending
    }

    /// Returns what is held of the winner, once it may win.
    fn release<T>(&mut self, held: &mut Option<(usize, T)>) -> Option<T> {
        let place = held.as_ref().map(|(place, _)| *place)?;
        match self.ends(place) {
            Ends::Now => held.take().map(|(_, output)| output),
            Ends::Later | Ends::Never => None,
        }
    }

    /// Says whether the racer in `place`, which is ready, wins, and records it.
    fn ends(&mut self, place: usize) -> Ends {
        match self.foreseen.map(usize::try_from) {
            None => {}
            Some(winner) if winner != Ok(place) => return Ends::Never,
            Some(_) if !self.cx.ledger.is_reached(&self.op) => return Ends::Later,
            Some(_) => {}
        }
        self.cx.ledger.note(&Ask { op: &self.op, kind: "race", input: None, location: self.location });
        if self.winner.is_none() {
            let winner = u32::try_from(place).unwrap_or(u32::MAX);
            self.winner = Some(winner);
            let losers = std::mem::take(&mut self.built).into_iter().enumerate();
            let lost =
                losers.filter(|(loser, _)| *loser != place).flat_map(|(_, built)| built).collect::<Vec<_>>();
            self.cx.ledger.lose(&lost);
            let (op, spawned) = (self.op.clone(), self.cx.ledger.has_spawned());
            self.cx.ledger.report(Report::RaceWon { op, winner, lost, spawned });
        }
        Ends::Now
    }
}
