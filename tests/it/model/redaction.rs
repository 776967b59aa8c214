//! What a service hides of a payload, and what it puts back.

use proptest::prelude::*;
use runlog::model::Payload;
use runlog::model::redaction::{REDACTED, REDACTED_JSON, Redaction, is_redacted};
use serde_json::{Value, json};

fn redaction(paths: &[&str]) -> Redaction {
    Redaction::of(paths).expect("paths")
}

fn hidden(paths: &[&str], text: &str) -> String {
    let mut payload = Payload::parse(text).expect("JSON");
    redaction(paths).hide(&mut payload);
    payload.text().to_owned()
}

#[test]
fn a_path_leads_to_members_and_elements() {
    let text = r#"{"card":"4111","items":[{"card":1,"n":1},{"card":2,"n":2}],"a":{"b c":3,"password":{"deep":[4]}},"password":null}"#;
    let table = [
        (
            "$.card",
            r#"{"card":#,"items":[{"card":1,"n":1},{"card":2,"n":2}],"a":{"b c":3,"password":{"deep":[4]}},"password":null}"#,
        ),
        (
            "$.items[*].card",
            r#"{"card":"4111","items":[{"card":#,"n":1},{"card":#,"n":2}],"a":{"b c":3,"password":{"deep":[4]}},"password":null}"#,
        ),
        (
            "$.items[1].card",
            r#"{"card":"4111","items":[{"card":1,"n":1},{"card":#,"n":2}],"a":{"b c":3,"password":{"deep":[4]}},"password":null}"#,
        ),
        (
            "$.items.*.n",
            r#"{"card":"4111","items":[{"card":1,"n":#},{"card":2,"n":#}],"a":{"b c":3,"password":{"deep":[4]}},"password":null}"#,
        ),
        (
            "$..password",
            r#"{"card":"4111","items":[{"card":1,"n":1},{"card":2,"n":2}],"a":{"b c":3,"password":#},"password":#}"#,
        ),
        (
            "$.a[\"b c\"]",
            r#"{"card":"4111","items":[{"card":1,"n":1},{"card":2,"n":2}],"a":{"b c":#,"password":{"deep":[4]}},"password":null}"#,
        ),
        (
            "$['a']['b c']",
            r#"{"card":"4111","items":[{"card":1,"n":1},{"card":2,"n":2}],"a":{"b c":#,"password":{"deep":[4]}},"password":null}"#,
        ),
        (
            "$..password..[0]",
            r#"{"card":"4111","items":[{"card":1,"n":1},{"card":2,"n":2}],"a":{"b c":3,"password":{"deep":[#]}},"password":null}"#,
        ),
        ("$.*", r#"{"card":#,"items":#,"a":#,"password":#}"#),
        ("$", "#"),
        ("$.cards", text),
        ("$.Card", text),
        ("$.items.card", text),
        ("$.items[7].card", text),
        ("$.card.number", text),
    ];
    for (path, expected) in table {
        assert_eq!(hidden(&[path], text), expected.replace('#', REDACTED_JSON), "{path}");
    }
}

#[test]
fn what_is_not_hidden_stays_byte_for_byte() {
    let text = " { \"n\" : 12345678901234567890.1e400 ,\t\"n\":1.0,\"c\\u0061rd\" : {\"x\":[\"}\\\"\"]} , \"card\":-0,\"z\":\"\\/\\u00e9\" }\n";
    let expected = " { \"n\" : 12345678901234567890.1e400 ,\t\"n\":1.0,\"c\\u0061rd\" : \"‹redacted›\" , \"card\":\"‹redacted›\",\"z\":\"\\/\\u00e9\" }\n";
    assert_eq!(
        hidden(&["$.card"], text),
        expected.trim(),
        "names as they read, both of two alike, numbers verbatim"
    );
    assert_eq!(hidden(&["$.none"], text), text.trim());
    assert_eq!(hidden(&["$.a"], "{\"a\":{},\"b\":[]}"), "{\"a\":\"‹redacted›\",\"b\":[]}");
    assert_eq!(hidden(&["$[0]"], "[ [] , {} ]"), "[ \"‹redacted›\" , {} ]");
}

#[test]
fn no_depth_and_no_size_is_too_much() {
    let deep = format!("{}{{\"card\":1}}{}", "[".repeat(60), "]".repeat(60));
    assert_eq!(hidden(&["$..card"], &deep), deep.replace(":1", ":\"‹redacted›\""));
    // What came by an import may be deeper than what is started.
    let deeper = format!("{}{{\"card\":1}}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(redaction(&["$..card"]).hidden(&deeper), Some(deeper.replace(":1", ":\"‹redacted›\"")));
    let wide = format!("[{}0]", "{\"card\":1},".repeat(90_000));
    let short = hidden(&["$[*].card"], &wide);
    assert_eq!(short.matches(REDACTED).count(), 90_000, "though it grew past the limit of what is stored");
    assert!(is_redacted(&short) && !is_redacted(&wide));
}

