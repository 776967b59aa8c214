//! The layers' arrows, the files' sizes and the banned names, read off the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which folder may use which; see docs/ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &["model"]),
    ("telemetry", &["model"]),
    ("workflow", &["model", "clock", "telemetry"]),
    ("store", &["model", "clock"]),
    ("actor", &["model", "clock", "telemetry", "workflow", "store"]),
    ("inspect", &["model", "store", "telemetry"]),
    ("runtime", &["model", "clock", "telemetry", "workflow", "store", "actor", "inspect"]),
    ("testing", &["model", "clock", "workflow", "store", "actor", "runtime", "inspect"]),
    ("http", &["model", "clock", "telemetry", "store", "inspect", "runtime"]),
    ("dashboard", &["model", "clock", "telemetry", "store", "inspect", "runtime", "http"]),
    (
        "cli",
        &[
            "model",
            "clock",
            "telemetry",
            "workflow",
            "store",
            "runtime",
            "inspect",
            "http",
            "dashboard",
            "testing",
        ],
    ),
];

const LINES_MAX: usize = 400;

const BANNED_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the layer of a source file: its folder or file directly under `src`.
fn layer(path: &Path) -> Option<String> {
    let below = path.strip_prefix(root().join("src")).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned()).filter(|name| name != "lib" && name != "main")
}

/// Returns the layers that a text names by `crate::`, comments left out.
fn used(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut layers = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = code.get(at + "crate::".len()..).unwrap_or_default();
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        layers.insert(name);
    }
    layers
}

#[test]
fn arrows_between_layers_point_one_way() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for path in sources(&root().join("src")) {
        let Some(layer) = layer(&path) else { continue };
        let allowed = arrows.get(layer.as_str()).unwrap_or_else(|| panic!("{layer} has no place in ARROWS"));
        for other in used(&fs::read_to_string(&path).expect("a source")) {
            if other != layer && arrows.contains_key(other.as_str()) && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{} uses {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point the wrong way:\n{}", wrong.join("\n"));
}

#[test]
fn the_model_is_pure() {
    let banned =
        ["async fn", ".await", "tokio", "sqlx", "std::fs", "std::net", "Instant", "SystemTime", "Utc::now"];
    for path in sources(&root().join("src/model")) {
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (number, line) in (1..).zip(code) {
            let found = banned.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{}: code line {number} has {found:?}: {line}", path.display());
        }
    }
}

#[test]
fn nothing_but_the_store_knows_sql() {
    // The private servers of tests create and drop databases, which is no business of the product's store.
    let exempt = [root().join("src/store"), root().join("src/testing/postgres")];
    let sql = ["sqlx::query", "query_file", "query_as", "select ", "insert into", "delete from"];
    for path in sources(&root().join("src")) {
        if exempt.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let found = sql.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{} has {found:?}: {line}", path.display());
        }
    }
}

#[test]
fn a_source_file_fits_a_reader() {
    let long: Vec<String> = sources(&root().join("src"))
        .into_iter()
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).expect("a source").lines().count();
            (lines > LINES_MAX).then(|| format!("{} has {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "files over {LINES_MAX} lines, split them by noun:\n{}", long.join("\n"));
}

#[test]
fn no_file_is_called_by_a_name_that_says_nothing() {
    for folder in ["src", "tests", "benches", "examples"] {
        for path in sources(&root().join(folder)) {
            for part in path.strip_prefix(root()).expect("below the root").components() {
                let name = part.as_os_str().to_string_lossy();
                let name = name.trim_end_matches(".rs");
                assert!(!BANNED_NAMES.contains(&name), "{}: {name:?} says nothing", path.display());
            }
        }
    }
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    for folder in ["src", "examples", "benches"] {
        for path in sources(&root().join(folder)) {
            let text = fs::read_to_string(&path).expect("a source");
            assert!(
                !text.contains("#[allow(") && !text.contains("#![allow("),
                "{} allows a lint",
                path.display()
            );
        }
    }
}

#[test]
fn every_sql_file_says_what_it_is_for() {
    let folder = root().join("src/store/postgres/sql");
    for entry in fs::read_dir(folder).expect("the statements") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a statement");
        assert!(text.starts_with("-- "), "{} begins without a comment", path.display());
    }
}
