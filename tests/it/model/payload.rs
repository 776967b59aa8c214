//! What users give and get.

use runlog::model::limits::{PAYLOAD_BYTES_MAX, PAYLOAD_DEPTH_MAX};
use runlog::model::{Payload, PayloadError};

#[test]
fn a_payload_is_kept_byte_for_byte() {
    let texts = [
        r#"{"b":1,"a":2,"b":3}"#,
        "123456789012345678901234567890.10e400",
        "{ \"a\" : [ 1,2 ] }",
        r#""\u00e9é\ud83d\ude00\/\\""#,
        r#""ends with an escape \\""#,
        r#""\"""#,
        r#"["\\","\\\"","\u005c"]"#,
        "null",
    ];
    for text in texts {
        assert_eq!(Payload::parse(text).expect(text).text(), text);
    }
}

#[test]
fn brackets_inside_a_string_do_not_nest() {
    let text = format!("\"{}\"", "[{".repeat(200));
    assert_eq!(Payload::parse(text.clone()).expect("JSON").text(), text);
    let text = format!("[\"\\\\\",\"\\\"{}\"]", "[".repeat(200));
    assert_eq!(Payload::parse(text.clone()).expect("JSON").text(), text);
}

#[test]
fn a_payload_nests_64_levels_and_no_more() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(PAYLOAD_DEPTH_MAX, 64);
    assert!(Payload::parse(nested(64)).is_ok());
    assert_eq!(Payload::parse(nested(65)), Err(PayloadError::TooDeep { limit: 64, at: 64 }));
    let siblings = format!("[{}1]", "[[]],".repeat(100));
    assert!(Payload::parse(siblings).is_ok(), "only open levels count");
}

#[test]
fn a_payload_has_a_mebibyte_and_no_more() {
    let sized = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert!(Payload::parse(sized(PAYLOAD_BYTES_MAX)).is_ok());
    let over = PAYLOAD_BYTES_MAX + 1;
    let refused = PayloadError::TooLarge { bytes: over, limit: PAYLOAD_BYTES_MAX };
    assert_eq!(Payload::parse(sized(over)), Err(refused.clone()));
    assert_eq!(Payload::of(&"x".repeat(over - 2)), Err(refused));
}

#[test]
fn a_nul_is_refused_however_it_is_written() {
    assert_eq!(Payload::parse("\"a\0\""), Err(PayloadError::Nul { at: 2 }));
    assert_eq!(Payload::parse(r#""a\u0000""#), Err(PayloadError::Nul { at: 2 }));
    assert_eq!(Payload::parse(r#"{"\u0000":1}"#), Err(PayloadError::Nul { at: 2 }));
    assert_eq!(Payload::of("a\0"), Err(PayloadError::Nul { at: 2 }));
    assert!(Payload::parse(r#""\\u0000""#).is_ok(), "an escaped backslash before u0000 is no NUL");
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for text in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ude00""#, r#""\ud83d\ud83d""#, r#""\ud83d\n\ude00""#] {
        assert_eq!(Payload::parse(text), Err(PayloadError::LoneSurrogate { at: 1 }), "{text}");
    }
    assert!(Payload::parse(r#""\ud83d\ude00""#).is_ok());
    assert!(Payload::parse(r#""\\ud83d""#).is_ok());
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for text in
        ["", "{", "\"", "\"\\", "\"\\u12\"", "\"\\u+123\"", "[1,]", "nul", "1 2", "\"\u{1}\"", "\"\\ué\""]
    {
        let error = Payload::parse(text).expect_err(text);
        assert!(matches!(error, PayloadError::Malformed { .. }), "{text}: {error}");
        assert!(error.to_string().contains("line 1 column"), "{error}");
    }
}

#[test]
fn a_payload_of_another_type_says_what_was_expected() {
    let error = Payload::parse("\"x\"").expect("JSON").read::<u32>().expect_err("no number");
    assert!(matches!(error, PayloadError::Mistyped { expected: "u32", .. }), "{error}");
    assert_eq!(Payload::of(&(1, "x")).expect("JSON").read::<(u32, String)>(), Ok((1, "x".to_owned())));
}
