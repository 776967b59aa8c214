//! What lists show of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use runlog::model::event::Trigger;
use runlog::model::{FailureSummary, Namespace, Payload, Status, TaskName, TriggerSummary};
use runlog::store::{Alike, Store};

use crate::store::process::*;

fn triggers(replayed: runlog::model::RunId) -> Vec<Trigger> {
    let (id, key) = ("evt-1".to_owned(), "order-42".to_owned());
    vec![
        Trigger::Manual,
        Trigger::Api { by: Some("ann".to_owned()) },
        Trigger::Cron { schedule: "nightly".to_owned(), due: long_ago(), by: None },
        Trigger::Event { id, key, payload: Payload::null() },
        Trigger::Parent,
        Trigger::Replay { of: replayed, by: None, reason: None, from: None, trace: None },
    ]
}

pub(super) async fn a_birth_records_what_started_the_run(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let replayed = process.started().await;
    for trigger in triggers(replayed) {
        let birth = process.birth(Status::Running).born(|born| born.trigger = (&trigger).into());
        process.write(birth.clone()).await;
        let summary = process.summary(birth.run).await;
        assert_eq!(summary.trigger, Some(TriggerSummary::from(&trigger)));
        assert_eq!(summary.node, Some(process.node));
        assert_eq!(summary.metadata, BTreeMap::from([("team".to_owned(), "payments".to_owned())]));
        let row = process.row(birth.run).await;
        assert_eq!((summary.run, summary.started_at, summary.status), (row.run, row.started_at, row.status));
    }
}

pub(super) async fn a_run_in_the_queue_records_what_started_it(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (replayed, parent) = (process.started().await, process.started().await);
    for trigger in triggers(replayed) {
        let run = process
            .queued(|born| {
                born.trigger = (&trigger).into();
                born.namespace = Namespace::new("acme").expect("a name");
                born.key = key(trigger.kind());
                born.parent = Some(parent);
            })
            .await;
        let summary = process.summary(run).await;
        assert_eq!(summary.trigger, Some(TriggerSummary::from(&trigger)));
        assert_eq!((summary.node, summary.parked, summary.status), (None, false, Status::Queued));
        assert_eq!(summary.namespace.as_str(), "acme");
        assert_eq!((summary.key, summary.parent), (key(trigger.kind()), Some(parent)));
        assert_eq!((summary.wake_at, summary.failure), (Some(long_ago()), None));
    }
}

pub(super) async fn an_end_records_its_node_and_why_it_failed(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let causer = process.started().await;
    for (status, caused_by) in [(Status::Failed, Some(causer)), (Status::TimedOut, None)] {
        let run = process.started().await;
        let failure = FailureSummary {
            task: caused_by.map(|_| TaskName::new("charge").expect("a name")),
            kind: "PaymentError".to_owned(),
            message: "it's 'declined' …".to_owned(),
            location: caused_by.map(|_| "src/pay.rs:88".to_owned()),
            fingerprint: "b44e9372c2ee".to_owned(),
            caused_by,
        };
        let mut end = append(run, 1).note("ended").row(status);
        end.row.as_mut().expect("a row").failure = Some(Box::new(failure.clone()));
        process.write(end).await;
        let summary = process.summary(run).await;
        assert_eq!((summary.status, summary.node), (status, Some(process.node)));
        assert_eq!(summary.failure, Some(failure));
        assert_eq!(summary.finished_at, process.row(run).await.finished_at);
    }
}

pub(super) async fn a_run_that_ends_well_records_its_node_only(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for status in [Status::Succeeded, Status::Cancelled] {
        let run = process.started().await;
        process.end(run, status).await;
        let summary = process.summary(run).await;
        assert!(summary.execution_time().is_some());
        assert_eq!((summary.node, summary.failure), (Some(process.node), None));
    }
}

pub(super) async fn a_parked_run_is_told_from_one_that_is_held(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    assert!(!process.summary(run).await.parked);
    process.park(run, Some(far_ahead())).await;
    let summary = process.summary(run).await;
    assert_eq!((summary.parked, summary.node, summary.wake_at), (true, None, Some(far_ahead())));
    assert_eq!(summary.execution_time(), None);
}

pub(super) async fn runs_that_failed_for_one_cause_are_counted_and_the_newest_named(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let acme = Namespace::new("acme").expect("a name");
    let fail = async |run, print: &str| {
        let mut end = append(run, 1).note("ended").row(Status::Failed);
        end.row.as_mut().expect("a row").failure = Some(Box::new(FailureSummary {
            task: None,
            kind: "PaymentError".to_owned(),
            message: "declined".to_owned(),
            location: None,
            fingerprint: print.to_owned(),
            caused_by: None,
        }));
        process.write(end).await;
        run
    };
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(fail(process.started().await, "b44e9372c2ee").await);
    }
    let alone = fail(process.started().await, "b44e9372c2ef").await;
    let birth = process.birth(Status::Running).born(|born| born.namespace = acme.clone());
    process.write(birth.clone()).await;
    let elsewhere = fail(birth.run, "b44e9372c2ee").await;
    let alike = async |run, named| store.alike(run, named).await.expect("an answer");
    let found = |print: &str, all: u64, newest: &[runlog::model::RunId]| {
        Some(Alike { fingerprint: print.to_owned(), all, day: all, newest: newest.to_vec() })
    };

    assert_eq!(alike(runs[1], 2).await, found("b44e9372c2ee", 3, &[runs[3], runs[2]]));
    assert_eq!(alike(runs[3], 9).await, found("b44e9372c2ee", 3, &[runs[2], runs[1], runs[0]]));
    assert_eq!(alike(runs[3], 0).await, found("b44e9372c2ee", 3, &[]));
    assert_eq!(alike(alone, 9).await, found("b44e9372c2ef", 0, &[]));
    assert_eq!(alike(elsewhere, 9).await, found("b44e9372c2ee", 0, &[]), "those of others are not told");
    assert_eq!(alike(process.started().await, 9).await, None, "it has not failed");
    assert_eq!(alike(process.clock.new_run_id(), 9).await, None, "an unknown run");
}
