//! Lists, counts and groups of runs: what a filter says is what is found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use proptest::sample::select;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use runlog::model::event::Trigger;
use runlog::model::filter::{Filter, Property, Test};
use runlog::model::{
    FailureSummary, Key, Namespace, Payload, RunId, RunSummary, Status, TaskName, Version, WorkflowName,
};
use runlog::store::{
    NewRun, PassBegun, Policy, PolicyScope, RunQuery, Served, Shape, Step, Store, StoreError, Survey,
};

use crate::model::filters::*;
use crate::store::process::*;

/// Runs of the population, and filters that are tried on it.
const RUNS: usize = 90;
const FILTERS: usize = 400;

const HOUR: Duration = Duration::from_secs(3_600);

fn query(filter: Filter, process: &Process) -> RunQuery {
    let (namespace, now) = (Namespace::default(), process.clock.now());
    RunQuery { namespace, filter, now, before: None, limit: 500 }
}

fn ids(runs: &[RunSummary]) -> Vec<RunId> {
    runs.iter().map(|run| run.run).collect()
}

pub(super) async fn a_filter_finds_the_runs_it_matches_and_no_others(store: Arc<dyn Store>) {
    let processes = [Process::join(&store).await, Process::join(&store).await];
    let mut runner = TestRunner::deterministic();
    let tasks = register(&store, &mut runner).await;
    let runs = population(&processes, &mut runner).await;
    let has_archive = archive(&store).await;
    let mut all = store.summaries(&runs).await.expect("summaries");
    all.retain(|run| run.namespace == Namespace::default());
    all.reverse();
    let archived = all.iter().filter(|run| run.archived).count();
    assert!(if has_archive { archived > 5 } else { archived == 0 }, "{archived} archived");

    let times = all.iter().flat_map(|run| [Some(run.created_at()), run.started_at, run.finished_at]);
    let words =
        Words { times: times.flatten().collect(), runs: [runs, vec![RunId::from_tick(9, 9)]].concat() };
    let now = store.now().await.expect("now");
    let (mut some, mut grouped) = (0, 0);
    for _ in 0..FILTERS {
        let filter = filters(&words).new_tree(&mut runner).expect("a filter").current();
        let query = RunQuery { now, ..query(filter.clone(), &processes[0]) };
        let matches = |run: &&RunSummary| {
            let of = tasks.get(&(run.workflow.clone(), run.version.clone()));
            filter.matches(run, of.map(Vec::as_slice).unwrap_or_default(), now)
        };
        let expected: Vec<RunSummary> = all.iter().filter(matches).cloned().collect();
        let page = store.list(&query).await.unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(ids(&page.runs), ids(&expected), "{filter}");
        assert_eq!(page.runs, expected, "{filter}");
        assert_eq!((page.next, page.searched_to), (None, None), "{filter}");

        let count = store.count(&query).await.expect("a count");
        assert_eq!((count.total(), count.capped), (expected.len() as u64, false), "{filter}");
        let ended = store.when_ended(&query, HOUR).await.expect("spans");
        let mut spans: BTreeMap<i64, BTreeMap<Status, u64>> = BTreeMap::new();
        for (run, at) in expected.iter().filter_map(|run| Some((run, run.finished_at?))) {
            let hour = at.timestamp().div_euclid(3_600) * 3_600;
            *spans.entry(hour).or_default().entry(run.status).or_default() += 1;
        }
        let told = ended.spans.into_iter().map(|span| (span.from.timestamp(), span.by_status));
        assert_eq!(
            (told.collect::<Vec<_>>(), ended.capped),
            (spans.into_iter().collect(), false),
            "{filter}"
        );
        let failed: Vec<&RunSummary> = expected.iter().filter(|run| run.failure.is_some()).collect();
        let groups = store.failures(&query).await.expect("groups");
        assert_eq!(
            groups.groups.iter().map(|group| group.count).sum::<u64>(),
            failed.len() as u64,
            "{filter}"
        );
        for group in &groups.groups {
            let of =
                failed.iter().filter(|run| run.failure.as_ref().unwrap().fingerprint == group.fingerprint);
            let of: Vec<_> = of.collect();
            assert_eq!((group.count, group.newest), (of.len() as u64, of[0].run), "{filter}");
            assert_eq!(group.message, of[0].failure.as_ref().unwrap().message, "{filter}");
            assert_eq!(Some(group.first), of.iter().map(|run| run.finished_at).min().unwrap(), "{filter}");
            assert_eq!(Some(group.last), of.iter().map(|run| run.finished_at).max().unwrap(), "{filter}");
        }
        // Of another filter is counted what shares its narrow index with this one, or does not.
        let mut fewer = query.clone();
        fewer.filter.terms.pop();
        let counted = store.count(&fewer).await.expect("a count");
        let survey = store.survey(&query, &fewer, &query).await.expect("a survey");
        assert_eq!(survey, Survey { page, count: counted, failures: groups.clone() }, "{filter}");
        some += usize::from(!expected.is_empty() && expected.len() < all.len());
        grouped += usize::from(groups.groups.len() > 1);
    }
    assert!(some > FILTERS / 4 && grouped > FILTERS / 20, "{some} found some, {grouped} found groups");
}

