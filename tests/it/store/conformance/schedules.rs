//! Schedules and their occurrences.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use runlog::model::schedule::Misfire;
use runlog::model::{Namespace, Payload, ScheduleName, Status, Timestamp, TriggerSummary, WorkflowName};
use runlog::store::{
    Append, Firing, NewSchedule, Put, ScheduleQuery, ScheduleRow, ScheduleSpec, Steer, Store, Times,
};

use crate::store::process::*;

fn name(text: &str) -> ScheduleName {
    ScheduleName::new(text).expect(text)
}

fn hourly() -> Times {
    Times::Cron { expression: "0 * * * *".to_owned(), zone: "Europe/Berlin".to_owned() }
}

fn new(text: &str, times: Times, next_at: Timestamp) -> NewSchedule {
    let spec = ScheduleSpec {
        namespace: Namespace::default(),
        name: name(text),
        workflow: WorkflowName::new("w").expect("a name"),
        times,
        input: Payload::parse("{\"b\":1, \"a\":12345678901234567890123}").expect("JSON"),
        metadata: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
        priority: -2,
        misfire: Misfire::All { at_most: 7 },
    };
    NewSchedule { spec, declared: true, by: Some("ada".to_owned()), next_at: Some(next_at) }
}

async fn put(store: &Arc<dyn Store>, new: &NewSchedule, replace: bool) -> Put {
    store.put_schedules(std::slice::from_ref(new), replace).await.expect("put")[0]
}

async fn read(store: &Arc<dyn Store>, text: &str) -> ScheduleRow {
    let found = store.schedules_named(&Namespace::default(), &[name(text)]).await.expect("a question");
    found.into_iter().next().expect(text)
}

/// Makes a schedule that is due at the database's present time, or so long ago.
async fn due(store: &Arc<dyn Store>, text: &str, late: TimeDelta) -> ScheduleRow {
    let now = store.now().await.expect("the time");
    assert_eq!(put(store, &new(text, hourly(), now - late), false).await, Put::Created);
    read(store, text).await
}

/// Makes the run of an occurrence.
fn occurrence(process: &Process, schedule: &str) -> Append {
    process.birth(Status::Queued).born(|born| {
        let key = Some(schedule.to_owned());
        born.trigger = TriggerSummary { kind: "cron".to_owned(), id: None, key, replay_of: None };
    })
}

fn firing(row: &ScheduleRow, runs: &[(Timestamp, Append)]) -> Firing {
    let next_at = Some(far_ahead());
    Firing { schedule: row.id, revision: row.revision, occurrences: runs.to_vec(), next_at }
}

fn steer(row: &ScheduleRow) -> Steer {
    let ScheduleRow { id, revision, next_at, .. } = *row;
    Steer { schedule: id, revision, next_at, once_at: None, paused_by: None }
}

pub(super) async fn a_schedule_is_kept_once_by_its_name(store: Arc<dyn Store>) {
    let first = new("nightly", hourly(), far_ahead());
    assert_eq!(put(&store, &first, false).await, Put::Created);
    let row = read(&store, "nightly").await;
    assert_eq!((&row.spec, row.declared, row.next_at), (&first.spec, true, first.next_at));
    assert_eq!((row.fired, row.last_due, row.paused_at, row.ended_at), (0, None, None, None));
    assert_eq!(row.created_by.as_deref(), Some("ada"));

    let other = new("nightly", Times::At(far_ahead()), far_ahead());
    assert_eq!(put(&store, &other, false).await, Put::Left);
    assert_eq!(read(&store, "nightly").await, row);
    let mut elsewhere = other;
    elsewhere.spec.namespace = Namespace::new("acme").expect("a name");
    assert_eq!(put(&store, &elsewhere, false).await, Put::Created, "a name is unique in its namespace");
    assert_eq!(read(&store, "nightly").await, row);
}

pub(super) async fn what_is_as_it_should_be_stays_as_it_is(store: Arc<dyn Store>) {
    let row = due(&store, "nightly", TimeDelta::hours(2)).await;
    // Whoever declares it anew computes the next occurrence from now on.
    assert_eq!(put(&store, &new("nightly", hourly(), far_ahead()), true).await, Put::Left);
    assert_eq!(read(&store, "nightly").await, row, "what was missed is still known");
}

pub(super) async fn a_schedule_that_is_changed_is_due_as_it_says_and_stays_paused(store: Arc<dyn Store>) {
    let row = due(&store, "nightly", TimeDelta::hours(2)).await;
    let mut changed = new("nightly", hourly(), far_ahead());
    changed.spec.priority = 5;
    assert_eq!(put(&store, &changed, true).await, Put::Changed);
    let after = read(&store, "nightly").await;
    assert_eq!((after.spec.priority, after.next_at, after.id), (5, Some(far_ahead()), row.id));
    assert!(after.revision > row.revision);

    let pause = Steer { paused_by: Some("ada".to_owned()), ..steer(&after) };
    assert_eq!(store.steer_schedules(&[pause]).await.expect("pause"), [true]);
    changed.spec.priority = 6;
    changed.next_at = Some(store.now().await.expect("the time"));
    assert_eq!(put(&store, &changed, true).await, Put::Changed);
    assert!(read(&store, "nightly").await.paused_at.is_some());
    assert_eq!(store.next_schedule().await.expect("next").wake_at, None, "it is paused");
}

