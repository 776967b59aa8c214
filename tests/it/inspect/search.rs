//! Finding runs: what the engine writes of a run's life is what it is found by.

use std::time::Duration;

use runlog::inspect::CursorError;
use runlog::model::{Namespace, TaskName};
use runlog::{CancelOptions, Cx, CxError, Error, Filter, RunId, Runtime, Search, TaskStatus, Workflow};
use serde_json::Value;

use crate::support::{Ground, echo, gate, json, on_both, soon, until};

on_both! {
    a_run_is_found_by_how_it_came_about_and_ended
    failures_are_grouped_by_their_cause
    a_run_that_fails_for_its_child_names_the_one_at_the_bottom
    a_timeout_is_a_failure_with_a_fingerprint
    a_namespace_sees_its_own_runs_only
    a_cursor_fits_its_own_query_only
    a_window_moves_with_the_first_page
    tasks_are_listed_once_each_over_pages
    tasks_are_found_by_name_and_status
    a_page_has_a_size
}

#[derive(Debug, thiserror::Error)]
#[error("order {0} declined by \"bank {0}\"")]
struct Declined(u32);

/// Fails with its input; of 0 it is a success.
fn charge() -> Workflow<u32, u32> {
    async fn code(_cx: Cx, order: u32) -> Result<u32, Declined> {
        if order == 0 { Ok(0) } else { Err(Declined(order)) }
    }
    Workflow::function("charge", code)
}

/// Runs `charge` below itself, `depth` levels down.
fn above(depth: u32) -> Workflow<u32, u32> {
    let code = move |cx: Cx, order: u32| async move {
        match depth {
            1 => cx.child(&charge(), order).await,
            _ => cx.child(&above(depth - 1), order).await,
        }
    };
    Workflow::function(&format!("above{depth}"), code)
}

async fn found(runtime: &Runtime, filter: &str) -> Vec<RunId> {
    let search = Search::new(filter.parse().expect(filter));
    let page = runtime.list(&search).await.expect("a page");
    page.data.iter().map(|run| run.run).collect()
}

async fn a_run_is_found_by_how_it_came_about_and_ended(ground: impl Ground) {
    let builder = ground.builder().workflow(charge()).workflow(gate()).workflow(above(1));
    // A run that is parked is at no node.
    let runtime = builder.park_after(Duration::from_secs(600)).start().await.unwrap();
    let failed =
        runtime.run(&charge(), 7).key("order-7").metadata([("team", "payments")]).start().await.unwrap();
    soon("its end", failed.wait()).await.unwrap();
    let waiting = runtime.run(&gate(), Value::Null).start().await.unwrap();
    let parent = runtime.run(&above(1), 0).start().await.unwrap();
    soon("its end", parent.wait()).await.unwrap();
    let later = runtime.run(&gate(), Value::Null).delay(Duration::from_secs(3600)).start().await.unwrap();
    let child = found(&runtime, "is:child").await[0];
    runtime.cancel(later.id(), CancelOptions::default()).await.unwrap();

    let (failed, waiting, parent, later) = (failed.id(), waiting.id(), parent.id(), later.id());
    let cases = [
        ("", vec![later, child, parent, waiting, failed]),
        ("status:failed", vec![failed]),
        ("is:failed", vec![failed]),
        ("-is:failed workflow:charge", vec![child]),
        ("status:cancelled", vec![later]),
        ("is:live", vec![waiting]),
        ("workflow:gate", vec![later, waiting]),
        ("workflow:above*", vec![parent]),
        ("version:1 status:succeeded", vec![child, parent]),
        ("task:charge", vec![child, failed]),
        ("task:gate is:ended", vec![later]),
        ("failed_task:charge", vec![failed]),
        ("kind:Declined", vec![failed]),
        ("order declined", vec![failed]),
        ("error:\"ORDER 7\"", vec![failed]),
        ("key:order-7", vec![failed]),
        ("key:order*", vec![failed]),
        ("meta.team:payments", vec![failed]),
        ("meta.team:fraud", vec![]),
        ("trigger:parent", vec![child]),
        ("trigger:manual is:root", vec![later, parent, waiting, failed]),
        ("node:1", vec![child, parent, waiting, failed]),
        ("node:99", vec![]),
        ("until:1h", vec![]),
        ("since:1h status:failed", vec![failed]),
        ("duration:>=1h", vec![]),
        ("duration:<1h is:root", vec![parent, failed]),
        ("finished:>1h status:failed", vec![failed]),
        ("started:<1h", vec![]),
    ];
    for (filter, expected) in cases {
        let mut seen = found(&runtime, filter).await;
        if filter == "node:1" {
            // Who cancels a queued run is whichever node is the first to take the message.
            seen.retain(|run| *run != later);
        }
        assert_eq!(seen, expected, "{filter}");
    }
    let parent_of = format!("parent:{parent}");
    assert_eq!(found(&runtime, &parent_of).await, [child]);
    assert_eq!(found(&runtime, &failed.to_string()).await, [failed]);
    let count = runtime.count(&Search::new("is:ended".parse().unwrap())).await.unwrap();
    assert_eq!((count.total(), count.capped), (4, false));
}

