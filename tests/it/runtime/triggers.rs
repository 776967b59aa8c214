//! What starts runs from outside.

use std::time::Duration;

use runlog::model::event::Trigger;
use runlog::store::memory::{Call, Fate, Faults, MemoryStore};
use runlog::store::{Store, TriggerEventQuery, Triggers};
use runlog::{Cx, CxError, Error, Runtime, Search, Status, Subscription, TriggerEvent, Workflow};
use serde_json::{Value, json};

use crate::support::{Ground, echo, on_both, soon};

/// Takes orders only.
fn invoice() -> Workflow<Order, u64> {
    Workflow::function("invoice", |cx: Cx, order: Order| async move {
        cx.step("total", || async move { anyhow::Ok(order.total) }).await
    })
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    total: u64,
}

fn ship() -> Workflow<Value, Value> {
    Workflow::function("ship", |_: Cx, order: Value| async move { Ok::<_, CxError>(order) })
}

async fn node(ground: &impl Ground) -> Runtime {
    let builder = ground.builder().workflow(invoice()).workflow(ship()).workflow(echo());
    let builder = builder
        .subscription(Subscription::new("invoices", "order.paid", &invoice()).filter("payload.total > 100"));
    let shipping =
        Subscription::new("shipping", "order.paid", &ship()).metadata([("team", "depot")]).priority(4);
    builder.subscription(shipping).start().await.expect("a node")
}

on_both! {
    an_event_starts_what_subscribed_to_it_and_says_what_it_did_not
    an_event_that_is_pushed_again_starts_nothing_and_is_answered_the_same
    the_span_that_an_event_names_is_its_runs_parent
    what_is_wrong_with_an_event_or_a_subscription_is_said_at_the_door
    a_key_has_a_bounded_number_of_subscriptions
    the_reason_of_a_refusal_is_short
}

async fn an_event_starts_what_subscribed_to_it_and_says_what_it_did_not(ground: impl Ground) {
    let node = node(&ground).await;
    let triggers = node.triggers();
    triggers.subscribe(Subscription::by_name("elsewhere", "order.created", "echo")).await.unwrap();
    let paid = |id: &str, payload: Value| {
        TriggerEvent::new(id, "order.paid", &payload).metadata([("source", "shop")])
    };

    let big = node.push(paid("evt_1", json!({"total": 120})).by("ada")).await.unwrap();
    assert!(big.is_new);
    let names: Vec<_> = big.outcomes.iter().map(|outcome| outcome.subscription.as_str()).collect();
    assert_eq!(names, ["invoices", "shipping"]);
    for outcome in &big.outcomes {
        let run = node.handle(outcome.run.expect("a run"));
        assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
        let view = node.get(run.id()).await.unwrap().expect("a run");
        assert_eq!(view.metadata.get("source").map(String::as_str), Some("shop"));
        let Trigger::Event { id, key, payload } = view.trigger else { panic!("{:?}", view.trigger) };
        assert_eq!((id.as_str(), key.as_str(), payload.text()), ("evt_1", "order.paid", r#"{"total":120}"#));
    }
    let shipped = node.get(big.outcomes[1].run.unwrap()).await.unwrap().expect("a run");
    assert_eq!((shipped.priority, shipped.metadata.get("team").map(String::as_str)), (4, Some("depot")));

    let small = node.push(paid("evt_2", json!({"total": 7}))).await.unwrap();
    assert_eq!(small.outcomes[0].refused.as_deref(), Some("the filter is false"));
    assert!(small.outcomes[0].run.is_none() && small.outcomes[1].run.is_some());
    let odd = node.push(paid("evt_3", json!({"total": 150.5}))).await.unwrap();
    let why = odd.outcomes[0].refused.as_deref().expect("a reason");
    assert!(why.starts_with("the payload is no input of the workflow"), "{why}");
    let none = node.push(TriggerEvent::new("evt_4", "order.lost", &1)).await.unwrap();
    assert!(none.is_new && none.outcomes.is_empty());

    let found = node.list(&Search::new("trigger:event event:evt_1".parse().unwrap())).await.unwrap();
    assert_eq!(found.data.len(), 2);
    let row = triggers.event("evt_1").await.unwrap().expect("an event");
    assert_eq!((row.event.outcomes, row.event.by.as_deref()), (big.outcomes, Some("ada")));
    let query = TriggerEventQuery { limit: 9, ..TriggerEventQuery::default() };
    assert_eq!(triggers.events(&query).await.unwrap().len(), 4);
    assert!(triggers.unsubscribe("shipping").await.unwrap());
    assert_eq!(node.push(paid("evt_5", json!({"total": 120}))).await.unwrap().outcomes.len(), 1);
}

async fn an_event_that_is_pushed_again_starts_nothing_and_is_answered_the_same(ground: impl Ground) {
    let (one, other) = (node(&ground).await, node(&ground).await);
    let event = || TriggerEvent::new("evt_1", "order.paid", &json!({"total": 120}));
    let pushes = (0..8).map(|n| if n % 2 == 0 { one.push(event()) } else { other.push(event()) });
    let answers = futures_util::future::join_all(pushes).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap()).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_new).count(), 1);
    assert!(answers.iter().all(|answer| answer.outcomes == answers[0].outcomes), "{answers:?}");
    let found = one.list(&Search::new("event:evt_1".parse().unwrap())).await.unwrap();
    assert_eq!(found.data.len(), 2);
}

