//! `runlog schedules`: what starts runs by the clock.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Desk, Done};
use crate::cli::client::{Answer, Failure, segment};
use crate::cli::documents::{Page, Run, Schedule, SchedulesDone};
use crate::cli::exit::Exit;
use crate::cli::show::{Cell, Style, Table, counted, plain};
use crate::cli::{given, once, show};
use crate::model::Timestamp;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Lists schedules, by name (what a bare `runlog schedules` does)
    Ls(Ls),
    /// Shows a schedule
    Get {
        /// Its name
        name: String,
    },
    /// Makes a schedule
    Create(Box<Create>),
    /// Pauses schedules: what falls due from now on is left out
    Pause(Names),
    /// Lets paused schedules go on, from their next occurrence after now
    Resume(Names),
    /// Moves one-off schedules to another instant
    Move {
        #[command(flatten)]
        names: Names,
        /// The instant, such as 2026-12-24T18:00:00Z
        #[arg(long, value_name = "TIME", value_parser = given::instant)]
        at: Timestamp,
    },
    /// Starts a run of a schedule out of turn
    Trigger {
        /// Its name
        name: String,
    },
    /// Deletes schedules; their runs stay
    Delete(Names),
}

#[derive(clap::Args, Default)]
struct Ls {
    /// Only this workflow's
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only those whose name begins so
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
}

#[derive(clap::Args)]
struct Names {
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("when").args(["cron", "at"]).required(true))]
struct Create {
    /// Its name
    name: String,
    /// The workflow that it starts
    workflow: String,
    /// When, again and again: "[second] minute hour day-of-month month day-of-week"
    #[arg(long, value_name = "EXPRESSION")]
    cron: Option<String>,
    /// On which wall clock that is read, such as Europe/Berlin; UTC unless told
    #[arg(long, value_name = "NAME", conflicts_with = "at")]
    zone: Option<String>,
    /// When, once, such as 2026-12-24T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = given::instant)]
    at: Option<Timestamp>,
    /// What each run is given: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "null")]
    input: String,
    /// A tag of each run, any number of times
    #[arg(long, value_name = "NAME=VALUE", value_parser = given::pair)]
    meta: Vec<(String, String)>,
    /// Of each run; higher goes first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i16>,
    /// What becomes of occurrences that were missed because no node was there: skip, once, all or all:N
    #[arg(long, value_name = "POLICY")]
    misfire: Option<String>,
    /// Changes the schedule that has the name, instead of refusing
    #[arg(long)]
    replace: bool,
}

#[derive(Serialize)]
struct Body {
    name: String,
    workflow: String,
    input: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    metadata: BTreeMap<String, String>,
    priority: i16,
    #[serde(skip_serializing_if = "Option::is_none")]
    misfire: Option<String>,
    replace: bool,
}

/// Rows of one page.
const PAGE: &str = "500";

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    match arguments.what.unwrap_or_else(|| What::Ls(Ls::default())) {
        What::Ls(which) => list(desk, &which).await,
        What::Get { name } => {
            let answer = desk.client.get(&format!("schedules/{}", segment(&name)), &[]).await?;
            if !desk.passed_on(&answer, Some(&name))? {
                print_one(desk, &answer.read()?)?;
            }
            Ok(Exit::Fine)
        }
        What::Create(create) => make(desk, *create).await,
        What::Pause(Names { names }) => {
            all(desk, "paused", &json!({ "action": "pause", "names": names })).await
        }
        What::Resume(Names { names }) => {
            all(desk, "resumed", &json!({ "action": "resume", "names": names })).await
        }
        What::Move { names: Names { names }, at } => {
            all(desk, "moved", &json!({ "action": "move", "names": names, "at": at })).await
        }
        What::Delete(Names { names }) => delete(desk, &names).await,
        What::Trigger { name } => {
            let path = format!("schedules/{}/trigger", segment(&name));
            let answer = desk.client.post(&path, &json!({}), once()).await?;
            let run: Run = answer.read()?;
            if !desk.passed_on(&answer, Some(&run.id))? {
                show::headline(&mut desk.screen, &run)?;
            }
            Ok(Exit::Fine)
        }
    }
}

async fn make(desk: &mut Desk, create: Create) -> Done {
    let body = Body {
        input: given::json("--input", &create.input)?,
        name: create.name,
        workflow: create.workflow,
        cron: create.cron,
        zone: create.zone,
        at: create.at,
        metadata: create.meta.into_iter().collect(),
        priority: create.priority.unwrap_or_default(),
        misfire: create.misfire,
        replace: create.replace,
    };
    let answer = desk.client.post("schedules", &body, once()).await?;
    if !desk.passed_on(&answer, Some(&body.name))? {
        print_one(desk, &answer.read()?)?;
    }
    Ok(Exit::Fine)
}

