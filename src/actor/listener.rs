//! Hears what other nodes announce.

use std::sync::Arc;
use std::time::Duration;

use super::supervisor::Engine;
use crate::store::News;

/// The agent that turns other nodes' news into hints for the claimer and the postman.
pub(crate) struct Listener {
    pub(crate) engine: Arc<Engine>,
}

/// The pause after listening failed: nothing waits for it but promptness.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

impl Listener {
    pub(crate) async fn run(self) {
        loop {
            match self.engine.store.listen().await {
                Ok(news) => news.into_iter().for_each(|news| self.hear(news)),
                Err(error) => {
                    tracing::debug!(%error, "cannot listen: polling goes on");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    fn hear(&self, news: News) {
        match news {
            News::Due => self.engine.hint_due(),
            News::Soon => self.engine.hint_soon(),
            News::Scheduled => self.engine.schedules_changed.notify_one(),
            News::Mail(run) => {
                if self.engine.live.get(run).is_some() {
                    self.engine.post(run);
                }
            }
            News::Followed(run) => {
                if self.engine.live.get(run).is_some() {
                    self.engine.followers.elsewhere(run);
                }
            }
            News::Grown(run) => {
                self.engine.followers.tell(run);
            }
        }
    }
}
