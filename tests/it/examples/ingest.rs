//! The example `ingest`: killed again and again, it books every file once.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use runlog::testing::postgres::{Database, Databases};
use sqlx::{Connection, PgConnection};

use super::example;
use crate::testing::postgres::Folder;

/// Files in the folder that is killed over, and kills that must land while files are being booked.
const FILES: usize = 3_000;
const KILLS: usize = 24;

/// Files with names that no list of lines can hold, and how the table names them.
const ODD: [(&[u8], &str); 3] = [
    (b"new\nline.txt", "new\\x0aline.txt"),
    (b"back\\slash.txt", "back\\x5cslash.txt"),
    (b"latin-\xe9.txt", "latin-\\xe9.txt"),
];

#[tokio::test]
async fn every_file_is_booked_once_across_twenty_kills() -> Result<()> {
    let folder = Folder::new()?;
    let root = folder.path("files");
    let files = fill(&root, FILES)?;
    let database = Databases::shared().await?.fresh(None).await?;
    let mut watcher = PgConnection::connect(&database.url).await?;

    for kill in 0..KILLS {
        let before = booked(&mut watcher).await?;
        let mut ingest = start(&root, &database)?;
        // From the first file after a start to far into the work.
        let progress = [1, 90, 7, 130, 40, 2, 110, 64][kill % 8];
        until_booked(&mut watcher, &mut ingest, before + progress).await?;
        kill_running(ingest)?;
        ensure!(booked(&mut watcher).await? < files as i64, "kill {kill} came after the work was done");
        // Some deaths come before it could do anything: while it connects, joins, and waits for the old lease.
        if kill % 4 == 0 {
            let ingest = start(&root, &database)?;
            tokio::time::sleep(Duration::from_millis(40 * kill as u64)).await;
            kill_running(ingest)?;
        }
    }

    let told = finish(&root, &database, 0)?;
    assert!(told.contains(&format!("files    {files}\n")), "{told}");
    assert!(told.contains("resumed  yes, after "), "{told}");
    let table = table(&mut watcher).await?;
    assert_eq!(table.len(), files);
    compare(&root, &table)?;
    let runs = "select count(*), count(*) filter (where status = 'SUCCEEDED') from runlog.runs";
    let runs: (i64, i64) = sqlx::query_as(runs).fetch_one(&mut watcher).await?;
    assert_eq!(
        runs,
        (files as i64 + 1, files as i64 + 1),
        "one run a file and one for the folder, all SUCCEEDED"
    );
    Ok(())
}

#[tokio::test]
async fn a_file_that_vanishes_is_told_and_the_next_run_books_what_is_there() -> Result<()> {
    let folder = Folder::new()?;
    let root = folder.path("files");
    let files = fill(&root, 400)?;
    let (vanishing, changing) = (root.join("zz/vanishes.txt"), root.join("zz/changes.txt"));
    fs::create_dir(root.join("zz"))?;
    fs::write(&vanishing, "here\n")?;
    fs::write(&changing, "one\n")?;
    let database = Databases::shared().await?.fresh(None).await?;
    let mut watcher = PgConnection::connect(&database.url).await?;

    // Listed, but last in the order and far from its turn.
    let mut ingest = start(&root, &database)?;
    until_booked(&mut watcher, &mut ingest, 1).await?;
    kill_running(ingest)?;
    fs::remove_file(&vanishing)?;
    let told = finish(&root, &database, 1)?;
    assert!(told.contains(&format!("files    {}\n", files + 1)), "{told}");
    assert!(told.contains("failed   1\n  zz/vanishes.txt: "), "{told}");
    assert!(told.contains("No such file"), "{told}");

    // A finished run is not taken up again: the next one books the new contents and drops what is gone.
    fs::write(&changing, "one\ntwo three\n")?;
    fs::remove_file(root.join("d3/f3.txt"))?;
    let told = finish(&root, &database, 0)?;
    assert!(told.contains("resumed  no\n"), "{told}");
    let table = table(&mut watcher).await?;
    assert_eq!(table.len(), files);
    assert_eq!(table["zz/changes.txt"].lines_words_bytes, (2, 3, 14));
    compare(&root, &table)
}

/// Fills a new folder with `count` files: sizes, depths and names of all kinds; and with what is no file.
fn fill(root: &Path, count: usize) -> Result<usize> {
    fs::create_dir(root)?;
    for place in 0..37 {
        fs::create_dir_all(root.join(format!("d{place}/deep er/ü")))?;
    }
    let mut random = 1_u64;
    for number in 0..count - ODD.len() {
        let below = ["", "deep er/", "deep er/ü/"][number % 3];
        let mut text = Vec::new();
        while !random.is_multiple_of(97) && text.len() < 20_000 {
            random =
                random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 1;
            text.extend(
                [&b"a"[..], b" ", b"\n", b"\t\t", b"w\xc3\xb6rd ", b"a\0b", b"\r\n"][random as usize % 7],
            );
        }
        random += 1;
        fs::write(root.join(format!("d{}/{below}f{number}.txt", number % 37)), text)?;
    }
    for (name, _) in ODD {
        fs::write(root.join(OsStr::from_bytes(name)), name)?;
    }
    symlink("d1", root.join("link to a folder"))?;
    symlink("d0/f0.txt", root.join("link to a file"))?;
    symlink("nowhere", root.join("link to nothing"))?;
    Ok(count)
}