fn pick<T: Clone + Debug + 'static>(runner: &mut TestRunner, among: &[T]) -> T {
    select(among.to_vec()).new_tree(runner).expect("one").current()
}

async fn register(
    store: &Arc<dyn Store>,
    runner: &mut TestRunner,
) -> BTreeMap<(WorkflowName, Version), Vec<TaskName>> {
    let mut all = BTreeMap::new();
    for workflow in WORKFLOWS {
        for version in VERSIONS {
            let tasks: BTreeSet<&str> = (0..2).map(|_| pick(runner, &TASKS)).collect();
            let tasks: Vec<TaskName> =
                tasks.into_iter().map(|task| TaskName::new(task).expect("a name")).collect();
            let (workflow, version) =
                (WorkflowName::new(workflow).expect("a name"), Version::new(version).expect("a version"));
            let shape = Shape {
                workflow,
                version,
                tasks,
                shape: "any".to_owned(),
                timeout: None,
                start_timeout: None,
                limit: None,
            };
            store.register(std::slice::from_ref(&shape)).await.expect("register");
            all.insert((shape.workflow, shape.version), shape.tasks);
        }
    }
    all
}

/// Makes runs of all sorts and fates.
async fn population(processes: &[Process], runner: &mut TestRunner) -> Vec<RunId> {
    let mut runs: Vec<RunId> = Vec::new();
    let mut taken: BTreeSet<(Namespace, WorkflowName, Key)> = BTreeSet::new();
    for at in 0..RUNS {
        let process = &processes[at % processes.len()];
        let status = pick(runner, &[Status::Queued, Status::Running, Status::Running, Status::Running]);
        let mut birth = process.birth(status);
        dress(birth.born.as_mut().expect("a birth"), &runs, runner);
        let born = birth.born.as_mut().expect("a birth");
        let full = born.key.clone().map(|key| (born.namespace.clone(), born.workflow.clone(), key));
        if full.is_some_and(|full| !taken.insert(full)) {
            born.key = None;
        }
        let run = birth.run;
        runs.push(run);
        if status == Status::Queued {
            store_queued(process, birth).await;
            continue;
        }
        process.write(birth).await;
        tokio::time::sleep(Duration::from_millis(pick(runner, &[0, 1, 8]))).await;
        meet_its_fate(process, run, &runs, runner).await;
    }
    runs
}

async fn store_queued(process: &Process, birth: runlog::store::Append) {
    process.store.create(&[birth]).await.expect("create");
}

/// Gives a new run what it can be found by.
fn dress(born: &mut NewRun, runs: &[RunId], runner: &mut TestRunner) {
    let other = |runner: &mut TestRunner| if runs.is_empty() { None } else { Some(pick(runner, runs)) };
    born.namespace =
        Namespace::new(pick(runner, &["default", "default", "default", "acme"])).expect("a name");
    born.workflow = WorkflowName::new(pick(runner, &WORKFLOWS)).expect("a name");
    born.version = Version::new(pick(runner, &VERSIONS)).expect("a version");
    born.key = pick(runner, &[true, false]).then(|| key(pick(runner, &KEYS))).flatten();
    born.parent = pick(runner, &[true, false, false]).then(|| other(runner)).flatten();
    let pairs = (0..pick(runner, &[0, 1, 2])).map(|_| pick(runner, &PAIRS));
    born.metadata = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let trigger = match pick(runner, &[0, 1, 2, 3, 4]) {
        0 => Trigger::Api { by: None },
        1 => Trigger::Cron { schedule: "nightly".to_owned(), due: long_ago(), by: None },
        2 => Trigger::Event {
            id: pick(runner, &EVENTS).to_owned(),
            key: "user 7".to_owned(),
            payload: Payload::null(),
        },
        3 => other(runner).map_or(Trigger::Manual, |of| Trigger::Replay {
            of,
            by: None,
            reason: None,
            from: None,
            trace: None,
        }),
        _ => Trigger::Manual,
    };
    born.trigger = (&trigger).into();
}

