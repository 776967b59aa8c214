//! When a failed attempt is tried again.

use std::fmt::Write as _;
use std::time::Duration;

use runlog::model::limits::WAIT_MAX;
use runlog::model::{Retry, Verdict};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn delays(retry: &Retry, verdict: Verdict, chance: f64) -> String {
    let mut line = String::new();
    for attempt in 1..=6 {
        match retry.delay(attempt, verdict, chance) {
            Some(delay) => write!(line, "{delay:?} ").expect("a word"),
            None => line.push_str("- "),
        }
    }
    line.trim_end().to_owned()
}

#[test]
fn delays_are_those_of_the_table() {
    let exponential = Retry::exponential(MS(1_000));
    let rows = [
        (Retry::none(), Verdict::Retry, 0.0, "- - - - - -"),
        (exponential.clone(), Verdict::Retry, 0.0, "1s 2s 4s 8s - -"),
        (exponential.clone(), Verdict::Retry, 1.0, "500ms 1s 2s 4s - -"),
        (exponential.clone(), Verdict::Stop, 0.0, "- - - - - -"),
        (exponential.clone(), Verdict::After(MS(7)), 0.0, "7ms 7ms 7ms 7ms - -"),
        (exponential.clone().cap(MS(3_000)), Verdict::Retry, 0.0, "1s 2s 3s 3s - -"),
        (exponential.clone().factor(3.0).jitter(0.0), Verdict::Retry, 1.0, "1s 3s 9s 27s - -"),
        (exponential.clone().max_attempts(2), Verdict::Retry, 0.0, "1s - - - - -"),
        (exponential.max_attempts(0), Verdict::Retry, 0.0, "- - - - - -"),
        (Retry::fixed(MS(50)), Verdict::Retry, 1.0, "50ms 50ms 50ms 50ms - -"),
        (Retry::fixed(MS(50)).factor(0.1), Verdict::Retry, 1.0, "50ms 50ms 50ms 50ms - -"),
        (
            Retry::fixed(MS(50)),
            Verdict::After(Duration::MAX),
            0.0,
            "3153600000s 3153600000s 3153600000s 3153600000s - -",
        ),
    ];
    for (retry, verdict, chance, expected) in rows {
        assert_eq!(delays(&retry, verdict, chance), expected, "{retry:?} {verdict:?} {chance}");
    }
}

#[test]
fn no_policy_overflows() {
    for initial in [Duration::ZERO, MS(1), Duration::MAX] {
        for factor in [0.0, 1e300, f64::INFINITY, f64::NAN] {
            let retry = Retry::exponential(initial).factor(factor).cap(Duration::MAX).max_attempts(u32::MAX);
            for attempt in [1, 2, 1_100, u32::MAX - 1] {
                for chance in [-1.0, 0.0, 1.0, 2.0, f64::NAN] {
                    let delay = retry.delay(attempt, Verdict::Retry, chance).expect("an attempt is left");
                    assert!(delay <= WAIT_MAX, "{retry:?} {attempt} {chance}: {delay:?}");
                }
            }
        }
    }
}

#[test]
fn no_delay_stays_no_delay() {
    let retry = Retry::exponential(Duration::ZERO).max_attempts(u32::MAX);
    for attempt in [1, 2, 1_100, 1_000_000] {
        assert_eq!(retry.delay(attempt, Verdict::Retry, 0.5), Some(Duration::ZERO), "attempt {attempt}");
    }
}
