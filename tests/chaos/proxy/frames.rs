//! Messages of Postgres' protocol, version 3: a tag, a length that includes itself, a body.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest message that is believed; the product's largest batch is far below.
const FRAME_BYTES_MAX: usize = 256 << 20;

/// One message as it stands on the wire. The first one of a connection has no tag.
pub struct Frame {
    bytes: Vec<u8>,
    is_tagged: bool,
}

impl Frame {
    /// Reads a message; `None` at the end of the stream.
    pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
        let mut tag = [0];
        if from.read(&mut tag).await? == 0 {
            return Ok(None);
        }
        Self::rest(from, tag.to_vec(), true).await.map(Some)
    }

    /// Reads the message that begins a connection.
    pub async fn read_first(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
        Self::rest(from, Vec::new(), false).await
    }

    async fn rest(
        from: &mut (impl AsyncRead + Unpin),
        mut bytes: Vec<u8>,
        is_tagged: bool,
    ) -> io::Result<Frame> {
        let mut length = [0; 4];
        from.read_exact(&mut length).await?;
        let body = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX).saturating_sub(4);
        if body > FRAME_BYTES_MAX {
            return Err(io::Error::other(format!("a message of {body} bytes")));
        }
        bytes.extend(length);
        let head = bytes.len();
        bytes.resize(head + body, 0);
        from.read_exact(bytes.get_mut(head..).unwrap_or_default()).await?;
        Ok(Frame { bytes, is_tagged })
    }

    /// Makes a message.
    pub fn new(tag: u8, body: &[u8]) -> Frame {
        let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
        let mut bytes = vec![tag];
        bytes.extend(length.to_be_bytes());
        bytes.extend(body);
        Frame { bytes, is_tagged: true }
    }

    /// What a server says when it refuses.
    pub fn error(code: &str, message: &str) -> Frame {
        Frame::new(b'E', format!("SERROR\0VERROR\0C{code}\0M{message}\0\0").as_bytes())
    }

    pub fn tag(&self) -> u8 {
        if self.is_tagged { self.bytes.first().copied().unwrap_or_default() } else { 0 }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn body(&self) -> &[u8] {
        self.bytes.get(if self.is_tagged { 5 } else { 4 }..).unwrap_or_default()
    }

    /// The texts at the beginning of the body, each up to its NUL.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.body().split(|byte| *byte == 0)
    }

    /// The SQLSTATE of an error.
    pub fn code(&self) -> Option<String> {
        let field = self.texts().find_map(|field| field.strip_prefix(b"C"))?;
        Some(String::from_utf8_lossy(field).into_owned())
    }

    /// The number at the beginning of a connection's first message.
    pub fn request(&self) -> u32 {
        let number = self.body().first_chunk::<4>().copied().unwrap_or_default();
        u32::from_be_bytes(number)
    }
}
