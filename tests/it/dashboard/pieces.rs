//! The pieces of a run's page: payloads, the graph, the timeline.

use std::time::Duration;

use proptest::prelude::*;
use runlog::dashboard::pieces::{graph, payload, timeline};
use runlog::inspect::{Gap, Graph, Node, NodeKind, Phase, Segment, Timeline, TimelineRow};
use runlog::model::TaskName;
use runlog::{Status, TaskStatus};

use crate::inspect::layout::{child, graph as graph_of, task};

/// Takes the tags out of a page and reads its entities: what a person sees.
fn seen(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        rest = tag.split_once('>').expect("the tag's end").1;
    }
    text.push_str(rest);
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The payload's own text, without its frame.
fn shown(text: &str) -> String {
    let html = payload(text);
    let inside = html.split_once('>').expect("a frame").1;
    inside.rsplit_once("</div>").expect("its end").0.to_owned()
}

/// Fails unless every tag that is opened is closed where it should be.
fn assert_balanced(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1) {
        let tag = tag.split('>').next().expect("the tag's end");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "in {html}"),
            None => open.push(tag.split(' ').next().expect("its name")),
        }
    }
    assert!(open.is_empty(), "{open:?} in {html}");
}

#[test]
fn a_payload_has_a_line_for_every_member_and_its_values_as_they_were_typed() {
    let text = r#"{"order":"o_771","cents":42.00e+00,"big":123456789012345678901234567890,"none":null,"list":[1,-0.0],"e":{},"f":[ ]}"#;

    assert_eq!(
        shown(text),
        r#"{
  <span class="k">&quot;order&quot;</span>: <span class="s">&quot;o_771&quot;</span>,
  <span class="k">&quot;cents&quot;</span>: <span class="n">42.00e+00</span>,
  <span class="k">&quot;big&quot;</span>: <span class="n">123456789012345678901234567890</span>,
  <span class="k">&quot;none&quot;</span>: <span class="b">null</span>,
  <span class="k">&quot;list&quot;</span>: [
    <span class="n">1</span>,
    <span class="n">-0.0</span>
  ],
  <span class="k">&quot;e&quot;</span>: {},
  <span class="k">&quot;f&quot;</span>: []
}
"#
    );
    assert_eq!(shown("42.00"), "<span class=\"n\">42.00</span>\n");
}

#[test]
fn what_is_deeper_than_three_levels_is_folded_with_its_count() {
    let html = shown(r#"{"a":{"b":[{"c":1,"d":[2]}]}}"#);

    assert_eq!(
        html,
        r#"{
  <span class="k">&quot;a&quot;</span>: {
    <span class="k">&quot;b&quot;</span>: [
<details><summary>      { <span class="members">2</span></summary>        <span class="k">&quot;c&quot;</span>: <span class="n">1</span>,
<details><summary>        <span class="k">&quot;d&quot;</span>: [ <span class="members">1</span></summary>          <span class="n">2</span>
        ]
</details>      }
</details>    ]
  }
}
"#
    );
}

#[test]
fn what_comes_after_two_hundred_lines_is_one_fold_of_plain_text() {
    let text = format!("[{}]", (0..1_000).map(|n| n.to_string()).collect::<Vec<_>>().join(","));

    let html = shown(&text);

    assert_eq!(html.matches("<span").count(), 199);
    assert!(html.contains("<details class=\"rest\"><summary>802 more lines</summary>  199,\n"), "{html}");
    let all = seen(&html).replace("802 more lines", "");
    assert_eq!(all.split_whitespace().collect::<String>(), text);
}

#[test]
fn folds_that_are_open_at_line_two_hundred_are_closed_before_the_rest() {
    let text = format!("[[[[{}]]]]", vec!["1"; 500].join(","));

    let html = payload(&text);

    assert_balanced(&html);
    assert!(html.contains("</details><details class=\"rest\">"), "{html}");
}

