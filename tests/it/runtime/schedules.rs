//! What starts runs by the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runlog::model::Timestamp;
use runlog::model::event::Trigger;
use runlog::store::memory::{Call, Fate, Faults, MemoryStore};
use runlog::store::{ScheduleQuery, ScheduleRow, Schedules, Store};
use runlog::{Cx, CxError, Error, Misfire, Runtime, Schedule, Search, Status, Workflow};

use crate::support::{Ground, echo, json, on_both, soon, until};

fn tick() -> Workflow<u32, u32> {
    Workflow::function("tick", |cx: Cx, n: u32| async move {
        cx.step("tick", || async move { anyhow::Ok(n) }).await?;
        Ok::<_, CxError>(n)
    })
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// A node of a world whose time passes when everybody sleeps.
async fn node(world: &MemoryStore, schedules: &[Schedule]) -> Runtime {
    let builder = Runtime::on_store(world.connect() as Arc<dyn Store>).workflow(tick());
    schedules
        .iter()
        .cloned()
        .fold(builder, |builder, schedule| builder.schedule(schedule))
        .start()
        .await
        .unwrap()
}

/// The occurrences of a schedule that were started, by its runs, in order; whoever asked for one out of turn with them.
async fn occurrences(runtime: &Runtime, schedule: &str) -> Vec<(Timestamp, Option<String>)> {
    let mut found = Vec::new();
    let mut search = Search::new(format!("trigger_key:{schedule}").parse().unwrap()).limit(500);
    loop {
        let page = runtime.list(&search).await.unwrap();
        for row in &page.data {
            let view = runtime.get(row.run).await.unwrap().expect("a run");
            match view.trigger {
                Trigger::Cron { schedule: name, due, by } if name == schedule => found.push((due, by)),
                Trigger::Schedule { schedule: name, due: Some(due), by } if name == schedule => {
                    found.push((due, by));
                }
                other => panic!("{other:?}"),
            }
        }
        match page.next {
            Some(next) => search = search.cursor(next),
            None => break,
        }
    }
    found.sort();
    found
}

/// Counts the looks for schedules.
#[derive(Default)]
struct Looks(AtomicUsize);

impl Faults for Looks {
    fn on_call(&self, call: &Call) -> Fate {
        if call.method == "next_schedule" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Fate::Passes
    }
}

/// The test kit's is a month, which would otherwise be half a million looks.
#[tokio::test(start_paused = true)]
async fn schedules_are_looked_for_as_seldom_as_the_poll_interval_says() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let world = MemoryStore::seeded(at("2026-03-28T12:00:00Z"), 7);
    let looks = Arc::new(Looks::default());
    let node = Runtime::on_store(world.connect_with(looks.clone())).poll_interval(HOUR).workflow(tick());
    let node = node.start().await.unwrap();

    tokio::time::sleep(10 * HOUR).await;

    let looks = looks.0.load(Ordering::Relaxed);
    assert!((10..20).contains(&looks), "{looks}");
    node.shutdown(Duration::from_secs(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn five_nodes_that_come_and_go_start_each_occurrence_once() {
    let world = MemoryStore::seeded(at("2026-03-28T12:00:00Z"), 7);
    let schedules = [
        Schedule::cron("minutely", "* * * * *", &tick(), 1),
        Schedule::cron("nightly", "30 2 * * *", &tick(), 2).zone("Europe/Berlin"),
    ];
    let mut nodes = Vec::new();
    for _ in 0..5 {
        nodes.push(node(&world, &schedules).await);
    }
    for turn in 0..48 {
        tokio::time::sleep(Duration::from_secs(1_801)).await;
        let gone = nodes.remove(turn % 5);
        if turn % 2 == 0 {
            gone.crash()
        } else {
            gone.shutdown(Duration::ZERO).await.unwrap()
        }
        nodes.push(node(&world, &schedules).await);
    }
    let minutely = occurrences(&nodes[0], "minutely").await;
    let first = at("2026-03-28T12:01:00Z");
    let expected: Vec<_> = (0..48 * 30).map(|n| (first + chrono::TimeDelta::minutes(n), None)).collect();
    assert_eq!(minutely.len(), expected.len());
    assert_eq!(minutely, expected);
    // The night in which 02:30 does not exist.
    assert_eq!(occurrences(&nodes[0], "nightly").await, [(at("2026-03-29T01:00:00Z"), None)]);
    let row = nodes[0].schedules().get("minutely").await.unwrap().expect("a schedule");
    assert_eq!(row.fired, 48 * 30);
    let run = nodes[0].handle(row.last_run.expect("a run"));
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_while_nobody_was_there_is_made_up_for_by_policy() {
    let world = MemoryStore::seeded(at("2026-01-01T00:30:00Z"), 8);
    let schedules = [
        Schedule::cron("skip", "0 * * * *", &tick(), 1),
        Schedule::cron("once", "0 * * * *", &tick(), 1).misfire(Misfire::Once),
        Schedule::cron("all", "0 * * * *", &tick(), 1).misfire(Misfire::All { at_most: 3 }),
        Schedule::at("alarm", at("2026-01-01T02:17:00Z"), &tick(), 1),
    ];
    node(&world, &schedules).await.crash();
    tokio::time::sleep(Duration::from_secs(5 * 3_600)).await;
    let again = node(&world, &schedules).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let due = async |name: &str| {
        let all = occurrences(&again, name).await;
        all.into_iter().map(|(at, _)| at.format("%H:%M").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(due("skip").await, [] as [&str; 0]);
    assert_eq!(due("once").await, ["05:00"]);
    assert_eq!(due("all").await, ["03:00", "04:00", "05:00"]);
    assert_eq!(due("alarm").await, ["02:17"]);
    tokio::time::sleep(Duration::from_secs(1_800)).await;
    assert_eq!(due("skip").await, ["06:00"], "and on it goes");
}

#[tokio::test(start_paused = true)]
async fn what_falls_due_while_a_schedule_is_paused_is_left_out() {
    let world = MemoryStore::seeded(at("2026-01-01T00:30:00Z"), 9);
    let hourly = Schedule::cron("hourly", "0 * * * *", &tick(), 1).misfire(Misfire::All { at_most: 100 });
    let first = node(&world, std::slice::from_ref(&hourly)).await;
    let schedules = first.schedules();
    schedules.pause(&["hourly"], "ada").await.unwrap();
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(occurrences(&first, "hourly").await, []);
    // Code that declares it anew does not let it go on.
    let second = node(&world, &[hourly]).await;
    let paused = second.schedules().get("hourly").await.unwrap().expect("a schedule");
    assert_eq!(paused.paused_by.as_deref(), Some("ada"));
    // Out of turn it starts all the same.
    let run = schedules.trigger("hourly", Some("grace")).await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
    schedules.resume(&["hourly"]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let found = occurrences(&second, "hourly").await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].1.as_deref(), Some("grace"));
    assert_eq!(found[1], (at("2026-01-01T03:00:00Z"), None));
}

#[tokio::test(start_paused = true)]
async fn a_one_off_schedule_is_moved_and_starts_once() {
    let world = MemoryStore::seeded(at("2026-01-01T00:00:00Z"), 10);
    // More than a week goes by.
    let node = Runtime::on_store(world.connect()).poll_interval(Duration::from_secs(60)).workflow(tick());
    let node = node.start().await.unwrap();
    let schedules = node.schedules();
    let once = Schedule::at("once", at("2026-01-01T01:00:00Z"), &tick(), 1);
    schedules.create(once).await.unwrap();
    schedules.move_to(&["once"], at("2026-01-01T02:00:00Z")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
    assert_eq!(occurrences(&node, "once").await, [(at("2026-01-01T02:00:00Z"), None)]);
    let row = schedules.get("once").await.unwrap().expect("it is still listed");
    assert!(row.ended_at.is_some() && row.next_at.is_none(), "{row:?}");
    tokio::time::sleep(Duration::from_secs(8 * 24 * 3_600)).await;
    assert_eq!(schedules.get("once").await.unwrap(), None, "not for ever");
    assert_eq!(occurrences(&node, "once").await.len(), 1, "its run stays");
}

#[tokio::test(start_paused = true)]
async fn an_occurrence_that_cannot_be_started_says_why_and_is_tried_again() {
    let world = MemoryStore::seeded(at("2026-01-01T00:00:30Z"), 11);
    let serving = node(&world, &[]).await;
    let schedules = serving.schedules();
    schedules.create(Schedule::cron_by_name("minutely", "* * * * *", "tick", "1")).await.unwrap();
    let row = schedules.get("minutely").await.unwrap().expect("a schedule");
    // As a release might leave it that knew more.
    let mut broken = row.spec.clone();
    broken.times =
        runlog::store::Times::Cron { expression: "* * * * *".to_owned(), zone: "Mars/Olympus".to_owned() };
    let put = runlog::store::NewSchedule { spec: broken, declared: false, by: None, next_at: row.next_at };
    world.connect().put_schedules(&[put], true).await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    let failing = schedules.get("minutely").await.unwrap().expect("a schedule");
    assert!(failing.failure.as_deref().is_some_and(|why| why.contains("Mars/Olympus")), "{failing:?}");
    assert!(failing.failures > 1 && failing.fired == 0, "{failing:?}");
    schedules.put(Schedule::cron_by_name("minutely", "* * * * *", "tick", "1")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    let fine = schedules.get("minutely").await.unwrap().expect("a schedule");
    assert!(fine.failure.is_none() && fine.fired > 0, "{fine:?}");
}

on_both! {
    schedules_are_made_changed_listed_and_deleted
    what_is_wrong_with_a_schedule_is_said_at_the_door
    a_schedule_of_a_workflow_that_other_nodes_serve_starts_it
}

async fn schedules_are_made_changed_listed_and_deleted(ground: impl Ground) {
    let node = ground.builder().workflow(tick()).workflow(echo()).start().await.unwrap();
    let schedules = node.schedules();
    let far = at("2090-01-01T00:00:00Z");
    let alarm = |name: &str| Schedule::at(name, far, &tick(), 1).metadata([("team", "payments")]);
    assert_eq!(schedules.create_many(vec![alarm("a"), alarm("b"), alarm("c")]).await.unwrap(), [true; 3]);
    assert_eq!(schedules.create_many(vec![alarm("a"), alarm("d")]).await.unwrap(), [false, true]);
    let (changed, is_new) = schedules.put(alarm("a").priority(9)).await.unwrap();
    assert_eq!((changed.spec.priority, is_new), (9, false));
    assert!(schedules.put(Schedule::cron("e", "@daily", &echo(), json("1"))).await.unwrap().1);
    let names = async |query: ScheduleQuery| -> Vec<String> {
        let rows: Vec<ScheduleRow> = schedules.list(&query).await.unwrap();
        rows.iter().map(|row| row.spec.name.to_string()).collect()
    };
    let all = || ScheduleQuery { limit: 500, ..ScheduleQuery::default() };
    assert_eq!(names(all()).await, ["a", "b", "c", "d", "e"]);
    schedules.pause(&["a", "b"], "ada").await.unwrap();
    let unknown = schedules.pause(&["c", "unknown"], "ada").await.unwrap_err();
    assert!(matches!(&unknown, Error::NoSchedule { name } if name == "unknown"), "{unknown}");
    let paused = async |name: &str| schedules.get(name).await.unwrap().expect(name).paused_at.is_some();
    assert!(paused("a").await && paused("b").await && !paused("c").await);
    schedules.resume(&["a", "b", "c"]).await.unwrap();
    assert!(!paused("a").await && !paused("b").await);
    assert_eq!(schedules.delete(&["a", "b", "c", "unknown"]).await.unwrap(), 3);
    assert_eq!(names(all()).await, ["d", "e"]);
}

async fn what_is_wrong_with_a_schedule_is_said_at_the_door(ground: impl Ground) {
    let node = ground.builder().workflow(tick()).start().await.unwrap();
    let schedules = node.schedules();
    let daily = || Schedule::cron("daily", "0 9 * * *", &tick(), 1);
    schedules.create(daily()).await.unwrap();
    let refused = async |schedule: Schedule| schedules.create(schedule).await.unwrap_err().to_string();
    let far = at("2090-01-01T00:00:00Z");
    for (schedule, says) in [
        (daily(), "there is a schedule \"daily\" already"),
        (Schedule::cron("x", "0 25 * * *", &tick(), 1), "the cron expression \"0 25 * * *\" cannot be read"),
        (Schedule::cron("x", "0 9 * * *", &tick(), 1).zone("Berlin"), "there is no time zone \"Berlin\""),
        (Schedule::cron_by_name("x", "0 9 * * *", "tock", "1"), "workflow \"tock\" is unknown"),
        (Schedule::cron_by_name("x", "0 9 * * *", "tick", "{"), "input: "),
        (Schedule::cron_by_name("x", "0 9 * * *", "tick", "\"no number\""), "input: "),
        (Schedule::cron("", "0 9 * * *", &tick(), 1), "the schedule's name is empty"),
        (Schedule::at("x", far, &tick(), 1).zone("UTC"), "zone: an instant has none"),
        (daily().misfire(Misfire::All { at_most: 0 }), "misfire: \"all:0\" is no misfire policy"),
        (daily().metadata([("", "x")]), "metadata: the name is empty"),
        (daily().priority(1_001), "priority: 1001 is out of range, -1000 to 1000"),
    ] {
        let error = refused(schedule).await;
        assert!(error.contains(says), "{error}");
    }
    let moved = schedules.move_to(&["daily"], far).await.unwrap_err().to_string();
    assert!(moved.contains("\"daily\" has a cron expression: only an instant can be moved"), "{moved}");
    let twice = ground.builder().workflow(tick()).schedule(daily()).schedule(daily()).start().await;
    let twice = twice.err().expect("a refusal").to_string();
    assert!(twice.contains("\"daily\" is given twice"), "{twice}");
}

async fn a_schedule_of_a_workflow_that_other_nodes_serve_starts_it(ground: impl Ground) {
    let serving = ground.builder().workflow(tick()).start().await.unwrap();
    let other = ground.builder().workflow(echo()).start().await.unwrap();
    let every_second = Schedule::cron_by_name("pulse", "* * * * * *", "tick", "7").priority(3);
    other.schedules().create(every_second).await.unwrap();
    let row = async || other.schedules().get("pulse").await.unwrap().expect("a schedule");
    until("it has started two runs", async || row().await.fired >= 2).await;
    let run = serving.handle(row().await.last_run.expect("a run"));
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
    let view = serving.get(run.id()).await.unwrap().expect("a run");
    assert_eq!((view.priority, view.trigger.kind()), (3, "cron"));
    other.schedules().delete(&["pulse"]).await.unwrap();
}