#[test]
fn what_is_no_json_is_hidden_as_a_whole() {
    for text in ["", "{\"card\":1", "{\"a\" 1}", "[1,]", "{\"a\":1} 2", "{\"a\\ud800\":1}", "{1:2}", "[1}"] {
        assert_eq!(redaction(&["$.card"]).hidden(text).as_deref(), Some(REDACTED_JSON), "{text}");
    }
}

#[test]
fn a_path_that_cannot_be_read_says_what_is_wrong_and_where() {
    let table = [
        ("", "the path \"\" cannot be used: character 1: a path begins with $, which is the payload"),
        ("card", "the path \"card\" cannot be used: character 1: a path begins with $, which is the payload"),
        (
            "$card",
            "the path \"$card\" cannot be used: character 2: expected .name, ..name, [\"any name\"], [3] or [*]",
        ),
        (
            "$.",
            "the path \"$.\" cannot be used: character 3: expected a name or *; another name than of letters, digits, _ and - is \
             [\"any name\"]",
        ),
        (
            "$.é.a b",
            "the path \"$.é.a b\" cannot be used: character 6: expected .name, ..name, [\"any name\"], [3] or [*]",
        ),
        (
            "$.a[?(@.b)]",
            "the path \"$.a[?(@.b)]\" cannot be used: character 5: expected a name in quotes, a place from 0, or *; slices, filters \
             and places from the end are not known here",
        ),
        (
            "$.a[1:2]",
            "the path \"$.a[1:2]\" cannot be used: character 6: expected ]; one name or place stands in a pair of brackets",
        ),
        ("$[\"a]", "the path \"$[\\\"a]\" cannot be used: character 6: expected \", which ends the name"),
        (
            "$['\\n']",
            "the path \"$['\\\\n']\" cannot be used: character 5: after \\ comes a quote or another \\: any other character stands \
             for itself",
        ),
    ];
    for (path, expected) in table {
        let error = Redaction::of([path]).expect_err(path);
        assert_eq!(error.to_string(), expected);
    }
    let many: Vec<String> = (0..101).map(|n| format!("$.a{n}")).collect();
    assert!(Redaction::of(&many[..100]).is_ok(), "the limit");
    let error = Redaction::of(&many).expect_err("past it");
    assert!(error.to_string().contains("\"$.a100\""), "{error}");
    let mut some = redaction(&["$.a"]);
    some.add(["$.b", "$x"]).expect_err("one that cannot be read adds none");
    assert_eq!(some.paths().collect::<Vec<_>>(), ["$.a"]);
}

#[test]
fn several_paths_stand_in_one_text() {
    let text = "$.card, $..password\n$[\"a, b\"].c  $['it\\'s, x'],";
    assert_eq!(Redaction::divide(text), ["$.card", "$..password", "$[\"a, b\"].c", "$['it\\'s, x']"]);
    assert_eq!(Redaction::divide(" , "), Vec::<&str>::new());
}

