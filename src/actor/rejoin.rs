//! Joining anew after this process was declared dead, or gave its lease up.

use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorRef, ActorStatus};

use super::node::{Loss, Node};
use super::supervisor::{Engine, Incarnation, SupervisorMsg};
use crate::model::NodeId;
use crate::store::{FenceCause, Heartbeat, StoreError};

/// The pause between two tries to join anew; doubles from the first to the last.
const JOIN_PAUSE_MIN: Duration = Duration::from_millis(50);
const JOIN_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Joins as a new node, in the background, until the database lets us.
pub(super) fn rejoin(engine: Arc<Engine>, was: Arc<Node>, supervisor: ActorRef<SupervisorMsg>) {
    tokio::spawn(async move {
        // That the database was away is no run's doing.
        let resumes = was.loss().filter(|loss| *loss == Loss::Silence).map(|_| was.id);
        let mut pause = JOIN_PAUSE_MIN;
        while supervisor.get_status() == ActorStatus::Running {
            match join_anew(&engine, &was, resumes).await {
                Ok(incarnation) => return engine.enter(incarnation),
                Err(error) => tracing::warn!(%error, "joining anew failed"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(JOIN_PAUSE_MAX);
        }
    });
}

async fn join_anew(
    engine: &Arc<Engine>,
    was: &Node,
    resumes: Option<NodeId>,
) -> Result<Incarnation, StoreError> {
    if matches!(was.loss(), Some(Loss::Silence | Loss::Panic)) {
        // Nobody need wait for the rest of a lease that this process gave up.
        engine.store.leave(was.id).await?;
    }
    let lost = Heartbeat::Fenced { cause: FenceCause::HistoryLost };
    if engine.store.heartbeat(was.id, engine.settings.lease).await? == lost {
        tracing::error!(
            node = %was.id,
            "the database has lost this node: it was restored to an earlier point, or a replica took over that lacked \
             the last commits; nothing more of that history is written, runs go on from what the database holds, and \
             those that it does not hold are gone"
        );
    }
    Incarnation::join(engine, resumes).await
}
