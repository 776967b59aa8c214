//! What the libraries below an application say of their own business, and a filter that leaves it out.

use tracing::Metadata;
use tracing::subscriber::Interest;
use tracing_subscriber::layer::{Context, Filter};

/// What speaks of its own business in the middle of an application's.
pub(super) const FOREIGN: [&str; 25] = [
    "runlog",
    "sqlx",
    "sqlx_core",
    "sqlx_postgres",
    "ractor",
    "tokio",
    "mio",
    "hyper",
    "hyper_util",
    "hyper_rustls",
    "h2",
    "h3",
    "quinn",
    "rustls",
    "reqwest",
    "want",
    "tower",
    "tower_http",
    "tonic",
    "axum",
    "opentelemetry",
    "opentelemetry_sdk",
    "opentelemetry_http",
    "opentelemetry_otlp",
    "log",
];

/// Says whether a target is another one, or below it.
pub(super) fn is_below(target: &str, above: &str) -> bool {
    target.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// A filter for an embedder's own layers, such as `tracing_opentelemetry`'s: lets through what the application's code says,
/// and leaves out the spans and events of this library and of those that it and most applications stand on (sqlx, hyper,
/// h2, tonic, …). With it, a span that is exported makes no further spans.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// # let your_layer = tracing_subscriber::layer::Identity::new();
/// let layer = your_layer.with_filter(runlog::telemetry::CodeFilter);
/// # drop(tracing_subscriber::registry().with(layer));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CodeFilter;

impl CodeFilter {
    fn wants(metadata: &Metadata<'_>) -> bool {
        !FOREIGN.iter().any(|foreign| is_below(metadata.target(), foreign))
    }
}

impl<S> Filter<S> for CodeFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        CodeFilter::wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if CodeFilter::wants(metadata) { Interest::always() } else { Interest::never() }
    }
}