#[test]
fn a_report_of_what_does_not_fit_tells_no_hash_of_an_input() {
    use runlog::model::Event;
    use runlog::model::event::{RunBlocked, RunEvent};
    let report = "task `a`: the code gives the step pay#1 another input: 0123456789abcdef, the log has fedcba9876543210";
    let mut event = Event::Run(RunEvent::Blocked(RunBlocked { report: report.to_owned() }));
    event.redact(&Redaction::default());
    assert!(matches!(&event, Event::Run(RunEvent::Blocked(blocked)) if blocked.report == report));
    event.redact(&redaction(&["$.card"]));
    let Event::Run(RunEvent::Blocked(blocked)) = event else { panic!("the same event") };
    let expected =
        "task `a`: the code gives the step pay#1 another input: ‹redacted›, the log has ‹redacted›";
    assert_eq!(blocked.report, expected);
}

const ORIGINAL: &str = r#"{"amount": 1200, "card": "4111", "items": [{"n":1,"pin":7}, {"n":2,"pin":8.50}], "who": {"password": {"x": 1}}}"#;

fn back(edited: &str) -> Result<Option<String>, String> {
    let redaction = redaction(&["$.card", "$.items[*].pin", "$..password"]);
    redaction.restored(edited, ORIGINAL).map_err(|error| error.to_string())
}

