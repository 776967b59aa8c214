//! W3C Trace Context, as it is read and written.

use runlog::model::{Event, RunEvent, SpanId, TraceContext, TraceError, TraceFlags, TraceId, TraceState};

use super::samples::created;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[test]
fn a_traceparent_is_read_and_written_again() {
    for (text, flags) in [("00-T-S-01", 1), ("00-T-S-00", 0), ("00-T-S-03", 3), ("00-T-S-ff", 3)] {
        let read = TraceContext::parse(&text.replace('T', TRACE).replace('S', SPAN)).unwrap();
        assert_eq!((read.trace_id.to_string(), read.span_id.to_string()), (TRACE.into(), SPAN.into()));
        assert_eq!((read.flags.bits(), read.flags.is_sampled()), (flags, flags & 1 == 1), "{text}");
        assert_eq!(read.traceparent(), format!("00-{TRACE}-{SPAN}-{flags:02x}"));
    }
}

#[test]
fn later_versions_are_read_as_far_as_they_are_known() {
    for text in ["cc-T-S-01", "cc-T-S-01-", "cc-T-S-01-what-the-future-will-be-like", "01-T-S-09.rest"] {
        let read = TraceContext::parse(&text.replace('T', TRACE).replace('S', SPAN));
        let wanted = text.len() == "cc-T-S-01".len() || text.as_bytes()["cc-T-S-01".len()] == b'-';
        assert_eq!(read.is_ok(), wanted, "{text}");
    }
}

#[test]
fn whatever_else_the_standard_refuses_is_refused() {
    let zero = "0".repeat(32);
    let wrong = [
        "".to_owned(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-011"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01 "),
        format!(" 00-{TRACE}-{SPAN}-01"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{SPAN}-0A"),
        format!("00-{}g-{SPAN}-01", TRACE.get(1..).unwrap()),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("00-{TRACE}-{}é-01", SPAN.get(2..).unwrap()),
    ];
    for text in wrong {
        assert_eq!(TraceContext::parse(&text), Err(TraceError::Parent { text: text.clone() }));
    }
    let zeros =
        [(format!("00-{zero}-{SPAN}-01"), "trace-id"), (format!("00-{TRACE}-{:016}-01", 0), "parent-id")];
    for (text, what) in zeros {
        assert_eq!(TraceContext::parse(&text), Err(TraceError::Zero { what }));
    }
    assert_eq!((TraceId::new([0; 16]), SpanId::new([0; 8])), (None, None));
}

#[test]
fn a_tracestate_keeps_its_members_in_their_order() {
    let cases = [
        ("rojo=00f067aa0ba902b7", Some("rojo=00f067aa0ba902b7")),
        ("b=2, a=1 ,\tc=3", Some("b=2,a=1,c=3")),
        (",,a=1,,", Some("a=1")),
        ("0tenant@sys-1=x y", Some("0tenant@sys-1=x y")),
        ("", None),
        (" , ", None),
    ];
    for (text, wanted) in cases {
        let read = TraceState::parse(text).unwrap();
        assert_eq!(read.as_ref().map(TraceState::as_str), wanted, "{text:?}");
    }
}

#[test]
fn a_tracestate_outside_of_the_standard_is_refused() {
    let many = (0..33).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    let long = format!("a={}", "x".repeat(257));
    let large = (0..3).map(|n| format!("k{n}={}", "x".repeat(200))).collect::<Vec<_>>().join(",");
    let wrong =
        ["a", "=v", "a=", "A=1", "a=1,a=2", "a=b=c", "a=é", "@s=1", "t@=1", "t@0s=1", &many, &long, &large];
    for text in wrong {
        let error = TraceState::parse(text).expect_err(text);
        assert!(matches!(&error, TraceError::State { text: told, .. } if told == text), "{error}");
    }
}

#[test]
fn the_log_keeps_the_context_that_a_run_was_started_under() {
    let mut trace = TraceContext::parse(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
    for state in [None, TraceState::parse("a=1,b=2").unwrap()] {
        trace.state = state;
        let event = Event::from(RunEvent::from(runlog::model::event::RunCreated {
            trace: Some(Box::new(trace.clone())),
            ..created()
        }));
        let encoded = event.encode().unwrap();
        let json: serde_json::Value = serde_json::from_str(&encoded.payload).unwrap();
        let state = trace.state.as_ref().map(TraceState::as_str);
        let wanted = serde_json::json!({"trace_id": TRACE, "span_id": SPAN, "flags": 1, "state": state});
        assert_eq!(json["trace"], wanted);
        assert_eq!(
            Event::decode(encoded.kind, encoded.schema_version, None, &encoded.payload).unwrap(),
            event
        );
    }
    assert_eq!(
        trace.under(SpanId::new([1; 8]).unwrap()).traceparent(),
        format!("00-{TRACE}-0101010101010101-01")
    );
    assert!(!TraceFlags::default().is_sampled());
}
