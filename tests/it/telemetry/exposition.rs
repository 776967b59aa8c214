//! A strict reader of Prometheus' text format 0.0.4: whatever the format does not allow is a panic.

use std::collections::{BTreeMap, BTreeSet};

pub type Labels = BTreeMap<String, String>;

/// What one text said.
#[derive(Debug, Default)]
pub struct Exposition {
    pub families: BTreeMap<String, Family>,
}

/// A metric with all its series.
#[derive(Debug)]
pub struct Family {
    pub help: String,
    pub kind: String,
    /// By the sample's suffix (`_bucket`, `_sum`, `_count`, or none) and labels.
    pub samples: BTreeMap<(String, Labels), f64>,
}

impl Exposition {
    pub fn read(text: &str) -> Exposition {
        assert!(text.ends_with('\n'), "the last line has no end: {text:?}");
        let mut read = Exposition::default();
        let mut help: Option<(String, String)> = None;
        let mut current: Option<String> = None;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, told) = rest.split_once(' ').expect("a name and a help");
                help = Some((name.to_owned(), unescape(told, &['\\', 'n'])));
                current = None;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a type");
                assert!(is_name(name), "no name: {name:?}");
                assert!(matches!(kind, "counter" | "gauge" | "histogram"), "no type of ours: {line}");
                let (of, help) = help.take().unwrap_or_else(|| panic!("no HELP before {line}"));
                assert_eq!(of, name, "HELP and TYPE of two metrics");
                let family = Family { help, kind: kind.to_owned(), samples: BTreeMap::new() };
                assert!(read.families.insert(name.to_owned(), family).is_none(), "{name} comes twice");
                current = Some(name.to_owned());
            } else {
                assert!(!line.starts_with('#') && !line.is_empty(), "no line of the format: {line:?}");
                let name = current.as_deref().unwrap_or_else(|| panic!("a sample before its TYPE: {line}"));
                read.families.get_mut(name).expect("the current metric").take(name, line);
            }
        }
        for (name, family) in &read.families {
            family.check(name);
        }
        read
    }

    /// Returns a sample; 0 when there is no such series.
    pub fn value(&self, name: &str, suffix: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Labels =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let family = self.families.get(name);
        family
            .and_then(|family| family.samples.get(&(suffix.to_owned(), labels)).copied())
            .unwrap_or_default()
    }

    /// Returns all series of a metric: their samples of one suffix.
    pub fn series(&self, name: &str, suffix: &str) -> Vec<(&Labels, f64)> {
        let samples = self.families.get(name).into_iter().flat_map(|family| &family.samples);
        samples
            .filter(|((found, _), _)| found == suffix)
            .map(|((_, labels), value)| (labels, *value))
            .collect()
    }

    /// Adds the samples of a metric's series up.
    pub fn sum(&self, name: &str, suffix: &str) -> f64 {
        self.series(name, suffix).into_iter().map(|(_, value)| value).sum()
    }
}

impl Family {
    fn take(&mut self, name: &str, line: &str) {
        let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
        let (sample, rest) = line.split_at(end);
        let suffix = sample.strip_prefix(name).unwrap_or_else(|| panic!("not of {name}: {line}"));
        let allowed: &[&str] = if self.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(allowed.contains(&suffix), "{suffix:?} at a {}: {line}", self.kind);
        let (labels, value) = labels(rest);
        let number = match value {
            "+Inf" => f64::INFINITY,
            number => number.parse().unwrap_or_else(|_| panic!("no number: {line}")),
        };
        let earlier = self.samples.insert((suffix.to_owned(), labels), number);
        assert!(earlier.is_none(), "a series comes twice: {line}");
    }

    fn check(&self, name: &str) {
        assert!(!self.samples.is_empty(), "{name} has no series");
        assert_eq!(self.kind == "counter", name.ends_with("_total"), "{name} is a {}", self.kind);
        if self.kind == "counter" {
            assert!(self.samples.values().all(|value| *value >= 0.0), "{name} went down");
        }
        if self.kind != "histogram" {
            return;
        }
        let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for ((suffix, labels), value) in &self.samples {
            let mut labels = labels.clone();
            let bound = labels.remove("le");
            assert_eq!(suffix == "_bucket", bound.is_some(), "{name}{suffix} {labels:?}");
            let Some(bound) = bound else { continue };
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("a bound") };
            buckets.entry(labels).or_default().push((bound, *value));
        }
        let sums: BTreeSet<&Labels> =
            self.samples.keys().filter(|key| key.0 == "_sum").map(|key| &key.1).collect();
        assert_eq!(sums, buckets.keys().collect(), "{name}: sums and buckets are of other series");
        for (labels, mut buckets) in buckets {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(
                buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1),
                "{name} {labels:?} is not cumulative"
            );
            let (bound, last) = *buckets.last().expect("a bucket");
            assert_eq!(bound, f64::INFINITY, "{name} {labels:?} has no last bucket");
            assert_eq!(
                self.samples[&("_count".to_owned(), labels)],
                last,
                "{name}: its count and last bucket"
            );
        }
    }
}

fn is_name(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads `{name="value",…} ` and returns what stands after it.
fn labels(text: &str) -> (Labels, &str) {
    let mut labels = Labels::new();
    let Some(mut rest) = text.strip_prefix('{') else {
        return (labels, text.strip_prefix(' ').expect("a value"));
    };
    loop {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {rest}"));
        assert!(is_name(name), "no label's name: {name:?}");
        let end = closing_quote(after);
        let (value, quoted) = after.split_at(end);
        let value = unescape(value, &['\\', '"', 'n']);
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} comes twice: {text}");
        rest = quoted.strip_prefix('"').expect("the closing quote");
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (labels, rest.strip_prefix("} ").unwrap_or_else(|| panic!("no end: {text}"))),
        }
    }
}

fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    panic!("an open quote: {text}")
}

fn unescape(text: &str, allowed: &[char]) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => {
                let escaped = chars.next().filter(|c| allowed.contains(c));
                let escaped = escaped.unwrap_or_else(|| panic!("no escape: {text}"));
                plain.push(if escaped == 'n' { '\n' } else { escaped });
            }
            (c, false) => plain.push(c),
        }
    }
    plain
}
