//! What Jaeger makes of spans when somebody looks at a trace, restated from its query service's adjusters
//! (`internal/adjuster/standard.go`: equal spans are one, then clock skew between hosts is corrected).

use std::collections::BTreeMap;
use std::time::Duration;

use runlog::model::{SpanId, Timestamp, TraceId};

use super::Received;

/// A trace as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its spans by their start, each once. Nobody promised an order to those that start at once.
    pub spans: Vec<Received>,
    /// What is shown beside spans, because something is wrong with them.
    pub warnings: Vec<String>,
}

impl Trace {
    /// Reads a trace. `caller` is a span of another service, whose spans are not here.
    pub(super) fn read(received: &[Received], trace_id: TraceId, caller: Option<SpanId>) -> Trace {
        let mut spans: Vec<Received> = Vec::new();
        let mut places: BTreeMap<SpanId, Vec<usize>> = BTreeMap::new();
        for one in received.iter().filter(|received| received.span.trace_id == trace_id) {
            // The hash is over resource, scope and span: what differs in any of them stays.
            let known = places.entry(one.span.span_id).or_default();
            if known.iter().all(|place| spans[*place] != *one) {
                known.push(spans.len());
                spans.push(one.clone());
            }
        }
        spans.sort_by_key(|received| (received.span.start, received.span.end));
        let mut by_id: BTreeMap<SpanId, &Received> = BTreeMap::new();
        let mut warnings = Vec::new();
        for one in &spans {
            if by_id.insert(one.span.span_id, one).is_some() {
                warnings.push(format!("{}: duplicate span IDs", one.span.name));
            }
        }
        for one in &spans {
            let Some(parent) = one.span.parent.filter(|parent| Some(*parent) != caller) else { continue };
            match by_id.get(&parent) {
                None => warnings.push(format!("{}: parent span {parent} is not in the trace", one.span.name)),
                Some(parent) => warnings.extend(skew(one, parent)),
            }
        }
        Trace { spans, warnings }
    }

    /// The names of the spans, by their start.
    pub fn names(&self) -> Vec<&str> {
        self.spans.iter().map(|received| received.span.name.as_str()).collect()
    }
}

/// Two spans of one host are taken as they are; of different hosts, or of none, the child is moved into its parent, and
/// whoever looks is told.
fn skew(child: &Received, parent: &Received) -> Option<String> {
    let (child_host, parent_host) = (host(child), host(parent));
    if child_host.is_some() && child_host == parent_host {
        return None;
    }
    let (child, parent) = (&child.span, &parent.span);
    let took = |start: Timestamp, end: Timestamp| (end - start).to_std().unwrap_or(Duration::ZERO);
    let moved = match took(child.start, child.end) > took(parent.start, parent.end) {
        true => child.start < parent.start,
        false => child.start < parent.start || child.end > parent.end,
    };
    moved.then(|| format!("{}: this span's timestamps were adjusted", child.name))
}

fn host(received: &Received) -> Option<&String> {
    ["host.id", "host.ip", "host.name"].iter().find_map(|key| received.resource.get(*key))
}
