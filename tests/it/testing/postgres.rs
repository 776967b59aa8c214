//! Private Postgres servers: started, found again, and never left behind.

use std::env;
use std::fs;
use std::future::pending;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use runlog::testing::postgres::{Binaries, Durability, Error, Server};
use sqlx::{Connection, Executor, PgConnection, Row};

#[tokio::test]
async fn a_temporary_server_answers_and_leaves_nothing_behind() -> Result<()> {
    let server = Server::temporary(Durability::Fast).await?;
    assert_eq!(ask(&server.url("postgres"), "show fsync").await?, "off");
    let (folder, pid) = (server.folder().to_path_buf(), server.pid().context("it runs")?);
    assert!(is_alive(pid));

    server.stop().await?;

    assert!(!is_alive(pid), "process {pid} is still there");
    assert!(!folder.exists(), "{} is still there", folder.display());
    Ok(())
}

#[tokio::test]
async fn a_dropped_server_leaves_nothing_behind() -> Result<()> {
    let server = Server::temporary(Durability::Fast).await?;
    let (folder, pid) = (server.folder().to_path_buf(), server.pid().context("it runs")?);

    drop(server);

    // The folder goes last. The process stays in the table until its parent, this test, ends.
    until("the folder is gone", || !folder.exists()).await?;
    assert!(!Path::new(&format!("/proc/{pid}/exe")).exists(), "process {pid} still runs");
    Ok(())
}

#[tokio::test]
async fn a_durable_server_keeps_the_defaults_of_postgres() -> Result<()> {
    let server = Server::temporary(Durability::Durable).await?;
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(ask(&server.url("postgres"), &format!("show {setting}")).await?, "on", "{setting}");
    }
    server.stop().await?;
    Ok(())
}

/// Set in the environment of a second process that runs one test of this file as the owner to be killed.
const OWNER: &str = "RUNLOG_TEST_SERVER_OWNER";

#[tokio::test]
async fn a_server_outlives_no_sigkilled_owner() -> Result<()> {
    if env::var_os(OWNER).is_some() {
        let server = Server::temporary(Durability::Fast).await?;
        println!("\nowned {} {}", server.pid().context("it runs")?, server.folder().display());
        return pending().await;
    }
    let test = "testing::postgres::a_server_outlives_no_sigkilled_owner";
    let mut owner = Command::new(env::current_exe()?)
        .args(["--exact", test, "--nocapture"])
        .env(OWNER, "yes")
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(owner.stdout.take().context("its output")?).lines();
    let line = lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix("owned ")?.to_owned()));
    let line = line.context("the owner says what it owns")?;
    let (pid, folder) = line.split_once(' ').context("a pid and a folder")?;
    let (pid, folder) = (pid.parse()?, PathBuf::from(folder));
    assert!(is_alive(pid) && folder.exists());

    owner.kill()?;
    owner.wait()?;

    until("the server and its folder are gone", || !is_alive(pid) && !folder.exists()).await
}

#[tokio::test]
async fn a_kept_cluster_is_reused_and_survives_a_crash() -> Result<()> {
    let folder = Folder::new()?;
    let mut first = Server::at(folder.path("cluster"), Durability::Durable).await?;
    let url = first.url("postgres");
    run(&url, "create table kept as select 42::text as answer").await?;

    let second = Server::at(folder.path("cluster"), Durability::Durable).await?;
    assert!(second.is_borrowed() && !first.is_borrowed());
    assert_eq!((second.pid(), second.url("postgres")), (first.pid(), url.clone()));
    second.stop().await?;
    assert_eq!(ask(&url, "select answer from kept").await?, "42", "a borrowed server is left running");

    let before = first.pid();
    first.crash().await?;
    assert_eq!(first.pid(), None);
    assert!(ask(&url, "select answer from kept").await.is_err(), "nobody answers after a crash");
    first.resume().await?;
    assert_ne!(first.pid(), before);
    assert_eq!(ask(&url, "select answer from kept").await?, "42");
    let log = fs::read_to_string(first.folder().join("log"))?;
    assert!(log.contains("was not properly shut down"), "the crash was none: {log}");

    first.stop().await?;
    let third = Server::at(folder.path("cluster"), Durability::Durable).await?;
    assert!(!third.is_borrowed());
    assert_eq!(ask(&third.url("postgres"), "select answer from kept").await?, "42");
    third.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_server_whose_main_process_was_killed_is_started_again() -> Result<()> {
    let folder = Folder::new()?;
    let mut server = Server::at(folder.path("cluster"), Durability::Durable).await?;
    run(&server.url("postgres"), "create table kept as select 42::text as answer").await?;
    let pid = server.pid().context("it runs")?;

    Command::new("kill").args(["-KILL", &pid.to_string()]).status()?;
    until("the server is dead", || server.pid().is_none()).await?;
    server.resume().await?;

    assert_ne!(server.pid(), Some(pid));
    assert_eq!(ask(&server.url("postgres"), "select answer from kept").await?, "42");
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_pid_file_that_names_another_process_is_no_obstacle() -> Result<()> {
    let folder = Folder::new()?;
    let server = Server::at(folder.path("cluster"), Durability::Fast).await?;
    let data = server.folder().join("data");
    let files = [data.join("postmaster.pid"), server.folder().join(".s.PGSQL.5432.lock")];
    let texts = [fs::read_to_string(&files[0])?, fs::read_to_string(&files[1])?];
    let pid = server.pid().context("it runs")?;
    server.stop().await?;

    // A live process of the same user as the server: another server.
    let other = Server::temporary(Durability::Fast).await?;
    let other_pid = other.pid().context("it runs")?;
    for (file, text) in files.iter().zip(texts) {
        fs::write(file, text.replacen(&pid.to_string(), &other_pid.to_string(), 1))?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o666))?;
    }

    let server = Server::at(folder.path("cluster"), Durability::Fast).await?;
    assert!(!server.is_borrowed());
    assert_eq!(ask(&server.url("postgres"), "select 'here'").await?, "here");
    assert!(is_alive(other_pid));
    server.stop().await?;
    other.stop().await?;
    Ok(())
}

