//! Server-sent events.

use axum::body::Bytes;
use eventsource_stream::{EventStreamError, Eventsource};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, Stream};

use super::Failure;

/// One server-sent event.
#[derive(Debug)]
pub(in crate::cli) struct Message {
    /// What kind it is.
    pub(in crate::cli) event: String,
    pub(in crate::cli) data: String,
}

/// A stream of them.
pub(in crate::cli) struct Messages(BoxStream<'static, Result<Message, Failure>>);

impl Messages {
    pub(super) fn new(bytes: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static) -> Messages {
        let messages = bytes.eventsource().map(|event| match event {
            Ok(event) => Ok(Message { event: event.event, data: event.data }),
            Err(EventStreamError::Transport(failure)) => Err(failure),
            Err(other) => Err(Failure::Answer(other.to_string())),
        });
        Messages(messages.boxed())
    }

    /// Waits for the next one; `None` when the server closed the stream.
    pub(in crate::cli) async fn next(&mut self) -> Option<Result<Message, Failure>> {
        self.0.next().await
    }
}
