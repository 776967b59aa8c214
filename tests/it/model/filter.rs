//! The grammar of filters: what is read, what is refused and where, and that it is printed as it is read.

use proptest::prelude::*;
use runlog::model::filter::keys::KEYS;
use runlog::model::{Filter, FilterError, RunId, Timestamp};

use super::filters::{Words, filters};

/// Reads a filter and prints it.
fn printed(text: &str) -> String {
    text.parse::<Filter>().unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

fn refused(text: &str) -> FilterError {
    text.parse::<Filter>().expect_err(text)
}

#[test]
fn a_filter_is_printed_as_it_is_read() {
    let cases = [
        ("", ""),
        ("  status:failed   workflow:checkout ", "status:failed workflow:checkout"),
        ("status:FAILED,timed_out -workflow:import*", "status:failed,timed_out -workflow:import*"),
        ("meta.team:payments meta.\"a b\":\"x, y\"", "meta.team:payments meta.\"a b\":\"x, y\""),
        ("meta.a.b:c:d", "meta.a.b:c:d"),
        ("duration:>5s,<=250ms duration:90m", "duration:>5s,<=250ms duration:>=90m"),
        ("duration:1h30m duration:0s duration:48h", "duration:>=90m duration:>=0ms duration:>=2d"),
        ("since:24h until:2026-11-25", "since:1d until:2026-11-25T00:00:00Z"),
        ("since:2026-11-25T10:00:00.000001+01:00", "since:2026-11-25T09:00:00.000001Z"),
        ("started:<2h finished:>=7d", "started:<2h finished:>=7d"),
        ("is:root,failed", "is:root,failed"),
        ("fp:9c1e fp:9c1e00000000", "fp:9c1e fp:9c1e00000000"),
        ("key:\"order*\" key:order* key:*", "key:\"order*\" key:order* key:\"\"*"),
        ("node:7,8 trigger:cron event:evt_1", "node:7,8 trigger:cron event:evt_1"),
        ("declined -\"no such user\"", "error:declined -error:\"no such user\""),
        ("error:\"say \\\"hi\\\" \\\\\"", "error:\"say \\\"hi\\\" \\\\\""),
        ("0198f3a27c11", "id:0198f3a27c11"),
        ("0198F3A2-7C11-7D44-9F00-AABBCCDDEEFF", "id:0198f3a27c117d449f00aabbccddeeff"),
        ("\"0198f3a27c11\" 402", "error:0198f3a27c11 error:402"),
        ("id:0198f3a2-7c", "id:0198f3a27c"),
        ("parent:0198f3a2-7c11-7d44-9f00-aabbccddeeff", "parent:0198f3a2-7c11-7d44-9f00-aabbccddeeff"),
    ];
    for (text, expected) in cases {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn every_key_has_an_example_that_is_read() {
    for key in KEYS {
        assert!(key.example.starts_with(key.name), "{key:?}");
        let filter: Filter = key.example.parse().unwrap_or_else(|error| panic!("{key:?}: {error}"));
        assert_eq!(filter.terms.len(), 1, "{key:?}");
    }
}

#[test]
fn the_guide_tells_of_every_key() {
    let guide = include_str!("../../../docs/GUIDE.md");
    for key in KEYS {
        let row = format!("| {} | `{}` |", key.finds, key.example);
        assert!(guide.contains(&row), "docs/GUIDE.md lacks {row}");
    }
}

#[test]
fn an_error_points_at_the_column_and_says_what_was_meant() {
    let cases = [
        ("status:faild", 8, "faild", Some("failed")),
        ("status:failed  statsu:queued", 16, "statsu", Some("status")),
        ("ü status:waiting", 10, "waiting", Some("is:waiting")),
        ("-workflw:x", 2, "workflw", Some("workflow")),
        ("trigger:corn", 9, "corn", Some("cron")),
        ("is:fialed", 4, "fialed", Some("failed")),
        ("stripe:402", 1, "stripe", None),
        ("meta:x", 1, "meta", Some("meta.")),
        ("meta.:x", 6, ":x", None),
        ("meta.team", 6, "team", None),
        ("key:", 5, "", None),
        ("key:a,", 7, "", None),
        ("key:,a", 5, ",", None),
        ("duration:>5", 11, "5", None),
        ("duration:99999999d", 10, "99999999d", None),
        ("since:yesterday", 7, "yesterday", None),
        ("since:1h,2h", 9, ",", None),
        ("since:1969-12-31", 7, "1969-12-31", None),
        ("node:0", 6, "0", None),
        ("node:seven", 6, "seven", None),
        ("parent:0198f3", 8, "0198f3", None),
        ("id:0198f", 4, "0198f", None),
        ("fp:xyz", 4, "xyz", None),
        ("error:\"open", 7, "\"open", None),
        ("key:\"a\"b", 8, "b", None),
        ("a -", 4, "", None),
        ("- a", 2, "", None),
        ("key:a\0", 6, "\0", None),
    ];
    for (text, column, found, suggestion) in cases {
        let error = refused(text);
        assert_eq!(
            (error.column, error.found.as_str(), error.suggestion.as_deref()),
            (column, found, suggestion),
            "{text}: {error}"
        );
    }
    assert_eq!(
        refused("status:faild").to_string(),
        "filter, column 8: \"faild\" found, expected a status (queued, running, succeeded, failed, cancelled, \
         timed_out); did you mean \"failed\"?"
    );
    assert_eq!(refused("key:").to_string(), "filter, column 5: it ends here, expected a value");
}

#[test]
fn a_filter_has_limits() {
    assert!("a ".repeat(20).parse::<Filter>().is_ok());
    assert_eq!(refused(&"a ".repeat(21)).column, 41);
    assert!("ü".repeat(1_000).parse::<Filter>().is_ok());
    assert_eq!(refused(&"ü".repeat(1_001)).column, 1_001);
}

#[test]
fn a_filter_knows_whether_its_runs_can_be_archived() {
    for (text, unarchived, archived) in [
        ("", true, true),
        ("is:archived", false, true),
        ("-is:archived", true, false),
        ("is:archived,failed", true, true),
        ("-is:archived,failed", true, false),
        ("is:archived -is:archived", false, false),
        ("is:live", true, false),
        ("status:running,queued", true, false),
        ("status:running,failed", true, true),
        ("is:archived is:waiting", false, false),
    ] {
        let filter: Filter = text.parse().unwrap();
        assert_eq!((filter.may_be_unarchived(), filter.may_be_archived()), (unarchived, archived), "{text}");
    }
}

#[test]
fn what_names_a_run_is_a_look_up() {
    for (text, expected) in
        [("key:a", true), ("0198f3a2", true), ("event:e", true), ("-key:a", false), ("status:failed", false)]
    {
        assert_eq!(text.parse::<Filter>().unwrap().is_lookup(), expected, "{text}");
    }
}

fn words() -> Words {
    let run = |tick| RunId::from_tick(tick, tick);
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    Words {
        runs: vec![run(1 << 50), run(7 << 50)],
        times: vec![time("2026-11-25T10:00:00.000001Z"), time("1970-01-01T00:00:00Z")],
    }
}

proptest! {
    #[test]
    fn a_filter_is_read_back_from_its_print(filter in filters(&words())) {
        let text = filter.to_string();
        prop_assert_eq!(text.parse::<Filter>(), Ok(filter), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_in_its_bounds(text in any::<String>()) {
        match text.parse::<Filter>() {
            Ok(filter) => prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter)),
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{}", error),
        }
    }

    #[test]
    fn what_looks_like_a_filter_is_read_or_refused_in_its_bounds(text in "[a-z:.,\"\\\\*<>=0-9 -]{0,40}") {
        match text.parse::<Filter>() {
            Ok(filter) => prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter)),
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{}", error),
        }
    }
}
