//! Signals by key.

use serde::Serialize;

use super::control::Runtime;
use super::error::Error;
use crate::model::limits::{SIGNAL_ID_BYTES_MAX, SIGNALS_KEPT_MAX, SIGNALS_KEPT_OF_KEY_MAX};
use crate::model::{Key, Namespace, Payload, SignalName};
use crate::store::{self, KeyedSignal, Posted, SignalState};

/// How a signal is sent to a key.
#[derive(Clone, Debug, Default)]
pub struct SignalOptions {
    id: Option<String>,
    namespace: Option<String>,
}

impl SignalOptions {
    /// Sets the sender's own id for the signal, at most 255 bytes: of those with one id in a namespace only the first is
    /// accepted, and the others are answered like it, for 24 hours. Default: a new one, so that each call is another signal.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets whose runs get it. Default: `default`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }
}

/// What became of a signal that was sent to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signalled {
    /// How many runs got it so far: each has it for good, and goes on when its node takes it.
    pub runs: u64,
    /// Whether it is kept, because no run waits for it: for seven days, or until the first one does.
    pub kept: bool,
}

impl Runtime {
    /// Sends a signal to a key: every run of the namespace `default` that waits for this name and key by
    /// [`key`](crate::workflow::Signal::key) gets it, each wait one signal. If none does, it is kept for seven days, and
    /// the first run that asks takes it. On return it is durable.
    ///
    /// At most 100 are kept of one name and key, and 10,000 in a namespace.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Payload`], [`Error::SignalsFull`], [`Error::Store`].
    pub async fn signal_key<T: Serialize>(
        &self,
        name: &str,
        key: &str,
        payload: &T,
    ) -> Result<Signalled, Error> {
        self.signal_key_with(name, key, payload, SignalOptions::default()).await
    }

    /// Sends a signal to a key, as [`signal_key`](Runtime::signal_key) does, with an id of the sender's or in another namespace.
    ///
    /// # Errors
    /// As for [`signal_key`](Runtime::signal_key), [`Error::Field`], and [`Error::SignalId`] when the id is another signal's.
    pub async fn signal_key_with<T: Serialize>(
        &self,
        name: &str,
        key: &str,
        payload: &T,
        options: SignalOptions,
    ) -> Result<Signalled, Error> {
        let namespace = options.namespace.map(Namespace::new).transpose()?.unwrap_or_default();
        let sent_as = match options.id {
            Some(id) => checked(id)?,
            None => self.engine.clock.new_run_id().to_string(),
        };
        let payload = Payload::of(payload).map_err(|source| Error::Payload { field: "payload", source })?;
        let (name, key) = (SignalName::new(name)?, Key::new(key)?);
        let signal = KeyedSignal { namespace, sent_as, name, key, payload };
        let id = match self.engine.store.post_signal(&signal).await? {
            Posted::Accepted(id) => id,
            Posted::Another => return Err(Error::SignalId { id: signal.sent_as }),
            Posted::Full => {
                return Err(Error::SignalsFull {
                    name: signal.name.to_string(),
                    key: signal.key.to_string(),
                    of_key: SIGNALS_KEPT_OF_KEY_MAX,
                    of_namespace: SIGNALS_KEPT_MAX,
                });
            }
        };
        // It is accepted: what fails from here on, the sweep of any node makes up for.
        let told = store::tell(&*self.engine.store, id).await?;
        told.runs.iter().for_each(|run| self.engine.mailed(*run));
        Ok(Signalled { runs: told.count, kept: told.state == SignalState::Kept })
    }
}

fn checked(id: String) -> Result<String, Error> {
    let problem = match &id {
        id if id.is_empty() => "is empty: leave it out, or give it at least one character".to_owned(),
        id if id.len() > SIGNAL_ID_BYTES_MAX => {
            format!("{} bytes, the limit is {SIGNAL_ID_BYTES_MAX}: shorten it", id.len())
        }
        id if id.chars().any(char::is_control) => "holds a control character: remove it".to_owned(),
        _ => return Ok(id),
    };
    Err(Error::Field { field: "id", problem })
}
