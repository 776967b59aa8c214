//! Sends spans, and finds those that a backend does not want.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use super::batch::Batches;
use super::encode::Encoder;
use super::encoded::Encoded;
use super::settings::{Otlp, OtlpError};
use super::transport::{Answer, Transport, Unavailable};
use crate::model::limits::OTLP_REQUEST_BYTES_MAX;
use crate::telemetry::spans::Span;

/// A way to a backend. It connects when it first sends, and again whenever the connection is lost; clones share it.
#[derive(Clone, Debug)]
pub struct Sender {
    transport: Arc<Transport>,
    encoder: Arc<Encoder>,
}

/// What became of spans that were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many the backend took.
    pub accepted: usize,
    /// How many it threw away without saying which (OTLP's partial success); sending them again is no use.
    pub rejected: usize,
    /// Those that it refuses for good.
    pub refused: Vec<Refused>,
    /// What it said beside: why it threw spans away, or a warning. The last of them, when there are several.
    pub remark: Option<String>,
}

/// A span that the backend refuses for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which: its index in what was sent.
    pub span: usize,
    /// Why, in the backend's words.
    pub reason: String,
}

/// What is known of a backend that refuses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Nothing: it has not taken anything since it refused a span, or at all.
    Unknown,
    /// It took something just now: a span that it refuses is to blame itself.
    Proven,
    /// It refused a single span, and a request with none as well: perhaps it refuses whatever it is sent.
    Doubtful,
}

impl Sender {
    /// Makes a sender, without connecting.
    ///
    /// # Errors
    /// [`OtlpError`] when the settings cannot be used.
    pub fn new(otlp: &Otlp) -> Result<Sender, OtlpError> {
        Ok(Sender {
            transport: Arc::new(Transport::new(otlp)?),
            encoder: Arc::new(Encoder::new(otlp.resource_attributes())),
        })
    }

    /// Sends spans, in their order and in requests under 1 MiB. On return the backend has answered for each of them. A request
    /// that it refuses for good is halved until the span that it is about is alone; the others are accepted.
    ///
    /// # Errors
    /// [`Unavailable`]: send all of them again later. Some may have been accepted; a span has the same id and content each time.
    pub async fn send(&self, spans: &[Span]) -> Result<Sent, Unavailable> {
        self.send_encoded(&spans.iter().collect()).await
    }

    /// Sends spans that are encoded already, as [`send`](Sender::send) does.
    pub(crate) async fn send_encoded(&self, spans: &Encoded) -> Result<Sent, Unavailable> {
        let mut sent = Sent::default();
        let mut trust = Trust::Unknown;
        let mut waiting = Vec::from_iter(iter::once(0..spans.len()));
        while let Some(range) = waiting.pop() {
            let mut first = range.start;
            for (count, request) in Batches::new(&self.encoder, spans, range.clone(), OTLP_REQUEST_BYTES_MAX)
            {
                let here = first..first + count;
                first = here.end;
                match self.transport.traces(request).await {
                    Answer::Unavailable(unavailable) => return Err(unavailable),
                    Answer::Taken { rejected, remark } => {
                        trust = Trust::Proven;
                        sent.taken(here, rejected, remark);
                    }
                    Answer::Refused { reason } if trust == Trust::Doubtful => {
                        return Err(Unavailable::refuses_all(&reason));
                    }
                    Answer::Refused { reason } if count > 1 => {
                        tracing::debug!(spans = count, reason, "a request was refused: its halves are sent");
                        // What comes after the halves comes after them.
                        let middle = here.start + count / 2;
                        waiting.extend([here.end..range.end, middle..here.end, here.start..middle]);
                        break;
                    }
                    Answer::Refused { reason } => {
                        // A backend out of order must not cost the spans that it happens to be sent.
                        trust = match trust {
                            Trust::Proven => Trust::Unknown,
                            Trust::Unknown | Trust::Doubtful => self.try_with_none().await?,
                        };
                        sent.refused.push(Refused { span: here.start, reason });
                    }
                }
            }
        }
        match sent.refused.first() {
            Some(refused) if trust == Trust::Doubtful => Err(Unavailable::refuses_all(&refused.reason)),
            _ => Ok(sent),
        }
    }

    /// Sends a request without spans, which a backend should accept.
    async fn try_with_none(&self) -> Result<Trust, Unavailable> {
        match self.transport.traces(Vec::new()).await {
            Answer::Taken { .. } => Ok(Trust::Proven),
            Answer::Refused { .. } => Ok(Trust::Doubtful),
            Answer::Unavailable(unavailable) => Err(unavailable),
        }
    }
}

impl Sent {
    fn taken(&mut self, spans: Range<usize>, rejected: usize, remark: Option<String>) {
        let count = spans.len();
        let rejected = rejected.min(count);
        if rejected == count {
            // All of them: no question which.
            let reason = remark.clone().unwrap_or_else(|| "thrown away without a reason".to_owned());
            self.refused.extend(spans.map(|span| Refused { span, reason: reason.clone() }));
        } else {
            self.accepted += count - rejected;
            self.rejected += rejected;
        }
        self.remark = remark.or(self.remark.take());
    }
}
