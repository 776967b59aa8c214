//! Books every file of a folder in a table: `cargo run --release --example ingest -- FOLDER`.
//!
//! One run for the folder, one child run for each file, which counts the file's lines, words and bytes, hashes it, and
//! books it in the table `ingest_files` together with the run's own checkpoint: exactly once. Kill it whenever you like,
//! with `kill -9` as well; started again, it goes on where it was.
//!
//! - The run's key is the folder's canonical path and a number: an unfinished run is taken up again, after a finished
//!   one the next number starts, which books all files anew, with new contents, and drops the rows of those that went.
//! - Files are what `find FOLDER -type f` lists: symbolic links, pipes and the like are left out. A file that vanished,
//!   cannot be read or changes under our hands is a failed child run and a line in the summary; the exit code is then 1.
//! - A path that is not plain text is written with `\xNN` for every odd byte (and for `\`).
//!
//! The database is the one of `DATABASE_URL`, else a private one in the cache folder.

mod files;
mod folder;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use runlog::testing::postgres::locate;
use runlog::{RunHandle, RunId, RunView, Runtime, Status};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use folder::{FolderJob, Summary};

/// A killed process counts as dead after this long, and its runs go on in the next one.
const LEASE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    match ingest().await {
        Ok(summary) if summary.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("ingest: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn ingest() -> anyhow::Result<Summary> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else { bail!("usage: ingest FOLDER") };
    let folder = Path::new(&folder).canonicalize().with_context(|| format!("{}", folder.display()))?;
    if !folder.is_dir() {
        bail!("{} is not a folder", folder.display());
    }
    let folder = files::to_text(&folder);

    let database = locate(std::env::var("DATABASE_URL").ok().as_deref()).await?.start("ingest").await?;
    let pool = PgPoolOptions::new().max_connections(16).connect(database.url()).await?;
    create_tables(&pool).await?;

    let file_workflow = folder::file();
    let folder_workflow = folder::folder(&file_workflow);
    let runtime = Runtime::builder(pool.clone())
        .workflow(file_workflow)
        .workflow(folder_workflow.clone())
        .node_name("ingest")
        .lease(LEASE)
        .start()
        .await?;

    let (run, resumed) = start(&runtime, &pool, &folder_workflow, &folder).await?;
    let before = if resumed { booked(&pool, run.id()).await? } else { 0 };
    let summary = tokio::select! {
        summary = run.output() => summary?,
        () = show_progress(&pool, run.id()) => bail!("the progress ended before the run"),
    };
    report(&summary, &run.get().await?, resumed.then_some(before));

    runtime.shutdown(Duration::from_secs(5)).await?;
    database.stop().await?;
    Ok(summary)
}

async fn create_tables(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    // Two processes that create one table at the same time would get in each other's way.
    sqlx::query("select pg_advisory_xact_lock(hashtext('ingest'))").execute(&mut *tx).await?;
    let tables = "set local client_min_messages = warning;
        create table if not exists ingest_folders (folder text primary key, number int not null, run uuid);
        create table if not exists ingest_files (
            folder text, path text,
            lines bigint not null, words bigint not null, bytes bigint not null, sha256 text not null,
            run uuid not null, booked int not null,
            primary key (folder, path)
        )";
    sqlx::raw_sql(tables).execute(&mut *tx).await?;
    tx.commit().await
}

/// Takes up the folder's unfinished run, or starts the next one; says whether it was taken up.
///
/// Looking and starting are one transaction: two processes at once work on one run.
async fn start(
    runtime: &Runtime,
    pool: &PgPool,
    workflow: &runlog::Workflow<FolderJob, Summary>,
    folder: &str,
) -> anyhow::Result<(RunHandle<Summary>, bool)> {
    let mut tx = pool.begin().await?;
    sqlx::query("insert into ingest_folders values ($1, 0) on conflict do nothing")
        .bind(folder)
        .execute(&mut *tx)
        .await?;
    let last = "select number, run from ingest_folders where folder = $1 for update";
    let (mut number, last): (i32, Option<sqlx::types::Uuid>) =
        sqlx::query_as(last).bind(folder).fetch_one(&mut *tx).await?;
    let unfinished = match last.and_then(RunId::from_uuid) {
        Some(run) => runtime.get(run).await?.is_some_and(|view| !view.status.is_terminal()),
        None => false,
    };
    // Asking for the key of an unfinished run gives that run.
    number += i32::from(!unfinished);
    let job = FolderJob { folder: folder.to_owned() };
    let started = runtime.run(workflow, job).key(key(folder, number)).start_in(&mut tx).await?;
    sqlx::query("update ingest_folders set number = $2, run = $3 where folder = $1")
        .bind(folder)
        .bind(number)
        .bind(started.run.id().uuid())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok((started.run, !started.created))
}

/// A key has at most 512 bytes, a path may have more.
fn key(folder: &str, number: i32) -> String {
    use sha2::{Digest, Sha256};
    if folder.len() <= 500 {
        return format!("{folder}#{number}");
    }
    format!("sha256:{}#{number}", files::hex(&Sha256::digest(folder)))
}

async fn booked(pool: &PgPool, run: RunId) -> Result<i64, sqlx::Error> {
    let count = "select count(*) from ingest_files where run = $1";
    sqlx::query_scalar(count).bind(run.uuid()).fetch_one(pool).await
}

/// Shows how many files are booked, where somebody watches; never ends.
async fn show_progress(pool: &PgPool, run: RunId) {
    if !std::io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    loop {
        if let Ok(booked) = booked(pool, run).await {
            eprint!("\r{booked} files ");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn report(summary: &Summary, view: &RunView, before: Option<i64>) {
    if std::io::stderr().is_terminal() {
        eprint!("\r                    \r");
    }
    let seconds = view.execution_time().unwrap_or_default().as_secs_f64();
    let resumed = before.map_or("no".to_owned(), |files| format!("yes, after {files} files"));
    println!("run      {}", view.id);
    println!("files    {}", summary.files);
    println!("lines    {}", summary.counts.lines);
    println!("words    {}", summary.counts.words);
    println!("bytes    {}", summary.counts.bytes);
    println!("seconds  {seconds:.2}");
    println!("resumed  {resumed}");
    if summary.failed > 0 {
        println!("failed   {}", summary.failed);
    }
    for (path, reason) in &summary.failures {
        println!("  {path}: {reason}");
    }
    debug_assert_eq!(view.status, Status::Succeeded);
}
