//! Sends spans until the backend has answered for each.

use std::time::Duration;

use super::Engine;
use super::folds::Batch;
use super::settings::ExportSettings;
use crate::store::outbox::RefusedSpan;
use crate::telemetry::Hushed;
use crate::telemetry::otlp::{Named, Refused};

/// The first pause after the backend did not take what it was sent; doubles from there.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest one, unless the backend asks for a longer: an operator who mends it waits no longer than that.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Sends spans, again and again as long as the backend is away; returns those it refuses for good.
pub(super) async fn send(engine: &Engine, settings: &ExportSettings, batch: &Batch) -> Vec<RefusedSpan> {
    let mut pause = PAUSE_MIN;
    let mut is_away = false;
    loop {
        // What the host's OpenTelemetry heard of this, it would export, too.
        let unavailable = match Hushed::new(settings.sender.send_encoded(&batch.spans)).await {
            Ok(sent) => {
                if is_away {
                    tracing::info!("the backend takes spans again");
                }
                engine.metrics.exported(sent.accepted, sent.refused.len().saturating_add(sent.rejected));
                if sent.rejected > 0 {
                    let (spans, remark) = (sent.rejected, sent.remark.unwrap_or_default());
                    tracing::warn!(spans, remark, "the backend threw spans away, and does not say which");
                }
                return sent
                    .refused
                    .into_iter()
                    .filter_map(|refused| parked(engine, batch, refused))
                    .collect();
            }
            Err(unavailable) => unavailable,
        };
        engine.metrics.export_failed();
        if !is_away {
            tracing::warn!(
                reason = unavailable.reason,
                "the backend takes no spans: they wait in the outbox"
            );
        }
        is_away = true;
        let asked = unavailable.retry_after.unwrap_or_default();
        // Not all exporters of a collector at once.
        let spread = pause.mul_f64(engine.clock.chance() / 4.0);
        tokio::time::sleep(asked.max(pause) + spread).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn parked(engine: &Engine, batch: &Batch, refused: Refused) -> Option<RefusedSpan> {
    let Named { trace_id, span_id, name } = batch.spans.named(refused.span)?;
    let (run, at) = (*batch.runs.get(refused.span)?, engine.clock.now());
    let (trace_id, span_id) = (Some(trace_id.to_string()), Some(span_id.to_string()));
    Some(RefusedSpan { at, run, trace_id, span_id, name, reason: refused.reason })
}