pub(super) async fn the_next_one_to_look_at_is_the_earliest_that_is_not_paused(store: Arc<dyn Store>) {
    assert_eq!(store.next_schedule().await.expect("next").wake_at, None);
    let early = due(&store, "early", TimeDelta::hours(3)).await;
    let late = due(&store, "late", TimeDelta::hours(1)).await;
    put(&store, &new("not yet", hourly(), far_ahead()), false).await;
    let next = store.next_schedule().await.expect("next");
    assert_eq!(next.wake_at, early.next_at);
    assert_eq!(store.due_schedules(9).await.expect("due"), [early.clone(), late.clone()]);
    assert_eq!(store.due_schedules(1).await.expect("due"), std::slice::from_ref(&early));

    let pause = Steer { paused_by: Some("ada".to_owned()), ..steer(&early) };
    assert_eq!(store.steer_schedules(&[pause]).await.expect("pause"), [true]);
    assert_eq!(store.due_schedules(9).await.expect("due"), [late]);
    let paused = read(&store, "early").await;
    assert_eq!((paused.paused_by.as_deref(), paused.next_at), (Some("ada"), early.next_at));
    assert_eq!(store.steer_schedules(&[steer(&paused)]).await.expect("resume"), [true]);
    assert_eq!(store.next_schedule().await.expect("next").wake_at, early.next_at);
    assert_eq!(read(&store, "early").await.paused_at, None);
}

pub(super) async fn a_firing_starts_its_runs_and_moves_the_schedule_on(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let row = due(&store, "nightly", TimeDelta::hours(2)).await;
    let first = row.next_at.expect("it is due");
    let runs = [
        (first, occurrence(&process, "nightly")),
        (first + TimeDelta::hours(1), occurrence(&process, "nightly")),
    ];

    assert_eq!(store.fire(&[firing(&row, &runs)]).await.expect("fire"), [true]);

    let after = read(&store, "nightly").await;
    assert_eq!((after.next_at, after.fired), (Some(far_ahead()), 2));
    assert_eq!((after.last_due, after.last_run), (Some(runs[1].0), Some(runs[1].1.run)));
    for (_, append) in &runs {
        let run = process.row(append.run).await;
        assert_eq!((run.status, run.owner), (Status::Queued, None));
        assert_eq!(process.notes(append.run).await, ["run_created"]);
    }
    let summary = store.summaries(&[runs[0].1.run]).await.expect("a summary").remove(0);
    assert_eq!(summary.trigger.and_then(|trigger| trigger.key).as_deref(), Some("nightly"));
    assert_eq!(store.due_schedules(9).await.expect("due"), []);
    assert_eq!(store.next_schedule().await.expect("next").wake_at, Some(far_ahead()));
}

pub(super) async fn an_occurrence_is_started_once_whoever_fires_it(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let row = due(&store, "nightly", TimeDelta::hours(1)).await;
    let at = row.next_at.expect("it is due");
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let firing = firing(&row, &[(at, occurrence(&process, "nightly"))]);
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.fire(&[firing]).await.expect("fire")[0] })
        })
        .collect();
    let mut won = 0;
    for call in calls {
        won += usize::from(call.await.expect("no panic"));
    }
    assert_eq!(won, 1);
    let after = read(&store, "nightly").await;
    assert_eq!(after.fired, 1);
    // Also if the schedule should ever go back to it.
    let again = occurrence(&process, "nightly");
    assert_eq!(store.fire(&[firing(&after, &[(at, again.clone())])]).await.expect("fire"), [true]);
    assert_eq!(store.row(again.run).await.expect("a question"), None);
    let last = read(&store, "nightly").await;
    assert_eq!((last.fired, last.last_run), (1, after.last_run));
}

pub(super) async fn a_firing_or_change_of_an_old_revision_changes_nothing(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (old, other) =
        (due(&store, "nightly", TimeDelta::hours(1)).await, due(&store, "other", TimeDelta::hours(1)).await);
    assert_eq!(store.steer_schedules(&[steer(&old)]).await.expect("steer"), [true]);
    let now = read(&store, "nightly").await;
    let run = |schedule: &str| occurrence(&process, schedule);
    let at = old.next_at.expect("it is due");
    let (late, fresh) = (firing(&old, &[(at, run("nightly"))]), firing(&other, &[(at, run("other"))]));
    assert_eq!(store.fire(&[late.clone(), fresh]).await.expect("fire"), [false, true]);
    assert_eq!(store.row(late.occurrences[0].1.run).await.expect("a question"), None);
    let pause = Steer { paused_by: Some("ada".to_owned()), ..steer(&old) };
    assert_eq!(store.steer_schedules(&[pause]).await.expect("steer"), [false]);
    store.note_schedule_failure(old.id, old.revision, "no", far_ahead()).await.expect("a note");
    assert_eq!(read(&store, "nightly").await, now);
}