async fn failures_are_grouped_by_their_cause(ground: impl Ground) {
    let runtime = ground.builder().workflow(charge()).workflow(echo()).start().await.unwrap();
    let mut runs = Vec::new();
    for order in [1, 22, 333] {
        let run = runtime.run(&charge(), order).start().await.unwrap();
        soon("its end", run.wait()).await.unwrap();
        runs.push(run.id());
    }
    let other = runtime.run(&echo(), json("1")).start().await.unwrap();
    soon("its end", other.wait()).await.unwrap();

    let groups = runtime.failures(&Search::default()).await.unwrap();

    let [group] = groups.groups.as_slice() else { panic!("{groups:?}") };
    assert_eq!((group.count, group.newest, groups.capped), (3, runs[2], false));
    assert_eq!((group.workflow.as_str(), group.kind.as_str()), ("charge", "Declined"));
    assert_eq!(group.message, "order 333 declined by \"bank 333\"");
    assert_eq!(group.task.as_ref().unwrap().as_str(), "charge");
    assert!(group.first <= group.last);
    let by_print = found(&runtime, &format!("fp:{}", group.fingerprint)).await;
    assert_eq!(by_print, [runs[2], runs[1], runs[0]]);
    assert_eq!(found(&runtime, &format!("fp:{}", group.fingerprint.split_at(4).0)).await, by_print);
    assert_eq!(runtime.failures(&Search::new("until:1h".parse().unwrap())).await.unwrap().groups, []);
}

async fn a_run_that_fails_for_its_child_names_the_one_at_the_bottom(ground: impl Ground) {
    let builder = ground.builder().workflow(charge()).workflow(above(1)).workflow(above(2));
    let runtime = builder.start().await.unwrap();
    let top = runtime.run(&above(2), 5).start().await.unwrap();
    soon("its end", top.wait()).await.unwrap();
    let [bottom] = found(&runtime, "workflow:charge").await[..] else { panic!("one run") };
    let [middle] = found(&runtime, "workflow:above1").await[..] else { panic!("one run") };
    assert_eq!(found(&runtime, &format!("caused_by:{bottom}")).await, [middle, top.id()]);
    assert_eq!(found(&runtime, &format!("caused_by:{middle}")).await, []);
}

async fn a_timeout_is_a_failure_with_a_fingerprint(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let late = runtime.run(&gate(), Value::Null).timeout(Duration::from_millis(50)).start().await.unwrap();
    soon("its end", late.wait()).await.unwrap();
    assert_eq!(found(&runtime, "status:failed").await, []);
    assert_eq!(found(&runtime, "is:failed kind:timed_out").await, [late.id()]);
    let groups = runtime.failures(&Search::default()).await.unwrap().groups;
    assert_eq!((groups.len(), groups[0].kind.as_str(), groups[0].task.as_ref()), (1, "timed_out", None));
}

async fn a_namespace_sees_its_own_runs_only(ground: impl Ground) {
    let runtime = ground.builder().workflow(charge()).start().await.unwrap();
    let acme = Namespace::new("acme").unwrap();
    let mine = runtime.run(&charge(), 1).namespace("acme").metadata([("a", "b")]).start().await.unwrap();
    let theirs = runtime.run(&charge(), 1).metadata([("a", "b")]).start().await.unwrap();
    soon("its end", mine.wait()).await.unwrap();
    soon("its end", theirs.wait()).await.unwrap();
    let id = format!("id:{}", theirs.id());
    let filters = [
        "",
        "status:failed",
        "workflow:charge",
        "meta.a:b",
        "task:charge",
        "kind:Declined",
        "fp:0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f",
    ];
    for filter in filters.into_iter().chain([id.as_str()]) {
        let search = Search::new(filter.parse().unwrap()).namespace(acme.clone());
        let expected = if filter == id { vec![] } else { vec![mine.id()] };
        let runs = runtime.list(&search).await.unwrap().data;
        assert_eq!(runs.iter().map(|run| run.run).collect::<Vec<_>>(), expected, "{filter}");
        let tasks = runtime.tasks(&search).await.unwrap().data;
        assert_eq!(tasks.iter().map(|task| task.run).collect::<Vec<_>>(), expected, "{filter}");
        assert_eq!(runtime.count(&search).await.unwrap().total(), expected.len() as u64, "{filter}");
        let groups = runtime.failures(&search).await.unwrap().groups;
        assert_eq!(groups.iter().map(|group| group.newest).collect::<Vec<_>>(), expected, "{filter}");
    }
}

