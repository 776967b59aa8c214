//! `runlog trace export`, into a backend in this process.

use anyhow::Result;
use runlog::telemetry::spans::Span;
use serde_json::Value;

use super::{chatty, derived, family, ordered, serving};
use crate::cli::verbs::on;
use crate::support::{Ground, Postgres};
use crate::telemetry::receiver::{Manners, Receiver};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_past_run_is_exported_as_its_log_says() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let run = ordered(&runtime, 1).await?;
    let expected = family(&runtime, run).await?;
    assert!(expected.len() > 6, "{expected:?}");
    let id = run.to_string();
    for protocol in ["grpc", "http/protobuf"] {
        let backend = Receiver::new().await;
        let export = ["trace", "export", &id, "--children", "--protocol", protocol, "--to", &backend.http()];
        let told = on(&ground.url, &export).await?;

        assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""), "{}", told.stdout);
        assert_eq!(backend.spans(), expected, "{protocol}");
        let count = expected.len();
        assert!(told.stdout.contains(&format!("2 runs: {count} of {count} spans accepted, 0 refused\n")));
        let trace = backend.trace(expected[0].trace_id, None);
        assert_eq!((trace.spans.len(), trace.warnings), (count, Vec::new()), "a whole trace");

        // Once more, and it is the same.
        assert_eq!(on(&ground.url, &export).await?.code, Some(0));
        assert_eq!(backend.received().len(), 2 * count);
        let again = backend.trace(expected[0].trace_id, None);
        assert_eq!((again.spans.len(), again.warnings), (count, Vec::new()), "the same spans");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shifted_to_now_a_trace_ends_now_and_is_otherwise_the_same() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let run = ordered(&runtime, 2).await?.to_string();
    let expected = derived(&runtime, run.parse()?).await?;
    let backend = Receiver::new().await;

    let before = ground.now().await;
    let export = ["trace", "export", &run, "--shift-to-now", "--to", &backend.http()];
    let told = on(&ground.url, &export).await?;
    let after = ground.now().await;

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let moved = backend.spans();
    let end = moved.iter().map(|span| span.end).max().expect("spans");
    assert!(before <= end + chrono::TimeDelta::microseconds(1) && end <= after, "{before} {end} {after}");
    let by = moved[0].start - expected[0].start;
    assert!(by > chrono::TimeDelta::zero());
    let back: Vec<Span> = moved
        .into_iter()
        .map(|mut span| {
            (span.start, span.end) = (span.start - by, span.end - by);
            span.events.iter_mut().for_each(|event| event.at -= by);
            span
        })
        .collect();
    assert_eq!(back, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_sends_nothing() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let run = ordered(&runtime, 0).await?;
    let (count, id) = (derived(&runtime, run).await?.len(), run.to_string());
    let backend = Receiver::new().await;

    let told = on(&ground.url, &["trace", "export", &id, "--dry-run", "--to", &backend.http()]).await?;

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.ends_with(&format!("  {count} spans would be sent\n")), "{}", told.stdout);
    assert_eq!(backend.requests().len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_backend_does_not_want_is_told_with_its_reason() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let run = ordered(&runtime, 0).await?;
    let (count, id) = (derived(&runtime, run).await?.len(), run.to_string());
    let backend = Receiver::new().await;
    let url = backend.http();
    let export = ["trace", "export", &id, "--to", &url];

    backend.manners(Manners { refuses: Some("step charge"), ..Manners::default() });
    let told = on(&ground.url, &export).await?;
    assert_eq!(told.code, Some(7), "{}", told.stderr);
    assert!(told.stdout.contains(&format!("{} of {count} spans accepted, 1 refused\n", count - 1)));
    assert!(
        told.stdout.contains("step charge: 400 Bad Request: \"step charge\" will not do\n"),
        "{}",
        told.stdout
    );

    backend.manners(Manners { throws_away: Some("step charge"), ..Manners::default() });
    let told = on(&ground.url, &[&export[..], &["-o", "json"]].concat()).await?;
    assert_eq!(told.code, Some(7));
    let totals: Value = serde_json::from_str(&told.stdout)?;
    let accepted = count - 1;
    let expected = serde_json::json!(
        { "runs": 1, "spans": count, "accepted": accepted, "rejected": 1, "refused": 0 }
    );
    assert_eq!(totals, expected);

    let pause = std::time::Duration::from_secs(3_000);
    backend.manners(Manners { is_busy: Some(pause), ..Manners::default() });
    let told = on(&ground.url, &export).await?;
    assert_eq!(told.code, Some(5));
    assert!(told.stderr.contains("0 runs and 0 spans were accepted before that\n"), "{}", told.stderr);
    assert!(told.stderr.contains("does not answer: 429 Too Many Requests"), "{}", told.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_runs_that_fit_a_filter_are_exported() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let (failed, fine) = (ordered(&runtime, 2).await?, ordered(&runtime, 0).await?);
    let backend = Receiver::new().await;
    let url = backend.http();
    let export = async |filter: &str, more: &[&str]| {
        on(&ground.url, &[&["trace", "export", "--match", filter, "--to", &url][..], more].concat()).await
    };

    let told = export("workflow:order status:failed", &["-o", "ids"]).await?;
    assert_eq!((told.code, told.stdout), (Some(0), format!("{failed}\n")));
    assert_eq!(backend.spans(), derived(&runtime, failed).await?);

    let told = export("workflow:order", &["-o", "jsonl"]).await?;
    let runs: Vec<String> = told
        .stdout
        .lines()
        .map(|line| Ok(serde_json::from_str::<Value>(line)?["run"].as_str().unwrap_or_default().to_owned()))
        .collect::<Result<_>>()?;
    assert_eq!(runs, [fine.to_string(), failed.to_string()], "newest first, as they are listed");

    let told = export("workflow:nobodys", &[]).await?;
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), "no run fits \"workflow:nobodys\"\n"));
    let told = export("workflow:", &[]).await?;
    assert_eq!(told.code, Some(2), "{}", told.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_exported_is_said_before_anything_is_sent() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let id = ordered(&runtime, 0).await?.to_string();
    let unknown = "01a00000-0000-7000-8000-000000000000";
    for (arguments, code, said) in [
        (&[id.as_str()][..], 2, "Name a backend: --to URL"),
        (&[&id, "--to", "localhost:4318"], 2, "it begins with http:// or https://"),
        (&[&id, "--to", "http://localhost:4318", "--protocol", "smoke"], 2, "\"smoke\" is no protocol here"),
        (&[unknown, "--to", "http://localhost:4318"], 4, "there is no run"),
        (&[&id, "--match", "workflow:order"], 2, "cannot be used with"),
        (&[], 2, "required"),
    ] {
        let told = on(&ground.url, &[&["trace", "export"][..], arguments].concat()).await?;
        assert_eq!(told.code, Some(code), "{arguments:?}: {}", told.stderr);
        assert!(told.stderr.contains(said), "{arguments:?}: {}", told.stderr);
    }
    Ok(())
}

