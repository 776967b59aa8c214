//! How two columns of operations are aligned.

use runlog::model::OpKey;
use runlog::model::divergence::{Diff, OpLine};

/// Reads `step a, sleep, step b=1`: kind, name, and what tells the input.
fn column(text: &str) -> Vec<OpLine> {
    let mut counts = std::collections::BTreeMap::new();
    let line = |word: &str| {
        let (word, input) = word.split_once('=').map_or((word, None), |(word, input)| (word, Some(input)));
        let (kind, name) = word.split_once(' ').unwrap_or((word, word));
        let count = counts.entry(name.to_owned()).or_insert(0);
        let op = OpKey { name: name.into(), occurrence: *count };
        *count += 1;
        let kind = ["step", "sleep", "signal", "child", "now"].into_iter().find(|known| *known == kind);
        OpLine { kind: kind.expect("a kind"), op, input: input.map(str::to_owned), location: None }
    };
    text.split(", ").filter(|word| !word.is_empty()).map(line).collect()
}

fn check(recorded: &str, code: &str, stuck: bool, expected: &str) {
    let diff = Diff::of(column(recorded), column(code), stuck);
    let text = diff.to_string();
    let rows: Vec<&str> = text.lines().skip(2).map(str::trim_end).collect();
    assert_eq!(rows.join("\n"), expected.trim_matches('\n'), "{text}");
}

#[test]
fn what_is_only_in_one_column_was_inserted_or_removed() {
    check(
        "step a, step b",
        "step a, step n, step b",
        false,
        "
  step `a` | step `a`
+          | step `n`  [inserted]
  step `b` | step `b`
",
    );
    check(
        "step a, sleep, step b, sleep",
        "step a, step b, sleep",
        false,
        "
  step `a`         | step `a`
- sleep `sleep`    | [removed]
  step `b`         | step `b`
  sleep `sleep` #2 | sleep `sleep`
",
    );
}

#[test]
fn what_stands_in_anothers_place_was_renamed_or_is_of_another_kind() {
    check(
        "step a, step b, sleep",
        "step a, step c, sleep",
        false,
        "
  step `a`      | step `a`
~ step `b`      | step `c`  [renamed]
  sleep `sleep` | sleep `sleep`
",
    );
    check(
        "step a, step b",
        "signal a, now, step c",
        false,
        "
~ step `a` | signal `a`  [kind changed]
+          | now `now`  [inserted]
~ step `b` | step `c`  [renamed]
",
    );
}

#[test]
fn what_is_in_both_columns_in_other_places_was_moved() {
    check(
        "step a, step b, step c",
        "step b, step a, step c",
        false,
        "
- step `a` | [reordered]
  step `b` | step `b`
+          | step `a`  [reordered]
  step `c` | step `c`
",
    );
}

#[test]
fn another_input_is_told_from_another_occurrence() {
    check(
        "step a=1, step b",
        "step a=2, step b",
        false,
        "
~ step `a` input 1 | step `a` input 2  [input changed]
  step `b`         | step `b`
",
    );
    check(
        "step a=1, step a=2",
        "step a=2",
        false,
        "
- step `a`    | [removed]
  step `a` #2 | step `a`
",
    );
}

#[test]
fn what_stuck_code_did_not_come_to_is_no_difference() {
    check(
        "step a, step b, step c, step d",
        "step a, step x",
        true,
        "
  step `a` | step `a`
~ step `b` | step `x`  [renamed]
? step `c` |
? step `d` |
",
    );
    check(
        "step a, step b",
        "step a, sleep",
        true,
        "
  step `a` | step `a`
+          | sleep `sleep`  [inserted]
? step `b` |
",
    );
    check(
        "step a, step b, step c",
        "step a",
        true,
        "
  step `a` | step `a`
- step `b` | [removed]
? step `c` |
",
    );
}

#[test]
fn a_diff_of_long_columns_shows_what_is_near() {
    let recorded: Vec<String> = (0..5_000).map(|n| format!("step s{n}")).collect();
    let code: Vec<String> = recorded.iter().filter(|step| *step != "step s4000").cloned().collect();
    check(
        &recorded.join(", "),
        &code.join(", "),
        false,
        "
  … 3997 more
  step `s3997` | step `s3997`
  step `s3998` | step `s3998`
  step `s3999` | step `s3999`
- step `s4000` | [removed]
  step `s4001` | step `s4001`
  step `s4002` | step `s4002`
  step `s4003` | step `s4003`
  … 996 more
",
    );
}

#[test]
fn the_headline_names_the_first_difference() {
    let diff = |recorded, code| Diff::of(column(recorded), column(code), false).headline();
    assert_eq!(diff("step a", "step a"), "no difference");
    assert_eq!(diff("step a", "step b"), "the log has a step `a` where the code asks for a step `b`");
    assert_eq!(
        diff("step a, step b, sleep", "step a, sleep, now, now"),
        "the log has a step `b` that the code does not ask for; and 2 more differences"
    );
}
