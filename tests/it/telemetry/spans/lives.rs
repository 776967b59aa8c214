//! Spans of lives drawn at random.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::rules::{assert_true, spans_of};
use crate::model::life::lives;

#[test]
fn what_ends_in_any_life_is_one_span_with_the_logs_times() {
    let seen = RefCell::new(BTreeMap::<String, u32>::new());
    lives(300, |run, log| {
        assert_true(run, log);
        for span in spans_of(run, log) {
            let word = span.name.split(' ').next().unwrap_or_default().to_owned();
            let outcome = span.attribute("runlog.outcome").or(span.attribute("runlog.run.status"));
            let outcome = outcome.map(|outcome| format!(" {outcome:?}")).unwrap_or_default();
            *seen.borrow_mut().entry(word + &outcome).or_default() += 1;
        }
    });
    let seen = seen.borrow();
    for wanted in [
        "start",
        "run Text(\"SUCCEEDED\")",
        "run Text(\"FAILED\")",
        "run Text(\"CANCELLED\")",
        "run Text(\"TIMED_OUT\")",
        "attempt Text(\"succeeded\")",
        "attempt Text(\"failed\")",
        "attempt Text(\"timed_out\")",
        "attempt Text(\"cancelled\")",
        "step Text(\"succeeded\")",
        "step Text(\"failed\")",
        "step Text(\"abandoned\")",
        "sleep Text(\"succeeded\")",
        "sleep Text(\"abandoned\")",
        "wait Text(\"succeeded\")",
        "wait Text(\"timed_out\")",
        "wait Text(\"abandoned\")",
        "child Text(\"succeeded\")",
        "child Text(\"failed\")",
        "child Text(\"cancelled\")",
        "child Text(\"abandoned\")",
    ] {
        assert!(seen.contains_key(wanted), "no life has a {wanted}: {seen:#?}");
    }
}
