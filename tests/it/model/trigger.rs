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
    EventFilter::parse(filter).unwrap_or_else(|error| panic!("{error}"));
    facts.refusals(&[Some(filter)]).expect("a thread").remove(0)
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
    let deep = format!("{}1 == 71", "1 + ".repeat(70));
    let long = format!("payload.x == '{}'", "x".repeat(2_000));
    for (filter, says) in [
        ("", "it is empty: leave it out"),
        ("payload.total >", "line 1, column 16: it ends too early"),
        ("payload = 1", "line 1, column 9: "),
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
    let filters = [Some("payload.all(n, n == 1)"), None, Some("size(payload) == 20000")];
    let refusals = facts.refusals(&filters).expect("a thread");
    let refusal = refusals[0].as_deref().expect("a refusal");
    assert!(refusal.contains("a pass over a list looks at 16384 at most"), "{refusal}");
    assert_eq!(refusals[1..], [None, None]);
}

#[test]
fn a_filter_as_long_as_it_may_be_neither_overflows_the_stack_nor_panics() {
    let (payload, metadata) =
        (Payload::parse(r#"{"paid": true, "region": "eu"}"#).expect("JSON"), BTreeMap::new());
    let facts = EventFacts { id: "1", key: "k", payload: &payload, metadata: &metadata };
    let chain = |link: &str, times: usize, end: &str| format!("{}{end}", link.repeat(times));
    for long in [
        chain("!", 1_000, "payload.paid"),
        chain("-", 1_000, "1 == 1"),
        format!("payload{} == 1", ".a".repeat(500)),
        format!("payload{} == 1", "[0]".repeat(300)),
        format!("size(payload{}) == 1", ".string()".repeat(100)),
        chain("1+", 500, "1 == 501"),
        chain("true&&", 165, "true"),
        chain("true||", 165, "true"),
        chain("payload.paid?true:", 50, "true"),
        format!("[{}] == []", chain("1,", 500, "1")),
        format!("1 in [{}]", chain("1,", 500, "1")),
        chain("payload.region+", 60, "'x' == 'y'"),
        "(".repeat(1_024),
        "[".repeat(1_024),
        "{".repeat(1_024),
        "\"".repeat(1_023),
        "\\".repeat(1_023),
        ".".repeat(1_023),
        "(')' + ".repeat(140),
        format!("payload{}", "[1+1".repeat(250)),
        format!("{}true{}", "(".repeat(90), ")".repeat(90)),
        "?".repeat(1_023),
        "ü".repeat(500),
    ] {
        let checked = EventFilter::parse(&long).map_err(|error| error.to_string());
        let told = format!("{checked:?}, {:?}", facts.refusals(&[Some(&long)]).expect("a thread"));
        assert!(!told.contains("panicked"), "{long}: {told}");
    }
}

#[test]
fn what_cannot_be_computed_refuses_the_event() {
    for filter in [
        "payload.total / 0 == 1",
        "payload.total % 0 == 1",
        "9223372036854775807 + payload.total > 0",
        "-9223372036854775807 - payload.total < 0",
        "payload.total * 9223372036854775807 > 0",
        "int(payload.region) > 0",
        "int(1e300) > 0",
        "uint(0 - payload.total) > 0u",
        "payload.items[99].n == 0",
        "payload.items[-1].n == 0",
        "payload.items['a'] == 0",
        "payload.region[0] == 'e'",
        "payload.region.startsWith(payload.total)",
        "size(payload.total) == 1",
        "payload.region in payload.region",
        "payload < payload",
        "payload.items[payload.big].n == 0",
    ] {
        let refusal = refusal(filter).unwrap_or_else(|| panic!("{filter} is true"));
        let is_said = refusal.starts_with("the filter failed: ") || refusal == "the filter is false";
        assert!(is_said && !refusal.contains("panicked"), "{filter}: {refusal}");
    }
}
