//! Signals by key. Each statement has a snapshot of its own, which the protocol needs: see `docs/decisions/0036`.

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::PostgresStore;
use super::dedicated::within;
use super::errors::classify;
use super::mail::written;
use super::nodes::interval;
use super::rows::{corrupt, run_ids};
use crate::model::limits::{
    SIGNAL_KEPT, SIGNAL_REMEMBERED, SIGNAL_RUNS_AT_ONCE, SIGNALS_KEPT_MAX, SIGNALS_KEPT_OF_KEY_MAX,
};
use crate::model::{MessageBody, RunId};
use crate::store::{
    Answer, Ask, Asked, KeyedSignal, Posted, SignalId, SignalState, Signals, StoreError, Told,
};

impl Signals for PostgresStore {
    fn post_signal<'a>(&'a self, signal: &'a KeyedSignal) -> Answer<'a, Posted> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = post(&mut borrowed, signal).await;
            borrowed.settle(answer).await
        }))
    }

    fn tell_signal(&self, signal: SignalId) -> Answer<'_, Told> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = tell(&mut borrowed, signal).await;
            borrowed.settle(answer).await
        }))
    }

    fn ask_signal<'a>(&'a self, ask: &'a Ask) -> Answer<'a, Asked> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = asked(&mut borrowed, ask).await;
            borrowed.settle(answer).await
        }))
    }

    fn untold_signals(&self, limit: u32) -> Answer<'_, Vec<SignalId>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let found =
                sqlx::query_file_scalar!("src/store/postgres/sql/signals_untold.sql", i64::from(limit));
            let found = found.fetch_all(&mut *borrowed).await.map_err(classify);
            borrowed.settle(found.map(|ids| ids.into_iter().map(SignalId).collect())).await
        }))
    }
}

async fn post(connection: &mut PgConnection, signal: &KeyedSignal) -> Result<Posted, StoreError> {
    let KeyedSignal { namespace, sent_as, name, key, payload } = signal;
    let body = MessageBody::Signal { name: name.clone(), key: Some(key.clone()), payload: payload.clone() };
    let body = written(&body)?;
    let posted = sqlx::query_file!(
        "src/store/postgres/sql/signal_post.sql",
        namespace.as_str(),
        sent_as,
        name.as_str(),
        key.as_str(),
        body,
        SIGNALS_KEPT_OF_KEY_MAX,
        SIGNALS_KEPT_MAX
    );
    posted.execute(&mut *connection).await.map_err(classify)?;
    let found =
        sqlx::query_file!("src/store/postgres/sql/signal_find.sql", namespace.as_str(), sent_as, body);
    Ok(match found.fetch_optional(connection).await.map_err(classify)? {
        Some(found) if found.same => Posted::Accepted(SignalId(found.id)),
        Some(_) => Posted::Another,
        None => Posted::Full,
    })
}

async fn tell(connection: &mut PgConnection, signal: SignalId) -> Result<Told, StoreError> {
    let runs = tell_some(connection, signal).await?;
    let settled = sqlx::query_file!("src/store/postgres/sql/signal_settle.sql", signal.0);
    settled.execute(&mut *connection).await.map_err(classify)?;
    let state = sqlx::query_file!("src/store/postgres/sql/signal_state.sql", signal.0);
    let Some(found) = state.fetch_optional(connection).await.map_err(classify)? else {
        return Ok(Told { runs, count: 0, state: SignalState::Told });
    };
    let count = u64::try_from(found.runs).unwrap_or_default();
    Ok(Told { runs, count, state: state_of(signal, &found.state)? })
}

async fn tell_some(connection: &mut PgConnection, signal: SignalId) -> Result<Vec<RunId>, StoreError> {
    let most = i64::try_from(SIGNAL_RUNS_AT_ONCE).unwrap_or(i64::MAX);
    let told = sqlx::query_file_scalar!("src/store/postgres/sql/signal_tell.sql", signal.0, most);
    let told: Vec<Uuid> = told.fetch_all(connection).await.map_err(classify)?;
    run_ids(told)
}

async fn asked(connection: &mut PgConnection, ask: &Ask) -> Result<Asked, StoreError> {
    let Ask { run, namespace, name, key } = ask;
    let look = sqlx::query_file!(
        "src/store/postgres/sql/signal_look.sql",
        run.uuid(),
        namespace.as_str(),
        name.as_str(),
        key.as_str()
    );
    let Some(found) = look.fetch_optional(&mut *connection).await.map_err(classify)? else {
        return Ok(Asked::Nothing);
    };
    let signal = SignalId(found.id);
    let brought = match state_of(signal, &found.state)? {
        // Its sender may have died: everybody who waits gets it, not only who asks.
        SignalState::New => tell(connection, signal).await?.runs,
        SignalState::Kept => {
            let take =
                sqlx::query_file_scalar!("src/store/postgres/sql/signal_take.sql", signal.0, run.uuid());
            let taken = take.fetch_one(connection).await.map_err(classify)?;
            if taken > 0 { vec![*run] } else { Vec::new() }
        }
        SignalState::Told => Vec::new(),
    };
    Ok(if brought.is_empty() { Asked::Busy } else { Asked::Brought(brought) })
}

fn state_of(signal: SignalId, state: &str) -> Result<SignalState, StoreError> {
    match state {
        "NEW" => Ok(SignalState::New),
        "KEPT" => Ok(SignalState::Kept),
        "TOLD" => Ok(SignalState::Told),
        other => Err(corrupt("runlog.signals", "state", &signal.0, format!("{other:?}"))),
    }
}

/// Signals that one call removes at most.
const EXPIRED_MAX: i64 = 1_000;

/// Removes what is kept or remembered no longer; says whether there may be more.
pub(super) async fn expire(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let gone = sqlx::query_file_scalar!(
        "src/store/postgres/sql/signals_expire.sql",
        interval(SIGNAL_KEPT),
        interval(SIGNAL_REMEMBERED),
        EXPIRED_MAX
    );
    Ok(gone.fetch_one(connection).await.map_err(classify)? >= EXPIRED_MAX)
}
