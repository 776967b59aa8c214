//! The two workflows: a folder, and a file of it as its child run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use futures_util::{FutureExt, StreamExt};
use runlog::{Cx, CxError, Retry, Workflow};
use serde::{Deserialize, Serialize};

use crate::files::{self, Counts, FileError, Hashed, Page};

/// Child runs at work at once: enough to keep two processors and the disk busy, whatever the number of files.
const IN_FLIGHT_MAX: usize = 64;

/// Failures that are told one by one; all are counted, and each is the error of its child run.
const FAILURES_TOLD_MAX: usize = 100;

/// What the run of a folder is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FolderJob {
    /// The folder's canonical path, as [`files::to_text`] writes it.
    pub(crate) folder: String,
}

/// What the run of a file is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FileJob {
    folder: String,
    /// The file's path in the folder.
    path: String,
    /// The folder's run.
    run: String,
}

/// What the run of a folder gives.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) files: i64,
    pub(crate) counts: Counts,
    pub(crate) failed: usize,
    /// The first failures: paths and reasons.
    pub(crate) failures: Vec<(String, String)>,
}

/// Makes the workflow of a folder: lists it page by page, runs a child for each file, sums up.
pub(crate) fn folder(file: &Workflow<FileJob, ()>) -> Workflow<FolderJob, Summary> {
    let file = file.clone();
    Workflow::function("ingest folder", move |cx, job| ingest_folder(cx, job, file.clone()))
        .retry(Retry::exponential(Duration::from_millis(200)))
}

async fn ingest_folder(cx: Cx, job: FolderJob, file: Workflow<FileJob, ()>) -> anyhow::Result<Summary> {
    let folder = files::to_path(&job.folder);
    let mut summary = Summary::default();
    let mut after: Option<String> = None;
    loop {
        let page: Page = cx.step("list", || list(folder.clone(), after.clone())).input(&after).await?;
        page.unreadable.into_iter().for_each(|(path, reason)| summary.fail(path, reason));

        // Built in the page's order, whatever the order in which they end: that is each child's place in the log.
        let children = page.files.into_iter().map(|path| {
            let job =
                FileJob { folder: job.folder.clone(), path: path.clone(), run: cx.run_id().to_string() };
            cx.child(&file, job).map(|ended| (path, ended))
        });
        let mut children = futures_util::stream::iter(children).buffer_unordered(IN_FLIGHT_MAX);
        let mut failures = Vec::new();
        while let Some((path, ended)) = children.next().await {
            match ended {
                Ok(()) => {}
                Err(CxError::Child { error, status, .. }) => {
                    failures.push((path, error.map_or_else(|| status.to_string(), |error| error.message)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        failures.sort();
        failures.into_iter().for_each(|(path, reason)| summary.fail(path, reason));

        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let (run, folder) = (cx.run_id().uuid(), job.folder);
    let (files, counts) = cx.transaction("sum up", move |tx| sum_up(tx, folder, run).boxed()).await?;
    Ok(Summary { files, counts, ..summary })
}

impl Summary {
    fn fail(&mut self, path: String, reason: String) {
        self.failed += 1;
        if self.failures.len() < FAILURES_TOLD_MAX {
            self.failures.push((path, reason));
        }
    }
}

async fn list(folder: PathBuf, after: Option<String>) -> anyhow::Result<Page> {
    let after = after.as_deref().map(files::to_path);
    let page = tokio::task::spawn_blocking(move || files::list(&folder, after.as_deref())).await?;
    page.context("the folder cannot be listed")
}

/// Drops the rows of files that an earlier run booked and this one did not find, and sums up the others.
async fn sum_up(
    tx: &mut sqlx::PgTransaction<'static>,
    folder: String,
    run: sqlx::types::Uuid,
) -> Result<(i64, Counts), sqlx::Error> {
    sqlx::query("delete from ingest_files where folder = $1 and run <> $2")
        .bind(&folder)
        .bind(run)
        .execute(&mut **tx)
        .await?;
    let sums = "select count(*), coalesce(sum(lines), 0)::bigint, coalesce(sum(words), 0)::bigint, \
                coalesce(sum(bytes), 0)::bigint from ingest_files where folder = $1";
    let (files, lines, words, bytes) = sqlx::query_as(sums).bind(&folder).fetch_one(&mut **tx).await?;
    Ok((files, Counts { lines, words, bytes }))
}

/// Makes the workflow of a file: two steps that read it, and a transaction that books it.
pub(crate) fn file() -> Workflow<FileJob, ()> {
    // For the database's sake; a file that cannot be read gets its chances, too.
    Workflow::function("ingest file", ingest_file).retry(Retry::exponential(Duration::from_millis(100)))
}

async fn ingest_file(cx: Cx, job: FileJob) -> anyhow::Result<()> {
    let path = files::to_path(&job.folder).join(files::to_path(&job.path));
    let counts = cx.step("count", || blocking(&path, files::count)).await?;
    let hashed = cx.step("hash", || blocking(&path, files::hash)).await?;
    if counts.bytes != hashed.bytes {
        return Err(FileError::Changed { counted: counts.bytes, hashed: hashed.bytes }.into());
    }
    cx.transaction("book", move |tx| book(tx, job, counts, hashed).boxed()).await?;
    Ok(())
}

/// Reads a file where it may block.
fn blocking<T: Send + 'static>(
    path: &Path,
    read: fn(&Path) -> Result<T, FileError>,
) -> impl Future<Output = Result<T, FileError>> + Send + use<T> {
    let path = path.to_path_buf();
    let read = tokio::task::spawn_blocking(move || read(&path));
    async move { read.await.map_err(std::io::Error::other)? }
}

/// Books a file: counts how often that happened in this run, which must be once.
async fn book(
    tx: &mut sqlx::PgTransaction<'static>,
    job: FileJob,
    counts: Counts,
    hashed: Hashed,
) -> Result<(), sqlx::Error> {
    let statement = "insert into ingest_files as old (folder, path, lines, words, bytes, sha256, run, booked) \
                     values ($1, $2, $3, $4, $5, $6, $7::uuid, 1) \
                     on conflict (folder, path) do update \
                     set lines = excluded.lines, words = excluded.words, bytes = excluded.bytes, \
                         sha256 = excluded.sha256, run = excluded.run, \
                         booked = case when old.run = excluded.run then old.booked + 1 else 1 end";
    let query = sqlx::query(statement).bind(job.folder).bind(job.path);
    let query = query.bind(counts.lines).bind(counts.words).bind(counts.bytes);
    query.bind(hashed.sha256).bind(job.run).execute(&mut **tx).await?;
    Ok(())
}
