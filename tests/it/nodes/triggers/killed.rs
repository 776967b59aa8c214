//! Processes that are killed in the middle of their pushes.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use runlog::runtime::Pushed;
use runlog::testing::postgres::Databases;
use sqlx::PgPool;

use super::*;
use crate::store::postgres::verify::{at_once, told};

/// Names the database for the process that is to be killed.
const KILLED: &str = "RUNLOG_TEST_KILLED_PUSHER";
/// Says which event the process pushes first, and how many.
const FROM: &str = "RUNLOG_TEST_PUSHES_FROM";
const COUNT: &str = "RUNLOG_TEST_PUSHES";
/// How many pushes a process has under way at a time.
const AT_ONCE: usize = 20;

/// Not a test by itself: what a test runs as another process, to kill it. It says what it asks and what it was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let Ok(url) = std::env::var(KILLED) else { return };
    let number = |name: &str| std::env::var(name).unwrap().parse::<usize>().unwrap();
    let runtime = start(Runtime::builder(PgPool::connect(&url).await.unwrap())).await;
    let mut pushes = JoinSet::new();
    for n in number(FROM)..number(FROM) + number(COUNT) {
        if pushes.len() == AT_ONCE {
            pushes.join_next().await.unwrap().unwrap();
        }
        let runtime = runtime.clone();
        pushes.spawn(async move {
            println!("\nasks {n}");
            runtime.push(event(n)).await.unwrap();
            println!("\nanswered {n}");
        });
    }
    std::future::pending().await
}

/// A process that pushes, and what it said so far.
struct Pusher {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    asked: BTreeSet<usize>,
    answered: BTreeSet<usize>,
}

impl Pusher {
    fn spawn(url: &str, from: usize, count: usize) -> Pusher {
        let test = ["--exact", "nodes::triggers::killed::the_process_that_is_killed", "--nocapture"];
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(test).env(KILLED, url).env(FROM, from.to_string()).env(COUNT, count.to_string());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Pusher { process, lines, asked: BTreeSet::new(), answered: BTreeSet::new() }
    }

    /// Hears the next thing that it says; `None` once it is dead. Returns the event that it asks for.
    fn hear(&mut self) -> Option<Option<usize>> {
        let line = self.lines.next()?.unwrap();
        let number = |what: &str| line.strip_prefix(what).and_then(|n| n.parse().ok());
        self.answered.extend(number("answered "));
        let asked = number("asks ");
        self.asked.extend(asked);
        Some(asked)
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        assert_eq!(self.process.wait().unwrap().signal(), Some(9));
    }
}

