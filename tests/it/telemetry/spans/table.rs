//! `docs/TELEMETRY.md` and the constants are the same.

use runlog::telemetry::names::traces::{ATTRIBUTES, SPAN_EVENTS, SPANS};

/// Reads the rows of the table under a heading.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let document = include_str!("../../../../docs/TELEMETRY.md");
    let start = document.find(heading).expect("the heading");
    let section = &document[start + heading.len()..];
    let section = section.split("\n#").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_span_event_and_attribute_is_in_the_document() {
    let spans = SPANS.map(|span| {
        let name =
            if span.of.is_empty() { span.word.to_owned() } else { span.about(&format!("{{{}}}", span.of)) };
        vec![format!("`{name}`"), span.kind.into(), span.help.into()]
    });
    assert_eq!(rows("### Spans\n"), spans);
    let events =
        SPAN_EVENTS.map(|event| vec![format!("`{}`", event.name), event.on.into(), event.help.into()]);
    assert_eq!(rows("### Events of spans\n"), events);
    let attributes = ATTRIBUTES.iter().map(|attribute| {
        let name = if attribute.key.ends_with('.') { "{name}" } else { "" };
        let key = format!("`{}{name}`", attribute.key);
        vec![key, attribute.on.into(), attribute.value.into(), attribute.help.into()]
    });
    assert_eq!(rows("### Attributes\n"), attributes.collect::<Vec<_>>());
}
