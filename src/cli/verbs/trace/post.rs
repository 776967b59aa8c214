//! The way to the backend, as a person means it.

use std::time::Duration;

use crate::cli::client::Failure;
use crate::telemetry::otlp::{Otlp, Sender, Sent, Unavailable};
use crate::telemetry::spans::Span;

/// Tries at one request, before a person is told; the pause after the first, which doubles.
const TRIES: u32 = 4;

const PAUSE: Duration = Duration::from_secs(1);

/// Nobody waits longer at a terminal because a backend asks for it.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The port of OTLP over gRPC.
const GRPC_PORT: &str = ":4317";

/// Reads where to send from the command line and the environment. `to` stands for the variables of an endpoint, and for those
/// that switch it off.
pub(super) fn backend(to: Option<&str>, protocol: Option<&str>) -> Result<Otlp, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let guessed = to.and_then(|to| to.trim_end_matches('/').ends_with(GRPC_PORT).then_some("grpc"));
    let read = |name: &str| match (name, to) {
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", _) if protocol.is_some() => protocol.map(str::to_owned),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", Some(_)) => variable(name).or_else(|| guessed.map(str::to_owned)),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", Some(to)) => Some(to.to_owned()),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" | "OTEL_SDK_DISABLED" | "OTEL_TRACES_EXPORTER", Some(_)) => {
            None
        }
        _ => variable(name),
    };
    let otlp = Otlp::from_variables(read).map_err(|error| Failure::Usage(error.to_string()))?;
    otlp.ok_or_else(|| {
        Failure::Usage("where to? Name a backend: --to URL, or OTEL_EXPORTER_OTLP_ENDPOINT".to_owned())
    })
}

/// Sends spans, and tries again for a while when the backend is not there.
pub(super) async fn send(sender: &Sender, endpoint: &str, spans: &[Span]) -> Result<Sent, Failure> {
    let mut pause = PAUSE;
    for tries in 1.. {
        match sender.send(spans).await {
            Ok(sent) => return Ok(sent),
            Err(Unavailable { reason, retry_after }) => {
                let asked = retry_after.unwrap_or(pause);
                if tries == TRIES || asked > PAUSE_MAX {
                    return Err(Failure::Unreachable { what: endpoint.to_owned(), why: reason });
                }
                tokio::time::sleep(asked).await;
                pause *= 2;
            }
        }
    }
    Err(Failure::Other("a loop without an end ended".to_owned()))
}
