//! `runlog verify`.

use std::process::Output;

use anyhow::Result;
use runlog::store::postgres::INVARIANTS;
use serde_json::{Value, json};

use super::runlog;
use crate::store::postgres::verify::sound::sound;
use crate::support::{Ground, Postgres};
use crate::testing::postgres::Folder;

/// What the command printed, and its exit code.
struct Printed {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `runlog verify`, beside the tests' own futures.
async fn verify(arguments: &[&str]) -> Result<Printed> {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let ran = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> =
            ["verify"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        runlog(&Folder::new()?, &arguments)
    });
    let Output { status, stdout, stderr } = ran.await??;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    Ok(Printed { code: status.code(), stdout, stderr })
}

#[tokio::test]
async fn the_list_names_every_invariant_and_needs_no_database() -> Result<()> {
    let listed = verify(&["--list"]).await?;
    let names: Vec<_> =
        listed.stdout.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(names, INVARIANTS.iter().map(|invariant| invariant.name).collect::<Vec<_>>());
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    assert!(
        listed
            .stdout
            .contains("\na_step_is_completed_once                 a step has one recorded outcome\n")
    );

    let listed: Value = serde_json::from_str(&verify(&["--list", "-o", "json"]).await?.stdout)?;
    assert_eq!(listed[10], json!({ "name": INVARIANTS[10].name, "says": INVARIANTS[10].says }));
    Ok(())
}

#[tokio::test]
async fn it_is_printed_as_every_verb_is() -> Result<()> {
    let plain = verify(&["--list"]).await?.stdout;
    let painted = verify(&["--list", "--color", "always"]).await?.stdout;
    assert!(painted.contains("\u{1b}[1m") && !plain.contains('\u{1b}'), "{painted}");
    assert_eq!(painted.replace("\u{1b}[1m", "").replace("\u{1b}[0m", ""), plain);
    Ok(())
}

