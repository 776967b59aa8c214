//! `runlog serve`: the dashboard and the REST interface of a database, alone.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::options::Options;
use super::show::Screen;
use super::{database, tell};
use crate::dashboard;
use crate::http::Tokens;
use crate::model::limits::METRICS_PUSH_DEFAULT;
use crate::runtime::{Export, Runtime, RuntimeBuilder};
use crate::telemetry::otlp::{Otlp, OtlpError};

/// What `runlog serve` may be told.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The database whose runs are served [default: --database-url, else $DATABASE_URL]
    #[arg(value_name = "DATABASE_URL", conflicts_with = "database_url")]
    database: Option<String>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7777")]
    listen: SocketAddr,
    /// Lets everybody on this machine do everything without a token; only on a loopback address
    #[arg(long)]
    insecure: bool,
    /// Brings the database's schema up to date first
    #[arg(long)]
    migrate: bool,
}

const AFTER_HELP: &str = "\
It executes no runs: it starts, shows, cancels and signals those of the nodes that share the database. Without --insecure \
every request needs a bearer token: `runlog token new` makes one. SIGINT and SIGTERM stop it in order.

With OTEL_EXPORTER_OTLP_ENDPOINT, or another of OpenTelemetry's standard variables that names an endpoint, it exports the \
traces of all runs of the database, unless another process does, and pushes its metrics.

With --redact PATH, which may be repeated, and the paths in RUNLOG_REDACT, divided by commas or white space, it hides values of \
inputs, outputs, signals, chunks and log fields on every page, in every answer, stream and export.

Exit codes: 0 stopped in order, 1 something failed, 2 the address or access was refused.";

/// Connections for what is written.
const CONNECTIONS_MAX: u32 = 5;

/// How long requests under way may take when it stops, and then the export of what is committed; streams are cut then, and
/// their readers come back elsewhere.
const STOP_MAX: Duration = Duration::from_secs(5);

/// The exit code of a refusal: that of arguments that cannot be understood.
const REFUSED: u8 = 2;

/// Serves until it is told to stop.
pub(super) async fn run(arguments: Arguments, options: Options) -> Result<ExitCode, Box<dyn Error>> {
    if arguments.insecure && !arguments.listen.ip().is_loopback() {
        return Ok(refused(&format!(
            "{} is no loopback address: --insecure would let everybody in; make a token (runlog token new) and leave \
             --insecure out",
            arguments.listen
        )));
    }
    let redaction = match options.redaction() {
        Ok(redaction) => redaction,
        Err(failure) => return Ok(refused(&failure.to_string())),
    };
    let hidden = redaction.paths().collect::<Vec<_>>().join(", ");
    let mut screen = Screen::new(&options);
    let Some(url) = database::url(arguments.database.or(options.database_url)) else {
        return Ok(refused("no database is named: give its URL, or set DATABASE_URL"));
    };
    let server = PgConnectOptions::from_str(&url)
        .map_err(|error| format!("the database's URL cannot be read: {error}"))?;
    let place = database::place(&server);
    let pool =
        sqlx::postgres::PgPoolOptions::new().max_connections(CONNECTIONS_MAX).connect_lazy_with(server);
    let export = match exported(|name| std::env::var(name).ok()) {
        Ok(export) => export,
        Err(error) => return Ok(refused(&error.to_string())),
    };
    let exports = export.is_some();
    let runtime = open(pool.clone(), arguments.migrate, export).await;
    let runtime = runtime.map_err(|error| format!("the database {place} cannot be used: {error}"))?;
    if !arguments.insecure && Tokens::open(&pool).await?.list().await?.is_empty() {
        runtime.shutdown(Duration::ZERO).await?;
        return Ok(refused(
            "the database has no token: make one (runlog token new), or use --insecure on a loopback address",
        ));
    }
    let routes = dashboard::router(&runtime).hiding(redaction);
    let routes = if arguments.insecure { routes.allow_local_insecure() } else { routes.bearer_tokens() };
    let listener = TcpListener::bind(arguments.listen).await;
    let listener =
        listener.map_err(|error| format!("{} cannot be listened on: {error}", arguments.listen))?;
    let access = if arguments.insecure { "everybody on this machine" } else { "bearer tokens" };
    // Whoever reads that it listens may ask it to stop.
    let signal = stop_signals()?;
    screen.line(format!("serving    {place}, for {access}"))?;
    if !hidden.is_empty() {
        screen.line(format!("hides      values at {hidden}"))?;
    }
    if exports {
        screen.line(EXPORTS)?;
    }
    let address = listener.local_addr()?;
    screen.line(format!("listening  http://{address}/  (the dashboard; REST is below /api/v1)"))?;
    serve(listener, routes.into_router(), signal).await?;
    runtime.shutdown(STOP_MAX).await?;
    Ok(ExitCode::SUCCESS)
}

