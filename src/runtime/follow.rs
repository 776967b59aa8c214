//! Following what a run writes, while it writes it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::control::Runtime;
use super::error::Error;
use crate::actor::{Engine, SAY_EVERY};
use crate::model::RunId;
use crate::store::{Store, StoreError};

/// What of a run is followed: how it is read on from a position that only this feed knows.
pub(super) trait Feed: Send + 'static {
    type Item: Send + 'static;

    /// Reads what comes next, in order, some of it or all, and remembers how far it read.
    fn read<'a>(&'a mut self, store: &'a dyn Store) -> BoxFuture<'a, Result<Vec<Self::Item>, Error>>;

    /// Says whether nothing comes after `item`.
    fn ends_with(&self, _item: &Self::Item) -> bool {
        false
    }

    /// How long after the run's end something may still come.
    const LATE: Duration = Duration::ZERO;
}

/// How soon it looks again, when nothing tells it and the run lives elsewhere: at first so; doubles up to the runtime's
/// poll interval.
const LOOK_MIN: Duration = Duration::from_millis(20);

/// One follower. What tells it that there is something new is a hint; that it looks is the truth.
struct Follower<F: Feed> {
    engine: Arc<Engine>,
    /// Where it looks.
    store: Arc<dyn Store>,
    run: RunId,
    feed: F,
    found: VecDeque<F::Item>,
    over: bool,
    news: watch::Receiver<()>,
    pause: Duration,
    said: Option<Instant>,
}

/// What a look came to.
enum Look {
    Found,
    Nothing,
    Over,
}

/// Follows `feed` until the run's end. While the database does not answer, it waits.
pub(super) fn follow<F: Feed>(
    runtime: &Runtime,
    run: RunId,
    feed: F,
) -> BoxStream<'static, Result<F::Item, Error>> {
    let engine = &runtime.engine;
    let follower = Follower {
        engine: Arc::clone(engine),
        store: Arc::clone(runtime.shown()),
        run,
        feed,
        found: VecDeque::new(),
        over: false,
        news: engine.followers.follow(run),
        pause: LOOK_MIN,
        said: None,
    };
    let next = |mut follower: Follower<F>| async move {
        let next = follower.next().await?;
        Ok(next.map(|item| (item, follower)))
    };
    stream::try_unfold(follower, next).boxed()
}

impl<F: Feed> Follower<F> {
    async fn next(&mut self) -> Result<Option<F::Item>, Error> {
        loop {
            if let Some(item) = self.found.pop_front() {
                self.over |= self.feed.ends_with(&item);
                return Ok(Some(item));
            }
            if self.over {
                return Ok(None);
            }
            // What is committed from here on tells again.
            self.news.mark_unchanged();
            match self.look().await {
                Ok(Look::Found) => self.pause = LOOK_MIN,
                Ok(Look::Nothing) | Err(Error::Store(StoreError::Unavailable { .. })) => self.rest().await,
                Ok(Look::Over) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    async fn look(&mut self) -> Result<Look, Error> {
        let store = &*self.store;
        self.found.extend(self.feed.read(store).await?);
        if !self.found.is_empty() {
            return Ok(Look::Found);
        }
        let row = store.row(self.run).await?.ok_or(Error::NotFound { run: self.run })?;
        if !row.status.is_terminal() {
            return Ok(Look::Nothing);
        }
        // What was written between the two questions.
        self.found.extend(self.feed.read(store).await?);
        let late = row.finished_at.is_some_and(|at| self.engine.clock.until(at + F::LATE) > Duration::ZERO);
        Ok(match (self.found.is_empty(), late) {
            (false, _) => Look::Found,
            (true, true) => Look::Nothing,
            (true, false) => Look::Over,
        })
    }

    /// Waits until somebody tells, at most until the next look is due.
    async fn rest(&mut self) {
        let interval = self.engine.settings.poll_interval;
        let here = self.engine.live.get(self.run).is_some();
        // A run that lives here tells; still look now and then, for it may move to another node.
        let pause = if here { interval } else { self.pause.min(interval) };
        let look = Instant::now() + pause;
        loop {
            let until = if here { look } else { self.say_followed().map_or(look, |say| say.min(look)) };
            match tokio::time::timeout_at(until, self.news.changed()).await {
                Ok(Ok(())) => return self.pause = LOOK_MIN,
                Ok(Err(_)) => return tokio::time::sleep_until(look).await,
                Err(_) if until < look => {}
                Err(_) => return self.pause = (pause * 2).min(interval),
            }
        }
    }

    /// Tells the run's owner now and then that it is followed; returns when the next time is, if it would be heard.
    fn say_followed(&mut self) -> Option<Instant> {
        let due = self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY);
        if due && self.engine.say_followed(self.run) {
            self.said = Some(Instant::now());
        }
        self.said.map(|said| said + SAY_EVERY)
    }
}
