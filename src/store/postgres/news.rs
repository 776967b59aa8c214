//! Hints between nodes, by `NOTIFY`: never inside the journal's transactions, where it would make every commit of the
//! database wait for the one before it.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use tokio::sync::Mutex;

use super::dedicated::ANSWER_MAX;
use super::errors::classify;
use crate::store::{News, StoreError};

const CHANNEL: &str = "runlog";

/// Hints that one statement carries; of more, one that says "look for yourself" is enough.
const NEWS_MAX: usize = 256;

/// How long what arrives together is collected.
const COLLECT: Duration = Duration::from_millis(1);

pub(super) async fn announce(connection: &mut PgConnection, news: &[News]) -> Result<(), StoreError> {
    let messages: Vec<String> = match news.len() {
        ..=NEWS_MAX => news.iter().map(written).collect(),
        _ => vec![written(&News::Due)],
    };
    let told = sqlx::query_file!("src/store/postgres/sql/announce.sql", messages.as_slice() as _);
    told.fetch_all(connection).await.map_err(classify).map(drop)
}

fn written(news: &News) -> String {
    match news {
        News::Due => "due".to_owned(),
        News::Soon => "soon".to_owned(),
        News::Scheduled => "scheduled".to_owned(),
        News::Mail(run) => format!("mail {run}"),
        News::Followed(run) => format!("followed {run}"),
        News::Grown(run) => format!("grown {run}"),
    }
}

/// What another release may say and this one does not know is no reason to do more than look.
fn read(message: &str) -> News {
    match message.split_once(' ') {
        Some(("mail", run)) => run.parse().map_or(News::Due, News::Mail),
        Some(("followed", run)) => run.parse().map_or(News::Due, News::Followed),
        Some(("grown", run)) => run.parse().map_or(News::Due, News::Grown),
        None if message == "soon" => News::Soon,
        None if message == "scheduled" => News::Scheduled,
        Some(_) | None => News::Due,
    }
}

/// The connection that listens, opened when it is first asked.
#[derive(Debug)]
pub(super) struct Listener {
    /// A pool of its own with this one connection: the embedder's has none to spare.
    pool: PgPool,
    listening: Mutex<Option<PgListener>>,
}

impl Listener {
    pub(super) fn new(pool: &PgPool) -> Listener {
        let options = pool.connect_options().as_ref().clone();
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER_MAX);
        Listener { pool: pool.connect_lazy_with(options), listening: Mutex::new(None) }
    }

    /// Waits for news. What was told while nobody listened is not heard: after every connection the first answer is
    /// [`News::Due`].
    pub(super) async fn listen(&self) -> Result<Vec<News>, StoreError> {
        let mut listening = self.listening.lock().await;
        let Some(listener) = listening.as_mut() else {
            let mut listener = PgListener::connect_with(&self.pool).await.map_err(classify)?;
            listener.listen(CHANNEL).await.map_err(classify)?;
            *listening = Some(listener);
            return Ok(vec![News::Due]);
        };
        let Ok(Some(first)) = listener.try_recv().await else {
            *listening = None;
            return Ok(vec![News::Due]);
        };
        tokio::time::sleep(COLLECT).await;
        let mut news = vec![read(first.payload())];
        while let Some(next) = listener.next_buffered() {
            news.push(read(next.payload()));
        }
        news.sort_unstable();
        news.dedup();
        Ok(news)
    }
}
