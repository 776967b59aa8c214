//! `runlog trace export`: past runs for a backend that did not see them, or lost them.

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;

use chrono::TimeDelta;
use serde::Serialize;

use super::log::Spans;
use super::post;
use crate::cli::client::Failure;
use crate::cli::documents::{Listed, Page};
use crate::cli::exit::Exit;
use crate::cli::ids;
use crate::cli::options::Output;
use crate::cli::show::{Style, plain};
use crate::cli::verbs::{Desk, Done, ls};
use crate::clock;
use crate::model::{RunId, TraceId};
use crate::telemetry::names::traces::CHILD_RUN_ID;
use crate::telemetry::otlp::{Sender, Sent};
use crate::telemetry::spans::{Span, Value};

#[derive(clap::Args)]
#[command(after_help = "\
Headers such as an API key, a private authority, compression and the service's name are those of the standard variables: \
OTEL_EXPORTER_OTLP_HEADERS, _CERTIFICATE, _COMPRESSION, _TIMEOUT, _PROTOCOL, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES. \
Sent twice to one backend a span is one span, as long as they are the same each time and --shift-to-now is not said.")]
pub(super) struct Arguments {
    /// Which runs: ids, beginnings of them, @last, or - for ids on standard input
    #[arg(required_unless_present = "matching", conflicts_with = "matching")]
    runs: Vec<String>,
    /// All runs that fit a filter, as `runlog ls` takes it
    #[arg(long = "match", value_name = "FILTER", id = "matching")]
    matching: Option<String>,
    /// Also their child runs, and theirs
    #[arg(long)]
    children: bool,
    /// The backend, such as http://localhost:4318 [default: $OTEL_EXPORTER_OTLP_ENDPOINT]
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// How: http/protobuf, or grpc, which port 4317 means by itself [default: $OTEL_EXPORTER_OTLP_PROTOCOL]
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// Moves all times so that each trace ends now: for a backend that refuses old spans
    #[arg(long)]
    shift_to_now: bool,
    /// Sends nothing, and says what would be sent
    #[arg(long)]
    dry_run: bool,
}

/// Rows of one answer.
const PAGE: &str = "500";

/// Child runs of one run, and theirs.
const CHILDREN_MAX: usize = 10_000;

/// Refused spans that are told of one run.
const REFUSED_MAX: usize = 20;

/// What became of a run, or of all of them.
#[derive(Default, Serialize)]
struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<TraceId>,
    runs: usize,
    spans: usize,
    accepted: usize,
    rejected: usize,
    refused: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<Refusal>,
}

/// A span that the backend does not want.
#[derive(Serialize)]
struct Refusal {
    span_id: String,
    name: String,
    reason: String,
}

/// An export under way.
struct Export {
    /// `None` in a dry run.
    sender: Option<Sender>,
    endpoint: String,
    children: bool,
    shift_to_now: bool,
    /// By how much each trace is moved.
    shifts: HashMap<TraceId, TimeDelta>,
    all: Told,
}

pub(super) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let Arguments { runs, matching, children, to, protocol, shift_to_now, dry_run } = arguments;
    let (sender, endpoint) = match dry_run {
        true => (None, String::new()),
        false => {
            let otlp = post::backend(to.as_deref(), protocol.as_deref())?;
            let sender = Sender::new(&otlp).map_err(|error| Failure::Usage(error.to_string()))?;
            (Some(sender), otlp.endpoint().to_owned())
        }
    };
    let (shifts, all) = (HashMap::new(), Told::default());
    let mut export = Export { sender, endpoint, children, shift_to_now, shifts, all };
    match matching {
        Some(filter) => export.matching(desk, &filter).await?,
        None => {
            for run in ids::all(&desk.client, &runs).await? {
                export.family(desk, read(&run)?).await?;
            }
        }
    }
    export.finish(desk)
}

