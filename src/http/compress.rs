//! Answers are compressed for whoever takes that.

use axum::http::{Extensions, HeaderMap, StatusCode, Version, header};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

/// Below this a packet is sent anyway.
const BYTES_MIN: u16 = 1_024;

/// Compresses with gzip: at this size other codings gain little over it. Streams of events go out as they happen, and what
/// has a tag is sent as it is stored, for its parts are counted in its bytes.
pub(super) fn layer() -> CompressionLayer<impl Predicate> {
    let is_untagged =
        |_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions| !headers.contains_key(header::ETAG);
    let worthwhile = SizeAbove::new(BYTES_MIN).and(NotForContentType::SSE).and(is_untagged);
    CompressionLayer::new().compress_when(worthwhile)
}
