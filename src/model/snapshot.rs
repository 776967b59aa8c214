//! A folded state as bytes, so that a long log need not be folded from its beginning.
//!
//! A snapshot is a cache: any doubt about one and it is ignored, and the log folded. This is the one place
//! that knows bincode, which is unmaintained (RUSTSEC-2025-0141); another codec is another [`FORMAT`].

use super::ids::RunId;
use super::state::RunState;

/// The number of the bytes' layout. Any change to [`RunState`] or to the codec takes the next one.
pub const FORMAT: i16 = 8;

/// Writes the state down; `None` when it cannot be.
pub fn write(state: &RunState) -> Option<Vec<u8>> {
    bincode::serde::encode_to_vec(state, bincode::config::standard()).ok()
}

/// Reads a state; `None` unless it is whole and of the run and seq that the row claims.
pub fn read(run: RunId, seq: u32, format: i16, bytes: &[u8]) -> Option<RunState> {
    if format != FORMAT {
        return None;
    }
    let config = bincode::config::standard();
    let (state, used): (RunState, usize) = bincode::serde::decode_from_slice(bytes, config).ok()?;
    (used == bytes.len() && state.id == run && state.seq == seq).then_some(state)
}
