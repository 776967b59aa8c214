//! What the REST interface keeps beside the runs.

use crate::model::{BulkId, Namespace, RunId, Timestamp};

/// A token, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its row.
    pub id: i64,
    /// Whose or what it is for: what the audit and the runs' logs call its bearer.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// SHA-256 of the whole.
    pub hash: Vec<u8>,
    /// The words of what its bearer may do.
    pub actions: Vec<String>,
    /// Which runs exist for its bearer; `None` = all.
    pub namespace: Option<Namespace>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub used_at: Option<Timestamp>,
}

/// A token to be kept.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name, unique among the tokens that were not revoked.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// SHA-256 of the whole.
    pub hash: Vec<u8>,
    /// The words of what its bearer may do.
    pub actions: Vec<String>,
    /// Which runs exist for its bearer; `None` = all.
    pub namespace: Option<Namespace>,
    /// How long it lives; `None` = until it is revoked.
    pub lives: Option<std::time::Duration>,
}

/// What was done, or tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Who.
    pub who: String,
    /// The action's word.
    pub action: String,
    /// The namespace that who is bound to.
    pub namespace: Option<Namespace>,
    /// The run it was done to, or that came of it.
    pub run: Option<RunId>,
    /// What was asked: method and path.
    pub target: String,
    /// Why, where it was said.
    pub reason: Option<String>,
    /// `ok`, or the problem's code.
    pub outcome: String,
    /// The request.
    pub request_id: String,
}

/// A deed in the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Its place: later ones have higher ones.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
}

/// What is known of a request by its Idempotency-Key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: it is the caller's to carry out, and to [`finish`](crate::store::postgres::AccessStore::finish).
    New,
    /// It is under way.
    Busy,
    /// The key came with another request.
    Other,
    /// It was answered.
    Answered(KeptAnswer),
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its HTTP status.
    pub status: u16,
    /// Its header `Location`.
    pub location: Option<String>,
    /// Its JSON.
    pub body: String,
}

/// An action on many runs, to be kept.
#[derive(Clone, Debug)]
pub struct NewBulk {
    /// Its id.
    pub id: BulkId,
    /// Who asked for it.
    pub who: String,
    /// The namespace that who is bound to.
    pub namespace: Option<Namespace>,
    /// `cancel` or `replay`.
    pub action: &'static str,
    /// How, as JSON.
    pub options: String,
    /// The filter that found its runs.
    pub query: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Runs a second.
    pub rate: Option<u32>,
    /// Its runs; those with an outcome are answered for already.
    pub items: Vec<BulkItem>,
}

/// An action on many runs, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkRow {
    /// Its id.
    pub id: BulkId,
    /// Who asked for it.
    pub who: String,
    /// The namespace that who is bound to.
    pub namespace: Option<Namespace>,
    /// `cancel` or `replay`.
    pub action: String,
    /// How, as JSON.
    pub options: String,
    /// The filter that found its runs.
    pub query: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Runs a second.
    pub rate: Option<u32>,
    /// How many runs it is about.
    pub total: u32,
    /// How many it is done to.
    pub done: u32,
    /// For how many it is refused.
    pub refused: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When all its runs were answered for.
    pub finished_at: Option<Timestamp>,
    /// Whether it is not finished and nobody is at it.
    pub left: bool,
}

/// One run of an action on many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkItem {
    /// Its place, from 1.
    pub place: u32,
    /// The run.
    pub run: RunId,
    /// `ok`, or a problem's code; `None` until it is answered for.
    pub outcome: Option<String>,
    /// What the problem says.
    pub detail: Option<String>,
    /// The run that replays it.
    pub new_run: Option<RunId>,
}
