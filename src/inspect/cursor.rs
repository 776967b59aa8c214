//! Where a page ended, as a text that fits its own list only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::{RunId, Timestamp};

/// The form of the text: its first byte.
const FORM: u8 = 1;

/// Bytes of the hash that binds a cursor to its list.
const HASH_BYTES: usize = 8;

/// Why a cursor is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// It is no cursor of this release.
    #[error("the cursor cannot be read: pass on what the page before said, or begin again without one")]
    Unreadable,
    /// It is of another list, or of the same with another filter or namespace.
    #[error("the cursor belongs to another query: begin again without one")]
    OtherQuery,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// When the first page was asked for: what `since:2h` counts from on every page.
    pub(super) asked_at: Timestamp,
    /// The next page's runs are older.
    pub(super) run: RunId,
    /// Where in the run before, for lists of more than runs.
    pub(super) place: u32,
}

impl Cursor {
    /// Writes it for the list that `what` describes.
    pub(super) fn write(&self, what: &str) -> String {
        let mut bytes = vec![FORM];
        bytes.extend(self.asked_at.timestamp_micros().to_be_bytes());
        bytes.extend(self.run.uuid().as_bytes());
        bytes.extend(self.place.to_be_bytes());
        bytes.extend(hash(what));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of the list that `what` describes.
    pub(super) fn read(text: &str, what: &str) -> Result<Cursor, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Unreadable)?;
        let (cursor, bound_to) = Cursor::parts(&bytes).ok_or(CursorError::Unreadable)?;
        match bound_to == hash(what) {
            true => Ok(cursor),
            false => Err(CursorError::OtherQuery),
        }
    }

    fn parts(bytes: &[u8]) -> Option<(Cursor, [u8; HASH_BYTES])> {
        let (form, rest) = bytes.split_first_chunk::<1>()?;
        let (micros, rest) = rest.split_first_chunk::<8>()?;
        let (run, rest) = rest.split_first_chunk::<16>()?;
        let (place, hash) = rest.split_first_chunk::<4>()?;
        let cursor = Cursor {
            asked_at: Timestamp::from_timestamp_micros(i64::from_be_bytes(*micros))?,
            run: RunId::from_uuid(Uuid::from_bytes(*run))?,
            place: u32::from_be_bytes(*place),
        };
        (*form == [FORM]).then_some((cursor, hash.try_into().ok()?))
    }
}

fn hash(what: &str) -> [u8; HASH_BYTES] {
    let digest = Sha256::digest(what);
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}
