//! Values that a person gives on the command line, in a file, or on standard input.

use std::io::Read;

use serde_json::value::RawValue;

use super::client::Failure;
use crate::model::Timestamp;

/// Reads a JSON text: itself, the file of `@FILE`, or standard input for `-`. It is sent on byte for byte.
pub(super) fn json(option: &str, given: &str) -> Result<Box<RawValue>, Failure> {
    let text = text(option, given)?;
    RawValue::from_string(text.trim().to_owned()).map_err(|error| {
        Failure::Usage(format!("{option} is no JSON: {error}; a text needs its quotes, as in '\"text\"'"))
    })
}

/// Reads a file; standard input for `-`.
pub(super) fn file(path: &str) -> Result<String, Failure> {
    if path == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{path} cannot be read: {error}")))
}

fn text(option: &str, given: &str) -> Result<String, Failure> {
    if given == "-" {
        return file(given);
    }
    match given.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("{option}: {path} cannot be read: {error}"))),
        None => Ok(given.to_owned()),
    }
}

/// Reads an instant.
pub(super) fn instant(given: &str) -> Result<Timestamp, String> {
    let wanted =
        |error| format!("{error}: expected a date, a time and an offset, as in 2026-12-24T18:00:00Z");
    given.parse::<Timestamp>().map_err(wanted)
}

/// Reads `NAME=VALUE`.
pub(super) fn pair(given: &str) -> Result<(String, String), String> {
    let (name, value) = given.split_once('=').ok_or("expected NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is missing: expected NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}
