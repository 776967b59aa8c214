//! What the REST interface keeps beside the runs.

use crate::model::{Namespace, RunId, Timestamp};

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