#[test]
fn what_was_hidden_is_put_back_where_it_was() {
    let shown = redaction(&["$.card", "$.items[*].pin", "$..password"]).hidden(ORIGINAL).expect("hidden");
    assert_eq!(back(&shown), Ok(Some(ORIGINAL.to_owned())));
    let edited = shown.replace("1200", "900").replace("{\"n\":1", "{\"n\":3");
    let expected = ORIGINAL.replace("1200", "900").replace("{\"n\":1", "{\"n\":3");
    assert_eq!(back(&edited), Ok(Some(expected)));
    let card = shown.replacen(REDACTED_JSON, "\"4222\"", 1);
    assert_eq!(back(&card), Ok(Some(ORIGINAL.replace("4111", "4222"))), "a new value is as good");
    assert_eq!(back(r#"{"amount":1}"#), Ok(None), "nothing to put back");
    assert_eq!(back(r#"{"note":"we saw ‹redacted› there"}"#), Ok(None), "a text that speaks of it");
    let escaped = r#"{"c\u0061rd":"\u2039redacted\u203a"}"#;
    assert_eq!(back(escaped), Ok(Some(r#"{"c\u0061rd":"4111"}"#.to_owned())));
}

#[test]
fn nothing_is_guessed_where_it_was_not() {
    let refused = |edited: &str| back(edited).expect_err(edited);
    assert_eq!(
        refused(r#"{"other":"‹redacted›"}"#),
        "/other says ‹redacted›: no value is hidden in this place, so none can be put back; write it out"
    );
    assert_eq!(
        refused(r#"{"a/b":{"password":"‹redacted›"}}"#),
        "/a~1b/password says ‹redacted›: the original has no value in this place that could be put back; write it out"
    );
    assert!(refused(r#"{"card":["‹redacted›"]}"#).contains("only a whole hidden value"));
    assert!(refused(r#"{"card":"‹redacted›","card":"‹redacted›"}"#).contains("no value in this place"));
    let moved = "the list around it has other elements than the original, or they changed places";
    for items in [
        r#"[{"n":2,"pin":"‹redacted›"}]"#,
        r#"[{"n":2,"pin":"‹redacted›"},{"n":1,"pin":"‹redacted›"}]"#,
        r#"[{"n":0},{"n":1,"pin":"‹redacted›"},{"n":2,"pin":"‹redacted›"}]"#,
    ] {
        let error = refused(&format!("{{\"items\":{items}}}"));
        assert!(error.contains(moved), "{error}");
    }
}

#[test]
fn a_placeholder_that_was_copied_is_found() {
    let redaction = redaction(&["$.card", "$..password"]);
    assert_eq!(redaction.left_in(r#"{"card":"‹redacted›"}"#).as_deref(), Some("/card"));
    assert_eq!(
        redaction.left_in(r#"{"a":[{"password":{"x":"‹redacted›"}}]}"#).as_deref(),
        Some("/a/0/password")
    );
    assert_eq!(
        redaction.left_in(r#"{"note":"‹redacted›","card":1}"#),
        None,
        "elsewhere it is a text like any other"
    );
    assert_eq!(Redaction::default().left_in(r#"{"card":"‹redacted›"}"#), None);
}

/// JSON with names of a few, so that paths meet them.
fn texts() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\"\\\\\u{e9}]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc\"]", inner, 0..4).prop_map(|all| json!(all)),
        ]
    })
}

#[derive(Clone, Debug)]
enum Pick {
    Name(String),
    At(usize),
    Any,
}

fn steps() -> impl Strategy<Value = Vec<(bool, Pick)>> {
    let pick = prop_oneof![
        4 => "[abc\"]".prop_map(Pick::Name),
        1 => (0_usize..3).prop_map(Pick::At),
        1 => Just(Pick::Any),
    ];
    prop::collection::vec((any::<bool>(), pick), 1..4)
}

fn written(steps: &[(bool, Pick)]) -> String {
    let step = |(is_deep, pick): &(bool, Pick)| {
        let dots = if *is_deep { ".." } else { "" };
        match pick {
            Pick::Name(name) => format!("{dots}[\"{}\"]", name.replace('"', "\\\"")),
            Pick::At(at) => format!("{dots}[{at}]"),
            Pick::Any => format!("{dots}[*]"),
        }
    };
    format!("${}", steps.iter().map(step).collect::<String>())
}

/// What a path says, on values.
fn reference(value: &mut Value, steps: &[(bool, Pick)]) {
    let Some(((is_deep, pick), rest)) = steps.split_first() else { return };
    let meets = |at: usize, name: Option<&str>| match pick {
        Pick::Any => true,
        Pick::At(wanted) => name.is_none() && *wanted == at,
        Pick::Name(wanted) => name == Some(wanted),
    };
    let each = |at: usize, name: Option<&str>, value: &mut Value| {
        if *is_deep {
            reference(value, steps);
        }
        if meets(at, name) {
            match rest.is_empty() {
                true => *value = Value::from(REDACTED),
                false => reference(value, rest),
            }
        }
    };
    match value {
        Value::Array(all) => all.iter_mut().enumerate().for_each(|(at, value)| each(at, None, value)),
        Value::Object(all) => all.iter_mut().for_each(|(name, value)| each(0, Some(name), value)),
        _ => {}
    }
}

/// Writes JSON with blanks that the seed chooses.
fn spaced(value: &Value, seed: u64) -> String {
    let mut text = String::new();
    let mut seed = seed;
    for c in value.to_string().chars() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push(c);
        // Only where no string can be.
        if matches!(c, '[' | ']' | '{' | '}') && !value.to_string().contains(['\\', 'é']) && seed >> 62 == 0
        {
            text.push_str(" \n");
        }
    }
    text
}

proptest! {
    #[test]
    fn the_text_reads_as_the_value_with_other_values_in_it(value in texts(), paths in prop::collection::vec(steps(), 1..4), seed in any::<u64>()) {
        let text = spaced(&value, seed);
        let written: Vec<String> = paths.iter().map(|steps| written(steps)).collect();
        let redaction = Redaction::of(&written).expect("paths");
        let hidden = redaction.hidden(&text).unwrap_or_else(|| text.clone());
        let mut expected = value.clone();
        // A value inside of a hidden one is hidden with it: the outer ones last.
        paths.iter().chain(&paths).for_each(|steps| reference(&mut expected, steps));
        prop_assert_eq!(&serde_json::from_str::<Value>(&hidden).expect("JSON"), &expected, "{:?}", written);
        // What stands between two hidden values stands in the original, in order.
        let mut rest = text.as_str();
        for (n, piece) in hidden.split(REDACTED_JSON).enumerate() {
            let at = if n == 0 { rest.starts_with(piece).then_some(0) } else { rest.find(piece) };
            prop_assert!(at.is_some(), "{piece:?} of {hidden} is not in {text}");
            rest = rest.split_at(at.unwrap_or_default() + piece.len()).1;
        }
        // And put back, it is the original.
        if hidden != text {
            prop_assert_eq!(redaction.restored(&hidden, &text), Ok(Some(text)));
        }
    }
}
