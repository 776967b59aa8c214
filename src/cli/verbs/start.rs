//! `runlog start`: starts a run.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Desk, Done, watch};
use crate::cli::documents::Run;
use crate::cli::exit::Exit;
use crate::cli::{given, once, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The workflow's name
    workflow: String,
    /// What it is given: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "null")]
    input: String,
    /// Your own id for it: the same workflow and key is the same run
    #[arg(long)]
    key: Option<String>,
    /// Refuses when the key is taken, instead of answering with the run that has it
    #[arg(long, requires = "key")]
    if_exists_fail: bool,
    /// A tag, any number of times
    #[arg(long, value_name = "NAME=VALUE", value_parser = given::pair)]
    meta: Vec<(String, String)>,
    /// Higher goes first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i16>,
    /// How long after its creation it may start
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    delay: Option<Duration>,
    /// How long it may take from its start
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// How long it may wait for its start
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    start_timeout: Option<Duration>,
    /// Waits for its end; the exit code says how it ended
    #[arg(long)]
    wait: bool,
    /// Waits at most so long
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "wait")]
    wait_timeout: Option<Duration>,
}

#[derive(Serialize)]
struct Body {
    workflow: String,
    input: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    if_exists: &'static str,
    metadata: BTreeMap<String, String>,
    priority: i16,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_timeout_ms: Option<u64>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let millis = |length: Option<Duration>| length.and_then(|length| u64::try_from(length.as_millis()).ok());
    let body = Body {
        workflow: arguments.workflow,
        input: given::json("--input", &arguments.input)?,
        key: arguments.key,
        if_exists: if arguments.if_exists_fail { "fail" } else { "return" },
        metadata: arguments.meta.into_iter().collect(),
        priority: arguments.priority.unwrap_or_default(),
        delay_ms: millis(arguments.delay),
        timeout_ms: millis(arguments.timeout),
        start_timeout_ms: millis(arguments.start_timeout),
    };
    let answer = desk.client.post("runs", &body, once()).await?;
    let started: Run = answer.read()?;
    if answer.status == StatusCode::OK && started.created == Some(false) {
        desk.screen.remark("the key is taken: this is the run that has it");
    }
    if arguments.wait {
        return watch::until_end(desk, &started.id, arguments.wait_timeout).await;
    }
    if !desk.passed_on(&answer, Some(&started.id))? {
        show::headline(&mut desk.screen, &started)?;
    }
    Ok(Exit::Fine)
}
