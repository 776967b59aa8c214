//! The keys of the grammar, as the parser reads them and people are told of them.

/// A key of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// What stands before the colon.
    pub name: &'static str,
    /// What it finds.
    pub finds: &'static str,
    /// An example.
    pub example: &'static str,
}

/// What can have started a run, as `trigger:` names it.
pub const TRIGGERS: [&str; 7] = ["manual", "api", "cron", "schedule", "event", "parent", "replay"];

/// Every key, in the order in which people are told of them.
pub const KEYS: &[Key] = &[
    key("status", "the run's status", "status:failed,timed_out"),
    key("workflow", "its workflow", "workflow:import*"),
    key("version", "the version it started with", "version:3"),
    key("task", "a workflow's version that has such a task", "task:charge"),
    key("key", "the user's own id for it", "key:order-42"),
    key("id", "the first 6 or more digits of its id", "id:0198f3a2"),
    key("meta.", "a pair of its metadata", "meta.team:payments"),
    key("trigger", "what started it", "trigger:cron"),
    key("event", "the id of the trigger event that started it", "event:evt_771"),
    key("trigger_key", "the trigger event's key, or the schedule's name", "trigger_key:nightly"),
    key("parent", "the run that started it", "parent:0198f3a2-7c11-7d44-9f00-aabbccddeeff"),
    key("replay_of", "the run it replays", "replay_of:0198f3a2-7c11-7d44-9f00-aabbccddeeff"),
    key("node", "the node that holds or ended it", "node:7"),
    key("failed_task", "the task that failed first", "failed_task:charge"),
    key("kind", "the kind of its failure", "kind:PaymentError"),
    key("error", "a text in the kind or the message of its failure", "error:\"card declined\""),
    key("fp", "the fingerprint of its failure, or its beginning", "fp:9c1e"),
    key(
        "caused_by",
        "the run, below it, because of which it failed",
        "caused_by:0198f3a2-7c11-7d44-9f00-aabbccddeeff",
    ),
    key("duration", "how long it took, once it ended", "duration:>5s"),
    key("since", "created then or later", "since:24h"),
    key("until", "created before", "until:2026-11-25"),
    key("started", "when its code started", "started:>=2026-11-25T10:00:00Z"),
    key("finished", "when it ended", "finished:>1h"),
    key(
        "is",
        "root, child, waiting, live, ended, failed (FAILED or TIMED_OUT), replay or archived",
        "is:root",
    ),
];

const fn key(name: &'static str, finds: &'static str, example: &'static str) -> Key {
    Key { name, finds, example }
}

/// Returns the word of `words` that is most like `word`, if any is like it at all: a third of its letters may differ.
pub(in crate::model) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    let rated = words.into_iter().map(|other| (distance(&word, other), other));
    rated
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// The least number of letters to insert, remove, replace or swap with their neighbour that makes `one` the `other`
/// (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&last, j) + usize::from(a != b)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}
