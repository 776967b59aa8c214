//! Which trigger events a subscription wants.

use std::collections::BTreeMap;

use runlog::model::Payload;
use runlog::model::trigger::{EventFacts, EventFilter};

/// Says why the order `evt_1` is not wanted.
fn refusal(filter: &str) -> Option<String> {
    let payload = r#"{"total": 120, "region": "eu", "paid": true, "big": 12345678901234567890,
                      "items": [{"sku": "a1", "n": 2}, {"sku": "b2", "n": 0}]}"#;
    let payload = Payload::parse(payload).expect("JSON");
    let metadata = BTreeMap::from([("team".to_owned(), "payments".to_owned())]);
    let facts = EventFacts { id: "evt_1", key: "order.paid", payload: &payload, metadata: &metadata };
    EventFilter::parse(filter).unwrap_or_else(|error| panic!("{error}")).refusal(&facts)
}

#[test]
fn a_filter_speaks_of_the_event() {
    for wanted in [
        "true",
        "payload.total > 100",
        "payload.total >= 120 && payload.region == 'eu'",
        "payload.paid",
        "payload.region in ['eu', 'us']",
        "payload.items.exists(item, item.n == 0)",
        "payload.items.all(item, item.sku.size() == 2)",
        "size(payload.items) == 2",
        "metadata.team == 'payments' && key.startsWith('order.') && id == \"evt_1\"",
        "has(payload.total) && !has(payload.discount)",
        "payload.total > 100 ? payload.paid : false",
        "payload.big > 0 && payload.total + 1 == 121",
    ] {
        assert_eq!(refusal(wanted), None, "{wanted}");
    }
    for (unwanted, why) in [
        ("payload.total > 1000", "the filter is false"),
        ("payload.discount > 5", "the filter failed: "),
        ("payload.region > 5", "the filter failed: "),
        ("payload.total", "the filter failed: it is a "),
    ] {
        let refusal = refusal(unwanted).expect(unwanted);
        assert!(refusal.starts_with(why), "{unwanted}: {refusal}");
    }
}

#[test]
fn what_cannot_be_a_filter_is_refused_with_what_would_do() {
    let deep = format!("{}true{}", "(".repeat(40), ")".repeat(40));
    let long = format!("payload.x == '{}'", "x".repeat(2_000));
    for (filter, says) in [
        ("", "line 1"),
        ("payload.total >", "line 1"),
        ("payload = 1", "line 1"),
        ("order.total > 1", "order is unknown: it may speak of id, key, payload, metadata"),
        ("payload.items.exists(item, other.n == 0)", "other is unknown"),
        ("launch(payload)", "there is no function launch: it may call contains, "),
        ("payload.name.matches('a.*')", "there is no function matches"),
        ("1 + 2", "it is a number, not true or false"),
        ("'yes'", "it is a text, not true or false"),
        ("[true]", "it is a list, not true or false"),
        ("payload.items.map(item, item.n)", "it is a list, not true or false"),
        ("size(payload.items)", "it is a number, not true or false"),
        ("1 == 'one'", "it compares a number with a text"),
        ("size(payload.name) > 'x'", "it compares a number with a text"),
        ("payload.paid && 1", "needs true or false, not a number"),
        ("'a' * 2 == 2", "needs a number, not a text"),
        ("payload.a.all(x, payload.b.all(y, x == y))", "a pass over a list stands inside another one"),
        (&*deep, "nested deeper than"),
        (&*long, "the limit is 1024"),
    ] {
        let error = EventFilter::parse(filter).expect_err(filter).to_string();
        assert!(error.contains(says), "{filter:?}: {error}");
        assert!(error.len() < 500, "{error}");
    }
}

#[test]
fn a_pass_over_a_list_looks_at_a_bounded_payload() {
    let payload = Payload::of(&vec![1; 20_000]).expect("JSON");
    let metadata = BTreeMap::new();
    let facts = EventFacts { id: "1", key: "k", payload: &payload, metadata: &metadata };
    let all = EventFilter::parse("payload.all(n, n == 1)").expect("a filter");
    let refusal = all.refusal(&facts).expect("a refusal");
    assert!(refusal.contains("a pass over a list looks at 16384 at most"), "{refusal}");
    assert_eq!(EventFilter::parse("size(payload) == 20000").expect("a filter").refusal(&facts), None);
}
