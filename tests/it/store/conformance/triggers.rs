//! Subscriptions and trigger events.

use std::collections::BTreeMap;
use std::sync::Arc;

use runlog::model::trigger::Outcome;
use runlog::model::{
    EventId, EventKey, Namespace, Payload, Status, SubscriptionName, TriggerSummary, WorkflowName,
};
use runlog::store::outbox::{ExportBegun, Place, Stretch};
use runlog::store::{Append, NewTriggerEvent, Put, Store, SubscriptionRow, TriggerEventQuery};

use crate::store::process::*;

fn subscription(name: &str, key: &str) -> SubscriptionRow {
    SubscriptionRow {
        namespace: Namespace::default(),
        name: SubscriptionName::new(name).expect(name),
        key: EventKey::new(key).expect(key),
        filter: Some("payload.total > 100".to_owned()),
        workflow: WorkflowName::new("w").expect("a name"),
        metadata: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
        priority: 3,
        declared: false,
        created_by: Some("ada".to_owned()),
    }
}

fn event(id: &str, key: &str, runs: &[Append]) -> NewTriggerEvent {
    let outcome = |run: &Append| Outcome {
        subscription: "s".to_owned(),
        workflow: "w".to_owned(),
        run: Some(run.run),
        refused: None,
    };
    NewTriggerEvent {
        namespace: Namespace::default(),
        id: EventId::new(id).expect(id),
        key: EventKey::new(key).expect(key),
        payload: Payload::parse("{\"b\":1, \"a\":12345678901234567890123}").expect("JSON"),
        metadata: BTreeMap::from([("source".to_owned(), "shop".to_owned())]),
        by: Some("ada".to_owned()),
        outcomes: runs.iter().map(outcome).collect(),
    }
}

fn started(process: &Process, id: &str) -> Append {
    process.birth(Status::Queued).born(|born| {
        let (id, key) = (Some(id.to_owned()), Some("order.paid".to_owned()));
        born.trigger = TriggerSummary { kind: "event".to_owned(), id, key, replay_of: None };
    })
}

async fn names(store: &Arc<dyn Store>, key: Option<&str>, after: Option<&str>, limit: u32) -> Vec<String> {
    let (key, after) = (
        key.map(|key| EventKey::new(key).unwrap()),
        after.map(|after| SubscriptionName::new(after).unwrap()),
    );
    let found = store.subscriptions(&Namespace::default(), key.as_ref(), after.as_ref(), limit).await;
    found.expect("a list").iter().map(|row| row.name.to_string()).collect()
}

pub(super) async fn a_subscription_is_kept_once_by_its_name(store: Arc<dyn Store>) {
    let first = subscription("invoices", "order.paid");
    let put = async |new: &SubscriptionRow, replace| {
        store.put_subscriptions(std::slice::from_ref(new), replace).await.expect("put")[0]
    };
    assert_eq!(put(&first, false).await, Put::Created);
    assert_eq!(put(&first, false).await, Put::Left);
    assert_eq!(
        put(&SubscriptionRow { created_by: None, ..first.clone() }, true).await,
        Put::Left,
        "it is the same"
    );
    let changed = SubscriptionRow { filter: None, priority: 4, ..first.clone() };
    assert_eq!(put(&changed, false).await, Put::Left);
    let key = EventKey::new("order.paid").unwrap();
    let read =
        async || store.subscriptions(&Namespace::default(), Some(&key), None, 9).await.expect("a list");
    assert_eq!(read().await, [first]);
    assert_eq!(put(&changed, true).await, Put::Changed);
    assert_eq!(read().await, [changed]);
}

pub(super) async fn subscriptions_are_found_by_key_and_listed_by_name(store: Arc<dyn Store>) {
    let mut all =
        vec![subscription("c", "x"), subscription("a", "x"), subscription("b", "y"), subscription("d", "x")];
    all[3].namespace = Namespace::new("acme").expect("a name");
    assert_eq!(store.put_subscriptions(&all, false).await.expect("put"), [Put::Created; 4]);
    assert_eq!(names(&store, None, None, 9).await, ["a", "b", "c"]);
    assert_eq!(names(&store, Some("x"), None, 9).await, ["a", "c"]);
    assert_eq!(names(&store, None, Some("a"), 1).await, ["b"]);
    let name = SubscriptionName::new("a").unwrap();
    assert!(store.delete_subscription(&Namespace::default(), &name).await.expect("delete"));
    assert!(!store.delete_subscription(&Namespace::default(), &name).await.expect("delete"));
    assert_eq!(names(&store, Some("x"), None, 9).await, ["c"]);
}

