//! What the engine lets its agents and the other nodes know: each finds out by itself, only later.

use std::sync::PoisonError;

use super::claimer::Hint;
use super::collector::Question;
use super::supervisor::Engine;
use crate::model::RunId;
use crate::store::News;

impl Engine {
    /// Tells the other nodes, some time soon; they find out by polling where that fails.
    pub(crate) fn announce(&self, news: News) {
        let _full = self.news.try_send(news);
    }

    /// Lets the claimer look.
    pub(crate) fn hint(&self, hint: Hint) {
        let incarnation = self.incarnation.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(incarnation) = incarnation.as_ref() {
            let _fenced = incarnation.hints.send(hint);
        }
    }

    /// Says that runs were put into the queue.
    pub(crate) fn queued(&self) {
        self.hint_due();
        self.announce(News::Due);
    }

    pub(crate) fn hint_due(&self) {
        self.hint(Hint::Due);
    }

    /// Lets the claimer look a few times in quick succession.
    pub(crate) fn hint_soon(&self) {
        self.hint(Hint::Soon);
    }

    /// Says that a message was put into a run's inbox.
    pub(crate) fn mailed(&self, run: RunId) {
        match self.live.get(run) {
            Some(_) => self.post(run),
            // The claimer takes it, or tells its owner.
            None if self.node().is_some() => self.hint(Hint::Mailed(run)),
            None => {
                self.announce(News::Mail(run));
                self.announce(News::Due);
            }
        }
    }

    /// Lets the postman read a live run's inbox.
    pub(crate) fn post(&self, run: RunId) {
        let incarnation = self.incarnation.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(incarnation) = incarnation.as_ref() {
            let _fenced = incarnation.mail.send(run);
        }
    }

    /// Asks for signals that are kept for a live run, whose wait for them is committed. Its actor is told when that is done.
    pub(crate) fn ask(&self, question: Question) {
        let incarnation = self.incarnation.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(incarnation) = incarnation.as_ref() {
            let _fenced = incarnation.asks.send(question);
        }
    }
}
