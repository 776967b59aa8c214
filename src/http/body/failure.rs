//! What went wrong in a user's code.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::Failure;

/// An error of the code, or one of the engine's kinds.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub(in crate::http) struct FailureBody {
    /// The error's type without its path, or one of the engine's: `panic`, `task_timed_out`, `interrupted`, `payload`,
    /// `cancelled`, `log_full`, `poison`, `child`.
    kind: String,
    /// What it said.
    message: String,
    /// What its sources said, outermost first.
    chain: Vec<String>,
    /// `file:line`.
    location: Option<String>,
}

impl From<&Failure> for FailureBody {
    fn from(failure: &Failure) -> FailureBody {
        FailureBody {
            kind: failure.kind.to_string(),
            message: failure.message.clone(),
            chain: failure.chain.clone(),
            location: failure.location.clone(),
        }
    }
}
