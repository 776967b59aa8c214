//! A connection of one's own, beside the embedder's pool.

use std::future::Future;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::sync::{Mutex, MutexGuard};

use super::errors::{classify, late};
use super::route::Route;
use crate::store::StoreError;

/// How long any call may take, waiting for its connection included: as long as the default lease, after which the
/// answer is worth nothing to the engine.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Uses after which a connection's statements are planned anew: a plan made while a table was small is none for a large
/// one, and the server keeps it until the next `analyze`. Planning takes about 1 % of this many appends.
const USES_PER_PLAN: u32 = 128;

/// Runs of a commit up to which one plan does for all of them: making a plan takes as long as writing some dozen runs, and
/// one that was made without knowing how many there are takes a few.
const RUNS_PER_KEPT_PLAN: usize = 64;

/// Gives up on `call` after [`ANSWER_MAX`].
pub(super) async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    within_limit(ANSWER_MAX, call).await
}

/// Gives up on `call` after `limit`.
pub(super) async fn within_limit<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late(limit)))
}

/// One connection, opened when it is needed, to where the pool's connections go.
///
/// It is taken out while in use: whoever is cancelled, or finds it broken, drops it, and the next one connects anew.
#[derive(Debug)]
pub(super) struct Dedicated {
    pool: PgPool,
    route: Route,
    plans: Plans,
    idle: Mutex<Option<Idle>>,
}

/// How long the plan of a statement is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plans {
    /// For [`USES_PER_PLAN`] uses: for small statements that come by the thousand. Left to itself the server would plan them
    /// anew each time, for it expects arrays of ten where there is one.
    Kept,
    /// Once: for statements that come seldom or move many rows, which a plan for a smaller table makes quadratic.
    Fresh,
}

impl Plans {
    /// Chooses for a commit of so many runs.
    pub(super) fn for_runs(runs: usize) -> Plans {
        if runs <= RUNS_PER_KEPT_PLAN { Plans::Kept } else { Plans::Fresh }
    }

    fn mode(self) -> &'static str {
        match self {
            Plans::Kept => "force_generic_plan",
            Plans::Fresh => "force_custom_plan",
        }
    }
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    uses: u32,
    plans: Plans,
}

/// A connection in use.
pub(super) struct Taken<'a> {
    place: MutexGuard<'a, Option<Idle>>,
    route: Route,
    uses: u32,
    plans: Plans,
    /// The connection.
    pub(super) connection: PgConnection,
}

impl Dedicated {
    pub(super) fn new(pool: PgPool, route: Route, plans: Plans) -> Dedicated {
        Dedicated { pool, route, plans, idle: Mutex::new(None) }
    }

    /// Waits for the connection, opens it if there is none, and begins the call on it.
    pub(super) async fn take(&self) -> Result<Taken<'_>, StoreError> {
        let mut place = self.idle.lock().await;
        let Idle { mut connection, uses, plans } = match place.take() {
            Some(idle) => idle,
            None => Idle { connection: self.connect().await.map_err(classify)?, uses: 0, plans: self.plans },
        };
        match self.route {
            Route::Direct if uses % USES_PER_PLAN == USES_PER_PLAN - 1 => {
                connection.clear_cached_statements().await.map_err(classify)?;
            }
            Route::Direct => {}
            Route::Pooled => self.route.begin(&mut connection).await?,
        }
        Ok(Taken { place, route: self.route, uses, plans, connection })
    }

    /// Closes the connection until it is needed again.
    pub(super) async fn close(&self) {
        drop(self.idle.lock().await.take());
    }

    /// Connects without the server's just-in-time compiler: it takes a quarter of a second for a statement that takes a
    /// millisecond, whenever the planner overrates a table that nobody analysed yet. Asked for at the connection's start, it
    /// is no session state; a server in between that knows no such option refuses it, and is asked without. So it is with
    /// plans: the server makes them anew where they are to be fresh. Statements that the driver does not keep would be no
    /// way to that: it gives them a name, and the server keeps them all.
    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.pool.connect_options();
        let wanted: &[(&str, &str)] = match (self.route, self.plans) {
            (Route::Pooled, _) => return PgConnection::connect_with(&options).await,
            (Route::Direct, Plans::Kept) => &[("jit", "off"), ("plan_cache_mode", "force_generic_plan")],
            (Route::Direct, Plans::Fresh) => &[("jit", "off"), ("plan_cache_mode", "force_custom_plan")],
        };
        let wanted = options.as_ref().clone().options(wanted.iter().copied());
        match PgConnection::connect_with(&wanted).await {
            Err(sqlx::Error::Database(_)) => PgConnection::connect_with(&options).await,
            connected => connected,
        }
    }
}

impl Taken<'_> {
    /// Says how long the plans of what follows are used. Through a pooler nothing is kept.
    pub(super) async fn plan(&mut self, plans: Plans) -> Result<(), StoreError> {
        if self.route == Route::Direct && self.plans != plans {
            let set = AssertSqlSafe(format!("set plan_cache_mode = {}", plans.mode()));
            sqlx::raw_sql(set).execute(&mut self.connection).await.map_err(classify)?;
            self.plans = plans;
        }
        Ok(())
    }

    /// Ends the call and puts the connection back, unless the answer says that it is of no use any more.
    pub(super) async fn settle<T>(mut self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let answer = self.route.end(&mut self.connection, answer).await;
        if !matches!(answer, Err(StoreError::Unavailable { .. })) {
            let (uses, plans) = (self.uses.wrapping_add(1), self.plans);
            *self.place = Some(Idle { connection: self.connection, uses, plans });
        }
        answer
    }
}
