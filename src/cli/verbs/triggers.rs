//! `runlog triggers`: what starts runs from outside.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Desk, Done};
use crate::cli::client::{Failure, segment};
use crate::cli::documents::{Page, Subscription, TriggerEvent};
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::show::{Cell, Style, Table, plain};
use crate::cli::{given, once};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Lists trigger events, the newest first (what a bare `runlog triggers` does)
    Ls(Ls),
    /// Shows a trigger event, and what came of it
    Get {
        /// Its id
        id: String,
    },
    /// Pushes a trigger event: starts a run for every subscription that wants it
    Push(Push),
    /// Lists subscriptions
    Subscriptions {
        /// Only those to events of this key
        #[arg(long)]
        key: Option<String>,
    },
    /// Makes a subscription
    Subscribe(Subscribe),
    /// Deletes a subscription; its runs stay
    Unsubscribe {
        /// Its name
        name: String,
    },
}

#[derive(clap::Args, Default)]
struct Ls {
    /// Only events of this key
    #[arg(long)]
    key: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

#[derive(clap::Args)]
struct Push {
    /// What subscriptions know it by
    key: String,
    /// Its id: the same one is the same event
    #[arg(long)]
    id: String,
    /// What it carries: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "null")]
    payload: String,
    /// A tag, any number of times
    #[arg(long, value_name = "NAME=VALUE", value_parser = given::pair)]
    meta: Vec<(String, String)>,
}

#[derive(clap::Args)]
struct Subscribe {
    /// Its name
    name: String,
    /// Of the events that it is about
    key: String,
    /// The workflow that each of them starts
    workflow: String,
    /// Which of them, such as "payload.total > 100"; all unless told
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// A tag of each run, any number of times
    #[arg(long, value_name = "NAME=VALUE", value_parser = given::pair)]
    meta: Vec<(String, String)>,
    /// Of each run; higher goes first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i16>,
    /// Changes the subscription that has the name, instead of refusing
    #[arg(long)]
    replace: bool,
}

#[derive(Serialize)]
struct EventBody<'a> {
    id: &'a str,
    key: &'a str,
    payload: Box<RawValue>,
    metadata: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct SubscriptionBody {
    name: String,
    key: String,
    workflow: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    metadata: BTreeMap<String, String>,
    priority: i16,
    replace: bool,
}

/// Rows of one page.
const PAGE: &str = "500";

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    match arguments.what.unwrap_or(What::Ls(Ls { key: None, limit: 50 })) {
        What::Ls(which) => list(desk, &which).await,
        What::Get { id } => {
            let answer = desk.client.get(&format!("events/{}", segment(&id)), &[]).await?;
            if !desk.passed_on(&answer, Some(&id))? {
                print_one(desk, &answer.read()?)?;
            }
            Ok(Exit::Fine)
        }
        What::Push(push) => {
            let payload = given::json("--payload", &push.payload)?;
            let metadata = push.meta.into_iter().collect();
            let body = EventBody { id: &push.id, key: &push.key, payload, metadata };
            let answer = desk.client.post("events", &body, once()).await?;
            let event: TriggerEvent = answer.read()?;
            if event.created == Some(false) {
                desk.screen.remark("it was pushed before: this is what came of it then");
            }
            if desk.output == Output::Ids {
                for run in event.outcomes.iter().filter_map(|outcome| outcome.run.as_ref()) {
                    desk.screen.line(plain(run))?;
                }
            } else if !desk.passed_on(&answer, None)? {
                print_one(desk, &event)?;
            }
            Ok(Exit::Fine)
        }
        What::Subscriptions { key } => subscriptions(desk, key.as_deref()).await,
        What::Subscribe(wanted) => {
            let body = SubscriptionBody {
                name: wanted.name,
                key: wanted.key,
                workflow: wanted.workflow,
                filter: wanted.filter,
                metadata: wanted.meta.into_iter().collect(),
                priority: wanted.priority.unwrap_or_default(),
                replace: wanted.replace,
            };
            let answer = desk.client.post("subscriptions", &body, once()).await?;
            if !desk.passed_on(&answer, Some(&body.name))? {
                let made: Subscription = answer.read()?;
                let text = format!("{} starts {} for {}", made.name, made.workflow, made.key);
                desk.screen.line(plain(&text))?;
            }
            Ok(Exit::Fine)
        }
        What::Unsubscribe { name } => {
            desk.client.delete(&format!("subscriptions/{}", segment(&name)), &[]).await?;
            desk.screen.remark("deleted");
            Ok(Exit::Fine)
        }
    }
}

