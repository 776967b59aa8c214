//! What is refused at the door: a clear error, nothing written.

use std::time::Duration;

use runlog::model::limits::{PAYLOAD_BYTES_MAX, WAIT_MAX};
use runlog::runtime::NewRun;
use runlog::{CancelOptions, Cx, Error, Runtime, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::{Ground, Postgres, gate, soon};

#[derive(Serialize, Deserialize)]
struct Order {
    id: u32,
}

fn order() -> Workflow<Order, u32> {
    Workflow::function("order", |_: Cx, order: Order| async move { anyhow::Ok(order.id) })
}

/// A runtime on an empty database, and what one bad start says there.
struct Door {
    ground: Postgres,
    runtime: Runtime,
}

impl Door {
    async fn new() -> Door {
        let ground = Postgres::new().await;
        let runtime = ground.builder().workflow(order()).workflow(gate()).start().await.unwrap();
        Door { ground, runtime }
    }

    /// Starts a run that must be refused, and returns what the refusal says.
    async fn refused<O: std::fmt::Debug>(&self, run: NewRun<'_, O>) -> String {
        let error = run.start().await.expect_err("a refusal");
        let rows = "select (select count(*) from runlog.runs) + (select count(*) from runlog.events)";
        assert_eq!(self.ground.count(rows).await, 0, "something was written for: {error}");
        error.to_string()
    }

    async fn by_json(&self, input: &str) -> String {
        self.refused(self.runtime.run_by_name("order", input)).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_workflow_is_refused_with_the_ones_that_are_known() {
    let door = Door::new().await;
    let refused = door.refused(door.runtime.run_by_name("ordr", "{}")).await;
    assert_eq!(
        refused,
        "workflow \"ordr\" is unknown: no node ever served it; this process serves gate 1, order 1"
    );
    let refused = door.refused(door.runtime.run_by_name("or\0der", "{}")).await;
    assert!(refused.contains("or\\0der") && refused.contains("control character"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_is_malformed_or_of_another_type_is_refused() {
    let door = Door::new().await;
    for (input, said) in [
        ("", "input: malformed JSON: EOF while parsing a value at line 1 column 0"),
        ("{\"id\": 1", "input: malformed JSON: EOF while parsing an object at line 1 column 8"),
        ("{\"id\": 1} x", "input: malformed JSON: trailing characters at line 1 column 11"),
        ("{\"id\": 1,}", "input: malformed JSON: key must be a string at line 1 column 10"),
        ("{\"id\": NaN}", "input: malformed JSON: expected value at line 1 column 8"),
        (
            "{\"id\": \"\u{1}\"}",
            "input: malformed JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 8",
        ),
    ] {
        assert_eq!(door.by_json(input).await, said, "{input:?}");
    }
    for (input, said) in [
        ("{}", "missing field `id` at line 1 column 2"),
        ("{\"id\": -1}", "invalid value: integer `-1`, expected u32 at line 1 column 9"),
        ("[\"1\"]", "invalid type: string \"1\", expected u32 at line 1 column 4"),
        ("null", "invalid type: null, expected struct Order at line 1 column 4"),
    ] {
        let refused = door.by_json(input).await;
        assert!(refused.starts_with("input: the JSON is not a ") && refused.ends_with(said), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_others_could_not_read_is_refused() {
    let door = Door::new().await;
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let large = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    for (input, said) in [
        (
            "\"\\u0000\"".to_owned(),
            "input: the payload holds a NUL character at byte 1: Postgres' text and many readers refuse it",
        ),
        (
            "{\"a\\u0000\": 1}".to_owned(),
            "input: the payload holds a NUL character at byte 3: Postgres' text and many readers refuse it",
        ),
        (
            "\"\0\"".to_owned(),
            "input: the payload holds a NUL character at byte 1: Postgres' text and many readers refuse it",
        ),
        (
            "\"\\ud800\"".to_owned(),
            "input: the payload holds a lone surrogate at byte 1: it is no Unicode text",
        ),
        (
            "\"\\udc00\\ud800\"".to_owned(),
            "input: the payload holds a lone surrogate at byte 1: it is no Unicode text",
        ),
        (deep(65), "input: the payload nests deeper than 64 levels at byte 64: flatten it"),
        (
            large(PAYLOAD_BYTES_MAX + 1),
            "input: the payload has 1048577 bytes, the limit is 1048576: store it elsewhere and pass a reference",
        ),
    ] {
        assert_eq!(door.refused(door.runtime.run_by_name("gate", input)).await, said);
    }
    for fits in [deep(64), large(PAYLOAD_BYTES_MAX), "\"\\ud83d\\ude00 \\\\u0000\"".to_owned()] {
        let run = door.runtime.run_by_name("gate", fits.clone()).start().await.unwrap();
        assert!(run.get().await.unwrap().input.text() == fits, "what just fits is kept as it is");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_code_hands_over_is_checked_like_json() {
    let door = Door::new().await;
    let start = |input: Value| door.runtime.run(&gate(), input);
    let refused = door.refused(start("a\0b".into())).await;
    assert_eq!(
        refused,
        "input: the payload holds a NUL character at byte 2: Postgres' text and many readers refuse it"
    );
    let refused = door.refused(start("x".repeat(PAYLOAD_BYTES_MAX).into())).await;
    assert!(refused.contains("1048578 bytes, the limit is 1048576"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_key_or_namespace_is_refused() {
    let door = Door::new().await;
    let start = || door.runtime.run(&gate(), 1.into());
    let long = "é".repeat(257);
    for (run, said) in [
        (start().key(""), "the key is empty: give it at least one character"),
        (start().key("a\0"), "the key \"a\\0\" holds the control character '\\0': remove it"),
        (start().key("a\nb"), "the key \"a\\nb\" holds the control character '\\n': remove it"),
        (
            start().key(&long),
            "the key has 514 bytes, the limit is 512: shorten \"éééééééééééééééééééééééé\"…",
        ),
        (start().namespace(""), "the namespace is empty: give it at least one character"),
        (
            start().namespace("n".repeat(129)),
            "the namespace has 129 bytes, the limit is 128: shorten \"nnnnnnnnnnnnnnnnnnnnnnnn\"…",
        ),
    ] {
        assert_eq!(door.refused(run).await, said);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_metadata_is_refused() {
    let door = Door::new().await;
    let start = |name: &str, value: &str| door.runtime.run(&gate(), 1.into()).metadata([(name, value)]);
    let many = (0..33).map(|n| (n.to_string(), "v"));
    for (run, said) in [
        (start("", "v"), "metadata: the name is empty: give it at least one character"),
        (start("a\0", "v"), "metadata: the name \"a\\0\" holds the control character '\\0': remove it"),
        (start("a", "v\0"), "metadata: \"a\" holds a NUL character: remove it"),
        (start("a", &"v".repeat(1_025)), "metadata: \"a\" has 1025 bytes, the limit is 1024"),
        (
            start(&"n".repeat(129), "v"),
            "metadata: the name has 129 bytes, the limit is 128: shorten \"nnnnnnnnnnnnnnnnnnnnnnnn\"…",
        ),
        (door.runtime.run(&gate(), 1.into()).metadata(many), "metadata: 33 pairs, the limit is 32"),
    ] {
        assert_eq!(door.refused(run).await, said);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duration_that_is_zero_or_beyond_a_century_is_refused() {
    let door = Door::new().await;
    let start = || door.runtime.run(&gate(), 1.into());
    let long = WAIT_MAX + Duration::from_nanos(1);
    for (run, said) in [
        (start().delay(Duration::ZERO), "delay: 0ns: it must be more than zero and at most 100 years"),
        (start().timeout(Duration::ZERO), "timeout: 0ns: it must be more than zero and at most 100 years"),
        (
            start().start_timeout(Duration::ZERO),
            "start_timeout: 0ns: it must be more than zero and at most 100 years",
        ),
        (
            start().delay(long),
            "delay: 3153600000.000000001s: it must be more than zero and at most 100 years",
        ),
        (
            start().timeout(Duration::MAX),
            "timeout: 18446744073709551615.999999999s: it must be more than zero and at most 100 years",
        ),
        (
            start().start_timeout(long),
            "start_timeout: 3153600000.000000001s: it must be more than zero and at most 100 years",
        ),
    ] {
        assert_eq!(door.refused(run).await, said);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_time_beyond_the_databases_calendar_is_refused() {
    let door = Door::new().await;
    let now = door.ground.now().await;
    for at in [chrono::DateTime::<chrono::Utc>::MAX_UTC, now + chrono::TimeDelta::days(365 * 101)] {
        let refused = door.refused(door.runtime.run(&gate(), 1.into()).start_at(at)).await;
        assert!(
            refused.starts_with("start_at: ") && refused.ends_with("at most 100 years from now"),
            "{refused}"
        );
    }
    let past = door.runtime.run(&gate(), 1.into()).start_at(chrono::DateTime::<chrono::Utc>::MIN_UTC);
    let refused = door.refused(past).await;
    assert!(refused.starts_with("start_at: "), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_thing_wrong_is_the_one_that_is_told() {
    let door = Door::new().await;
    let run = door.runtime.run(&gate(), 1.into()).key("").priority(1).namespace("").if_exists_fail();
    assert_eq!(door.refused(run).await, "the key is empty: give it at least one character");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_signal_or_cancel_is_refused_and_the_run_goes_on() {
    let door = Door::new().await;
    let run = door.runtime.run(&gate(), 1.into()).start().await.unwrap();

    assert!(matches!(run.signal("", &1).await, Err(Error::Name(_))));
    assert!(matches!(run.signal("go", &"a\0").await, Err(Error::Payload { field: "signal", .. })));
    let long = CancelOptions::default().reason("x".repeat((16 << 10) + 1));
    assert!(matches!(run.cancel(long).await, Err(Error::Field { field: "reason", .. })));
    let nul = CancelOptions::default().by("a\0");
    assert!(matches!(run.cancel(nul).await, Err(Error::Field { field: "by", .. })));

    assert_eq!(door.ground.count("select count(*) from runlog.inbox").await, 0);
    run.signal("go", &"fine").await.unwrap();
    assert_eq!(soon("its output", run.output()).await.unwrap(), "fine");
}
