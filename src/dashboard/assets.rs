//! The style sheet and the scripts: each with a hash of itself in its name, so that a browser may keep it for ever.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::{Code, Named, Problem};

/// A file that pages ask for.
pub(super) struct Asset {
    name: String,
    kind: &'static str,
    text: &'static str,
}

/// How pages look.
pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style", "css", "text/css; charset=utf-8", include_str!("assets/style.css")));

/// htmx 4.0.1 as its project publishes it, under the licence 0BSD: it changes a page into a newer one in place.
pub(super) static HTMX: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("htmx", "js", JAVASCRIPT, include_str!("assets/htmx-4.0.1.min.js")));

/// Live updates and keys.
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("runlog", "js", JAVASCRIPT, include_str!("assets/runlog.js")));

/// Suggestions in the search box, and searches that the browser keeps.
pub(super) static SEARCH: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("search", "js", JAVASCRIPT, include_str!("assets/search.js")));

/// What a browser shows beside the page's title.
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Bytes of the hash in a name: enough to tell releases apart.
const HASH_BYTES: usize = 6;

impl Asset {
    fn new(stem: &str, extension: &str, kind: &'static str, text: &'static str) -> Asset {
        let hash = Sha256::digest(text);
        let hash: String = hash.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Asset { name: format!("{stem}.{hash}.{extension}"), kind, text }
    }

    /// Returns its address below the mount.
    pub(super) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// Answers with a file. One of another release is not here.
pub(super) async fn get(Named(name): Named) -> Result<Response, Problem> {
    let all = [&*STYLE, &*HTMX, &*SCRIPT, &*SEARCH, &*ICON];
    let found = all.into_iter().find(|asset| asset.name == name);
    let found = found.ok_or_else(|| Problem::new(Code::NotFound, "this release has no such file"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(found.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, found.text).into_response())
}
