//! Spans and metrics on their way to an OpenTelemetry backend, by OTLP over gRPC or HTTP.
//!
//! [`Otlp`] says where to and how, and reads the standard `OTEL_*` variables; a [`Sender`] sends, and tells what became of every
//! span. Nothing here keeps, repeats or waits: who has a durable log begins again from there. Needs the feature `otel`.
//!
//! ```no_run
//! use runlog::telemetry::otlp::{Otlp, Sender};
//!
//! # async fn send(spans: &[runlog::telemetry::spans::Span]) -> Result<(), Box<dyn std::error::Error>> {
//! let otlp = Otlp::http("https://api.honeycomb.io").header("x-honeycomb-team", "the API key").gzip(true);
//! let sent = Sender::new(&otlp)?.send(spans).await?;
//! println!("{} accepted, {} refused", sent.accepted, sent.refused.len());
//! # Ok(())
//! # }
//! ```

mod sender;
mod batch;
mod encoded;
mod encode;
mod wire;
mod transport;
mod grpc;
mod http;
mod settings;
mod variables;
mod metrics;
mod roots;

pub use self::sender::{Refused, Sender, Sent};
pub use self::settings::{Otlp, OtlpError, Protocol};
pub use self::transport::Unavailable;

pub(crate) use self::encoded::{Encoded, Named};
pub(crate) use self::metrics::{MetricsSender, Pushed, Window};
