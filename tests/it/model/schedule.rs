//! When schedules are due.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use runlog::model::Timestamp;
use runlog::model::schedule::{Cron, CronError, Due, Misfire, Timing, due};

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn cron(expression: &str, zone: &str) -> Cron {
    Cron::parse(expression, zone).expect(expression)
}

/// The occurrences after an instant.
fn after(cron: &Cron, start: &str, count: usize) -> Vec<String> {
    let next = |last: &Timestamp| cron.next_after(*last);
    let all = std::iter::successors(cron.next_after(at(start)), next);
    all.take(count).map(|at| at.format("%m-%dT%H:%M:%SZ").to_string()).collect()
}

#[test]
fn five_fields_are_minutes_and_six_are_seconds() {
    let minutes = after(&cron("*/20 * * * *", "UTC"), "2026-01-01T00:00:00Z", 3);
    assert_eq!(minutes, ["01-01T00:20:00Z", "01-01T00:40:00Z", "01-01T01:00:00Z"]);
    let seconds = after(&cron("*/30 * * * * *", "UTC"), "2026-01-01T00:00:00.5Z", 3);
    assert_eq!(seconds, ["01-01T00:00:30Z", "01-01T00:01:00Z", "01-01T00:01:30Z"]);
    let days = after(&cron("0 9 * * MON-FRI", "Europe/Berlin"), "2026-01-02T12:00:00Z", 2);
    assert_eq!(days, ["01-05T08:00:00Z", "01-06T08:00:00Z"]);
}

#[test]
fn a_time_that_is_skipped_is_due_at_the_first_instant_after_the_gap() {
    // 2026-03-29, 02:00 to 03:00 does not exist in Berlin.
    let found = after(&cron("30 2 * * *", "Europe/Berlin"), "2026-03-28T12:00:00Z", 2);
    assert_eq!(found, ["03-29T01:00:00Z", "03-30T00:30:00Z"]);
    // Four times of the gap and the hour after it are one instant, and one occurrence.
    let found = after(&cron("*/15 * * * *", "Europe/Berlin"), "2026-03-29T00:44:00Z", 3);
    assert_eq!(found, ["03-29T00:45:00Z", "03-29T01:00:00Z", "03-29T01:15:00Z"]);
    // 2011-12-30 did not exist on Samoa.
    let found = after(&cron("0 12 30 12 *", "Pacific/Apia"), "2011-12-01T00:00:00Z", 1);
    assert_eq!(found, ["12-30T10:00:00Z"]);
}

