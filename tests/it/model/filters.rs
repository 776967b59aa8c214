//! Filters by chance, out of few words, so that they find something.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use runlog::model::filter::{Comparison, Field, Filter, Link, Moment, Pattern, Property, Term, Test, When};
use runlog::model::{NodeId, RunId, Status, Timestamp};

/// What filters by chance are made of.
#[derive(Clone)]
pub struct Words {
    /// Runs, of which some exist.
    pub runs: Vec<RunId>,
    /// Instants around those of the runs.
    pub times: Vec<Timestamp>,
}

pub const WORKFLOWS: [&str; 3] = ["checkout", "check", "a:b"];
pub const VERSIONS: [&str; 2] = ["1", "2"];
pub const TASKS: [&str; 3] = ["charge", "send mail", "on_failure"];
pub const KEYS: [&str; 5] = ["order-1", "order-2", "Örder", "order*", "say \"hi\", \\"];
pub const KINDS: [&str; 2] = ["PaymentError", "timed_out"];
pub const MESSAGES: [&str; 4] = ["card declined", "CARD expired", "it's 'quoted' %_\\", "ÄRGER"];
pub const PRINTS: [&str; 3] = ["9c1e00000000", "9c1f00000000", "77ab00000000"];
pub const TRIGGERS: [&str; 7] = ["manual", "api", "cron", "schedule", "event", "parent", "replay"];
pub const TRIGGER_KEYS: [&str; 2] = ["nightly", "user 7"];
pub const EVENTS: [&str; 2] = ["evt_1", "evt 2"];
pub const PAIRS: [(&str, &str); 4] = [("team", "payments"), ("team", "fraud"), ("a.b", "x y"), ("ü:\"", "")];

/// Makes filters of up to four terms.
pub fn filters(words: &Words) -> impl Strategy<Value = Filter> + use<> {
    let term = (proptest::bool::weighted(0.2), tests(words));
    vec(term.prop_map(|(negated, test)| Term { negated, test }), 0..4).prop_map(|terms| Filter { terms })
}

fn tests(words: &Words) -> impl Strategy<Value = Test> + use<> {
    let comparison =
        select(vec![Comparison::Greater, Comparison::AtLeast, Comparison::Less, Comparison::AtMost]);
    let ago = |most: u64| (0..most).prop_map(|ms| When::Ago(Duration::from_millis(ms)));
    let when = prop_oneof![select(words.times.clone()).prop_map(When::At), ago(10_000), ago(100)];
    let runs = vec(select(words.runs.clone()), 1..3);
    let duration = prop_oneof![0..20_u64, 0..20_000_u64].prop_map(Duration::from_millis);
    let digits = (select(words.runs.clone()), 6..=32_usize)
        .prop_map(|(run, digits)| run.uuid().simple().to_string().chars().take(digits).collect::<String>());
    prop_oneof![
        vec(select(Status::ALL.to_vec()), 1..3).prop_map(Test::Status),
        texts(Field::Workflow, &WORKFLOWS),
        texts(Field::Version, &VERSIONS),
        texts(Field::Task, &TASKS),
        texts(Field::FailedTask, &TASKS),
        texts(Field::Kind, &KINDS),
        prints().prop_map(|all| Test::Text(Field::Fingerprint, all)),
        vec(select(TRIGGERS.to_vec()), 1..3)
            .prop_map(|all| Test::Text(Field::Trigger, all.into_iter().map(exact).collect())),
        texts(Field::Event, &EVENTS),
        texts(Field::TriggerKey, &TRIGGER_KEYS),
        texts(Field::Key, &KEYS),
        (select(PAIRS.to_vec()), any::<bool>(), 0..4_usize).prop_map(|((name, value), prefix, length)| {
            let cut: String = value.chars().take(length).collect();
            let pattern = if prefix { Pattern::Prefix(cut) } else { exact(value) };
            Test::Metadata(name.to_owned(), vec![pattern])
        }),
        vec(select(vec!["CARD", "card d", "'quoted'", "%", "_\\", "Ärger", "ärger", "error: c"]), 1..3)
            .prop_map(|all| Test::Error(all.into_iter().map(str::to_owned).collect())),
        vec(digits, 1..3).prop_map(Test::Id),
        (select(vec![Link::Parent, Link::ReplayOf, Link::CausedBy]), runs)
            .prop_map(|(link, runs)| Test::Link(link, runs)),
        vec((1..4_i32).prop_map(NodeId), 1..3).prop_map(Test::Node),
        vec((comparison.clone(), duration), 1..3).prop_map(Test::Duration),
        (select(vec![Moment::Started, Moment::Finished]), vec((comparison, when.clone()), 1..3))
            .prop_map(|(moment, all)| Test::Time(moment, all)),
        when.clone().prop_map(Test::Since),
        when.prop_map(Test::Until),
        vec(select(Property::ALL.to_vec()), 1..3).prop_map(Test::Is),
    ]
}

fn texts(field: Field, words: &[&'static str]) -> impl Strategy<Value = Test> + use<> {
    let pattern =
        (select(words.to_vec()), any::<bool>(), 0..8_usize).prop_map(|(word, prefix, length)| match prefix {
            true => Pattern::Prefix(word.chars().take(length).collect()),
            false => exact(word),
        });
    vec(pattern, 1..3).prop_map(move |all| Test::Text(field, all))
}

fn prints() -> impl Strategy<Value = Vec<Pattern>> {
    let pattern = (select(PRINTS.to_vec()), 1..=12_usize).prop_map(|(print, digits)| match digits {
        12 => exact(print),
        digits => Pattern::Prefix(print.chars().take(digits).collect()),
    });
    vec(pattern, 1..3)
}

fn exact(text: &str) -> Pattern {
    Pattern::Exact(text.to_owned())
}
