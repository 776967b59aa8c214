//! What a run's tasks did when.

use std::time::Duration;

use proptest::prelude::*;
use runlog::inspect::{
    AttemptView, Awaited, Phase, RunView, Segment, StepView, TaskView, Timeline, TimelineRow, WaitView,
};
use runlog::model::event::Trigger;
use runlog::model::plan::Role;
use runlog::model::{Failure, OpKey, Payload, RunId, TaskName, Timestamp, Version, WorkflowName};
use runlog::testing::Kit;
use runlog::{Cx, CxError, Retry, Status, TaskStatus, When, Workflow};

use crate::workflow::{Infallible, days, secs};

/// The instant so many milliseconds after the run's start.
fn at(millis: i64) -> Timestamp {
    let start: Timestamp = "2026-01-02T03:04:05Z".parse().expect("an instant");
    start + chrono::TimeDelta::milliseconds(millis)
}

fn name(name: &str) -> TaskName {
    TaskName::new(name).expect("a name")
}

/// An attempt that was created, could begin, began and ended then.
fn attempt(number: u32, times: [i64; 3], ended: Option<i64>, failed: bool) -> AttemptView {
    let [created, queued, started] = times.map(at);
    AttemptView {
        number,
        node: None,
        created_at: created,
        queued_until: queued,
        assigned_at: started,
        started_at: started,
        finished_at: ended.map(at),
        deadline: None,
        error: failed.then(|| Failure::new("Declined", "no")),
        allowed: None,
    }
}

fn task(called: &str, status: TaskStatus, after: &[&str], attempts: Vec<AttemptView>) -> TaskView {
    let open = matches!(status, TaskStatus::Queued | TaskStatus::Running);
    TaskView {
        name: name(called),
        status,
        role: Role::Task,
        after: after.iter().map(|before| name(before)).collect(),
        inputs: Vec::new(),
        output: None,
        skipped: None,
        error: None,
        retry_at: None,
        created_at: at(0),
        queued_until: attempts.first().map(|first| first.created_at),
        assigned_at: attempts.first().map(|first| first.assigned_at),
        started_at: attempts.first().map(|first| first.started_at),
        finished_at: attempts.last().and_then(|last| last.finished_at).filter(|_| !open),
        attempts,
        steps: Vec::new(),
        waits: Vec::new(),
        children: Vec::new(),
    }
}

fn run(tasks: Vec<TaskView>, ended: Option<i64>) -> RunView {
    RunView {
        id: RunId::from_tick(1 << 40, 7),
        workflow: WorkflowName::new("shop").expect("a name"),
        version: Version::new("1").expect("a version"),
        namespace: Default::default(),
        key: None,
        status: if ended.is_some() { Status::Failed } else { Status::Running },
        waiting: Vec::new(),
        input: Payload::null(),
        output: None,
        end: None,
        metadata: Default::default(),
        priority: 0,
        trigger: Trigger::Manual,
        replay_of: None,
        replays: Vec::new(),
        parent: None,
        trace: None,
        children: Vec::new(),
        retries: 0,
        claims: 1,
        node: None,
        created_at: at(0),
        queued_until: at(0),
        assigned_at: Some(at(0)),
        started_at: Some(at(0)),
        finished_at: ended.map(at),
        deadline: None,
        timeout: None,
        start_deadline: None,
        cancel: None,
        archived: false,
        imported: false,
        events: 9,
        tasks,
    }
}