impl Export {
    /// Exports the runs that fit a filter, as they are listed.
    async fn matching(&mut self, desk: &mut Desk, filter: &str) -> Result<(), Failure> {
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("q", filter), ("limit", PAGE)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let answer = desk.client.get("runs", &query).await;
            let page: Page<Listed> = answer.map_err(|failure| ls::pointed(failure, filter))?.read()?;
            for listed in &page.data {
                self.family(desk, read(&listed.id)?).await?;
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if self.all.runs == 0 {
            desk.screen.remark(format!("no run fits {filter:?}"));
        }
        Ok(())
    }

    /// Exports a run, and its children when told.
    async fn family(&mut self, desk: &mut Desk, run: RunId) -> Result<(), Failure> {
        let (mut waiting, mut seen) = (VecDeque::from([run]), 1);
        while let Some(run) = waiting.pop_front() {
            for child in self.one(desk, run).await? {
                if seen > CHILDREN_MAX {
                    return Err(Failure::Other(format!("run {run} has more than {CHILDREN_MAX} child runs")));
                }
                seen += 1;
                waiting.push_back(child);
            }
        }
        Ok(())
    }

    /// Exports a run, and returns its children when they are wanted.
    async fn one(&mut self, desk: &mut Desk, run: RunId) -> Result<Vec<RunId>, Failure> {
        let mut told = Told { run: Some(run), runs: 1, ..Told::default() };
        let mut children = Vec::new();
        let mut log = Spans::of(&desk.client, run);
        while let Some(mut spans) = log.next().await? {
            let Some(first) = spans.first() else { continue };
            told.trace_id = Some(first.trace_id);
            if self.shift_to_now {
                let by = self.shift(desk, run, first.trace_id).await?;
                spans.iter_mut().for_each(|span| shift(span, by));
            }
            if self.children {
                children.extend(spans.iter().filter_map(child));
            }
            told.spans += spans.len();
            if let Some(sender) = &self.sender {
                let sent = post::send(sender, &self.endpoint, &spans).await;
                told.add(sent.inspect_err(|_| so_far(desk, &self.all, &told))?, &spans);
            }
        }
        self.print(desk, &told)?;
        self.all.sum(&told);
        Ok(children)
    }

    /// Returns by how much a trace is moved: so that the first run of it that is exported ends now.
    async fn shift(&mut self, desk: &Desk, run: RunId, trace: TraceId) -> Result<TimeDelta, Failure> {
        if let Some(by) = self.shifts.get(&trace) {
            return Ok(*by);
        }
        let end = Spans::of(&desk.client, run).end().await?;
        let by = end.map_or(TimeDelta::zero(), |end| clock::wall() - end);
        // To the microsecond, as all times are.
        let by = TimeDelta::microseconds(by.num_microseconds().unwrap_or(0));
        self.shifts.insert(trace, by);
        Ok(by)
    }

    fn print(&self, desk: &mut Desk, told: &Told) -> Result<(), Failure> {
        let run = told.run.map(|run| run.to_string()).unwrap_or_default();
        match desk.output {
            Output::Json => {}
            Output::Jsonl => desk.screen.line(json(told))?,
            Output::Ids => desk.screen.line(run)?,
            Output::Text => {
                let trace = told.trace_id.map(|trace| trace.to_string()).unwrap_or_default();
                desk.screen.line(format!("{run}  trace {trace}  {}", told.line(self.sender.is_none())))?;
                for Refusal { span_id, name, reason } in &told.refusals {
                    let why = desk.screen.paint(Style::Bad, plain(reason));
                    desk.screen.line(format!("  refused  {span_id}  {}: {why}", plain(name)))?;
                }
            }
        }
        Ok(())
    }

    fn finish(self, desk: &mut Desk) -> Done {
        match desk.output {
            Output::Json => desk.screen.line(json(&self.all))?,
            Output::Text if self.all.runs > 1 => {
                desk.screen.line(format!(
                    "{} runs: {}",
                    self.all.runs,
                    self.all.line(self.sender.is_none())
                ))?;
            }
            Output::Text | Output::Jsonl | Output::Ids => {}
        }
        Ok(if self.all.refused + self.all.rejected > 0 { Exit::Partly } else { Exit::Fine })
    }
}

impl Told {
    fn add(&mut self, sent: Sent, spans: &[Span]) {
        self.accepted += sent.accepted;
        self.rejected += sent.rejected;
        self.refused += sent.refused.len();
        for refused in sent.refused {
            let Some(span) = spans.get(refused.span).filter(|_| self.refusals.len() < REFUSED_MAX) else {
                break;
            };
            let (span_id, name) = (span.span_id.to_string(), span.name.clone());
            self.refusals.push(Refusal { span_id, name, reason: refused.reason });
        }
    }

    fn sum(&mut self, told: &Told) {
        self.runs += told.runs;
        self.spans += told.spans;
        self.accepted += told.accepted;
        self.rejected += told.rejected;
        self.refused += told.refused;
    }

    fn line(&self, dry: bool) -> String {
        let Told { spans, accepted, rejected, refused, .. } = self;
        match dry {
            true => format!("{spans} spans would be sent"),
            false if *rejected == 0 => format!("{accepted} of {spans} spans accepted, {refused} refused"),
            false => {
                format!("{accepted} of {spans} spans accepted, {refused} refused, {rejected} thrown away")
            }
        }
    }
}

/// Says what was done before the backend went away.
fn so_far(desk: &Desk, all: &Told, told: &Told) {
    let (runs, accepted) = (all.runs, all.accepted + told.accepted);
    desk.screen.remark(format!("{runs} runs and {accepted} spans were accepted before that"));
}

/// Moves a span in time.
fn shift(span: &mut Span, by: TimeDelta) {
    let moved = span.events.iter_mut().map(|event| &mut event.at);
    for at in moved.chain([&mut span.start, &mut span.end]) {
        *at = at.checked_add_signed(by).unwrap_or(*at);
    }
}

/// Returns the run that a span is the wait for.
fn child(span: &Span) -> Option<RunId> {
    match span.attribute(CHILD_RUN_ID.key) {
        Some(Value::Text(id)) => RunId::from_str(id).ok(),
        _ => None,
    }
}

fn read(id: &str) -> Result<RunId, Failure> {
    RunId::from_str(id).map_err(|_| Failure::Answer(format!("{id:?} is no run's id")))
}

fn json(told: &Told) -> String {
    serde_json::to_string(told).unwrap_or_default()
}
