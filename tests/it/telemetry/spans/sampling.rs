//! Which runs are exported.

use std::time::Duration;

use opentelemetry::TraceId as OtelTraceId;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};
use runlog::Status;
use runlog::model::TraceFlags;
use runlog::telemetry::ids;
use runlog::telemetry::spans::{AtCreation, AtEnd, Ending, Ratio};

use crate::model::samples::{at, run};

#[test]
fn a_ratio_keeps_that_part_of_the_traces_and_those_that_opentelemetry_keeps() {
    for part in [0.0, 0.1, 0.5, 1.0] {
        let (ratio, theirs) = (Ratio::new(part).expect("a ratio"), Sampler::TraceIdRatioBased(part));
        let mut kept = 0;
        // Ids of runs of the same moment: they differ in what is not random.
        for n in 0..10_000 {
            let trace = ids::run(run(n), None).trace_id;
            let id = OtelTraceId::from_bytes(trace.bytes());
            let decision = theirs.should_sample(None, id, "start", &SpanKind::Internal, &[], &[]).decision;
            assert_eq!(ratio.keeps(trace), decision == SamplingDecision::RecordAndSample);
            kept += u32::from(ratio.keeps(trace));
        }
        let wanted = part * 10_000.0;
        assert!((f64::from(kept) - wanted).abs() < 250.0, "{kept} of 10,000 at {part}");
    }
    for wrong in [-0.1, 1.1, f64::NAN] {
        assert!(Ratio::new(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_callers_flag_decides_where_that_is_asked_for() {
    let trace = ids::run(run(1), None).trace_id;
    let none = Ratio::new(0.0).expect("a ratio");
    let (sampled, not) = (Some(TraceFlags::SAMPLED), Some(TraceFlags::new(0)));
    let by_caller = AtCreation::Caller { or: none };
    let answers = |rule: AtCreation| [None, sampled, not].map(|caller| rule.keeps(trace, caller));
    assert_eq!(answers(AtCreation::Always), [true, true, true]);
    assert_eq!(answers(by_caller), [false, true, false]);
    assert_eq!(answers(AtCreation::Caller { or: Ratio::ALL }), [true, true, false]);
    assert_eq!(answers(AtCreation::Ratio(none)), [false, false, false]);
}

#[test]
fn what_is_below_a_run_is_told_the_decision() {
    let rule = AtCreation::Caller { or: Ratio::new(0.5).expect("a ratio") };
    let mut kept = 0;
    for n in 0..1_000 {
        let place = rule.place(run(n), None);
        let child = rule.place(run(9_999), Some(&place));
        assert_eq!((child.trace_id, child.flags), (place.trace_id, place.flags));
        kept += u32::from(place.flags.is_sampled());
    }
    assert!((400..600).contains(&kept), "{kept} of 1,000");
}

#[test]
fn runs_are_kept_by_how_they_ended() {
    let ending = |status, seconds| Ending { status, started_at: Some(at(0)), at: at(seconds) };
    let failed = AtEnd { failed: true, ..AtEnd::default() };
    let timed_out = AtEnd { timed_out: true, ..AtEnd::default() };
    let slow = AtEnd { slower_than: Some(Duration::from_secs(5)), ..AtEnd::default() };
    let kept = |rule: AtEnd| {
        let ended = [Status::Succeeded, Status::Failed, Status::Cancelled, Status::TimedOut];
        ended.map(|status| rule.keeps(&ending(status, 5)))
    };
    assert_eq!(kept(AtEnd::default()), [false; 4]);
    assert_eq!(kept(failed), [false, true, false, false]);
    assert_eq!(kept(timed_out), [false, false, false, true]);
    assert_eq!(kept(slow), [false; 4], "as slow is not slower");
    assert!(slow.keeps(&ending(Status::Succeeded, 6)));
    let unstarted = Ending { status: Status::Cancelled, started_at: None, at: at(9_000) };
    assert!(!slow.keeps(&unstarted), "time in the queue is not the run's");
}
