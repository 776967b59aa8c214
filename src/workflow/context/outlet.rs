//! Chunks that the code sends to whoever follows its run.

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use serde::Serialize;

use super::cx::Cx;
use super::pen::{Parcel, Pen, Sent};
use crate::model::ids::NameError;
use crate::model::limits::{CHUNK_BYTES_MAX, CHUNKS_MAX};
use crate::model::{Payload, PayloadError, StreamName};
use crate::workflow::CxError;

/// The code's end of a stream: `cx.stream("tokens").send(&token).await?`.
///
/// A stream holds its chunks in order, and whoever reads it, while the run goes on or after it, gets each once. What the
/// task's own code sends is in it exactly once, however often the code is run again from its beginning: the n-th chunk that
/// it sends is the same chunk. What a step's body sends is in it once for every execution of that body; one that runs again,
/// after a crash or as a retry, is another [`source`](crate::store::writings::Sending::source).
///
/// A chunk's place is claimed when [`send`](Outlet::send) is called. Branches that run side by side outside of steps should
/// send to streams of their own.
#[derive(Clone)]
pub struct Outlet {
    pen: Arc<Pen>,
    name: Result<StreamName, NameError>,
}

impl Outlet {
    pub(super) fn new(cx: &Cx, name: &str) -> Outlet {
        Outlet { pen: Arc::clone(&cx.pen), name: StreamName::new(name) }
    }

    /// Sends a chunk, at most 64 KiB of JSON. On return it is committed; everyone who follows the stream gets it.
    ///
    /// # Errors
    /// [`CxError::Payload`], [`CxError::Name`]; [`CxError::Limit`] when the stream has 100,000 chunks or the attempt 64
    /// streams; [`CxError::Over`].
    pub fn send<T: Serialize + ?Sized>(
        &self,
        chunk: &T,
    ) -> impl Future<Output = Result<(), CxError>> + Send + use<T> {
        let claimed = self.claim(chunk);
        let pen = Arc::clone(&self.pen);
        async move {
            match claimed? {
                Some(parcel) => deliver(&pen, parcel).await,
                None => Ok(()),
            }
        }
    }

    fn claim<T: Serialize + ?Sized>(&self, chunk: &T) -> Result<Option<Parcel>, CxError> {
        let stream = self.name.clone().map_err(|source| CxError::Name { source })?;
        let refused = |source| CxError::Payload { what: format!("chunk of stream {stream}"), source };
        let data = Payload::of(chunk).map_err(refused)?;
        let bytes = data.text().len();
        if bytes > CHUNK_BYTES_MAX {
            return Err(refused(PayloadError::TooLarge { bytes, limit: CHUNK_BYTES_MAX }));
        }
        self.pen.claim(&stream, data)
    }
}

async fn deliver(pen: &Pen, parcel: Parcel) -> Result<(), CxError> {
    let (stream, own) = (parcel.stream.clone(), parcel.source == 0);
    std::future::poll_fn(|context| {
        if let Err(over) = pen.ledger.check_open_for(|| format!("stream {stream}")) {
            return Poll::Ready(Err(over));
        }
        // What it is made of must not be lost while it stays. A step's body waited for that before it began.
        if own { pen.ledger.poll_settled(context).map(Ok) } else { Poll::Ready(Ok(())) }
    })
    .await?;
    match pen.host.send(parcel).await? {
        Sent::New => Ok(()),
        Sent::Known { sent } => {
            if own && sent > 0 {
                pen.note_known(&stream, sent);
            }
            Ok(())
        }
        Sent::Full => {
            Err(CxError::Limit { what: format!("chunks of stream {stream}"), limit: u64::from(CHUNKS_MAX) })
        }
    }
}