/// A row in a few words: `queue 0+3, run 3+108`.
fn words(row: &TimelineRow) -> String {
    let word = |segment: &Segment| {
        let phase = match segment.phase {
            Phase::Queue => "queue",
            Phase::Run => "run",
            Phase::Backoff => "backoff",
            Phase::Wait => "wait",
        };
        let failed = if segment.failed { " failed" } else { "" };
        format!("{phase} {}+{}{failed}", segment.at, segment.width)
    };
    row.segments.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn rows(timeline: &Timeline) -> Vec<String> {
    timeline.rows.iter().map(words).collect()
}

#[test]
fn attempts_are_cut_into_queue_run_and_backoff() {
    let charge = vec![
        attempt(1, [100, 100, 120], Some(300), true),
        attempt(2, [300, 500, 510], Some(700), true),
        attempt(3, [700, 900, 900], Some(1_000), true),
    ];
    let reserve = vec![attempt(1, [0, 0, 0], Some(100), false)];
    let view = run(
        vec![
            task("reserve", TaskStatus::Succeeded, &[], reserve),
            task("charge", TaskStatus::Failed, &["reserve"], charge),
            task("mail", TaskStatus::Cancelled, &["charge"], Vec::new()),
        ],
        Some(1_000),
    );

    let seen = Timeline::of(&view, at(5_000));

    assert_eq!((seen.from, seen.length), (Some(at(0)), Duration::from_secs(1)));
    assert_eq!(
        rows(&seen),
        [
            "run 0+100",
            "queue 100+20, run 120+180 failed, backoff 300+200, queue 500+10, run 510+190 failed, \
             backoff 700+200, run 900+100 failed",
            "",
        ]
    );
    let charge = &seen.rows[1];
    assert_eq!((charge.attempts, charge.queue), (3, Duration::from_millis(30)));
    assert_eq!((charge.run, charge.backoff), (Duration::from_millis(470), Duration::from_millis(400)));
    assert!(!charge.retries && !charge.waits);
}

#[test]
fn the_tasks_that_followed_each_other_to_the_end_are_critical() {
    let one = |from, to| vec![attempt(1, [from, from, from], Some(to), false)];
    let mut refund = task("refund", TaskStatus::Succeeded, &[], one(950, 1_000));
    refund.role = Role::OnFailure;
    let view = run(
        vec![
            task("slow", TaskStatus::Succeeded, &[], one(0, 600)),
            task("quick", TaskStatus::Succeeded, &[], one(0, 100)),
            task("charge", TaskStatus::Failed, &["slow", "quick"], one(600, 950)),
            task("aside", TaskStatus::Succeeded, &["quick"], one(100, 940)),
            refund,
        ],
        Some(1_000),
    );

    let critical: Vec<bool> = Timeline::of(&view, at(0)).rows.iter().map(|row| row.critical).collect();

    assert_eq!(critical, [true, false, true, false, true]);
}

#[test]
fn what_goes_on_is_drawn_up_to_now() {
    let mut retried = task("retried", TaskStatus::Queued, &[], vec![attempt(1, [0, 0, 0], Some(500), true)]);
    retried.retry_at = Some(at(900));
    let view = run(
        vec![
            task("open", TaskStatus::Running, &[], vec![attempt(1, [0, 0, 100], None, false)]),
            retried,
            task("later", TaskStatus::Queued, &["open"], Vec::new()),
        ],
        None,
    );

    let early = Timeline::of(&view, at(800));
    let late = Timeline::of(&view, at(1_000));

    assert_eq!(rows(&early), ["queue 0+125, run 125+875", "run 0+625 failed, backoff 625+375", ""]);
    assert!(early.rows[1].retries && !early.rows[0].retries);
    assert_eq!(rows(&late)[1], "run 0+500 failed, backoff 500+400, queue 900+100");
}

fn step(called: &str, from: i64, to: i64) -> StepView {
    StepView {
        op: OpKey { name: called.into(), occurrence: 0 },
        input_hash: None,
        output: Some(Payload::null()),
        error: None,
        retry_at: None,
        started_at: Some(at(from)),
        finished_at: Some(at(to)),
        attempt: 1,
        tries: 1,
        reused: false,
        allowed: None,
    }
}

fn sleep(until: i64, over: bool) -> WaitView {
    let op = OpKey { name: "sleep".into(), occurrence: until as u32 };
    WaitView { op, attempt: 1, what: Awaited::Time { until: at(until) }, over }
}

#[test]
fn a_sleep_between_two_steps_is_a_wait_and_a_step_beside_it_is_not() {
    let mut both = task("both", TaskStatus::Succeeded, &[], vec![attempt(1, [0, 0, 0], Some(1_000), false)]);
    both.steps = vec![step("a", 0, 200), step("b", 500, 600), step("beside", 800, 900)];
    both.waits = vec![sleep(500, true), sleep(1_000, true)];

    let seen = Timeline::of(&run(vec![both], Some(1_000)), at(0));

    assert_eq!(rows(&seen), ["run 0+200, wait 200+300, run 500+400, wait 900+100"]);
}

#[test]
fn code_that_waits_now_has_done_so_since_the_last_thing_that_is_known_of_it() {
    let mut asks = task("asks", TaskStatus::Running, &[], vec![attempt(1, [0, 0, 0], None, false)]);
    asks.steps = vec![step("a", 0, 200)];
    asks.waits = vec![sleep(5_000, false)];

    let seen = Timeline::of(&run(vec![asks], None), at(270));

    assert_eq!(rows(&seen), ["run 0+740, wait 740+260"]);
    assert!(seen.rows[0].waits);
}

#[test]
fn a_long_time_in_which_nothing_ran_is_drawn_narrow() {
    let one = |from, to| vec![attempt(1, [from, from, from], Some(to), false)];
    let tasks = vec![
        task("a", TaskStatus::Succeeded, &[], one(0, 100)),
        task(
            "b",
            TaskStatus::Failed,
            &["a"],
            vec![
                attempt(1, [100, 100, 100], Some(200), true),
                attempt(2, [200, 800, 800], Some(1_000), true),
            ],
        ),
    ];

    let seen = Timeline::of(&run(tasks, Some(1_000)), at(0));

    let gap = seen.gaps[0];
    assert_eq!((gap.at, gap.width, gap.length, seen.gaps.len()), (480, 40, Duration::from_millis(600), 1));
    assert_eq!(rows(&seen), ["run 0+240", "run 240+240 failed, backoff 480+40, run 520+480 failed"]);
    assert_eq!(seen.rows[1].backoff, Duration::from_millis(600));
}

#[test]
fn a_time_of_less_than_a_third_is_drawn_as_it_was() {
    let attempts =
        vec![attempt(1, [0, 0, 0], Some(350), true), attempt(2, [350, 650, 650], Some(1_000), false)];

    let seen = Timeline::of(&run(vec![task("a", TaskStatus::Succeeded, &[], attempts)], Some(1_000)), at(0));

    assert_eq!(
        (seen.gaps.len(), rows(&seen)[0].as_str()),
        (0, "run 0+350 failed, backoff 350+300, run 650+350")
    );
}

#[test]
fn a_run_that_has_not_started_has_no_rows() {
    let mut view = run(Vec::new(), None);
    view.started_at = None;

    let seen = Timeline::of(&view, at(0));

    assert_eq!((seen.from, seen.rows.len(), seen.length), (None, 0, Duration::ZERO));
}

#[test]
fn a_thousand_attempts_are_at_most_sixty_segments_that_add_up() {
    let attempts: Vec<AttemptView> = (0..1_000)
        .map(|n| attempt(n as u32 + 1, [n * 10 - 5, n * 10, n * 10], Some(n * 10 + 5), true))
        .collect();

    let seen = Timeline::of(&run(vec![task("a", TaskStatus::Failed, &[], attempts)], Some(9_995)), at(0));

    let row = &seen.rows[0];
    assert!(row.segments.len() <= 60 && row.attempts == 1_000);
    let lengths: Duration = row.segments.iter().map(|segment| segment.length).sum();
    assert_eq!(lengths, row.run + row.backoff);
    assert_eq!(row.segments.iter().map(|segment| segment.width).sum::<u32>(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_retried_waited_for_a_condition_and_slept_for_days() -> anyhow::Result<()> {
    let slowly = |seconds| async move { tokio::time::sleep(secs(seconds)).await };
    let dag = Workflow::dag::<()>("shop");
    let charge = dag
        .task("charge", move |cx: Cx, ()| async move {
            slowly(10).await;
            if cx.attempt() == 1 { Err(anyhow::anyhow!("no")) } else { Ok(()) }
        })
        .retry(Retry::fixed(secs(30)));
    let mail = dag
        .task_after("mail", &charge, move |cx: Cx, (), ()| async move {
            cx.step("first", || async {
                slowly(20).await;
                Ok::<_, Infallible>(())
            })
            .await?;
            cx.sleep(days(3)).await?;
            slowly(20).await;
            Ok::<_, CxError>(())
        })
        .wait_for(When::elapsed(secs(40)));
    let shop = dag.output(&mail);
    let kit = Kit::builder().workflow(shop.clone()).start().await?;
    let run = kit.run(&shop, &()).await?;
    assert_eq!(run.wait().await?, Status::Succeeded);

    let seen = Timeline::of(&run.get().await?, kit.now());

    let (charge, mail) = (&seen.rows[0], &seen.rows[1]);
    let phases = |row: &TimelineRow| row.segments.iter().map(|segment| segment.phase).collect::<Vec<_>>();
    assert_eq!(charge.attempts, 2);
    assert!(phases(charge).starts_with(&[Phase::Run, Phase::Backoff]), "{:?}", charge.segments);
    assert_eq!((charge.run.as_secs(), charge.backoff.as_secs()), (20, 30));
    assert!(phases(mail).contains(&Phase::Wait) && charge.critical && mail.critical);
    assert_eq!((mail.run.as_secs(), mail.wait.as_secs()), (40, 40 + 3 * 24 * 3_600));
    assert_eq!(seen.gaps.len(), 1);
    assert!(seen.gaps[0].length >= days(3));
    Ok(())
}

proptest! {
    #[test]
    fn segments_follow_each_other_inside_the_picture(
        attempts in proptest::collection::vec((0_i64..50, 0_i64..50, 0_i64..50, 0_i64..2_000), 1..20),
        sleeps in proptest::collection::vec((0_i64..5_000, any::<bool>()), 0..6),
        steps in proptest::collection::vec((0_i64..5_000, 0_i64..500), 0..6),
        open in any::<bool>(),
    ) {
        let mut now = 0;
        let mut seen = Vec::new();
        for (number, (created, queued, started, took)) in (1..).zip(&attempts) {
            let times = [now + created, now + created + queued, now + created + queued + started];
            now = times[2] + took;
            seen.push(attempt(number, times, Some(now), true));
        }
        if open {
            seen.last_mut().expect("one").finished_at = None;
        }
        let status = if open { TaskStatus::Running } else { TaskStatus::Failed };
        let mut any = task("any", status, &[], seen);
        any.waits = sleeps.into_iter().map(|(until, over)| sleep(until, over)).collect();
        any.steps = steps.into_iter().map(|(from, took)| step("s", from, from + took)).collect();

        let drawn = Timeline::of(&run(vec![any], (!open).then_some(now)), at(now));

        let row = &drawn.rows[0];
        let mut place = 0;
        for segment in &row.segments {
            prop_assert!(segment.at >= place && segment.at + segment.width <= 1_000, "{:?}", row.segments);
            place = segment.at + segment.width;
        }
        let all = row.queue + row.run + row.backoff + row.wait;
        prop_assert!(all <= drawn.length, "{:?} in {:?}", all, drawn.length);
        prop_assert!(drawn.gaps.iter().all(|gap| gap.length * 10 > drawn.length * 3));
    }
}

#[test]
fn a_part_of_the_time_is_drawn_over_the_whole_width() {
    let first = attempt(1, [0, 0, 100], Some(300), true);
    let second = attempt(2, [300, 700, 700], Some(1_000), false);
    let view = run(
        vec![
            task("charge", TaskStatus::Succeeded, &[], vec![first, second]),
            task(
                "ship",
                TaskStatus::Succeeded,
                &["charge"],
                vec![attempt(1, [1_000, 1_000, 1_000], Some(2_000), false)],
            ),
        ],
        Some(2_000),
    );
    let millis = Duration::from_millis;
    let whole = Timeline::of(&view, at(2_000));
    assert_eq!(whole, Timeline::zoomed(&view, at(2_000), None));
    assert_eq!((whole.zoom, whole.rows[0].span), (None, Some((millis(0), millis(1_000)))));
    let part = |from, to| Timeline::zoomed(&view, at(2_000), Some((millis(from), millis(to))));
    let shown = part(600, 1_000);
    assert_eq!((shown.zoom, shown.length), (Some((millis(600), millis(1_000))), millis(2_000)));
    assert_eq!(words(&shown.rows[0]), "backoff 0+250, run 250+750", "what was before is left out");
    assert_eq!(words(&shown.rows[1]), "", "and what came after");
    assert_eq!(shown.rows[0].run, whole.rows[0].run, "sums are of the whole");
    assert_eq!(shown.rows[0].span, whole.rows[0].span);
    let marks: Vec<(u32, Duration)> = shown.marks.iter().map(|mark| (mark.at, mark.after)).collect();
    assert_eq!(marks, [(0, millis(600)), (1_000, millis(1_000))]);
    assert_eq!(part(1_500, 9_000).zoom, Some((millis(1_500), millis(2_000))), "at most to the end");
    for (from, to) in [(2_000, 3_000), (700, 700), (900, 800)] {
        assert_eq!(part(from, to), whole, "{from} to {to} is no part");
    }
}
