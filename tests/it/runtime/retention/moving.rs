//! Runs that move to another database as JSON lines.

use runlog::Status;
use runlog::inspect::{ImportError, read_export};
use runlog::runtime::Error;

use super::*;
use crate::support::{Ground, Memory, gate};

const INPUT: &str = "{\"z\": 123456789012345678901234567890,\n \"a\":1.50}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_folds_to_the_same_state_in_another_database() {
    let (here, there) = (Postgres::new().await, Postgres::new().await);
    let (from, to) = (
        here.builder().workflow(echo()).start().await.unwrap(),
        there.builder().workflow(echo()).start().await.unwrap(),
    );
    let run = ended(&from, "order", INPUT).await;
    let exported = from.export(run.id()).await.unwrap().unwrap();
    archive_at_once(&from).await;
    from.prune_now().await.unwrap();
    assert_eq!(from.export(run.id()).await.unwrap().unwrap(), exported, "archived or not");

    assert_eq!(to.import(&exported).await.unwrap(), run.id());

    let mut imported = to.get(run.id()).await.unwrap().unwrap();
    assert!(std::mem::take(&mut imported.imported));
    assert_eq!(imported, run.get().await.unwrap());
    assert_eq!(imported.input.text(), INPUT);
    assert_eq!(to.events(run.id(), 0, 100).await.unwrap(), from.events(run.id(), 0, 100).await.unwrap());
    assert_eq!(to.export(run.id()).await.unwrap().unwrap(), exported, "and back again");
    assert_eq!(to.find("echo", "order").await.unwrap(), None, "its key is free here");
    assert!(to.run(&echo(), json("1")).key("order").start_or_get().await.unwrap().created);
    let again = to.import(&exported).await.unwrap_err();
    assert!(matches!(again, Error::Import(ImportError::Exists { .. })), "{again:?}");
    let at_home = from.import(&exported).await.unwrap_err();
    assert!(matches!(at_home, Error::Import(ImportError::Exists { .. })), "{at_home:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_not_archived_is_refused_where_it_comes_from() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = ended(&runtime, "order", "1").await;
    let exported = runtime.export(run.id()).await.unwrap().unwrap();
    let refused = runtime.import(&exported).await.unwrap_err();
    assert!(matches!(refused, Error::Import(ImportError::Exists { .. })), "{refused:?}");
    assert_eq!(ground.count("select count(*) from runlog.archived_runs").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_run_is_exported_and_not_imported() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    let exported = runtime.export(run.id()).await.unwrap().unwrap();

    assert_eq!(read_export(&exported).unwrap().state.status, Status::Running);
    let other = Postgres::new().await;
    let client = other.builder().client().start().await.unwrap();
    let refused = client.import(&exported).await.unwrap_err();

    assert_eq!(
        refused.to_string(),
        format!(
            "run {} is RUNNING: only a run that has ended is imported, export it again after its end",
            run.id()
        )
    );
    assert_eq!(runtime.export("01a0a9b6-f5e6-7c4c-8a42-38a0b923820d".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_export_is_refused_with_what_is_wrong() {
    let ground = Memory::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = ended(&runtime, "order", "1").await;
    let exported = runtime.export(run.id()).await.unwrap().unwrap();
    let lines: Vec<&str> = exported.lines().collect();
    let refused = |lines: &[&str]| read_export(&lines.join("\n")).unwrap_err().to_string();
    let (head, body) = lines.split_first().unwrap();
    let with = |line: usize, from: &str, to: &str| {
        let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        assert!(changed[line].contains(from), "{}", changed[line]);
        changed[line] = changed[line].replace(from, to);
        read_export(&changed.join("\n")).unwrap_err().to_string()
    };

    assert_eq!(refused(&[]), "the first line is no header of an exported run: there is no line at all");
    assert!(refused(body).starts_with("the first line is no header of an exported run: missing field"));
    assert_eq!(
        with(0, "\"runlog_export\":1", "\"runlog_export\":2"),
        "the export has format 2, this release reads up to 1: upgrade it"
    );
    assert_eq!(
        refused(&lines[..lines.len() - 1]),
        "the header says 6 events, the events 5 events: the export was cut or changed"
    );
    assert_eq!(
        with(0, "SUCCEEDED", "FAILED"),
        "the header says FAILED echo 1 of default, the events SUCCEEDED echo 1 of default: the export was cut or changed"
    );
    assert!(refused(&[*head, "{\"seq\":1"]).starts_with("line 2: EOF while parsing"));
    assert!(with(3, "\"kind\":\"", "\"kind\":\"un").contains("line 4: event kind"));
    assert!(with(2, "\"seq\":2", "\"seq\":3").contains("seq 3 follows 1"));
    let swapped = [&lines[..3], &[lines[4], lines[3]], &lines[5..]].concat();
    assert!(refused(&swapped).contains("seq 4 follows 2"));
    let imported = runtime.import(&exported).await.unwrap_err();
    assert!(matches!(imported, Error::Store(_)), "the memory store has no archive: {imported:?}");
}
