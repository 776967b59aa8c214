//! What starts runs by the clock.

use anyhow::Result;

use super::verbs::on;
use crate::support::{Ground, Postgres, echo, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedules_are_made_shown_paused_moved_and_deleted() -> Result<()> {
    let ground = Postgres::new().await;
    let node = ground.builder().workflow(echo()).start().await?;
    let schedules = async |more: &[&str]| on(&ground.url, &[&["schedules"], more].concat()).await;
    let made = schedules(&[
        "create",
        "nightly",
        "echo",
        "--cron",
        "30 2 * * *",
        "--zone",
        "Europe/Berlin",
        "--input",
        "7",
    ]);
    let made = made.await?;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.stdout.starts_with("nightly (active)"), "{}", made.stdout);
    assert!(made.stdout.contains("30 2 * * * Europe/Berlin"), "{}", made.stdout);
    assert_eq!(
        schedules(&["create", "nightly", "echo", "--cron", "@daily"]).await?.code,
        Some(6),
        "the name is taken"
    );
    let wrong = schedules(&["create", "x", "echo", "--cron", "@daily", "--zone", "Europe/Berlim"]).await?;
    assert!(
        wrong.code == Some(2) && wrong.stderr.contains("did you mean \"Europe/Berlin\""),
        "{}",
        wrong.stderr
    );
    assert_eq!(schedules(&["create", "x", "echo"]).await?.code, Some(2), "it says not when");
    let wrong = schedules(&["create", "x", "echo", "--at", "tomorrow"]).await?;
    assert!(wrong.code == Some(2) && wrong.stderr.contains("as in 2026-12-24T18:00:00Z"), "{}", wrong.stderr);
    schedules(&["create", "alarm", "echo", "--at", "2090-01-01T00:00:00Z"]).await?;

    let listed = schedules(&[]).await?;
    assert!(listed.stdout.contains("alarm") && listed.stdout.contains("nightly"), "{}", listed.stdout);
    assert_eq!(schedules(&["ls", "--prefix", "a", "-o", "ids"]).await?.stdout, "alarm\n");
    let paused = schedules(&["pause", "nightly", "alarm"]).await?;
    assert_eq!(paused.stdout, "paused 2 schedules\n", "{}", paused.stderr);
    assert!(schedules(&["get", "nightly"]).await?.stdout.contains("paused by"));
    assert_eq!(schedules(&["pause", "unknown"]).await?.code, Some(4));
    schedules(&["resume", "nightly", "alarm"]).await?;
    let moved = schedules(&["move", "alarm", "--at", "2091-01-01T00:00:00Z"]).await?;
    assert_eq!(moved.stdout, "moved 1 schedule\n", "{}", moved.stderr);

    let run = on(&ground.url, &["cron", "trigger", "nightly", "-o", "ids"]).await?;
    let id = run.stdout.trim().parse()?;
    until("it ends", async || {
        node.get(id).await.is_ok_and(|run| run.is_some_and(|run| run.status.is_terminal()))
    })
    .await;
    let found = on(&ground.url, &["ls", "trigger:cron trigger_key:nightly", "-o", "ids"]).await?;
    assert_eq!(found.stdout, run.stdout);
    let shown = on(&ground.url, &["get", run.stdout.trim()]).await?.stdout;
    let trigger = shown.lines().find(|line| line.contains("trigger")).expect("a trigger");
    assert!(trigger.contains("cron nightly of 20") && trigger.contains(" by "), "{trigger}");
    assert_eq!(schedules(&["delete", "nightly", "gone"]).await?.stdout, "deleted 1 schedule\n");
    assert_eq!(schedules(&["delete", "alarm"]).await?.stdout, "deleted 1 schedule\n");
    let unknown = schedules(&["delete", "nightly"]).await?;
    assert_eq!((unknown.code, &*unknown.stderr), (Some(4), "runlog: there is no schedule \"nightly\"\n"));
    assert_eq!(schedules(&["get", "nightly"]).await?.code, Some(4));
    Ok(())
}