async fn a_cursor_fits_its_own_query_only(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    for n in 0..3 {
        let run = runtime.run(&echo(), json(&n.to_string())).start().await.unwrap();
        soon("its end", run.wait()).await.unwrap();
    }
    let search = |filter: &str| Search::new(filter.parse::<Filter>().unwrap()).limit(2);
    let cursor = runtime.list(&search("workflow:echo")).await.unwrap().next.expect("a next page");
    let next = runtime.list(&search("  workflow:echo").limit(1).cursor(&cursor)).await.unwrap();
    assert_eq!((next.data.len(), next.next), (1, None));

    let acme = Namespace::new("acme").unwrap();
    for other in [search(""), search("workflow:echo is:root"), search("workflow:echo").namespace(acme)] {
        let answer = runtime.list(&other.cursor(&cursor)).await;
        assert!(matches!(answer, Err(Error::Cursor(CursorError::OtherQuery))), "{answer:?}");
    }
    let answer = runtime.tasks(&search("workflow:echo").cursor(&cursor)).await;
    assert!(matches!(answer, Err(Error::Cursor(CursorError::OtherQuery))), "{answer:?}");
    for broken in ["", "x", cursor.split_at(1).1, &format!("{cursor}A"), "ünsinn"] {
        let answer = runtime.list(&search("workflow:echo").cursor(broken)).await;
        assert!(matches!(answer, Err(Error::Cursor(CursorError::Unreadable))), "{broken}: {answer:?}");
    }
}

async fn a_window_moves_with_the_first_page(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let day = Duration::from_secs(24 * 3_600);
    for n in 0..3 {
        let run = runtime.run(&echo(), json(&n.to_string())).start().await.unwrap();
        soon("its end", run.wait()).await.unwrap();
    }
    let search = Search::new(Filter::default()).within(day).limit(1);
    let first = runtime.list(&search).await.unwrap();
    let since = first.window.since.expect("the default window");
    assert!((ground.now().await - since).to_std().unwrap() >= day);
    assert_eq!(first.window.until, None);
    let second = runtime.list(&search.clone().cursor(first.next.unwrap())).await.unwrap();
    assert_eq!(second.window, first.window);

    let own = Search::new("since:1h".parse().unwrap()).within(day);
    assert!(runtime.list(&own).await.unwrap().window.since.unwrap() > since);
    let look_up = Search::new("key:k".parse().unwrap()).within(day);
    assert_eq!(runtime.list(&look_up).await.unwrap().window.since, None);
}

fn two_tasks() -> Workflow<u32, u32> {
    let w = Workflow::dag("two");
    let first = w.task("first", |_cx: Cx, n: u32| async move { Ok::<_, CxError>(n) });
    let second = w.task_after("second", &first, |_cx: Cx, order: u32, _first: u32| async move {
        if order == 2 { Err(Declined(order)) } else { Ok(order) }
    });
    w.output(&second)
}

async fn tasks_are_listed_once_each_over_pages(ground: impl Ground) {
    let runtime = ground.builder().workflow(two_tasks()).start().await.unwrap();
    let mut expected = Vec::new();
    for n in 0..4 {
        let run = runtime.run(&two_tasks(), n).start().await.unwrap();
        soon("its end", run.wait()).await.unwrap();
        expected.splice(0..0, [(run.id(), "first".to_owned()), (run.id(), "second".to_owned())]);
    }
    for limit in [1, 2, 3, 8, 9] {
        let search = Search::new("workflow:two".parse().unwrap()).limit(limit);
        let (mut seen, mut cursor) = (Vec::new(), None);
        for _page in 0..=9 {
            let search =
                cursor.iter().fold(search.clone(), |search: Search, cursor: &String| search.cursor(cursor));
            let page = runtime.tasks(&search).await.unwrap();
            assert!(page.data.len() <= limit as usize);
            seen.extend(page.data.into_iter().map(|task| (task.run, task.name.to_string())));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((seen, cursor), (expected.clone(), None), "pages of {limit}");
    }
}

async fn tasks_are_found_by_name_and_status(ground: impl Ground) {
    let runtime = ground.builder().workflow(two_tasks()).workflow(echo()).start().await.unwrap();
    let good = runtime.run(&two_tasks(), 1).start().await.unwrap();
    soon("its end", good.wait()).await.unwrap();
    let bad = runtime.run(&two_tasks(), 2).start().await.unwrap();
    soon("its end", bad.wait()).await.unwrap();
    let other = runtime.run(&echo(), json("1")).start().await.unwrap();
    soon("its end", other.wait()).await.unwrap();

    let second = || Search::default().tasks([TaskName::new("second").unwrap()]);
    let named = runtime.tasks(&second()).await.unwrap().data;
    assert_eq!(named.iter().map(|task| task.run).collect::<Vec<_>>(), [bad.id(), good.id()]);
    let failed = runtime.tasks(&second().task_statuses([TaskStatus::Failed])).await.unwrap().data;
    let [task] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!((task.run, task.status, task.attempts), (bad.id(), TaskStatus::Failed, 1));
    assert_eq!(task.error_kind.as_deref(), Some("Declined"));
    assert!(task.started_at.is_some() && task.finished_at.is_some());
}

async fn a_page_has_a_size(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    for limit in [0, 501] {
        let answer = runtime.list(&Search::default().limit(limit)).await;
        assert!(matches!(answer, Err(Error::Field { field: "limit", .. })), "{answer:?}");
    }
    until("an empty page", async || {
        runtime.list(&Search::default().limit(500)).await.unwrap().data.is_empty()
    })
    .await;
}