async fn the_span_that_an_event_names_is_its_runs_parent(ground: impl Ground) {
    let node = node(&ground).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let event = TriggerEvent::new("evt_1", "order.paid", &json!({"total": 120}));
    let pushed = node.push(event.metadata([("traceparent", parent), ("source", "shop")])).await.unwrap();
    for outcome in pushed.outcomes {
        let view = node.get(outcome.run.expect("a run")).await.unwrap().expect("a run");
        assert_eq!(view.metadata.keys().filter(|name| *name == "traceparent").count(), 0);
        let log = node.events(view.id, 0, 1).await.unwrap();
        let runlog::model::Event::Run(runlog::model::RunEvent::Created(created)) = &log[0].event else {
            panic!()
        };
        let trace = created.trace.as_ref().expect("a trace");
        assert_eq!(trace.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(trace.span_id.to_string(), "b7ad6b7169203331");
    }
}

async fn what_is_wrong_with_an_event_or_a_subscription_is_said_at_the_door(ground: impl Ground) {
    let node = node(&ground).await;
    let triggers = node.triggers();
    for (subscription, says) in [
        (Subscription::new("invoices", "x", &ship()), "there is a subscription \"invoices\" already"),
        (
            Subscription::new("x", "y", &ship()).filter("payload.total >"),
            "the filter \"payload.total >\" cannot be used",
        ),
        (Subscription::new("x", "y", &ship()).filter("order.total > 1"), "order is unknown"),
        (Subscription::new("x", "y", &ship()).filter("1 == 'one'"), "it compares a number with a text"),
        (Subscription::by_name("x", "y", "nope"), "workflow \"nope\" is unknown"),
        (Subscription::new("", "y", &ship()), "the subscription's name is empty"),
        (Subscription::new("x", "", &ship()), "the event's key is empty"),
        (Subscription::new("x", "y", &ship()).priority(1_001), "1001 is out of range, -1000 to 1000"),
    ] {
        let error = triggers.subscribe(subscription).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    for (event, says) in [
        (TriggerEvent::new("", "k", &1), "the event's id is empty"),
        (TriggerEvent::json("1", "k", "{"), "payload: "),
        (TriggerEvent::new("1", "k", &"x".repeat(200_000)), "the limit of an event is 131072"),
        (TriggerEvent::new("1", "k", &1).metadata([("", "x")]), "metadata: the name is empty"),
    ] {
        let error = node.push(event).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let twice = || Subscription::new("twice", "k", &ship());
    let refused = ground.builder().workflow(ship()).subscription(twice()).subscription(twice()).start().await;
    let refused = refused.err().expect("a refusal").to_string();
    assert!(refused.contains("\"twice\" is given twice"), "{refused}");
}

async fn a_key_has_a_bounded_number_of_subscriptions(ground: impl Ground) {
    let of = |n: usize| Subscription::new(format!("s{n}"), "k", &ship());
    let declared =
        |count| (0..count).fold(ground.builder().workflow(ship()), |builder, n| builder.subscription(of(n)));
    let refused = declared(101).start().await.err().expect("a refusal").to_string();
    assert!(refused.contains("\"k\" would have 101 subscriptions, the limit is 100"), "{refused}");
    let node = declared(100).start().await.unwrap();
    let refused = node.triggers().subscribe(of(100)).await.unwrap_err().to_string();
    assert!(refused.contains("would have 101 subscriptions"), "{refused}");
    node.triggers().put(of(99).priority(1)).await.unwrap();
    let pushed = node.push(TriggerEvent::new("evt_1", "k", &1)).await.unwrap();
    assert_eq!(pushed.outcomes.iter().filter(|outcome| outcome.run.is_some()).count(), 100);
}

async fn the_reason_of_a_refusal_is_short(ground: impl Ground) {
    let node = node(&ground).await;
    let long = json!({"total": "x".repeat(100_000)});
    let everything = Subscription::new("everything", "order.new", &invoice());
    node.triggers().subscribe(everything).await.unwrap();
    let pushed = node.push(TriggerEvent::new("evt_1", "order.new", &long)).await.unwrap();
    let why = pushed.outcomes[0].refused.as_deref().expect("a reason");
    assert!(why.starts_with("the payload is no input of the workflow") && why.len() < 400, "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_events_is_refused_with_when_to_come_again() {
    let world = MemoryStore::seeded("2026-01-01T00:00:00Z".parse().unwrap(), 3);
    let slow = world.connect_with(std::sync::Arc::new(Slow));
    let node = Runtime::on_store(slow as std::sync::Arc<dyn Store>).workflow(ship()).start().await.unwrap();
    let pushes = (0..300).map(|n| node.push(TriggerEvent::new(format!("evt_{n}"), "k", &n)));
    let answers = futures_util::future::join_all(pushes).await;
    let refused = answers.iter().filter(|answer| matches!(answer, Err(Error::TooManyEvents { .. }))).count();
    assert_eq!((refused, answers.iter().filter(|answer| answer.is_ok()).count()), (300 - 64, 64));
    assert!(
        node.push(TriggerEvent::new("later", "k", &1)).await.unwrap().is_new,
        "after a while there is room"
    );
    node.shutdown(Duration::ZERO).await.unwrap();
    tokio::time::sleep(Duration::from_secs(31 * 24 * 3_600)).await;
    assert_eq!(world.sweep_trigger_events().await.unwrap(), 65, "an event is not known for ever");
}

/// A database that takes its time.
struct Slow;

impl Faults for Slow {
    fn on_call(&self, call: &Call) -> Fate {
        match call.method {
            "push" => Fate::Delayed(Duration::from_secs(1)),
            _ => Fate::Passes,
        }
    }
}
