//! A run, read once for several questions.

use tokio::sync::OnceCell;

use super::history::{History, Look};
use super::why::{Why, why_of};
use super::{CHILDREN_SHOWN_MAX, Graph, InspectError, REPLAYS_SHOWN_MAX, RunView, nobody};
use crate::model::{Recorded, RunId, Waiting};
use crate::store::{RunRow, Store};

/// A run's row and log, read once: each question about it is answered from these, as they were then. What a question needs
/// besides is read when it is asked.
pub struct Dossier<'a> {
    store: &'a dyn Store,
    look: Look,
    children: OnceCell<Vec<RunRow>>,
}

impl<'a> Dossier<'a> {
    /// Reads a run; `None` when there is no such run. One whose log is damaged is opened, too: it can be asked
    /// [why](Dossier::why).
    ///
    /// # Errors
    /// [`InspectError::Store`].
    pub async fn open(store: &'a dyn Store, run: RunId) -> Result<Option<Dossier<'a>>, InspectError> {
        match store.row(run).await? {
            Some(row) => Dossier::of(store, row).await,
            None => Ok(None),
        }
    }

    /// Reads the log to a row that was just read.
    pub(crate) async fn of(store: &'a dyn Store, row: RunRow) -> Result<Option<Dossier<'a>>, InspectError> {
        let look = Look::of(store, row).await?;
        Ok(look.map(|look| Dossier { store, look, children: OnceCell::new() }))
    }

    /// Tells everything about the run.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn view(&self) -> Result<RunView, InspectError> {
        let History { row, state, .. } = self.look.whole()?;
        let children = self.children().await?;
        let nobody = nobody(self.store, row).await?;
        let replays = self.store.replays(row.run, REPLAYS_SHOWN_MAX).await?;
        let mut view = RunView::new(state, row, children, &replays);
        if let Some(nobody) = nobody {
            view.waiting.retain(|waiting| *waiting != Waiting::Node);
            view.waiting.insert(0, nobody);
        }
        Ok(view)
    }

    /// Says why it failed, or why it stands where it stands. That its log cannot be read or folded is an answer, too.
    ///
    /// # Errors
    /// [`InspectError::Store`].
    pub async fn why(&self) -> Result<Why, InspectError> {
        why_of(self.store, &self.look).await
    }

    /// Draws its graph.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn graph(&self) -> Result<Graph, InspectError> {
        let state = &self.look.whole()?.state;
        Ok(Graph::of(state, self.children().await?))
    }

    /// Returns its log.
    ///
    /// # Errors
    /// [`InspectError`] when it is damaged.
    pub fn log(&self) -> Result<&[Recorded], InspectError> {
        Ok(&self.look.whole()?.log)
    }

    async fn children(&self) -> Result<&[RunRow], InspectError> {
        let read = || self.store.children(self.look.row.run, CHILDREN_SHOWN_MAX);
        Ok(self.children.get_or_try_init(read).await?)
    }
}
