//! `runlog doctor`: looks for what is wrong around runlog, and says what to do.

use super::exit::Exit;
use super::migrate::{failed, pool};
use super::options::{Options, Output};
use super::show::{Screen, Style};
use super::verbs::Done;
use crate::clock;
use crate::store::postgres::{Diagnosis, SchemaVersion, diagnose, schema_version};

#[derive(clap::Args)]
pub(super) struct Arguments {}

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    is: String,
    /// What to do, if it is not as it should be.
    advice: Option<&'static str>,
}

/// Clocks further apart than this are worth a word, although nothing depends on them.
const SKEW_MAX_S: i64 = 5;

/// Above this share of the connections the next deploy may be refused.
const CONNECTIONS_SHARE_MAX: f64 = 0.8;

pub(super) async fn run(_: Arguments, options: &Options) -> Done {
    let (pool, place) = pool(options)?;
    let mut screen = Screen::new(options);
    let SchemaVersion { found, known } =
        schema_version(&pool).await.map_err(|error| failed(&place, &error))?;
    let mut findings = vec![Finding {
        what: "schema",
        is: format!("{found}, this release needs {known}"),
        advice: match found {
            _ if found < known => Some("run `runlog migrate`"),
            _ if found > known => Some("a newer release migrated this database: use that one's command"),
            _ => None,
        },
    }];
    if found == known {
        findings.extend(look(&diagnose(&pool).await.map_err(|error| failed(&place, &error))?));
    }
    pool.close().await;
    let bad = findings.iter().filter(|finding| finding.advice.is_some()).count();
    match options.output {
        Output::Text => print(&mut screen, &place, &findings, bad)?,
        Output::Json | Output::Jsonl | Output::Ids => {
            let told = findings.iter().map(|finding| {
                let advice = finding.advice;
                serde_json::json!({ "what": finding.what, "is": finding.is, "ok": advice.is_none(), "advice": advice })
            });
            screen.line(serde_json::Value::Array(told.collect()).to_string())?;
        }
    }
    Ok(if bad == 0 { Exit::Fine } else { Exit::Error })
}

fn look(server: &Diagnosis) -> Vec<Finding> {
    let skew = (clock::wall() - server.now).num_seconds();
    let share = server.connections as f64 / f64::from(server.connections_max.max(1));
    let finding =
        |what, is: String, fine: bool, advice| Finding { what, is, advice: (!fine).then_some(advice) };
    vec![
        finding("server", server.version.clone(), true, ""),
        finding(
            "role",
            if server.is_replica { "replica" } else { "primary" }.to_owned(),
            !server.is_replica,
            "nothing can be written here: name the primary",
        ),
        finding(
            "durability",
            format!("fsync and full_page_writes {}", if server.survives_crashes { "on" } else { "off" }),
            server.survives_crashes,
            "turn both on: a crash may lose or damage what was acknowledged",
        ),
        finding(
            "commits",
            format!("synchronous_commit {}", server.synchronous_commit),
            server.synchronous_commit != "off",
            "turn it on: a crash loses the last acknowledged commits",
        ),
        finding(
            "autovacuum",
            if server.autovacuum { "on" } else { "off" }.to_owned(),
            server.autovacuum,
            "turn it on: the tables of a busy engine grow without end",
        ),
        finding(
            "timeline",
            if server.tells_timeline { "told" } else { "not told" }.to_owned(),
            server.tells_timeline,
            "a failover that loses commits will go unnoticed on this server: prefer synchronous standbys",
        ),
        finding(
            "connections",
            format!("{} of {}", server.connections, server.connections_max),
            share < CONNECTIONS_SHARE_MAX,
            "raise max_connections, or make the pools smaller: the next node may be refused",
        ),
        finding(
            "nodes",
            format!("{} alive", server.nodes),
            server.nodes > 0,
            "no process executes runs: start a service",
        ),
        finding(
            "overdue",
            format!("{} runs are due for more than 30 s", server.overdue),
            server.overdue == 0,
            "`runlog ls is:waiting` and `runlog why` say what they wait for",
        ),
        finding(
            "partitions",
            if server.partitions_ahead { "made ahead" } else { "none for the next month" }.to_owned(),
            server.partitions_ahead,
            "a node makes them when it joins: does its role own the schema runlog?",
        ),
        finding(
            "strays",
            format!("{} events outside their month's partition", server.strays),
            server.strays < 1_000,
            "retention cannot drop them with their month: it moves them row by row",
        ),
        finding(
            "clock",
            format!("this machine's is {skew} s off the server's"),
            skew.abs() <= SKEW_MAX_S,
            "nothing depends on it, but times that are printed as `ago` are off: set it by NTP",
        ),
    ]
}

fn print(screen: &mut Screen, place: &str, findings: &[Finding], bad: usize) -> std::io::Result<()> {
    screen.line(format!("database {place}"))?;
    for Finding { what, is, advice } in findings {
        match advice {
            None => screen.line(format!("  {} {what:<12} {is}", screen.paint(Style::Good, "✓")))?,
            Some(advice) => {
                screen.line(format!("  {} {what:<12} {is}", screen.paint(Style::Bad, "✕")))?;
                screen.line(format!("    {:<12} {advice}", ""))?;
            }
        }
    }
    screen.line(match bad {
        0 => "nothing is wrong".to_owned(),
        1 => "1 thing is wrong".to_owned(),
        bad => format!("{bad} things are wrong"),
    })
}
