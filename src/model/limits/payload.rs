//! Of what users give and get, and of what a service hides of it.

/// Bytes of one payload (input, output, signal): 1 MiB keeps one group commit under Postgres' and the driver's
/// comfortable message size even when a batch holds many of them. Larger data belongs in object storage.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// Levels of arrays and objects in a payload: deeper JSON overflows the stacks of common readers.
pub const PAYLOAD_DEPTH_MAX: usize = 64;

/// Paths of one redaction: every value that leaves a service is held against all of them.
pub const REDACTED_PATHS_MAX: usize = 100;

/// Steps of one path: no payload is deeper.
pub const REDACTED_STEPS_MAX: usize = PAYLOAD_DEPTH_MAX;