async fn meet_its_fate(process: &Process, run: RunId, runs: &[RunId], runner: &mut TestRunner) {
    let fates = [
        None,
        Some(Status::Running),
        Some(Status::Succeeded),
        Some(Status::Failed),
        Some(Status::Failed),
        Some(Status::Cancelled),
        Some(Status::TimedOut),
    ];
    let Some(fate) = pick(runner, &fates) else { return };
    if fate == Status::Running {
        return process.park(run, Some(far_ahead())).await;
    }
    let mut end = append(run, 1).note("ended").row(fate);
    if fate.is_failure() {
        let failure = FailureSummary {
            task: pick(runner, &[true, false]).then(|| TaskName::new(pick(runner, &TASKS)).expect("a name")),
            kind: pick(runner, &KINDS).to_owned(),
            message: pick(runner, &MESSAGES).to_owned(),
            location: None,
            fingerprint: pick(runner, &PRINTS).to_owned(),
            caused_by: pick(runner, &[true, false, false]).then(|| pick(runner, runs)),
        };
        end.row.as_mut().expect("a row").failure = Some(Box::new(failure));
    }
    process.write(end).await;
}

/// Archives the runs of two workflows that have ended; says whether the store has an archive at all.
async fn archive(store: &Arc<dyn Store>) -> bool {
    archive_of(store, &WORKFLOWS[..2]).await
}

/// Archives what has ended of some workflows; says whether the store has an archive at all.
pub(super) async fn archive_of(store: &Arc<dyn Store>, workflows: &[&str]) -> bool {
    for workflow in workflows {
        let workflow = Some(WorkflowName::new(*workflow).expect("a name"));
        let scope = PolicyScope { namespace: None, workflow };
        let policy = Policy { scope, archive_after: Some(Duration::ZERO), delete_after: None };
        match store.set_policy(&policy).await {
            Err(StoreError::NeedsPostgres { .. }) => return false,
            set => set.expect("a policy"),
        }
    }
    let begun = store.begin_pass("test", true).await.expect("a pass");
    assert!(matches!(begun, PassBegun::Yours { .. }), "{begun:?}");
    let mut next = Some(Step::FIRST);
    while let Some(step) = next {
        next = store.prune(&step).await.expect("a step").next;
    }
    store.end_pass(None, Duration::from_secs(3_600)).await.expect("its end");
    true
}

pub(super) async fn pages_hold_each_run_once_while_more_arrive(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let births = |count| (0..count).map(|_| process.birth(Status::Queued)).collect::<Vec<_>>();
    let before: Vec<_> = births(10_000);
    for births in before.chunks(2_500) {
        store.create(births).await.expect("create");
    }
    let mut query = RunQuery { limit: 499, ..query(Filter::default(), &process) };
    let mut found = Vec::new();
    loop {
        let page = store.list(&query).await.expect("a page");
        found.extend(ids(&page.runs));
        store.create(&births(50)).await.expect("create");
        let Some(next) = page.next else { break };
        query.before = Some(next);
    }
    let mut expected: Vec<RunId> = before.iter().map(|birth| birth.run).collect();
    expected.reverse();
    assert!(found == expected, "{} of {} runs, in order", found.len(), expected.len());
}

pub(super) async fn a_page_ends_where_the_next_one_begins(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let mut runs = Vec::new();
    for at in 0..7 {
        let run = process.started().await;
        if at % 2 == 0 {
            process.end(run, Status::Failed).await;
            runs.insert(0, run);
        }
    }
    let failed = Filter::default().and(Test::Is(vec![Property::Failed]));
    let mut query = RunQuery { limit: 2, ..query(failed, &process) };
    let first = store.list(&query).await.expect("a page");
    assert_eq!((ids(&first.runs), first.next), (runs[..2].to_vec(), Some(runs[1])));
    query.before = first.next;
    let second = store.list(&query).await.expect("a page");
    assert_eq!((ids(&second.runs), second.next), (runs[2..].to_vec(), None));
}

