//! How a person names runs: an id, the beginning of one, `@last`, `@last-failed`, or `-` for ids on standard input.

use std::io::{self, BufRead};
use std::str::FromStr;

use serde::Deserialize;

use super::client::{Client, Failure};
use super::documents::Page;
use crate::model::RunId;

/// Fewer characters of an id say too little.
const PREFIX_MIN: usize = 6;

/// Ids that are read from standard input.
const IDS_MAX: usize = 100_000;

/// Runs that a refusal names when the beginning of an id fits several.
const NAMED_MAX: usize = 5;

#[derive(Deserialize)]
struct Listed {
    id: String,
}

/// Finds the one run that is meant.
pub(super) async fn one(client: &Client, name: &str) -> Result<String, Failure> {
    match name {
        "@last" => newest(client, "").await,
        "@last-failed" => newest(client, "status:failed,timed_out").await,
        name if RunId::from_str(name).is_ok() => Ok(name.to_lowercase()),
        name => by_prefix(client, name).await,
    }
}

/// Finds all runs that are meant; `-` reads ids from standard input, one a line.
pub(super) async fn all(client: &Client, names: &[String]) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for name in names {
        if name != "-" {
            found.push(one(client, name).await?);
            continue;
        }
        for line in io::stdin().lock().lines() {
            let line = line?;
            let name = line.trim();
            if name.is_empty() {
                continue;
            }
            if found.len() == IDS_MAX {
                return Err(Failure::Usage(format!("more than {IDS_MAX} ids: use --match with a filter")));
            }
            found.push(one(client, name).await?);
        }
    }
    Ok(found)
}

async fn newest(client: &Client, filter: &str) -> Result<String, Failure> {
    // Without a window: the last one may be long ago.
    let query = format!("{filter} since:3650d");
    let page: Page<Listed> = client.read("runs", &[("q", query.trim()), ("limit", "1")]).await?;
    let newest = page.data.into_iter().next().map(|listed| listed.id);
    newest.ok_or_else(|| match filter {
        "" => Failure::NotFound("there is no run".to_owned()),
        _ => Failure::NotFound("no run has failed".to_owned()),
    })
}

async fn by_prefix(client: &Client, prefix: &str) -> Result<String, Failure> {
    let hex = prefix.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if !hex || prefix.len() < PREFIX_MIN {
        return Err(Failure::Usage(format!(
            "{prefix:?} names no run: give an id, {PREFIX_MIN} or more of its first characters, @last or @last-failed"
        )));
    }
    let (query, limit) = (format!("id:{prefix}"), (NAMED_MAX + 1).to_string());
    let page: Page<Listed> = client.read("runs", &[("q", &query), ("limit", &limit)]).await?;
    let mut ids = page.data.into_iter().map(|listed| listed.id);
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(Failure::NotFound(format!("no run's id begins with {prefix}"))),
        (Some(first), Some(second)) => {
            let others: Vec<String> = [first, second].into_iter().chain(ids).take(NAMED_MAX).collect();
            Err(Failure::Usage(format!(
                "{prefix} is the beginning of several runs' ids: {}",
                others.join(", ")
            )))
        }
    }
}