pub(super) async fn a_failure_is_noted_and_forgotten_when_it_succeeds(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let row = due(&store, "nightly", TimeDelta::hours(1)).await;
    store.note_schedule_failure(row.id, row.revision, "no such workflow", far_ahead()).await.expect("a note");
    let failed = read(&store, "nightly").await;
    assert_eq!((failed.failure.as_deref(), failed.failures), (Some("no such workflow"), 1));
    assert_eq!(failed.next_at, row.next_at, "the occurrence is still to come");
    assert_eq!(store.due_schedules(9).await.expect("due"), [], "not before its time");
    let runs = [(row.next_at.expect("it is due"), occurrence(&process, "nightly"))];
    assert_eq!(store.fire(&[firing(&failed, &runs)]).await.expect("fire"), [true]);
    let fine = read(&store, "nightly").await;
    assert_eq!((fine.failure, fine.failures, fine.fired), (None, 0, 1));
}

pub(super) async fn a_one_off_schedule_ends_and_is_due_again_when_it_is_moved(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let now = store.now().await.expect("the time");
    put(&store, &new("once", Times::At(now), now), false).await;
    let row = read(&store, "once").await;
    let last = Firing { next_at: None, ..firing(&row, &[(now, occurrence(&process, "once"))]) };
    assert_eq!(store.fire(&[last]).await.expect("fire"), [true]);
    let ended = read(&store, "once").await;
    assert!(ended.ended_at.is_some_and(|at| at >= now), "{ended:?}");
    assert_eq!((ended.next_at, store.next_schedule().await.expect("next").wake_at), (None, None));
    let moved = Steer { next_at: Some(far_ahead()), once_at: Some(far_ahead()), ..steer(&ended) };
    assert_eq!(store.steer_schedules(&[moved]).await.expect("move"), [true]);
    let row = read(&store, "once").await;
    assert_eq!(
        (row.spec.times, row.next_at, row.ended_at),
        (Times::At(far_ahead()), Some(far_ahead()), None)
    );
    assert_eq!(store.sweep_schedules().await.expect("sweep"), 0, "it has not ended a week ago");
}

pub(super) async fn schedules_are_listed_by_name_in_pages(store: Arc<dyn Store>) {
    let mut all: Vec<NewSchedule> =
        ["a", "b1", "b2", "c"].iter().map(|text| new(text, hourly(), far_ahead())).collect();
    all[2].spec.workflow = WorkflowName::new("other").expect("a name");
    all[3].spec.namespace = Namespace::new("acme").expect("a name");
    all.reverse();
    assert_eq!(store.put_schedules(&all, false).await.expect("put"), [Put::Created; 4]);
    let names = async |query: ScheduleQuery| {
        let found = store.schedules(&query).await.expect("a list");
        found.iter().map(|row| row.spec.name.to_string()).collect::<Vec<_>>()
    };
    let query = || ScheduleQuery { limit: 9, ..ScheduleQuery::default() };
    assert_eq!(names(query()).await, ["c", "a", "b1", "b2"], "by namespace first");
    let own = || ScheduleQuery { namespace: Some(Namespace::default()), ..query() };
    assert_eq!(names(ScheduleQuery { limit: 2, ..own() }).await, ["a", "b1"]);
    let after = Some((Namespace::default(), name("b1")));
    assert_eq!(names(ScheduleQuery { after, ..own() }).await, ["b2"]);
    assert_eq!(names(ScheduleQuery { prefix: Some("b".to_owned()), ..own() }).await, ["b1", "b2"]);
    let workflow = Some(WorkflowName::new("other").expect("a name"));
    assert_eq!(names(ScheduleQuery { workflow, ..own() }).await, ["b2"]);
}

pub(super) async fn a_deleted_schedule_leaves_its_runs(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let row = due(&store, "nightly", TimeDelta::hours(1)).await;
    let runs = [(row.next_at.expect("it is due"), occurrence(&process, "nightly"))];
    assert_eq!(store.fire(&[firing(&row, &runs)]).await.expect("fire"), [true]);
    let names = [name("nightly"), name("unknown")];
    let deleted = store.delete_schedules(&Namespace::default(), &names).await.expect("delete");
    assert_eq!(deleted, [name("nightly")]);
    assert_eq!(store.schedules_named(&Namespace::default(), &names).await.expect("a question"), []);
    assert_eq!(store.next_schedule().await.expect("next").wake_at, None);
    assert_eq!(process.row(runs[0].1.run).await.status, Status::Queued);
}
