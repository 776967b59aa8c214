//! Races, whose winner is recorded so that it wins again after a crash.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::cx::Cx;
use super::racers;
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

/// A race of two.
#[must_use = "a race is run when it is awaited"]
pub struct Race<A: Future, B: Future> {
    lane: RaceLane,
    first: Option<Pin<Box<A>>>,
    second: Option<Pin<Box<B>>>,
}

impl<A: Future, B: Future> Race<A, B> {
    pub(super) fn new(cx: &Cx, first: A, second: B) -> Race<A, B> {
        Race { lane: RaceLane::new(cx), first: Some(Box::pin(first)), second: Some(Box::pin(second)) }
    }
}

impl<A: Future, B: Future> Future for Race<A, B> {
    type Output = Either<A::Output, B::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(first) = this.first.as_mut().filter(|_| this.lane.may_win(0))
            && let Poll::Ready(output) = this.lane.poll(0, first, context)
        {
            this.lane.won(0);
            this.second = None;
            return Poll::Ready(Either::First(output));
        }
        if let Some(second) = this.second.as_mut().filter(|_| this.lane.may_win(1))
            && let Poll::Ready(output) = this.lane.poll(1, second, context)
        {
            this.lane.won(1);
            this.first = None;
            return Poll::Ready(Either::Second(output));
        }
        Poll::Pending
    }
}

/// A race of many of one type; gives the winner's place and output. A race of none is never over.
#[must_use = "a race is run when it is awaited"]
pub struct RaceAll<F: Future> {
    lane: RaceLane,
    racers: Vec<Pin<Box<F>>>,
}

impl<F: Future> RaceAll<F> {
    pub(super) fn new(cx: &Cx, racers: impl IntoIterator<Item = F>) -> RaceAll<F> {
        RaceAll { lane: RaceLane::new(cx), racers: racers.into_iter().map(Box::pin).collect() }
    }
}

impl<F: Future> Future for RaceAll<F> {
    type Output = (usize, F::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        for (place, racer) in this.racers.iter_mut().enumerate() {
            if !this.lane.may_win(place) {
                continue;
            }
            if let Poll::Ready(output) = this.lane.poll(place, racer, context) {
                this.lane.won(place);
                this.racers.clear();
                return Poll::Ready((place, output));
            }
        }
        Poll::Pending
    }
}

/// The winner of a race that must not go on: the log has something else in its place.
const NOBODY: u32 = u32::MAX;

/// What both races have in common.
struct RaceLane {
    cx: Cx,
    op: OpKey,
    winner: Option<u32>,
    /// What each racer built so far, while there is no winner.
    built: Vec<Vec<OpKey>>,
}

impl RaceLane {
    fn new(cx: &Cx) -> RaceLane {
        let (op, _) = cx.ledger.claim("race");
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
        RaceLane { cx: cx.clone(), op, winner, built: Vec::new() }
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

    fn won(&mut self, place: usize) {
        if self.winner.is_none() {
            let winner = u32::try_from(place).unwrap_or(u32::MAX);
            self.winner = Some(winner);
            let losers = std::mem::take(&mut self.built).into_iter().enumerate();
            let lost = losers.filter(|(loser, _)| *loser != place).flat_map(|(_, built)| built).collect();
            self.cx.ledger.report(Report::RaceWon { op: self.op.clone(), winner, lost });
        }
    }
}
