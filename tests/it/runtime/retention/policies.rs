//! Policies: for all, for a namespace, for a workflow, for both.

use runlog::Status;
use runlog::runtime::Error;

use super::*;
use crate::support::{Ground, gate};

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3_600)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_seen_as_they_were_set() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let shown = async || {
        let policies = runtime.retention().await.unwrap().policies.into_iter();
        let line = |policy: runlog::store::Policy| {
            let (of, named) = (policy.scope.namespace, policy.scope.workflow);
            let (of, named) = (of.map(|n| n.to_string()), named.map(|n| n.to_string()));
            format!("{of:?} {named:?} {:?} {:?}", policy.archive_after, policy.delete_after)
        };
        policies.map(line).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, ["None None Some(2592000s) None"], "30 days, and never");

    let policy = RetentionPolicy::default;
    runtime.set_retention(policy().archive_after(days(7)).delete_after(days(365))).await.unwrap();
    runtime.set_retention(policy().workflow("echo").archive_after(None)).await.unwrap();
    runtime.set_retention(policy().namespace("t").workflow("echo").delete_after(days(30))).await.unwrap();
    runtime.set_retention(policy().namespace("t").archive_after(days(1))).await.unwrap();
    runtime.set_retention(policy().namespace("t").archive_after(days(2))).await.unwrap();

    let expected = [
        "None None Some(604800s) Some(31536000s)",
        "None Some(\"echo\") None None",
        "Some(\"t\") None Some(172800s) None",
        "Some(\"t\") Some(\"echo\") Some(2592000s) Some(2592000s)",
    ];
    assert_eq!(shown().await, expected);
    assert!(runtime.unset_retention(Some("t"), None).await.unwrap());
    assert!(!runtime.unset_retention(Some("t"), None).await.unwrap(), "it is gone");
    assert_eq!(shown().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_specific_policy_counts() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).workflow(gate()).start().await.unwrap();
    for namespace in ["default", "t"] {
        let echo = runtime.run(&echo(), json("1")).namespace(namespace).start().await.unwrap();
        let gate = runtime.run(&gate(), 1.into()).namespace(namespace).start().await.unwrap();
        gate.signal("go", &"on").await.unwrap();
        assert_eq!(soon("its end", echo.wait()).await.unwrap(), Status::Succeeded);
        assert_eq!(soon("its end", gate.wait()).await.unwrap(), Status::Succeeded);
    }
    let set = async |policy: RetentionPolicy| runtime.set_retention(policy).await.unwrap();
    let archived = async || {
        runtime.prune_now().await.unwrap();
        let archived = "select namespace || ' ' || workflow from runlog.archived_runs order by 1";
        sqlx::query_scalar::<_, String>(archived).fetch_all(&ground.pool).await.unwrap()
    };
    let (at_once, never) = (
        RetentionPolicy::default().archive_after(Duration::ZERO),
        RetentionPolicy::default().archive_after(None),
    );

    set(never.clone()).await;
    set(never.clone().workflow("gate")).await;
    set(at_once.clone().namespace("t")).await;
    set(never.clone().namespace("t").workflow("echo")).await;
    assert_eq!(archived().await, ["t gate"], "the namespace before the workflow, both before either");

    set(at_once.clone().workflow("gate")).await;
    assert_eq!(archived().await, ["default gate", "t gate"], "the workflow before everything");

    set(at_once).await;
    assert_eq!(archived().await, ["default echo", "default gate", "t gate"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_makes_no_sense_is_refused_with_what_would_do() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let refused =
        async |policy: RetentionPolicy| runtime.set_retention(policy).await.unwrap_err().to_string();
    let policy = RetentionPolicy::default;

    assert_eq!(
        refused(policy().delete_after(days(29))).await,
        "delete_after: 2505600s is shorter than archive_after, 2592000s"
    );
    assert_eq!(
        refused(policy().archive_after(None).delete_after(days(29))).await,
        "delete_after: only archived runs are deleted: set archive_after"
    );
    assert_eq!(
        refused(policy().archive_after(Duration::MAX)).await,
        "archive_after: it must be at most 100 years; leave it out for never"
    );
    assert_eq!(
        refused(policy().namespace("")).await,
        "the namespace is empty: give it at least one character"
    );
    assert!(refused(policy().workflow("a\nb")).await.contains("control character"));
    let refused = runtime.unset_retention(None, None).await.unwrap_err();
    assert!(matches!(refused, Error::Field { .. }), "{refused:?}");
    assert_eq!(runtime.retention().await.unwrap().policies.len(), 1, "nothing was written");
}
