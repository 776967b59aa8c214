//! What is asked of an archived run.

use runlog::runtime::Error;
use runlog::{CancelOptions, Status};

use super::*;
use crate::support::{Ground, gate, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_run_answers_every_question_as_before() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    // What no reader of JSON may touch: the order of keys, big integers, doubles with zeros, blanks.
    let input = "{\"z\": 123456789012345678901234567890,\n \"a\":1.50, \"z\":\"\\u00e9 \\\"é\\\"\"}";
    let run = ended(&runtime, "order", input).await;
    let (view, events) = (run.get().await.unwrap(), runtime.events(run.id(), 0, 100).await.unwrap());
    assert!(!view.archived);

    archive_at_once(&runtime).await;
    assert_eq!(runtime.prune_now().await.unwrap().archived, 1);

    assert_eq!(ground.count("select count(*) from runlog.runs").await, 0);
    let mut archived = run.get().await.unwrap();
    assert!(std::mem::take(&mut archived.archived));
    assert_eq!(archived, view);
    assert_eq!(archived.input.text(), input);
    assert_eq!(run.output().await.unwrap().get(), input);
    assert_eq!(runtime.events(run.id(), 0, 100).await.unwrap(), events);
    assert_eq!(runtime.find("echo", "order").await.unwrap(), Some(run.id()));
    assert_eq!(run.wait().await.unwrap(), Status::Succeeded);
    let refused = run.signal("go", &1).await.unwrap_err();
    assert!(matches!(refused, Error::Finished { status: Status::Succeeded, .. }), "{refused:?}");
    let refused = run.cancel(CancelOptions::default()).await.unwrap_err();
    assert!(matches!(refused, Error::Finished { status: Status::Succeeded, .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_log_is_read_when_its_month_is_gone_page_by_page() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = ended(&runtime, "order", "1").await;
    let run = age(&ground, run.id(), 200).await;
    let events = runtime.events(run, 0, 100).await.unwrap();
    assert_eq!(events.len(), 6);

    archive_at_once(&runtime).await;
    let done = runtime.prune_now().await.unwrap();

    assert_eq!((done.archived, done.months.len()), (1, 1), "{done:?}");
    assert_eq!(ground.count("select count(*) from runlog.events").await, 0);
    assert_eq!(runtime.events(run, 0, 100).await.unwrap(), events);
    assert_eq!(runtime.events(run, 2, 3).await.unwrap(), events[2..5]);
    assert_eq!(runtime.events(run, 6, 3).await.unwrap(), []);
    assert_eq!(runtime.get(run).await.unwrap().unwrap().events, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_several_parts_is_read_whole() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let large = format!("\"{}\"", "x".repeat(900_000));
    let run = ended(&runtime, "large", &large).await;
    let run = age(&ground, run.id(), 200).await;
    let events = runtime.events(run, 0, 100).await.unwrap();

    archive_at_once(&runtime).await;
    assert_eq!(runtime.prune_now().await.unwrap().months.len(), 1);

    assert!(ground.count("select count(*) from runlog.archived_parts").await >= 2, "several parts");
    let archived = runtime.events(run, 0, 100).await.unwrap();
    assert!(archived == events, "the log changed");
    assert!(runtime.events(run, 4, 1).await.unwrap() == events[4..5]);
    assert_eq!(runtime.handle(run).output_json().await.unwrap().text(), large);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_run_is_never_archived_and_runs_on_from_a_month_that_is_gone() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(sleeper()).workflow(echo()).start().await.unwrap();
    let day = 24 * 3_600;
    let asleep = runtime.run(&sleeper(), 50 * day).key("asleep").start().await.unwrap();
    let parked = "select count(*) from runlog.runs where owner is null";
    until("it is parked", async || ground.count(parked).await == 1).await;
    // It sleeps for 200 days, of which 150 are over, beside a run that ended then.
    let asleep = age(&ground, asleep.id(), 150).await;
    let neighbour = ended(&runtime, "neighbour", "1").await;
    let neighbour = age(&ground, neighbour.id(), 150).await;
    let events = runtime.events(asleep, 0, 100).await.unwrap();
    assert_eq!(old_months(&ground).await, 1);

    archive_at_once(&runtime).await;
    let done = runtime.prune_now().await.unwrap();

    assert_eq!((done.archived, done.months.len()), (1, 1), "{done:?}");
    assert_eq!(old_months(&ground).await, 0);
    assert!(runtime.get(neighbour).await.unwrap().unwrap().archived);
    let view = runtime.get(asleep).await.unwrap().unwrap();
    assert_eq!((view.status, view.archived), (Status::Running, false));
    assert_eq!(runtime.events(asleep, 0, 100).await.unwrap(), events, "it was moved, not changed");
    assert_eq!(ground.count("select count(*) from runlog.events_default").await, events.len() as i64);

    let wake = format!(
        "begin;
         set local session_replication_role = replica;
         update runlog.events
         set payload = jsonb_set(payload::jsonb, '{{fire_at}}', to_jsonb(now() - interval '1 s'))
         where run_id = '{asleep}' and kind = 'timer_started';
         update runlog.runs set wake_at = now() where id = '{asleep}';
         commit"
    );
    ground.psql(&wake).await.unwrap();
    assert_eq!(soon("its end", runtime.handle(asleep).wait()).await.unwrap(), Status::Succeeded);
    assert_eq!(runtime.prune_now().await.unwrap().archived, 1);
    assert_eq!(ground.count("select count(*) from runlog.events").await, 0, "its events are in the archive");
    assert_eq!(runtime.get(asleep).await.unwrap().unwrap().status, Status::Succeeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_stays_with_its_live_parent_and_is_found_when_both_are_archived() {
    let ground = Postgres::new().await;
    let parent = Workflow::function("parent", |cx: Cx, _: u32| async move {
        cx.child(&echo(), json("7")).await?;
        cx.signal::<u32>("go").await?;
        Ok::<_, CxError>(1_u32)
    });
    let runtime = ground.builder().workflow(echo()).workflow(parent.clone()).start().await.unwrap();
    let run = runtime.run(&parent, 1).start().await.unwrap();
    let ended = "select count(*) from runlog.runs where status = 'SUCCEEDED'";
    until("the child ends", async || ground.count(ended).await == 1).await;
    archive_at_once(&runtime).await;

    assert_eq!(runtime.prune_now().await.unwrap().archived, 0, "its parent lives");
    run.signal("go", &1).await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    assert_eq!(runtime.prune_now().await.unwrap().archived, 2);

    let view = run.get().await.unwrap();
    let [(child, workflow, status)] = &view.children[..] else { panic!("{:?}", view.children) };
    assert_eq!((workflow.as_str(), *status), ("echo", Status::Succeeded));
    assert_eq!(runtime.get(*child).await.unwrap().unwrap().parent.unwrap().run, run.id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_with_a_hole_stays_where_a_person_finds_it() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let (damaged, sound) = (ended(&runtime, "damaged", "1").await, ended(&runtime, "sound", "1").await);
    let damage = format!(
        "begin; set local session_replication_role = replica;
         delete from runlog.events where run_id = '{}' and seq = 3; commit",
        damaged.id()
    );
    ground.psql(&damage).await.unwrap();
    archive_at_once(&runtime).await;

    assert_eq!(runtime.prune_now().await.unwrap().archived, 1);

    assert!(sound.get().await.unwrap().archived);
    assert_eq!(ground.count("select count(*) from runlog.runs where key = 'damaged'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_code_wrote_beside_the_log_goes_when_its_run_is_archived() {
    let ground = Postgres::new().await;
    let chatty = Workflow::function("chatty", |cx: Cx, n: u32| async move {
        cx.log().info("hello");
        cx.stream("progress").send(&n).await?;
        Ok::<_, CxError>(n)
    });
    let runtime = ground.builder().workflow(chatty.clone()).start().await.unwrap();
    let run = runtime.run(&chatty, 1).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let written = "select (select count(*) from runlog.log_lines) + (select count(*) from runlog.chunks)";
    until("both are written", async || ground.count(written).await == 2).await;
    archive_at_once(&runtime).await;

    assert_eq!(runtime.prune_now().await.unwrap().archived, 1);

    assert_eq!(ground.count(written).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_run_goes_for_good_when_its_policy_says_so() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).workflow(gate()).start().await.unwrap();
    let (old, young) = (ended(&runtime, "old", "1").await, ended(&runtime, "young", "2").await);
    let old = age(&ground, old.id(), 3).await;
    let policy = RetentionPolicy::default().archive_after(Duration::ZERO);
    runtime.set_retention(policy.delete_after(Duration::from_secs(24 * 3_600))).await.unwrap();

    let done = runtime.prune_now().await.unwrap();

    assert_eq!((done.archived, done.deleted), (2, 1));
    assert!(runtime.get(old).await.unwrap().is_none());
    assert!(runtime.find("echo", "old").await.unwrap().is_none());
    let events = format!("select count(*) from runlog.events where run_id = '{old}'");
    assert_eq!(ground.count(&events).await, 0, "nothing is left of it");
    assert!(young.get().await.unwrap().archived);
    let again = runtime.run(&echo(), json("3")).key("old").start_or_get().await.unwrap();
    assert!(again.created, "its key is free");
}