async fn list(desk: &mut Desk, which: &Ls) -> Done {
    let limit = which.limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(which.key.as_deref().map(|key| ("key", key)));
    let answer = desk.client.get("events", &query).await?;
    let page: Page<TriggerEvent> = answer.read()?;
    if desk.output == Output::Ids {
        for event in &page.data {
            desk.screen.line(plain(&event.id))?;
        }
        return Ok(Exit::Fine);
    }
    if desk.passed_on(&answer, None)? {
        return Ok(Exit::Fine);
    }
    let mut table = Table::new(vec!["EVENT", "KEY", "PUSHED", "RUNS", "REFUSED"], 0);
    for event in &page.data {
        let runs = event.outcomes.iter().filter(|outcome| outcome.run.is_some()).count();
        table.row(vec![
            plain(&event.id).into(),
            plain(&event.key).into(),
            desk.screen.time(event.pushed_at).into(),
            runs.to_string().into(),
            (event.outcomes.len() - runs).to_string().into(),
        ]);
    }
    table.print(&mut desk.screen)?;
    Ok(Exit::Fine)
}

fn print_one(desk: &mut Desk, event: &TriggerEvent) -> Result<(), Failure> {
    let by = event.pushed_by.as_ref().map(|by| format!(" by {}", plain(by))).unwrap_or_default();
    let pushed = desk.screen.time(event.pushed_at);
    desk.screen.line(format!("{} ({}), pushed {pushed}{by}", plain(&event.id), plain(&event.key)))?;
    if event.outcomes.is_empty() {
        desk.screen.line("nobody subscribed to it")?;
        return Ok(());
    }
    let mut table = Table::new(vec!["SUBSCRIPTION", "WORKFLOW", "CAME OF IT"], 2);
    for outcome in &event.outcomes {
        let came = match (&outcome.run, &outcome.refused) {
            (Some(run), _) => Cell::styled(format!("✓ {}", plain(run)), Some(Style::Good)),
            (None, refused) => {
                let refused = plain(refused.as_deref().unwrap_or_default());
                Cell::styled(format!("– {refused}"), Some(Style::Faint))
            }
        };
        table.row(vec![plain(&outcome.subscription).into(), plain(&outcome.workflow).into(), came]);
    }
    table.print(&mut desk.screen)?;
    Ok(())
}

async fn subscriptions(desk: &mut Desk, key: Option<&str>) -> Done {
    let mut table = Table::new(vec!["NAME", "KEY", "WORKFLOW", "MADE BY", "FILTER"], 4);
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE)];
        query.extend(key.map(|key| ("key", key)));
        query.extend(after.as_deref().map(|after| ("after", after)));
        let answer = desk.client.get("subscriptions", &query).await?;
        let page: Page<Subscription> = answer.read()?;
        match desk.output {
            Output::Text => page.data.iter().for_each(|row| {
                let by = if row.declared { None } else { row.created_by.as_deref() };
                table.row(vec![
                    plain(&row.name).into(),
                    plain(&row.key).into(),
                    plain(&row.workflow).into(),
                    plain(by.unwrap_or("code")).into(),
                    plain(row.filter.as_deref().unwrap_or("all")).into(),
                ]);
            }),
            Output::Ids => {
                for row in &page.data {
                    desk.screen.line(plain(&row.name))?;
                }
            }
            _ => drop(desk.passed_on(&answer, None)?),
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if desk.output == Output::Text {
        table.print(&mut desk.screen)?;
    }
    Ok(Exit::Fine)
}