async fn open(pool: PgPool, migrate: bool, export: Option<Export>) -> Result<Runtime, crate::runtime::Error> {
    let builder = Runtime::builder(pool).client().node_name("serve").migrate(migrate);
    let builder = exporting(builder, export);
    match pushed(|name| std::env::var(name).ok()) {
        Ok(None) => builder.start().await,
        Ok(Some((otlp, every))) => builder.push_metrics(otlp, every).start().await,
        Err(error) => {
            Err(crate::runtime::Error::Setting { name: "push_metrics", problem: error.to_string() })
        }
    }
}

/// What is said where traces are exported.
pub(super) const EXPORTS: &str = "exports    traces, as OTEL_EXPORTER_OTLP_* says";

/// Reads where the standard variables want traces, and which of them.
pub(super) fn exported(read: impl Fn(&str) -> Option<String>) -> Result<Option<Export>, OtlpError> {
    let Some(otlp) = Otlp::from_variables(&read)? else { return Ok(None) };
    Ok(Some(Export::otlp(otlp).sample(Otlp::sampled_by_variables(&read)?)))
}

/// Exports traces, if they are wanted anywhere.
pub(super) fn exporting(builder: RuntimeBuilder, export: Option<Export>) -> RuntimeBuilder {
    match export {
        Some(export) => builder.export(export),
        None => builder,
    }
}

/// Reads where the standard variables want metrics, and how often.
fn pushed(read: impl Fn(&str) -> Option<String>) -> Result<Option<(Otlp, Duration)>, OtlpError> {
    const EVERY: &str = "OTEL_METRIC_EXPORT_INTERVAL";
    let Some(otlp) = Otlp::metrics_from_variables(&read)? else { return Ok(None) };
    let Some(text) = read(EVERY).filter(|text| !text.trim().is_empty()) else {
        return Ok(Some((otlp, METRICS_PUSH_DEFAULT)));
    };
    let every = text.trim().parse().map(Duration::from_millis).map_err(|_| OtlpError::Variable {
        variable: EVERY.to_owned(),
        problem: format!("{text:?} is no number of milliseconds"),
    })?;
    Ok(Some((otlp, every)))
}

async fn serve(
    listener: TcpListener,
    app: axum::Router,
    signal: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let (stop, stopped) = watch::channel(());
    let asked = |mut stopped: watch::Receiver<()>| async move {
        // An error says that nobody can ask any more.
        let _asked = stopped.changed().await;
    };
    let cut = stopped.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(asked(stopped));
    let late = async move {
        asked(cut).await;
        tokio::time::sleep(STOP_MAX).await;
    };
    let signalled = async {
        signal.await;
        stop.send_replace(());
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = server => Ok(served?),
        () = signalled => Ok(()),
        () = late => Ok(()),
    }
}

/// Begins to listen for SIGINT and SIGTERM; what it returns waits until one comes.
#[cfg(unix)]
pub(super) fn stop_signals() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(super) fn stop_signals() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

fn refused(why: &str) -> ExitCode {
    tell(&*Box::<dyn Error>::from(why));
    ExitCode::from(REFUSED)
}
