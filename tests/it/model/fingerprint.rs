//! Failures with the same cause have the same fingerprint.

use proptest::prelude::*;
use runlog::Failure;
use runlog::model::failure::{CHILD, PANIC};
use runlog::model::fingerprint::{fingerprint, normalised};
use runlog::model::{TaskName, WorkflowName};

use super::samples::task_name;

fn of(message: &str) -> String {
    of_task(Some(&task_name("charge")), message)
}

fn of_task(task: Option<&TaskName>, message: &str) -> String {
    let workflow = WorkflowName::new("checkout").expect("a name");
    fingerprint(&workflow, task, &Failure::new(PANIC, message).at("src/pay.rs:12"))
}

#[test]
fn values_are_left_out_of_a_message() {
    let cases = [
        ("order 771 of account o_12 is 4.2 over", "order # of account # is # over"),
        ("got -5, expected +7 or 1e-9", "got #, expected # or #"),
        ("child run 0198f3a2-aaaa-7bbb-8ccc-dddddddddddd failed", "child run # failed"),
        ("at 0xdeadbeef in deadbeefdeadbeef, not in facade", "at # in #, not in facade"),
        ("connect 10.0.0.1:5432: refused", "connect #: refused"),
        ("due 2026-11-25T10:06:22.5Z", "due #"),
        ("unknown key \"a b\", one of \"c\", \"d\\\"e\"", "unknown key #, one of #"),
        ("can't read 'x y' (it isn't there)", "can't read # (it isn't there)"),
        ("missing field `card`", "missing field `card`"),
        ("integer `5` of [1, 2, 3]", "integer `#` of [#]"),
        ("an \"open end", "an \"open end"),
        ("  two\n\t lines  ", "two lines"),
        ("half-open 7 days", "half-open # days"),
        ("٣ of 5 ünïcode", "# of # ünïcode"),
    ];
    for (message, expected) in cases {
        assert_eq!(normalised(message), expected, "{message}");
    }
}

#[test]
fn a_fingerprint_is_twelve_digits_and_never_changes() {
    assert_eq!(of("card 4711 declined"), "8afa7155fbf9");
    assert_eq!(of("").len(), 12);
}

#[test]
fn another_kind_task_workflow_or_place_is_another_cause() {
    let (checkout, import) = (WorkflowName::new("checkout"), WorkflowName::new("import"));
    let (checkout, import) = (checkout.expect("a name"), import.expect("a name"));
    let (charge, refund) = (task_name("charge"), task_name("refund"));
    let error = |kind, place| Failure::new(kind, "declined").at(place);
    let all = [
        fingerprint(&checkout, Some(&charge), &error(PANIC, "src/pay.rs:12")),
        fingerprint(&import, Some(&charge), &error(PANIC, "src/pay.rs:12")),
        fingerprint(&checkout, Some(&refund), &error(PANIC, "src/pay.rs:12")),
        fingerprint(&checkout, None, &error(PANIC, "src/pay.rs:12")),
        fingerprint(&checkout, Some(&charge), &error(CHILD, "src/pay.rs:12")),
        fingerprint(&checkout, Some(&charge), &error(PANIC, "src/pay.rs:13")),
        fingerprint(&checkout, Some(&charge), &Failure::new(PANIC, "declined")),
    ];
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "{all:?}");
}

#[test]
fn the_parts_cannot_run_into_each_other() {
    assert_ne!(of_task(Some(&task_name("a")), "b"), of_task(Some(&task_name("ab")), ""));
}

#[test]
fn only_the_beginning_of_a_long_message_counts() {
    let message = |end: &str| format!("{}{end}", "declined ".repeat(100));
    assert_eq!(of(&message("today")), of(&message("tomorrow")));
    assert_ne!(of("declined today"), of("declined tomorrow"));
}

/// Words without a digit, a quote, or a hexadecimal look.
const WORDS: &str = "[g-z]{1,9}( [g-z]{1,9}){0,3}";

/// A value as error messages hold them.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("a number", |n| n.is_finite()).prop_map(|n| n.to_string()),
        any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).to_string()),
        any::<u128>().prop_map(|bits| format!("{bits:032x}")),
        any::<u32>().prop_map(|bits| format!("{bits:#x}")),
        any::<String>().prop_map(|text| format!("{text:?}")),
        "[a-z ]{0,12}".prop_map(|text| format!("'{text}'")),
        "[a-z]{1,5}_[0-9]{1,6}",
        any::<[u8; 4]>().prop_map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
    ]
}

proptest! {
    #[test]
    fn a_value_does_not_change_the_fingerprint(
        before in WORDS, after in WORDS, one in value(), other in value()
    ) {
        let message = |value: &str| format!("{before} {value} {after}");
        prop_assert_eq!(normalised(&message(&one)), message("#"));
        prop_assert_eq!(of(&message(&one)), of(&message(&other)));
    }

    #[test]
    fn another_word_changes_the_fingerprint(one in WORDS, other in WORDS, value in value()) {
        prop_assume!(one != other);
        prop_assert_ne!(of(&format!("{one} {value}")), of(&format!("{other} {value}")));
    }

    #[test]
    fn any_text_has_a_normal_form_of_at_most_512_characters(message in any::<String>()) {
        prop_assert!(normalised(&message.repeat(20)).chars().count() <= 512);
    }
}