pub(super) async fn an_event_starts_its_runs_once_by_its_id(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let runs = [started(&process, "evt_1"), started(&process, "evt_1")];
    let first = event("evt_1", "order.paid", &runs);
    assert!(store.push(&first, &runs).await.expect("push"));
    for run in &runs {
        assert_eq!(process.row(run.run).await.status, Status::Queued);
        assert_eq!(process.notes(run.run).await, ["run_created"]);
        let trigger = process.summary(run.run).await.trigger.expect("a trigger");
        assert_eq!((trigger.kind.as_str(), trigger.id.as_deref()), ("event", Some("evt_1")));
    }
    let again = [started(&process, "evt_1")];
    assert!(!store.push(&event("evt_1", "other", &again), &again).await.expect("push"));
    assert_eq!(store.row(again[0].run).await.expect("a question"), None);
    let row = store.trigger_event(&first.namespace, &first.id).await.expect("a question").expect("an event");
    assert_eq!(row.event, first, "as it was pushed first, byte for byte");
    let mut elsewhere = event("evt_1", "order.paid", &again);
    elsewhere.namespace = Namespace::new("acme").expect("a name");
    assert!(store.push(&elsewhere, &[]).await.expect("push"), "an id is unique in its namespace");
}

pub(super) async fn what_an_event_starts_is_told_to_the_exporter(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    assert_eq!(store.begin_export("test", LONG).await.expect("begun"), ExportBegun::Yours);
    store.tend_export().await.expect("tended");
    let runs = [started(&process, "evt_1"), started(&process, "evt_1")];
    assert!(store.push(&event("evt_1", "order.paid", &runs), &runs).await.expect("push"));
    let again = [started(&process, "evt_1")];
    assert!(!store.push(&event("evt_1", "order.paid", &again), &again).await.expect("push"));
    assert!(store.push(&event("evt_2", "order.paid", &[]), &[]).await.expect("push"));

    let found = store.outbox(&Place::default(), 9).await.expect("the outbox");
    let stretches: Vec<_> = found.commits.into_iter().flat_map(|commit| commit.stretches).collect();
    assert_eq!(stretches, runs.map(|append| Stretch { run: append.run, first: 1, last: 1 }));
}

pub(super) async fn of_those_who_push_an_event_at_once_one_starts_its_runs(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (store, run) = (Arc::clone(&store), started(&process, "evt_1"));
            tokio::spawn(async move {
                let runs = [run];
                let new = store.push(&event("evt_1", "order.paid", &runs), &runs).await.expect("push");
                (new, runs[0].run)
            })
        })
        .collect();
    let mut won = Vec::new();
    for call in calls {
        let (new, run) = call.await.expect("no panic");
        assert_eq!(store.row(run).await.expect("a question").is_some(), new);
        won.extend(new.then_some(run));
    }
    assert_eq!(won.len(), 1);
    let id = EventId::new("evt_1").unwrap();
    let row = store.trigger_event(&Namespace::default(), &id).await.expect("a question").expect("an event");
    assert_eq!(row.event.outcomes[0].run, Some(won[0]));
}

pub(super) async fn events_are_listed_newest_first_in_pages(store: Arc<dyn Store>) {
    for n in 1..=5 {
        let key = if n % 2 == 0 { "even" } else { "odd" };
        assert!(store.push(&event(&format!("evt_{n}"), key, &[]), &[]).await.expect("push"));
    }
    let query = || TriggerEventQuery { limit: 9, ..TriggerEventQuery::default() };
    let list = async |query: TriggerEventQuery| store.trigger_events(&query).await.expect("a list");
    let ids = |rows: &[runlog::store::TriggerEventRow]| {
        rows.iter().map(|row| row.event.id.to_string()).collect::<Vec<_>>()
    };
    let all = list(query()).await;
    assert_eq!(ids(&all), ["evt_5", "evt_4", "evt_3", "evt_2", "evt_1"]);
    assert_eq!(
        ids(&list(TriggerEventQuery { key: Some(EventKey::new("even").unwrap()), ..query() }).await),
        ["evt_4", "evt_2"]
    );
    let after = Some((all[1].pushed_at, all[1].event.id.clone()));
    assert_eq!(ids(&list(TriggerEventQuery { after, limit: 2, ..query() }).await), ["evt_3", "evt_2"]);
    let elsewhere = TriggerEventQuery { namespace: Namespace::new("acme").unwrap(), ..query() };
    assert_eq!(ids(&list(elsewhere).await), [] as [&str; 0]);
    assert_eq!(store.sweep_trigger_events().await.expect("sweep"), 0, "none is a month old");
}