/// Does one thing to many schedules, to all or none.
async fn all(desk: &mut Desk, done: &str, body: &serde_json::Value) -> Done {
    let answer = desk.client.post("bulk/schedules", body, once()).await?;
    told(desk, done, &answer)
}

/// Deletes schedules. Of many some may be gone already; where none is there, the names are wrong.
async fn delete(desk: &mut Desk, names: &[String]) -> Done {
    let body = json!({ "action": "delete", "names": names });
    let answer = desk.client.post("bulk/schedules", &body, once()).await?;
    if answer.read::<SchedulesDone>()?.done == 0 {
        let names: Vec<String> = names.iter().map(|name| format!("\"{}\"", plain(name))).collect();
        return Err(Failure::NotFound(format!("there is no schedule {}", names.join(" or "))));
    }
    told(desk, "deleted", &answer)
}

fn told(desk: &mut Desk, done: &str, answer: &Answer) -> Done {
    if !desk.passed_on(answer, None)? {
        let count = answer.read::<SchedulesDone>()?.done;
        desk.screen.line(format!("{done} {}", counted(count, "schedule")))?;
    }
    Ok(Exit::Fine)
}

async fn list(desk: &mut Desk, which: &Ls) -> Done {
    let mut table = Table::new(vec!["NAME", "WORKFLOW", "WHEN", "STATE", "NEXT", "LAST", "RUNS", "ERROR"], 7);
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE)];
        query.extend(which.workflow.as_deref().map(|workflow| ("workflow", workflow)));
        query.extend(which.prefix.as_deref().map(|prefix| ("prefix", prefix)));
        query.extend(after.as_deref().map(|after| ("after", after)));
        let answer = desk.client.get("schedules", &query).await?;
        let page: Page<Schedule> = answer.read()?;
        match desk.output {
            crate::cli::options::Output::Text => {
                page.data.iter().for_each(|schedule| row(desk, &mut table, schedule))
            }
            crate::cli::options::Output::Ids => {
                for schedule in &page.data {
                    desk.screen.line(plain(&schedule.name))?;
                }
            }
            _ => drop(desk.passed_on(&answer, None)?),
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if desk.output == crate::cli::options::Output::Text {
        table.print(&mut desk.screen)?;
    }
    Ok(Exit::Fine)
}

fn when(desk: &Desk, schedule: &Schedule) -> String {
    match (&schedule.cron, &schedule.zone, schedule.at) {
        (Some(cron), Some(zone), _) => format!("{} {}", plain(cron), plain(zone)),
        (_, _, Some(at)) => desk.screen.time(at),
        _ => String::new(),
    }
}

fn state(schedule: &Schedule) -> Cell {
    match (schedule.state.as_str(), &schedule.error) {
        ("active", Some(_)) => Cell::styled("✕ failing", Some(Style::Bad)),
        ("active", None) => Cell::styled("✓ active", Some(Style::Good)),
        (other, _) => Cell::styled(format!("– {}", plain(other)), Some(Style::Faint)),
    }
}

fn row(desk: &Desk, table: &mut Table, schedule: &Schedule) {
    let time = |at: Option<Timestamp>| at.map(|at| desk.screen.time(at)).unwrap_or_default();
    table.row(vec![
        plain(&schedule.name).into(),
        plain(&schedule.workflow).into(),
        when(desk, schedule).into(),
        state(schedule),
        time(schedule.next_at).into(),
        time(schedule.last_due).into(),
        schedule.fired.to_string().into(),
        plain(schedule.error.as_deref().unwrap_or_default()).into(),
    ]);
}

fn print_one(desk: &mut Desk, schedule: &Schedule) -> Result<(), Failure> {
    let time = |desk: &Desk, at: Option<Timestamp>| at.map_or("none".to_owned(), |at| desk.screen.time(at));
    let mut lines = vec![
        ("starts", plain(&schedule.workflow).to_string()),
        ("when", when(desk, schedule)),
        ("missed", plain(&schedule.misfire).to_string()),
        ("next", time(desk, schedule.next_at)),
        ("last", time(desk, schedule.last_due)),
        ("runs", schedule.fired.to_string()),
    ];
    lines.extend(schedule.last_run.as_ref().map(|run| ("last run", plain(run).to_string())));
    lines.extend(schedule.paused_by.as_ref().map(|by| ("paused by", plain(by).to_string())));
    lines.extend(schedule.error.as_ref().map(|error| ("error", plain(error).to_string())));
    let name = plain(&schedule.name);
    desk.screen.line(format!("{name} ({})", plain(&schedule.state)))?;
    for (what, text) in lines {
        desk.screen.line(format!("  {what:<10} {text}"))?;
    }
    Ok(())
}
