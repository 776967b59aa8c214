//! For how long trigger events are known.

use runlog::model::{EventId, EventKey};
use runlog::store::{NewTriggerEvent, Triggers};

use super::*;

fn event(id: &str) -> NewTriggerEvent {
    NewTriggerEvent {
        namespace: Namespace::default(),
        id: EventId::new(id).unwrap(),
        key: EventKey::new("order.paid").unwrap(),
        payload: Payload::null(),
        metadata: Default::default(),
        by: None,
        outcomes: Vec::new(),
    }
}

#[tokio::test]
async fn an_event_is_known_for_thirty_days() {
    let stage = Stage::new().await;
    for id in ["old", "young"] {
        assert!(stage.store.push(&event(id), &[]).await.unwrap());
    }
    let pushed = |id: &str, days: u32| {
        format!(
            "update runlog.trigger_events set pushed_at = now() - interval '{days} days' where id = '{id}'"
        )
    };
    stage.psql(&pushed("old", 31)).await.unwrap();
    stage.psql(&pushed("young", 29)).await.unwrap();
    assert_eq!(stage.store.sweep_trigger_events().await.unwrap(), 1);
    assert_eq!(stage.store.sweep_trigger_events().await.unwrap(), 0);
    assert!(!stage.store.push(&event("young"), &[]).await.unwrap());
    assert!(stage.store.push(&event("old"), &[]).await.unwrap(), "its id is a new event's");
}
