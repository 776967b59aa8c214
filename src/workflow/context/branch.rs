//! Branches: names apart for code that runs side by side.

use std::sync::Arc;

use super::cx::Cx;
use crate::model::OpKey;
use crate::model::ids::{NameError, check_branch_name};

impl Cx {
    /// Returns a context whose operations are counted apart, under names that begin with `name/`.
    ///
    /// `async` blocks that run side by side take one each. Which of them gets to its next operation first is chance, and may
    /// be another after a crash: what both call by one name, like every sleep, would be taken for the other's. A branch of
    /// a branch is called `outer/inner`.
    ///
    /// A name that is empty, longer than [`BRANCH_BYTES_MAX`](crate::model::limits::BRANCH_BYTES_MAX) with those around it, or
    /// holds a control character blocks the run, visibly.
    #[must_use]
    pub fn branch(&self, name: &str) -> Cx {
        let branch = self.under(name);
        if let Err(broken) = check_branch_name(name).and_then(|()| check_branch_name(&branch)) {
            self.ledger.refuse(broken.to_string());
        }
        let mut within = self.clone();
        within.branch = Some(Arc::from(branch));
        within
    }

    fn under(&self, name: &str) -> String {
        self.branch.as_deref().map_or_else(|| name.to_owned(), |branch| format!("{branch}/{name}"))
    }

    /// Claims the next operation called `name` in this branch; the error says why it cannot be called that.
    pub(super) fn claim(&self, name: &str) -> (OpKey, Option<NameError>) {
        match &self.branch {
            None => self.ledger.claim(name),
            Some(_) => self.ledger.claim(&self.under(name)),
        }
    }
}
