//! What an export may be told, and is refused before anything starts.

use runlog::telemetry::spans::AtEnd;

use super::*;

async fn refusal(export: Export) -> String {
    let ground = Postgres::new().await;
    match node(ground.builder()).export(export).start().await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was taken"),
    }
}

#[tokio::test]
async fn an_export_that_cannot_work_is_refused_at_the_start() {
    let good = || Otlp::http("http://localhost:4318");
    let endpoint = refusal(Export::otlp(Otlp::http("localhost"))).await;
    assert!(endpoint.contains("export") && endpoint.contains("localhost"), "{endpoint}");
    let interval = refusal(Export::otlp(good()).interval(Duration::ZERO)).await;
    assert!(interval.contains("interval"), "{interval}");
    let room = refusal(Export::otlp(good()).runs_kept(0)).await;
    assert!(room.contains("0 runs"), "{room}");
    let failed = AtEnd { failed: true, ..AtEnd::default() };
    let nothing_left = refusal(Export::otlp(good()).sample_ended(failed)).await;
    assert!(nothing_left.contains("sample_ended"), "{nothing_left}");
}