#[test]
fn a_long_text_is_shown_in_part_with_its_size() {
    let text = format!("[\"{}\"]", "ä".repeat(700_000));

    let html = payload(&text);

    assert!(html.len() < 20_000 && seen(&html).ends_with("The first 16 KiB of 1.3 MiB."), "{}", html.len());
    assert_balanced(&html);
    assert!(!payload(&format!("\"{}\"", "a".repeat((64 << 10) - 2))).contains("class=\"cut\""));
    assert!(payload(&format!("\"{}\"", "a".repeat((64 << 10) - 1))).contains("class=\"cut\""));
}

#[test]
fn a_text_that_is_no_json_is_shown_as_it_is() {
    let text = "{\"a\": 1,,  ‹redacted›\n <script>alert(1)</script>";

    assert_eq!(shown(text), "{&quot;a&quot;: 1,,  ‹redacted›\n &lt;script&gt;alert(1)&lt;/script&gt;");
}

#[test]
fn what_looks_like_a_tag_stays_text() {
    let html = payload(r#"{"<b>":"</div><script>alert('1')</script>","&lt;":"\u003cb>"}"#);

    assert!(!html.contains("<script") && !html.contains("<b>"));
    assert!(seen(&html).contains(r#""</div><script>alert('1')</script>""#), "{html}");
    assert!(seen(&html).contains(r#""&lt;": "\u003cb>""#), "{html}");
}

#[test]
fn the_deepest_and_the_widest_texts_stay_small() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let wide = format!("{}{}{}", "[".repeat(64), vec!["1"; 30_000].join(","), "]".repeat(64));
    let colours = format!("[{}]", vec!["1"; 32_000].join(","));

    for text in [deep, wide, colours] {
        let html = payload(&text);
        assert!(html.len() < 400_000 && html.matches('<').count() < 1_500, "{}", html.len());
        assert_balanced(&html);
    }
}

/// Any JSON, small.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
        ".{0,8}".prop_map(|text| serde_json::to_string(&text).expect("a text")),
    ];
    leaf.prop_recursive(6, 300, 12, |inner| {
        let name = ".{0,4}".prop_map(|name| serde_json::to_string(&name).expect("a text"));
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..12).prop_map(|list| format!("[{}]", list.join(", "))),
            proptest::collection::vec((name, inner), 0..12).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{name} :{value}")).collect();
                format!("{{ {} }}", members.join(","))
            }),
        ]
    })
}