#[tokio::test]
async fn a_statement_is_printed_for_one_run() -> Result<()> {
    let run = "0198f3a2-0000-7000-8000-000000000000";
    let printed = verify(&["--sql", "log_begins_with_creation", "--run", run]).await?;
    let expected = format!(
        "-- A log begins with run_created, and holds no second one.\n\
         -- binds: first run, last run, now, grace\n\
         -- index: events_pkey\n\
         select run_id as run, array[seq] as seqs, format('seq %s is %s', seq, kind) as detail\n\
         from runlog.events\n\
         where run_id between '{run}'::uuid and '{run}'::uuid and (seq = 1) <> (kind = 'run_created')\n\
         order by run_id, seq;\n"
    );
    assert_eq!((printed.code, printed.stdout, printed.stderr), (Some(0), expected, String::new()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_database_is_told_line_by_line() -> Result<()> {
    let ground = sound().await;
    let Printed { code, stdout, stderr } = verify(&[&ground.url]).await?;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let runs = ground.count("select count(*) from runlog.runs").await;
    let lines: String = INVARIANTS.iter().map(|invariant| format!("  ✓ {}\n", invariant.name)).collect();
    let options: sqlx::postgres::PgConnectOptions = ground.url.parse()?;
    let database = options.get_database().unwrap_or_default();
    assert!(stdout.starts_with(&format!("checking {database} at ")), "{stdout}");
    let (_, rest) = stdout.split_once('\n').unwrap_or_default();
    assert_eq!(rest, format!("{lines}\nall {} invariants hold over {runs} runs\n", INVARIANTS.len()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_run_by_run_and_the_rest_is_counted() -> Result<()> {
    let ground = sound().await;
    ground
        .psql(
            "begin; set local session_replication_role = replica;
             delete from runlog.events where seq = 2 and run_id in (
                 select id from runlog.runs where key in ('waiting', 'signalled')
             );
             update runlog.runs set mail = 7 where key = 'waiting'; commit",
        )
        .await
        .map_err(anyhow::Error::msg)?;
    let first: uuid::Uuid = sqlx::query_scalar("select id from runlog.runs where key = 'waiting'")
        .fetch_one(&ground.pool)
        .await?;
    let told = [
        format!(
            "\n  ✗ log_is_dense: 2 violations; a log counts its events 1, 2, 3, … without a hole\n      \
             run {first} seq 2: seq 3 follows 1\n      and 1 more\n  ✓ nothing_follows_the_end\n"
        ),
        format!(
            "\n  ✗ no_message_is_lost: 1 violation; every message that was sent to a live run is in its log or its \
             inbox\n      run {first}: 7 messages were sent, 0 are in the log and 0 in the inbox\n"
        ),
    ];
    let Printed { code, stdout, stderr } = verify(&["--limit", "1", "--database-url", &ground.url]).await?;
    assert_eq!((code, stderr.as_str()), (Some(1), ""), "{stdout}");
    assert!(told.iter().all(|piece| stdout.contains(piece)), "{stdout}");
    assert!(!stdout.contains('\x1b'), "colour without a terminal:\n{stdout}");

    let run = first.to_string();
    let Printed { code, stdout, .. } = verify(&[&ground.url, "--run", &run, "-o", "json"]).await?;
    let report: Value = serde_json::from_str(&stdout)?;
    assert_eq!((code, &report["holds"], &report["runs"]), (Some(1), &json!(false), &json!(1)));
    let found = json!({
        "name": "log_is_dense",
        "holds": false,
        "violations": 1,
        "found": [{ "run": run, "seqs": [2], "detail": "seq 3 follows 1" }],
    });
    assert_eq!(report["invariants"][2], found, "{stdout}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_writes_is_checked() -> Result<()> {
    let ground = Postgres::new().await;
    let name = ground.pool.connect_options().get_database().unwrap_or_default().to_owned();
    let alter = format!("alter database {name} set default_transaction_read_only = on");
    ground.psql(&alter).await.map_err(anyhow::Error::msg)?;
    let Printed { code, stdout, stderr } = verify(&[&ground.url]).await?;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.ends_with("invariants hold over 0 runs\n"), "{stdout}");
    Ok(())
}

/// Says that nothing was checked, and why.
async fn assert_not_checked(arguments: &[&str], why: &str) -> Result<()> {
    let Printed { code, stderr, .. } = verify(arguments).await?;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains(why) && stderr.lines().count() <= 3, "{stderr}");
    assert!(!stderr.contains("secret"), "{stderr}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_checked_is_told_apart_from_what_is_broken() -> Result<()> {
    assert_not_checked(&[], "runlog: no database is named: give its URL, or set DATABASE_URL").await?;
    assert_not_checked(&["nonsense"], "runlog: the database's URL cannot be read: ").await?;
    let nobody = "postgres://somebody:secret@127.0.0.1:1/nowhere";
    assert_not_checked(&[nobody], "runlog: the database nowhere at 127.0.0.1:1 cannot be checked: ").await?;
    let empty = Postgres::empty().await;
    assert_not_checked(&[&empty.url], "cannot be checked: the schema is at migration 0, this release needs ")
        .await?;
    let newer = Postgres::new().await;
    newer
        .psql("insert into runlog.migrations values (9999, 'later', now(), true, '', 0)")
        .await
        .map_err(anyhow::Error::msg)?;
    assert_not_checked(&[&newer.url], "the schema is at migration 9999, this release knows ").await
}

#[tokio::test]
async fn bad_arguments_are_refused() -> Result<()> {
    for (arguments, why) in [
        (["--sql", "everything"], "there is no such invariant: `runlog verify --list` names them"),
        (["--grace", "soon"], "invalid value 'soon' for '--grace <DURATION>'"),
        (["--run", "7"], "is not a run id"),
        (["--output", "xml"], "[possible values: text, json, jsonl, ids]"),
    ] {
        let Printed { code, stderr, .. } = verify(&arguments).await?;
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
    }
    Ok(())
}