#[tokio::test]
async fn clusters_can_be_started_at_the_same_time_in_one_folder() -> Result<()> {
    let folder = Folder::new()?;
    let at = || Server::at(folder.path("cluster"), Durability::Fast);
    let (left, right) = tokio::join!(at(), at());
    let (left, right) = (left?, right?);
    assert_eq!(left.pid(), right.pid());
    assert_ne!(left.is_borrowed(), right.is_borrowed());
    left.stop().await?;
    right.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_folder_may_have_an_odd_name() -> Result<()> {
    let folder = Folder::new()?;
    let server = Server::at(folder.path("odd'\" %2F,é"), Durability::Fast).await?;
    assert_eq!(ask(&server.url("postgres"), "select 'here'").await?, "here");
    let again = Server::at(folder.path("odd'\" %2F,é"), Durability::Fast).await?;
    assert_eq!(ask(&again.url("postgres"), "select 'here'").await?, "here");
    again.stop().await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_folder_with_a_long_path_still_gets_a_server() -> Result<()> {
    let folder = Folder::new()?;
    let server = Server::at(folder.path(&"long".repeat(30)), Durability::Fast).await?;
    let sockets = ask(&server.url("postgres"), "show unix_socket_directories").await?;
    let sockets = PathBuf::from(sockets.trim_matches('"'));
    assert!(sockets.exists());

    server.stop().await?;

    assert!(!sockets.exists(), "{} is still there", sockets.display());
    Ok(())
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_the_end_of_its_log() -> Result<()> {
    let folder = Folder::new()?;
    let server = Server::at(folder.path("cluster"), Durability::Fast).await?;
    let settings = server.folder().join("data/postgresql.conf");
    server.stop().await?;
    fs::write(settings, "no_such_setting = 1\n")?;

    let error =
        Server::at(folder.path("cluster"), Durability::Fast).await.err().context("it cannot start")?;

    assert!(matches!(error, Error::Start { .. }), "{error}");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused() -> Result<()> {
    let folder = Folder::new()?;
    let server = Server::at(folder.path("cluster"), Durability::Fast).await?;
    let version = server.folder().join("data/PG_VERSION");
    server.stop().await?;
    fs::write(version, "9\n")?;

    let error = Server::at(folder.path("cluster"), Durability::Fast).await.err().context("it is refused")?;

    assert!(matches!(&error, Error::OtherVersion { found, .. } if found == "9"), "{error}");
    Ok(())
}

#[test]
fn missing_binaries_are_explained_in_three_lines() -> Result<()> {
    let folder = Folder::new()?;
    let error = Binaries::search(&[folder.path("nowhere")]).err().context("nothing is there")?;
    assert_eq!(
        error.to_string(),
        "no postgres server found; on Debian or Ubuntu: sudo apt-get install postgresql\n\
         on macOS: brew install postgresql@17\n\
         or set DATABASE_URL to a running server, or build with `--features embedded`, which downloads one"
    );
    Ok(())
}

#[test]
fn a_too_old_server_is_refused() -> Result<()> {
    let folder = Folder::new()?;
    let old = fake_programs(&folder, "old", "postgres (PostgreSQL) 13.14 (Debian 13.14-1)")?;
    let error = Binaries::search(std::slice::from_ref(&old)).err().context("it is too old")?;
    assert!(matches!(&error, Error::TooOld { version, .. } if version == "13.14"), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "postgres 13.14 in {} is too old: install version 14 or newer, or set DATABASE_URL",
            old.display()
        )
    );
    Ok(())
}

#[test]
fn a_too_old_server_does_not_hide_a_newer_one() -> Result<()> {
    let folder = Folder::new()?;
    let old = fake_programs(&folder, "old", "postgres (PostgreSQL) 9.6.24")?;
    let new = fake_programs(&folder, "new", "postgres (PostgreSQL) 18beta1")?;
    let found = Binaries::search(&[old, new.clone()])?;
    assert_eq!((found.folder(), found.version(), found.major()), (new.as_path(), "18beta1", 18));
    Ok(())
}

/// A temporary folder through which every user may pass, as the server's user has to where this one is root.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_alphanumeric(), "");
        let path = env::temp_dir().join(format!("runlog-it-{}-{thread}", std::process::id()));
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fake_programs(folder: &Folder, name: &str, version: &str) -> Result<PathBuf> {
    let bin = folder.path(name);
    fs::create_dir(&bin)?;
    for program in ["initdb", "postgres"] {
        let program = bin.join(program);
        fs::write(&program, format!("#!/bin/sh\necho '{version}'\n"))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    Ok(bin)
}

/// Runs a statement.
pub(super) async fn run(url: &str, statement: &'static str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(statement).await?;
    connection.close().await?;
    Ok(())
}

/// The first column of the first row, a text.
pub(super) async fn ask(url: &str, query: &str) -> Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    let row = connection.fetch_one(sqlx::AssertSqlSafe(query.to_owned())).await?;
    connection.close().await?;
    Ok(row.try_get(0)?)
}

fn is_alive(pid: u32) -> bool {
    let kill = Command::new("kill").args(["-0", &pid.to_string()]).stderr(Stdio::null()).status();
    kill.is_ok_and(|status| status.success())
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    for _ in 0..1500 {
        if holds() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("30 s passed before {what}")
}