/// What is in memory of a long run is a page of its log: no request has more, and none waits for the last page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_run_is_exported_page_by_page() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let run = runtime.run(&chatty(), 1_200).start().await?;
    run.output().await?;
    let expected = derived(&runtime, run.id()).await?;
    assert!(expected.len() >= 1_200);
    let backend = Receiver::new().await;

    let id = run.id().to_string();
    let told = on(&ground.url, &["trace", "export", &id, "--to", &backend.http()]).await?;

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert_eq!(backend.spans(), expected);
    let sizes: Vec<usize> = backend.requests().iter().map(|request| request.spans).collect();
    assert!(sizes.len() > 2 && sizes.iter().all(|spans| *spans <= 500), "{sizes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_live_export_could_not_send_is_listed() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let none = on(&ground.url, &["trace", "refused"]).await?;
    assert_eq!(none.code, Some(0), "{}", none.stderr);
    assert_eq!(
        none.stdout,
        "exporter  none\nwaiting   nothing; runs are to be looked through besides\nrefused   0\n"
    );
    let run = ordered(&runtime, 0).await?;
    ground
        .psql(&format!(
            "with one as (update runlog.exporter set refused = 1)
             insert into runlog.refused_spans (at, run_id, trace_id, span_id, name, reason)
             values ('2026-01-02 03:04:05Z', '{run}', 'af', 'b1', 'step charge', 'it is too long')"
        ))
        .await
        .map_err(anyhow::Error::msg)?;

    let told = on(&ground.url, &["trace", "refused", "--limit", "5"]).await?;

    let line = told.stdout.lines().last().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert!(words.ends_with(&["af", "b1", "step", "charge", "it", "is", "too", "long"]), "{}", told.stdout);
    assert!(line.contains(&run.to_string()) && told.stdout.contains("refused   1\n"), "{}", told.stdout);
    Ok(())
}