/// Leaves out what may stand between two words, outside of strings.
fn words(json: &str) -> String {
    let (mut words, mut in_string, mut escaped) = (String::new(), false, false);
    for c in json.chars() {
        if in_string || !c.is_ascii_whitespace() {
            words.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    words
}

proptest! {
    #[test]
    fn any_text_is_shown_and_its_tags_are_closed(text in any::<String>()) {
        assert_balanced(&payload(&text));
    }

    #[test]
    fn any_text_of_json_characters_is_shown(text in "[\\[\\]{}:,\"\\\\0-9truefalsn \n<>&é-]{0,300}") {
        assert_balanced(&payload(&text));
    }

    #[test]
    fn any_json_is_shown_word_for_word(text in json()) {
        let html = shown(&text);

        assert_balanced(&html);
        let counts = without_counts(&html);
        prop_assert_eq!(words(&seen(&counts)), words(&text));
    }

    #[test]
    fn the_beginning_of_any_json_is_shown(text in json(), long in 0_usize..20_000) {
        let text = format!("[{text}, \"{}\", {text}, \"{}\"]", "x".repeat(long), "y".repeat(64 << 10));

        let html = payload(&text);

        assert_balanced(&html);
        prop_assert!(html.contains("class=\"cut\""));
    }
}

/// Leaves out the counts of folds, which are no part of the text.
fn without_counts(html: &str) -> String {
    let mut parts = html.split(" <span class=\"members\">");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once("</span>").expect("its end").1);
    let text = first + &rest.collect::<String>();
    match text.split_once("<details class=\"rest\"><summary>") {
        Some((before, after)) => format!("{before}{}", after.split_once("</summary>").expect("its end").1),
        None => text,
    }
}

fn shop() -> Graph {
    let mut nodes = vec![
        task("reserve", TaskStatus::Succeeded),
        task("charge <card>", TaskStatus::Failed),
        task("mail", TaskStatus::Queued),
        child("resize", 7, Status::TimedOut),
    ];
    for (node, millis) in nodes.iter_mut().zip([108, 2_040]) {
        node.duration = Some(Duration::from_millis(millis));
    }
    if let NodeKind::Task { attempts, .. } = &mut nodes[1].kind {
        *attempts = 3;
    }
    graph_of(nodes, &[(0, 1), (1, 2), (0, 3)])
}

fn link(node: &Node) -> Option<String> {
    matches!(node.kind, NodeKind::Task { .. }).then(|| format!("tasks/{}?a&b", node.name.len()))
}

#[test]
fn a_graph_says_in_icons_words_and_a_table_what_its_colours_say() {
    let html = graph(&shop(), &link);

    assert_balanced(&html);
    assert!(html.contains(r#"<svg role="group" aria-label="Graph of any: 4 nodes, 2 failed""#), "{html}");
    assert!(html.contains(
        r#"<a id="node-charge.20..3c.card.3e." class="node s-failed" href="tasks/13?a&amp;b"><title>charge &lt;card&gt;: failed, 2.0 s, 3 attempts</title>"#
    ), "{html}");
    assert!(html.contains(
        r#"<tspan class="icon">✕</tspan> charge &lt;card&gt;<tspan class="detail"> 2.0 s ×3</tspan>"#
    ));
    assert!(html.contains(r#"<g id="node-"#) && html.contains(r#"class="edge started""#));
    assert!(!html.contains("style="));
    let table = html.split_once("<tbody>").expect("a table").1;
    let rows: Vec<String> = table.split("</tr>").map(|row| seen(&row.replace("</t", " |</t"))).collect();
    assert_eq!(rows[1], "charge <card> |✕ failed |2.0 s |3 |reserve |");
    assert!(
        rows[3].starts_with("run resize ") && rows[3].ends_with("|◷ timed_out | | |reserve |"),
        "{}",
        rows[3]
    );
}

#[test]
fn a_task_between_two_attempts_is_retrying() {
    let html = graph(&shop(), &|_| None);

    assert!(html.contains("<title>mail: retrying</title>") && html.contains("node s-retrying"), "{html}");
}

#[test]
fn a_stack_is_a_node_with_its_count() {
    let mut nodes = vec![task("convert", TaskStatus::Running)];
    nodes
        .extend((0..240).map(|n| child("resize", n, if n < 3 { Status::Failed } else { Status::Succeeded })));
    let edges: Vec<(usize, usize)> = (1..=240).map(|to| (0, to)).collect();
    let stacked = graph_of(nodes, &edges).stacked(&[]);

    let html = graph(&stacked, &|node| {
        matches!(node.kind, NodeKind::Stack { .. }).then(|| "?open=convert".to_owned())
    });

    assert!(
        html.contains(r#"<a id="stack-convert-resize" class="node s-failed" href="?open=convert">"#),
        "{html}"
    );
    assert!(html.contains("<title>240 runs of resize: failed, 3 failed</title>"), "{html}");
    assert!(seen(&html).contains("✕ resize ×240 — 3 failed"));
}

#[test]
fn more_nodes_than_a_picture_holds_are_said_to_be() {
    let nodes = (0..1_001).map(|at| task(&format!("task {at}"), TaskStatus::Queued)).collect();

    let html = graph(&graph_of(nodes, &[]), &|_| None);

    assert!(!html.contains("<svg") && html.matches("<tr>").count() == 1_001);
    assert!(
        seen(&html).contains("These are 1001 nodes: too many for a picture.")
            && seen(&html).ends_with("1 more.")
    );
}

fn row(name: &str, status: TaskStatus, segments: Vec<Segment>) -> TimelineRow {
    let total =
        |phase: Phase| segments.iter().filter(|part| part.phase == phase).map(|part| part.length).sum();
    TimelineRow {
        task: TaskName::new(name).expect("a name"),
        status,
        attempts: segments.iter().map(|part| part.attempt).max().unwrap_or_default(),
        retries: false,
        waits: false,
        critical: false,
        queue: total(Phase::Queue),
        run: total(Phase::Run),
        backoff: total(Phase::Backoff),
        wait: total(Phase::Wait),
        segments,
        span: None,
    }
}

fn segment(phase: Phase, at: u32, width: u32, millis: u64, attempt: u32) -> Segment {
    Segment { phase, at, width, length: Duration::from_millis(millis), attempt, failed: false }
}

fn drawn(rows: Vec<TimelineRow>) -> Timeline {
    Timeline {
        from: Some("2026-01-02T03:04:05Z".parse().expect("an instant")),
        length: Duration::from_secs(2),
        zoom: None,
        marks: Vec::new(),
        gaps: Vec::new(),
        rows,
    }
}

#[test]
fn a_row_has_its_bars_and_says_them_in_words() {
    let bars = vec![
        segment(Phase::Queue, 0, 1, 3, 1),
        Segment { failed: true, ..segment(Phase::Run, 1, 53, 108, 1) },
        segment(Phase::Backoff, 54, 800, 1_640, 2),
        segment(Phase::Run, 854, 146, 250, 2),
    ];
    let mut charge = row("charge", TaskStatus::Succeeded, bars);
    charge.critical = true;

    let html = timeline(&drawn(vec![charge]), &|task| Some(format!("tasks/{task}")));

    assert_balanced(&html);
    assert!(html.contains(r#"<rect class="queue" x="0.0%" y="2" width="0.3%" height="12"><title>queue 3 ms, for attempt 1</title>"#), "{html}");
    assert!(html.contains(r#"<rect class="run failed" x="0.1%" y="2" width="5.3%" height="12"><title>run 108 ms, attempt 1 failed</title>"#));
    assert!(html.contains(r#"<rect class="backoff" x="5.4%" y="2" width="80.0%" height="12">"#));
    assert!(
        html.contains(r#"<span class="words">queue 3 ms · run 358 ms · 2 attempts · backoff 1.6 s</span>"#),
        "{html}"
    );
    assert!(
        html.contains(r#"<li class="critical">"#) && html.contains(r#"<a href="tasks/charge">charge</a>"#)
    );
    assert!(!html.contains("style="));
}

#[test]
fn what_never_ran_is_told_in_words() {
    let rows = [TaskStatus::Queued, TaskStatus::Cancelled, TaskStatus::Skipped, TaskStatus::Reused]
        .map(|status| row("a", status, Vec::new()));

    let html = timeline(&drawn(rows.into()), &|_| None);

    for words in ["did not begin", "left out", "taken over"] {
        assert!(html.contains(words), "{words} in {html}");
    }
    assert!(!html.contains("<rect"));
}

#[test]
fn a_timeline_says_how_many_more_than_two_hundred_rows_there_are() {
    let rows = (0..212).map(|at| row(&format!("task {at}"), TaskStatus::Queued, Vec::new())).collect();

    let html = timeline(&drawn(rows), &|_| None);

    assert_eq!(html.matches("<li").count(), 200);
    assert!(seen(&html).ends_with("12 more tasks are not drawn."), "{html}");
}

#[test]
fn a_narrowed_gap_is_marked() {
    let mut with_gap =
        drawn(vec![row("a", TaskStatus::Succeeded, vec![segment(Phase::Run, 0, 480, 1_000, 1)])]);
    with_gap.gaps = vec![Gap { at: 480, width: 40, length: Duration::from_secs(3 * 24 * 3_600) }];

    let html = timeline(&with_gap, &|_| None);

    assert!(html.contains(r#"<rect class="gap" x="48.0%" y="0" width="4.0%" height="16"><title>3 d in which nothing ran</title>"#), "{html}");
}

#[test]
fn what_waits_is_marked_so() {
    let mut waits = row("asks", TaskStatus::Running, vec![segment(Phase::Wait, 0, 1_000, 9_000, 1)]);
    waits.waits = true;
    let mut retries = row("again", TaskStatus::Queued, vec![segment(Phase::Backoff, 0, 1_000, 9_000, 2)]);
    retries.retries = true;

    let html = timeline(&drawn(vec![waits, retries]), &|_| None);

    assert!(html.contains(r#"aria-label="asks: waiting, run 0 ms · wait 9.0 s""#), "{html}");
    assert!(html.contains(r#"class="icon s-retrying">↻"#), "{html}");
}