/// Checks that each event is there with exactly the runs that it starts, and that all of them end.
async fn assert_whole(ground: &Postgres, events: &BTreeSet<usize>) {
    let count = async |sql: &str| ground.count(sql).await;
    let odd = events.iter().filter(|n| *n % 2 == 1).count();
    assert_eq!(count("select count(*) from runlog.trigger_events").await, events.len() as i64);
    let runs = (events.len() + odd) as i64;
    assert_eq!(count("select count(*) from runlog.runs where trigger = 'event'").await, runs);
    // Those that its answer names, and no others.
    let strange = "select count(*) from runlog.trigger_events e
        where array(select r.id::text from runlog.runs r where r.trigger_id = e.id order by 1) <>
              array(select o ->> 'run' from jsonb_array_elements(e.outcomes::jsonb) o where o ->> 'run' is not null order by 1)";
    assert_eq!(count(strange).await, 0);
    until("all of them have ended", async || ground.unfinished().await == 0).await;
    let succeeded = "select count(*) from runlog.runs where status = 'SUCCEEDED'";
    assert_eq!(count(succeeded).await, runs);
    let report = verify(&ground.pool, &at_once()).await.unwrap();
    assert!(report.holds(), "{}", told(&report).join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_starts_its_runs_once_whoever_is_killed_in_the_middle_of_a_push() {
    // A process that is killed must not take the shared server's watchdog with it.
    Databases::shared().await.unwrap();
    let ground = Postgres::new().await;
    let survivor = start(ground.builder()).await;
    let (mut asked, mut answered) = (BTreeSet::new(), BTreeSet::new());
    for turn in 0..6 {
        // More than it can push before it is dead.
        let mut pusher = Pusher::spawn(&ground.url, turn * 1_000_000, 1_000_000);
        let others = survivor.clone();
        let (runtime, heard) = (tokio::runtime::Handle::current(), 10 + 7 * turn);
        let (pusher, others) = tokio::task::spawn_blocking(move || {
            let mut elsewhere = JoinSet::new();
            let mut is_dead = false;
            while let Some(asks) = pusher.hear() {
                // The survivor is told of some of them at the same time, of no more than it takes.
                if let Some(n) = asks.filter(|n| n % 5 == 0 && elsewhere.len() < 40) {
                    let others = others.clone();
                    elsewhere.spawn_on(async move { others.push(event(n)).await }, &runtime);
                }
                if !is_dead && pusher.answered.len() >= heard {
                    pusher.kill();
                    is_dead = true;
                }
            }
            (pusher, elsewhere)
        })
        .await
        .unwrap();
        for pushed in others.join_all().await {
            pushed.unwrap();
        }
        assert!(pusher.asked.len() > pusher.answered.len(), "the kill came in the middle of its pushes");
        asked.extend(pusher.asked);
        answered.extend(pusher.answered);
    }

    // Whoever asks again, elsewhere, gets the first answer, if there was one.
    for n in &asked {
        let Pushed { is_new, .. } = survivor.push(event(*n)).await.unwrap();
        assert!(!is_new || !answered.contains(n), "event {n} was answered, and is new");
    }
    assert_whole(&ground, &asked).await;
}

/// Kills a process while its push waits for another one of the same event; then the server carries it out, or not.
async fn killed_in_its_push(is_committed: bool) {
    Databases::shared().await.unwrap();
    let ground = Postgres::new().await;
    let survivor = start(ground.builder()).await;
    let mut held = ground.pool.begin().await.unwrap();
    // The same event under way elsewhere: a push of it waits for that one's end.
    let same = "insert into runlog.trigger_events (namespace, id, key, payload, metadata, outcomes)
                values ('default', 'evt_7', 'said', '{}', '{}', '[]')";
    sqlx::query(same).execute(&mut *held).await.unwrap();
    let mut pusher = Pusher::spawn(&ground.url, 7, 1);
    let pushes =
        "from pg_stat_activity where wait_event_type = 'Lock' and query like '%into runlog.trigger_events%'
                  and datname = current_database() and pid <> pg_backend_pid()";
    until("it pushes", async || ground.count(&format!("select count(*) {pushes}")).await == 1).await;

    pusher.kill();

    if !is_committed {
        // The server would not notice before its wait is over: as if the statement had never come.
        let ended = ground.count(&format!("select count(pg_terminate_backend(pid)) {pushes}")).await;
        assert_eq!(ended, 1);
        until("it is gone", async || ground.count(&format!("select count(*) {pushes}")).await == 0).await;
    }
    let there = "select count(*) from runlog.trigger_events";
    assert_eq!(ground.count(there).await, 0, "the kill came too late");
    held.rollback().await.unwrap();
    if is_committed {
        until("the dead process's push", async || ground.count(there).await == 1).await;
    }
    let again = survivor.push(event(7)).await.unwrap();
    assert_eq!(again.is_new, !is_committed);
    assert_eq!(again.outcomes.iter().filter(|outcome| outcome.run.is_some()).count(), 2, "{again:?}");
    assert_whole(&ground, &BTreeSet::from([7])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_the_server_never_carried_out_is_done_by_who_asks_again() {
    killed_in_its_push(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_was_committed_after_its_process_died_is_known_to_who_asks_again() {
    killed_in_its_push(true).await;
}