fn start(root: &Path, database: &Database) -> Result<Child> {
    let mut ingest = example("ingest");
    ingest.arg(root).env("DATABASE_URL", &database.url);
    Ok(ingest.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

/// Lets it work to its end.
fn finish(root: &Path, database: &Database, code: i32) -> Result<String> {
    let output = start(root, database)?.wait_with_output()?;
    let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    ensure!(output.status.code() == Some(code), "{}\n{stdout}\n{stderr}", output.status);
    Ok(stdout)
}

/// Kills with SIGKILL; fails where it had ended by itself.
fn kill_running(mut ingest: Child) -> Result<()> {
    ingest.kill()?;
    let output = ingest.wait_with_output()?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(
        output.status.signal() == Some(9),
        "it ended before the kill: {}\n{stdout}\n{stderr}",
        output.status
    );
    Ok(())
}

async fn until_booked(watcher: &mut PgConnection, ingest: &mut Child, wanted: i64) -> Result<()> {
    // 30 s: a start, the old lease, and the slowest of machines.
    for _ in 0..10_000 {
        if booked(watcher).await? >= wanted {
            return Ok(());
        }
        ensure!(ingest.try_wait()?.is_none(), "it ended before it had booked {wanted} files");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    bail!("no progress within 30 s: {} of {wanted} files are booked", booked(watcher).await?)
}

async fn booked(watcher: &mut PgConnection) -> Result<i64> {
    let there: bool =
        sqlx::query_scalar("select to_regclass('ingest_files') is not null").fetch_one(&mut *watcher).await?;
    if !there {
        return Ok(0);
    }
    Ok(sqlx::query_scalar("select coalesce(sum(booked), 0) from ingest_files").fetch_one(watcher).await?)
}

#[derive(Debug, PartialEq)]
struct Row {
    lines_words_bytes: (i64, i64, i64),
    sha256: String,
}

async fn table(watcher: &mut PgConnection) -> Result<BTreeMap<String, Row>> {
    let rows = "select path, lines, words, bytes, sha256, booked from ingest_files";
    let rows: Vec<(String, i64, i64, i64, String, i32)> = sqlx::query_as(rows).fetch_all(watcher).await?;
    let mut table = BTreeMap::new();
    for (path, lines, words, bytes, sha256, booked) in rows {
        assert_eq!(booked, 1, "{path} is booked {booked} times");
        table.insert(path, Row { lines_words_bytes: (lines, words, bytes), sha256 });
    }
    Ok(table)
}

/// Compares the table with what `find`, `wc` and `sha256sum` say.
fn compare(root: &Path, table: &BTreeMap<String, Row>) -> Result<()> {
    let mut said = BTreeMap::new();
    let (mut plain, mut odd) = (Vec::new(), Vec::new());
    for name in output(tool("find", root).args([".", "-type", "f", "-print0"]))?.split(|byte| *byte == 0) {
        let Some(name) = name.strip_prefix(b"./") else { continue };
        match ODD.iter().find(|(bytes, _)| *bytes == name) {
            Some((_, text)) => odd.push((PathBuf::from(OsStr::from_bytes(name)), *text)),
            None => plain.push(String::from_utf8(name.to_vec())?),
        }
    }
    for names in plain.chunks(500) {
        let counts = String::from_utf8(output(tool("wc", root).args(names))?)?;
        let hashes = String::from_utf8(output(sha256(root).args(names))?)?;
        for ((name, counts), hash) in names.iter().zip(counts.lines()).zip(hashes.lines()) {
            ensure!(counts.ends_with(name.as_str()) && hash.ends_with(name.as_str()), "{counts} {hash}");
            said.insert(name.clone(), row(counts, hash)?);
        }
    }
    for (name, text) in odd {
        let counts = String::from_utf8(output(tool("wc", root).stdin(File::open(root.join(&name))?))?)?;
        let hash = String::from_utf8(output(sha256(root).stdin(File::open(root.join(&name))?))?)?;
        said.insert(text.to_owned(), row(&counts, &hash)?);
    }
    for (path, said) in &said {
        assert_eq!(table.get(path), Some(said), "{path}");
    }
    assert_eq!(table.len(), said.len(), "the table has files that `find` does not");
    Ok(())
}

fn tool(name: &str, root: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root).env("LC_ALL", "C");
    command
}

/// `sha256sum`, or what macOS has in its place.
fn sha256(root: &Path) -> Command {
    if Command::new("sha256sum").arg("--version").output().is_ok() {
        return tool("sha256sum", root);
    }
    let mut command = tool("shasum", root);
    command.args(["-a", "256"]);
    command
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

fn row(counts: &str, hash: &str) -> Result<Row> {
    let mut numbers = counts.split_whitespace().map(str::parse::<i64>);
    let mut next = || -> Result<i64> { Ok(numbers.next().context("three numbers")??) };
    let lines_words_bytes = (next()?, next()?, next()?);
    let sha256 = hash.split_whitespace().next().context("a hash")?.to_owned();
    Ok(Row { lines_words_bytes, sha256 })
}