#[test]
fn a_time_that_comes_twice_is_due_once_the_first_time() {
    // 2026-10-25, 02:00 to 03:00 comes twice in Berlin.
    let found = after(&cron("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00Z", 2);
    assert_eq!(found, ["10-25T00:30:00Z", "10-26T01:30:00Z"]);
    let found = after(&cron("*/30 * * * *", "Europe/Berlin"), "2026-10-24T23:59:00Z", 4);
    assert_eq!(found, ["10-25T00:00:00Z", "10-25T00:30:00Z", "10-25T02:00:00Z", "10-25T02:30:00Z"]);
    // Also for who asks in the midst of the second time.
    let found = after(&cron("*/30 * * * *", "Europe/Berlin"), "2026-10-25T01:10:00Z", 1);
    assert_eq!(found, ["10-25T02:00:00Z"]);
}

#[test]
fn what_cannot_be_a_schedule_is_refused_with_what_would_do() {
    let refused =
        |expression: &str, zone: &str| Cron::parse(expression, zone).expect_err(expression).to_string();
    for (expression, says) in [
        ("", "it has 0 fields, 5 or 6 are needed"),
        ("* * * *", "it has 4 fields, 5 or 6 are needed"),
        ("* * * * * * 2026", "it has 7 fields"),
        ("61 * * * *", "cannot be read: \"61\" is no minute ("),
        ("30 25 * * *", "\"25\" is no hour (number out of bounds); expected"),
        ("0 30 25 * * *", "\"25\" is no hour ("),
        ("* * * * FOO", "\"FOO\" is no day of the week ("),
        ("*/0 * * * *", "\"*/0\" is no minute ("),
        ("@every 5m", "it is none of @yearly, "),
        ("0 0 30 2 *", "is never due"),
    ] {
        let error = refused(expression, "UTC");
        assert!(error.contains(says), "{expression:?}: {error}");
    }
    let error = refused(&"1,".repeat(600), "UTC");
    assert!(error.contains("1200 bytes, the limit is 1024"), "{error}");
    assert!(error.len() < 400, "{error}");
    assert!(refused("0 0 * * *", "europe/berlin").contains("did you mean \"Europe/Berlin\""));
    assert!(refused("0 0 * * *", "Europe/Berlim").contains("did you mean \"Europe/Berlin\""));
    assert!(matches!(Cron::parse("0 0 * * *", "Mars/Olympus"), Err(CronError::Zone { nearest: None, .. })));
}

#[test]
fn what_is_hardly_late_is_made_up_for_whatever_the_policy() {
    let every_minute = Timing::Cron(cron("* * * * *", "UTC"));
    let (next, now) = (at("2026-01-01T00:01:00Z"), at("2026-01-01T00:01:30Z"));
    for misfire in [Misfire::Skip, Misfire::Once, Misfire::All { at_most: 3 }] {
        let expected = Due { fire: vec![next], next: Some(at("2026-01-01T00:02:00Z")) };
        assert_eq!(due(&every_minute, misfire, next, now), expected, "{misfire}");
    }
    let early = due(&every_minute, Misfire::Skip, next, at("2026-01-01T00:00:59Z"));
    assert_eq!(early, Due { fire: Vec::new(), next: Some(next) });
}

#[test]
fn what_was_missed_is_made_up_for_by_policy() {
    let hourly = Timing::Cron(cron("0 * * * *", "UTC"));
    let (next, now) = (at("2026-01-01T01:00:00Z"), at("2026-01-01T05:30:00Z"));
    let fired = |misfire| {
        let due = due(&hourly, misfire, next, now);
        assert_eq!(due.next, Some(at("2026-01-01T06:00:00Z")));
        due.fire.iter().map(Timelike::hour).collect::<Vec<_>>()
    };
    assert_eq!(fired(Misfire::Skip), [] as [u32; 0]);
    assert_eq!(fired(Misfire::Once), [5]);
    assert_eq!(fired(Misfire::All { at_most: 3 }), [3, 4, 5]);
    assert_eq!(fired(Misfire::All { at_most: 100 }), [1, 2, 3, 4, 5]);
    let once = Timing::At(next);
    assert_eq!(due(&once, Misfire::Once, next, now), Due { fire: vec![next], next: None });
    assert_eq!(due(&once, Misfire::Skip, next, now), Due { fire: Vec::new(), next: None });
}

#[test]
fn a_long_time_away_costs_no_more_than_what_is_made_up_for() {
    let every_second = Timing::Cron(cron("* * * * * *", "UTC"));
    let due = due(
        &every_second,
        Misfire::All { at_most: 5 },
        at("2006-01-01T00:00:00Z"),
        at("2026-01-01T00:00:00Z"),
    );
    assert_eq!(due.fire.len(), 5 + 61, "those of the last minute, both ends included, are not missed");
}

#[test]
fn a_misfire_policy_is_read_as_it_is_written() {
    for text in ["skip", "once", "all:7", "all:100"] {
        assert_eq!(text.parse::<Misfire>().expect(text).to_string(), text);
    }
    assert_eq!("all".parse(), Ok(Misfire::All { at_most: 100 }));
    for text in ["", "never", "all:0", "all:101", "all:-1", "all:x"] {
        assert!(text.parse::<Misfire>().is_err(), "{text}");
    }
}

/// A line of a crontab as the oracle reads it: by the minute, from the calendar alone.
struct Line {
    text: &'static str,
    names: fn(NaiveDateTime) -> bool,
}

const LINES: [Line; 5] = [
    Line { text: "*/15 * * * *", names: |wall| wall.minute() % 15 == 0 },
    Line { text: "30 2 * * *", names: |wall| (wall.hour(), wall.minute()) == (2, 30) },
    Line { text: "0 0 * * *", names: |wall| (wall.hour(), wall.minute()) == (0, 0) },
    Line { text: "7 0-3,23 * * *", names: |wall| wall.minute() == 7 && matches!(wall.hour(), 0..=3 | 23) },
    Line {
        text: "59 1 * * SUN",
        names: |wall| (wall.hour(), wall.minute(), wall.weekday().num_days_from_sunday()) == (1, 59, 0),
    },
];

fn offset(zone: Tz, at: Timestamp) -> TimeDelta {
    TimeDelta::seconds(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc().into())
}

/// The instants at which a zone's offset changes, to the second.
fn transitions(zone: Tz) -> Vec<Timestamp> {
    let (mut found, mut day) = (Vec::new(), at("2000-01-01T00:00:00Z"));
    let end = at("2041-01-01T00:00:00Z");
    while day < end {
        let next = day + TimeDelta::days(1);
        let (mut before, mut behind) = (day.timestamp(), next.timestamp());
        let instant = |seconds| DateTime::<Utc>::from_timestamp(seconds, 0).expect("an instant");
        if offset(zone, day) != offset(zone, next) {
            while behind - before > 1 {
                let middle = before + (behind - before) / 2;
                match offset(zone, instant(middle)) == offset(zone, day) {
                    true => before = middle,
                    false => behind = middle,
                }
            }
            found.push(instant(behind));
        }
        day = next;
    }
    found
}

/// What the rule says, minute by minute: a line is due when the wall clock shows, for the first time ever, a minute that it
/// names, or jumps over one.
fn oracle(line: &Line, zone: Tz, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let minute = TimeDelta::minutes(1);
    let wall = |at: Timestamp| at.naive_utc() + offset(zone, at);
    let (mut found, mut latest, mut now) = (Vec::new(), wall(from), from + minute);
    while now <= until {
        let mut is_due = false;
        while latest < wall(now) {
            latest += minute;
            is_due |= (line.names)(latest);
        }
        if is_due {
            found.push(now);
        }
        now += minute;
    }
    found
}

/// Checks one transition, and says how many occurrences there were.
fn check(zone: Tz, crons: &[Cron], transition: Timestamp) -> usize {
    let shift = (offset(zone, transition) - offset(zone, transition - TimeDelta::seconds(1))).abs();
    assert_eq!(transition.second(), 0, "{zone}: the oracle counts minutes");
    let (from, until) = (transition - shift - TimeDelta::hours(3), transition + shift + TimeDelta::hours(3));
    let mut checked = 0;
    for (line, cron) in LINES.iter().zip(crons) {
        let expected = oracle(line, zone, from, until);
        let next = |last: &Timestamp| cron.next_after(*last).filter(|at| *at <= until);
        let found: Vec<Timestamp> = std::iter::successors(next(&from), next).collect();
        assert_eq!(found, expected, "{} in {zone} around {transition}", line.text);
        let first = from + TimeDelta::seconds(1);
        assert_eq!(
            cron.last_between(first, until, 1_000),
            expected,
            "{} in {zone} around {transition}",
            line.text
        );
        // Whoever asks at any time gets the first one after it: the odd minutes are in no line.
        let mut now = from + TimeDelta::minutes(11);
        while now < until {
            let first = expected.iter().find(|at| **at > now).copied();
            assert_eq!(next(&now), first, "{} in {zone} after {now}", line.text);
            now += TimeDelta::minutes(37);
        }
        checked += expected.len();
    }
    checked
}

#[test]
fn every_transition_of_every_zone_from_2000_to_2040_is_as_the_rule_says() {
    // Zones that have the same offsets, hour by hour, for days around a transition cannot differ there.
    let alike = |zone: Tz, transition: Timestamp| {
        let hours = (-30..=30).map(|hour| offset(zone, transition + TimeDelta::hours(hour)).num_seconds());
        (transition, hours.collect::<Vec<_>>())
    };
    let check_zones = |zones: &[Tz]| {
        let (mut seen, mut all, mut checked) = (BTreeSet::new(), 0, 0);
        for zone in zones {
            let crons: Vec<Cron> = LINES.iter().map(|line| cron(line.text, zone.name())).collect();
            for transition in transitions(*zone) {
                all += 1;
                if seen.insert(alike(*zone, transition)) {
                    checked += check(*zone, &crons, transition);
                }
            }
        }
        (all, seen.len(), checked)
    };
    let (one, other) = TZ_VARIANTS.split_at(TZ_VARIANTS.len() / 2);
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| check_zones(other));
        (check_zones(one), other.join().expect("no panic"))
    });
    let (transitions, distinct) = (one.0 + other.0, one.1 + other.1);
    assert!(
        transitions > 15_000 && distinct > 2_000,
        "{transitions} transitions, {distinct} of them distinct"
    );
    assert!(one.2 + other.2 > 50_000, "too few occurrences for a check");
}
