//! `runlog serve` and `runlog token`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{runlog, runlog_with};
use crate::support::{Ground, Postgres, echo, json, soon};
use crate::telemetry::receiver::Receiver;
use crate::testing::postgres::Folder;

/// A server that is killed when nobody looks after it any more.
struct Served {
    child: Child,
    address: String,
    told: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn serve(arguments: &[&str]) -> Result<Served> {
    serve_with(arguments, &[])
}

fn serve_with(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Served> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runlog"));
    command.arg("serve").args(arguments).env_remove("DATABASE_URL").stdout(Stdio::piped());
    command.envs(variables.iter().copied());
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("its output")?);
    let (mut told, mut line) = (String::new(), String::new());
    while lines.read_line(&mut line)? > 0 {
        told.push_str(&line);
        if let Some((_, rest)) = line.split_once("http://") {
            let address = rest.split('/').next().unwrap_or_default().to_owned();
            return Ok(Served { child, address, told });
        }
        line.clear();
    }
    anyhow::bail!("it does not listen: {told}")
}

fn ask(address: &str, head: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "GET /api/v1/workflows HTTP/1.1\r\n{head}connection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_the_door_and_nothing_else_does() -> Result<()> {
    let (home, ground) = (Folder::new()?, Postgres::new().await);
    let made = runlog(&home, &["token", "new", "ci", "--allow", "read", "--database-url", &ground.url])?;
    assert!(made.status.success(), "{made:?}");
    let secret = String::from_utf8(made.stdout)?;
    let served = serve(&["--database-url", &ground.url, "--listen", "127.0.0.1:0"])?;
    assert!(served.told.contains("for bearer tokens"), "{}", served.told);
    let host = format!("host: {}\r\n", served.address);
    assert!(ask(&served.address, &host)?.starts_with("HTTP/1.1 401 "));
    let bearer = format!("{host}authorization: Bearer {}\r\n", secret.trim());
    assert!(ask(&served.address, &bearer)?.starts_with("HTTP/1.1 200 "));
    let listed = runlog(&home, &["token", "ls", "--database-url", &ground.url])?;
    let listed = String::from_utf8(listed.stdout)?;
    assert!(listed.contains("ci") && !listed.contains(secret.trim()), "{listed}");
    let revoked = runlog(&home, &["token", "revoke", "ci", "--database-url", &ground.url])?;
    assert!(revoked.status.success(), "{revoked:?}");
    assert!(ask(&served.address, &bearer)?.starts_with("HTTP/1.1 401 "));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_refuses_an_open_door_to_the_world() -> Result<()> {
    let (home, ground) = (Folder::new()?, Postgres::new().await);
    let world = ["serve", "--insecure", "--listen", "0.0.0.0:0", "--database-url", &ground.url];
    let refused = runlog(&home, &world)?;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8(refused.stderr)?.contains("is no loopback address"));
    for address in ["0.0.0.0:0", "127.0.0.1:0", "[::]:0"] {
        let refused = runlog(&home, &["serve", "--listen", address, "--database-url", &ground.url])?;
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(String::from_utf8(refused.stderr)?.contains("runlog token new"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn insecure_is_for_this_machine_alone_whatever_its_name_is_made_to_mean() -> Result<()> {
    let ground = Postgres::new().await;
    let served = serve(&["--insecure", "--database-url", &ground.url, "--listen", "127.0.0.1:0"])?;
    for host in [served.address.as_str(), "localhost", "localhost:7777", "[::1]:7777", "127.0.0.1"] {
        assert!(ask(&served.address, &format!("host: {host}\r\n"))?.starts_with("HTTP/1.1 200 "), "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "192.168.0.1"] {
        assert!(ask(&served.address, &format!("host: {host}\r\n"))?.starts_with("HTTP/1.1 403 "), "{host}");
    }
    Ok(())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_in_order_when_it_is_asked_to() -> Result<()> {
    let ground = Postgres::new().await;
    let mut served = serve(&["--insecure", "--database-url", &ground.url, "--listen", "127.0.0.1:0"])?;
    let id = served.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status()?.success());
    let status = served.child.wait()?;
    assert_eq!(status.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_another_release_is_left_alone_unless_told() -> Result<()> {
    let (home, ground) = (Folder::new()?, Postgres::empty().await);
    let refused = runlog(&home, &["serve", "--insecure", "--database-url", &ground.url])?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8(refused.stderr)?.contains("run the migrations first"));
    assert!(ground.psql("select from runlog.runs").await.is_err(), "nothing was made");
    let served =
        serve(&["--insecure", "--migrate", "--database-url", &ground.url, "--listen", "127.0.0.1:0"])?;
    assert!(served.told.contains("for everybody on this machine"), "{}", served.told);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_imported_through_a_service() -> Result<()> {
    let (home, ground) = (Folder::new()?, Postgres::new().await);
    let runtime = ground.builder().workflow(echo()).start().await?;
    let mut ids = Vec::new();
    for input in ["1", "2"] {
        let run = runtime.run_by_name("echo", input).start().await?;
        soon("its end", run.wait()).await?;
        ids.push(run.id().to_string());
    }
    let exported = runlog(&home, &["export", &ids[0], &ids[1], "--database-url", &ground.url])?;
    let file = home.path("runs.jsonl");
    std::fs::write(&file, exported.stdout)?;
    let path = file.to_string_lossy();

    let elsewhere = Postgres::new().await;
    let token = |allow: &str| {
        let made =
            runlog(&home, &["token", "new", allow, "--allow", allow, "--database-url", &elsewhere.url])?;
        anyhow::Ok(String::from_utf8(made.stdout)?.trim().to_owned())
    };
    let (allowed, other) = (token("import")?, token("start")?);
    let served = serve(&["--database-url", &elsewhere.url, "--listen", "127.0.0.1:0"])?;
    let url = format!("http://{}", served.address);
    let refused = runlog(&home, &["import", &path, "--url", &url, "--token", &other])?;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let imported = runlog(&home, &["import", &path, "-o", "ids", "--url", &url, "--token", &allowed])?;
    assert_eq!(String::from_utf8(imported.stdout)?.lines().collect::<Vec<_>>(), ids);
    assert_eq!(elsewhere.count("select count(*) from runlog.archived_runs").await, 2);
    let again = runlog(&home, &["import", &path, "--url", &url, "--token", &allowed])?;
    assert_eq!(again.status.code(), Some(6), "{again:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_exports_the_traces_of_all_runs_when_a_variable_names_a_backend() -> Result<()> {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let node = ground.builder().workflow(echo()).start().await?;
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", backend.http().leak() as &str), ("OTEL_SERVICE_NAME", "shop")];
    let arguments = ["--insecure", "--database-url", &ground.url, "--listen", "127.0.0.1:0"];
    let served = serve_with(&arguments, &variables)?;
    assert!(served.told.contains("exports    traces"), "{}", served.told);
    let run = node.run(&echo(), json("1")).start().await?;
    soon("its end", run.wait()).await?;

    backend.until("the run is shown", |taken| taken.iter().any(|one| one.span.name == "run echo")).await;

    let shown = backend.received();
    assert!(shown.iter().all(|one| one.resource.get("service.name").is_some_and(|name| name == "shop")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_refuses_a_variable_that_it_cannot_read() -> Result<()> {
    let ground = Postgres::new().await;
    let arguments = ["serve", "--insecure", "--listen", "127.0.0.1:0", "--database-url", &ground.url];
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "pigeon")];
    let refused = runlog_with(&Folder::new()?, &arguments, &variables)?;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8(refused.stderr)?.contains("OTEL_EXPORTER_OTLP_PROTOCOL"));
    Ok(())
}

const SECRET: &str = "S3CRET";

/// Runs a verb, and says that it tells what it should and not what is hidden.
fn hides(home: &Folder, place: &[&str], verb: &[&str]) -> Result<String> {
    let asked = runlog(home, &[place, verb].concat())?;
    let (told, warned) = (String::from_utf8(asked.stdout)?, String::from_utf8(asked.stderr)?);
    anyhow::ensure!(asked.status.code().is_some_and(|code| code == 0 || code == 10), "{verb:?}: {warned}");
    anyhow::ensure!(!told.contains(SECRET) && !warned.contains(SECRET), "{verb:?} tells: {told} {warned}");
    Ok(told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_are_hidden_are_hidden_from_the_command_too() -> Result<()> {
    let (home, ground) = (Folder::new()?, Postgres::new().await);
    let runtime = ground.builder().workflow(echo()).start().await?;
    let input = serde_json::json!({ "card": SECRET, "n": 1, "a": [{ "password": SECRET }] });
    let mut ids = Vec::new();
    for _ in 0..2 {
        let run = runtime.run_by_name("echo", input.to_string()).start().await?;
        soon("its end", run.wait()).await?;
        ids.push(run.id().to_string());
    }
    let [id, other] = &ids[..] else { anyhow::bail!("two runs") };
    let arguments =
        ["--database-url", &ground.url, "--listen", "127.0.0.1:0", "--insecure", "--redact", "$.card"];
    let served = serve_with(&arguments, &[("RUNLOG_REDACT", "$..password, $.other")])?;
    assert!(served.told.contains("hides      values at $.card, $..password, $.other"), "{}", served.told);
    let url = format!("http://{}", served.address);
    let remote = ["--url", &url];
    let straight = ["--database-url", &ground.url, "--redact", "$.card", "--redact", "$..password"];
    for place in [&remote[..], &straight[..]] {
        for verb in [
            &["get", id][..],
            &["get", id, "-o", "json"],
            &["get", id, "--input"],
            &["get", id, "--result"],
            &["events", id, "-o", "json"],
            &["events", id, "-f"],
            &["state", id, "-o", "json"],
            &["watch", id],
            &["export", id],
        ] {
            let told = hides(&home, place, verb)?;
            let needs = !matches!(verb, ["get", _] | ["watch", _] | ["events", _, "-f"]);
            assert!(!needs || told.contains("‹redacted›"), "{verb:?}: {told}");
        }
        for verb in [&["why", id][..], &["logs", id], &["graph", id], &["ls", "-o", "json"]] {
            hides(&home, place, verb)?;
        }
        let told = hides(&home, place, &["diff", id, other])?;
        assert!(told.contains("values that are hidden as ‹redacted› are not compared"), "{told}");
    }
    // A path that cannot be read is no path that hides nothing.
    let wrong = runlog(&home, &["serve", "--database-url", &ground.url, "--redact", "card"])?;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(String::from_utf8(wrong.stderr)?.contains("a path begins with $"));
    let useless = runlog(&home, &["--url", &url, "--redact", "$.card", "get", id])?;
    assert_eq!(useless.status.code(), Some(2), "{useless:?}");
    assert!(String::from_utf8(useless.stderr)?.contains("a service decides itself what it hides"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_variable_that_cannot_be_read_is_refused() -> Result<()> {
    let ground = Postgres::new().await;
    let arguments = ["serve", "--insecure", "--listen", "127.0.0.1:0", "--database-url", &ground.url];
    let refused = runlog_with(&Folder::new()?, &arguments, &[("RUNLOG_REDACT", "$.card, $..")])?;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8(refused.stderr)?;
    assert!(said.contains("RUNLOG_REDACT: the path \"$..\" cannot be used: character 4"), "{said}");
    Ok(())
}
