//! Names, keys and ids.

use std::collections::HashSet;
use std::sync::Arc;

use runlog::clock::Clock;
use runlog::model::ids::{NameError, check_op_name};
use runlog::model::{Key, OpKey, RunId, WorkflowName};

use super::samples::at;

#[test]
fn a_name_has_128_bytes_and_a_key_512() {
    let name = |bytes: usize| WorkflowName::new("ü".repeat(bytes / 2));
    assert!(name(128).is_ok());
    assert!(matches!(name(130), Err(NameError::TooLong { bytes: 130, limit: 128, .. })));
    assert!(Key::new("x".repeat(512)).is_ok());
    assert!(matches!(Key::new("x".repeat(513)), Err(NameError::TooLong { bytes: 513, limit: 512, .. })));
    assert!(check_op_name(&"x".repeat(128)).is_ok());
    assert!(check_op_name(&"x".repeat(129)).is_err());
}

#[test]
fn an_empty_name_is_refused() {
    assert!(matches!(WorkflowName::new(""), Err(NameError::Empty { .. })));
}

#[test]
fn control_characters_are_refused() {
    for character in ['\0', '\n', '\t', '\u{7f}', '\u{85}'] {
        let refused = WorkflowName::new(format!("a{character}b"));
        assert!(matches!(refused, Err(NameError::Control { character: found, .. }) if found == character));
    }
    assert!(WorkflowName::new("a b/c#d é").is_ok());
}

#[test]
fn an_operation_is_one_text_in_the_log() {
    for (name, occurrence) in [("charge", 0), ("a#b", 7), ("#", u32::MAX)] {
        let op = OpKey { name: name.into(), occurrence };
        let text = serde_json::to_string(&op).expect("JSON");
        assert_eq!(text, format!("\"{name}#{occurrence}\""));
        assert_eq!(serde_json::from_str::<OpKey>(&text).expect("an operation"), op);
    }
    assert!(serde_json::from_str::<OpKey>("\"charge\"").is_err());
}

#[test]
fn an_id_is_a_uuid_of_version_7() {
    let id = Clock::starting_at(at(0)).new_run_id();
    assert_eq!((id.uuid().get_version_num(), id.uuid().get_variant()), (7, uuid::Variant::RFC4122));
    assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
    for text in ["", "x", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"] {
        assert!(matches!(text.parse::<RunId>(), Err(NameError::NotARunId { .. })), "{text}");
    }
}

#[test]
fn an_id_tells_when_it_was_made() {
    let micros = at(0).timestamp_micros();
    for offset in [0, 1, 499, 500, 999, 1_000, 123_456_789] {
        let micros = u64::try_from(micros + offset).expect("after 1970");
        let tick = ((micros / 1_000) << 12) + (micros % 1_000) * 4_096 / 1_000;
        let told = RunId::from_tick(tick, u64::MAX).created_at().timestamp_micros();
        let told = u64::try_from(told).expect("after 1970");
        assert!(micros - told <= 1, "{micros} is told as {told}");
    }
}

#[test]
fn a_million_ids_of_8_threads_differ_and_ascend() {
    let clock = Arc::new(Clock::starting_at(at(0)));
    let makers: Vec<_> = (0..8)
        .map(|_| {
            let clock = Arc::clone(&clock);
            std::thread::spawn(move || (0..125_000).map(|_| clock.new_run_id()).collect::<Vec<_>>())
        })
        .collect();
    let mut seen = HashSet::with_capacity(1_000_000);
    for maker in makers {
        let ids = maker.join().expect("no panic");
        for pair in ids.windows(2) {
            assert!(pair[0] < pair[1]);
            assert!(pair[0].created_at() <= pair[1].created_at());
        }
        seen.extend(ids);
    }
    assert_eq!(seen.len(), 1_000_000);
}