pub(super) async fn a_count_is_by_status(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    process.queued(|_| {}).await;
    process.queued(|born| born.namespace = Namespace::new("acme").expect("a name")).await;
    for status in [Status::Failed, Status::Failed, Status::Succeeded] {
        let run = process.started().await;
        process.end(run, status).await;
    }
    let count =
        store.count(&RunQuery { limit: 1, ..query(Filter::default(), &process) }).await.expect("a count");
    let expected = [(Status::Queued, 1), (Status::Succeeded, 1), (Status::Failed, 2)];
    assert_eq!((count.by_status, count.capped), (BTreeMap::from(expected), false));
}

pub(super) async fn a_count_stops_at_its_limit(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let births: Vec<_> = (0..10_001).map(|_| process.birth(Status::Queued)).collect();
    for births in births.chunks(2_500) {
        store.create(births).await.expect("create");
    }
    let count = store.count(&query(Filter::default(), &process)).await.expect("a count");
    assert_eq!((count.total(), count.capped), (10_000, true));
}

pub(super) async fn a_registered_task_is_found_by_after_its_version_is_gone(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let Served { workflow, version, .. } = served();
    let shape = |task: &str, text: &str| Shape {
        workflow: workflow.clone(),
        version: version.clone(),
        tasks: vec![TaskName::new(task).expect("a name")],
        shape: text.to_owned(),
        timeout: None,
        start_timeout: None,
        limit: None,
    };
    store.register(&[shape("charge", "a")]).await.expect("register");
    store.register(&[shape("send", "b")]).await.expect("register another shape");
    let run = process.queued(|_| {}).await;
    for (text, expected) in [("task:charge", vec![run]), ("task:send", vec![run]), ("task:refund", vec![])] {
        let filter = text.parse().expect("a filter");
        assert_eq!(
            ids(&store.list(&query(filter, &process)).await.expect("a page").runs),
            expected,
            "{text}"
        );
    }
}

pub(super) async fn the_newest_runs_of_a_namespace_tell_what_they_have(store: Arc<dyn Store>) {
    let processes = [Process::join(&store).await, Process::join(&store).await];
    let mut runner = TestRunner::deterministic();
    register(&store, &mut runner).await;
    let runs = population(&processes, &mut runner).await;
    archive(&store).await;
    let all = store.summaries(&runs).await.expect("summaries");
    let namespaces: BTreeSet<Namespace> = all.iter().map(|run| run.namespace.clone()).collect();
    assert!(namespaces.len() > 1, "{namespaces:?}");
    let none = Namespace::new("nobody").expect("a name");
    for namespace in namespaces.iter().chain([&none]) {
        let own = || all.iter().filter(|run| run.namespace == *namespace);
        let seen = store.seen(namespace).await.expect("what is seen");
        let failures = || own().filter_map(|run| run.failure.as_ref());
        let ranked = |values: Vec<String>| -> Vec<String> {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            values.into_iter().for_each(|value| *counts.entry(value).or_default() += 1);
            let mut ranked: Vec<(usize, String)> =
                counts.into_iter().map(|(value, runs)| (runs, value)).collect();
            ranked.sort_by(|(one, a), (other, b)| other.cmp(one).then(a.cmp(b)));
            ranked.into_iter().map(|(_, value)| value).take(50).collect()
        };
        assert_eq!(
            seen.workflows,
            ranked(own().map(|run| run.workflow.to_string()).collect()),
            "{namespace}"
        );
        assert_eq!(seen.versions, ranked(own().map(|run| run.version.to_string()).collect()), "{namespace}");
        assert_eq!(
            seen.kinds,
            ranked(failures().map(|failure| failure.kind.clone()).collect()),
            "{namespace}"
        );
        let tasks = failures().filter_map(|failure| Some(failure.task.as_ref()?.to_string()));
        assert_eq!(seen.failed_tasks, ranked(tasks.collect()), "{namespace}");
        let names: BTreeSet<&String> = own().flat_map(|run| run.metadata.keys()).collect();
        assert_eq!(seen.metadata.keys().collect::<BTreeSet<_>>(), names, "{namespace}");
        for name in names {
            let values = own().filter_map(|run| run.metadata.get(name).cloned());
            assert_eq!(seen.metadata[name], ranked(values.collect()), "{namespace} {name}");
        }
    }
}
