//! The graph on a run's page: stacks of like child runs, and the failed path of a large one.

use runlog::{Cx, CxError, Runtime, Status, Workflow};

use crate::http::get;
use crate::support::{Ground, Postgres, soon};

async fn page(runtime: &Runtime, address: String) -> String {
    let app = runlog::dashboard::router(runtime).allow_all_insecure().into_router();
    let answer = get(&app, &address).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    String::from_utf8(answer.bytes).expect("a text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_of_child_runs_opens_however_many_they_are() {
    let resize = || Workflow::function("resize", |_: Cx, _: u32| async { Err::<(), _>(std::fmt::Error) });
    let convert = Workflow::function("convert", move |cx: Cx, ()| async move {
        for number in 0..160 {
            // It fails, and the others are asked for all the same.
            let _failed = cx.child(&resize(), number).await;
        }
        anyhow::Ok(())
    });
    let ground = Postgres::new().await;
    let runtime =
        ground.builder().workflow(convert.clone()).workflow(resize()).start().await.expect("a runtime");
    let run = runtime.run(&convert, ()).start().await.expect("a start");
    assert_eq!(soon("its end", run.wait()).await.expect("an end"), Status::Succeeded);

    let stacked = page(&runtime, format!("/runs/{}", run.id())).await;
    let open = page(&runtime, format!("/runs/{}?open=convert", run.id())).await;

    assert!(
        stacked.contains(r##"href="?open=convert#graph"><title>160 runs of resize: failed, 160 failed"##)
    );
    assert_eq!(stacked.matches("<title>run resize").count(), 0);
    assert_eq!(open.matches("<title>run resize").count(), 160);
    assert!(
        !stacked.contains("Only the way to what failed") && !open.contains("Only the way to what failed")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_graph_begins_with_its_failed_path() {
    let dag = Workflow::dag::<()>("large");
    for number in 0..150 {
        dag.task(&format!("aside {number}"), |_: Cx, ()| async { Ok::<_, CxError>(()) });
    }
    let first = dag.task("first", |_: Cx, ()| async { Ok::<_, CxError>(()) });
    let bad = dag.task_after("bad", &first, |_: Cx, (), ()| async { Err::<(), _>(std::fmt::Error) });
    let large = dag.output(&bad);
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(large.clone()).start().await.expect("a runtime");
    let run = runtime.run(&large, ()).start().await.expect("a start");
    assert_eq!(soon("its end", run.wait()).await.expect("an end"), Status::Failed);

    let path = page(&runtime, format!("/runs/{}", run.id())).await;
    let all = page(&runtime, format!("/runs/{}?all=1", run.id())).await;

    assert!(path.contains("Only the way to what failed, 2 of 152 nodes."));
    assert_eq!((path.matches("<a id=\"node-").count(), all.matches("<a id=\"node-").count()), (2, 152));
    assert!(!all.contains("Only the way to what failed"));
}
