//! Other runs that failed for the same cause.

use serde::Serialize;
use utoipa::ToSchema;

use crate::inspect::Similar;
use crate::model::RunId;

/// Other runs of the namespace that failed for the same cause. Archived ones are not counted.
#[derive(Serialize, ToSchema)]
#[schema(as = Similar)]
pub(super) struct SimilarBody {
    /// What they share, as a group of failures does.
    fingerprint: String,
    /// The filter that finds them and the run itself: `GET /runs?q=`.
    q: String,
    /// How many others were created in the last 24 hours.
    day: u64,
    /// How many others there are.
    all: u64,
    /// Whether there are more: the newest 10,000 were counted.
    capped: bool,
    /// The newest of the others, at most three.
    newest: Vec<String>,
}

impl From<&Similar> for SimilarBody {
    fn from(similar: &Similar) -> SimilarBody {
        SimilarBody {
            fingerprint: similar.fingerprint.clone(),
            q: similar.filter.to_string(),
            day: similar.day,
            all: similar.all,
            capped: similar.capped,
            newest: similar.newest.iter().map(RunId::to_string).collect(),
        }
    }
}
