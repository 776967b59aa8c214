//! The REST interface as the command asks it: a server's, or the very same router in this process on a database.
//!
//! What is printed with `-o json` is the answer's body, byte for byte, whichever of the two gave it.

mod here;
mod remote;
mod refusal;
mod stream;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use reqwest::Url;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) use self::here::Local;
pub(super) use self::refusal::Failure;
pub(super) use self::remote::http;
pub(super) use self::stream::Messages;

use self::here::Here;
use self::remote::Remote;
use super::options::Place;

/// Whom the command asks.
pub(super) struct Client {
    way: Way,
    base: Url,
}

enum Way {
    Remote(Remote),
    Here(Box<Here>),
}

/// An answer that is no refusal.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// A request's parts, the same for both ways.
struct Request {
    method: Method,
    url: Url,
    body: Option<Content>,
    /// What makes a repeated POST the same one.
    once: Option<String>,
}

/// A request's body, and what it is.
struct Content {
    bytes: Vec<u8>,
    kind: &'static str,
}

impl Client {
    /// Opens the way to where the runs are; connects when it is first asked something, but for the schema's version.
    pub(super) async fn open(place: Place, local: Local) -> Result<Client, Failure> {
        Ok(match place {
            Place::Server { url, token } => {
                let base = parse(&url)?;
                Client { way: Way::Remote(Remote::new(token)?), base }
            }
            Place::Database { url } => {
                let base = parse("http://in.this.process/")?;
                Client { way: Way::Here(Box::new(Here::open(&url, local).await?)), base }
            }
        })
    }

    /// Asks with GET; `query` are parameters.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.ask(Request { method: Method::GET, url: self.url(path, query)?, body: None, once: None }).await
    }

    /// Asks with GET, and reads the body.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        self.get(path, query).await?.read()
    }

    /// Sends a command; the same `once` is the same command, however often it is sent.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        once: String,
    ) -> Result<Answer, Failure> {
        self.send(Method::POST, path, body, Some(once)).await
    }

    /// Removes something; `query` are parameters.
    pub(super) async fn delete(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.ask(Request { method: Method::DELETE, url: self.url(path, query)?, body: None, once: None })
            .await
    }

    /// Sends a command of any method.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        once: Option<String>,
    ) -> Result<Answer, Failure> {
        let bytes = serde_json::to_vec(body).map_err(|error| Failure::Usage(error.to_string()))?;
        let body = Some(Content { bytes, kind: "application/json" });
        self.ask(Request { method, url: self.url(path, &[])?, body, once }).await
    }

    /// Sends JSON lines; the same `once` is the same command, however often it is sent.
    pub(super) async fn post_lines(&self, path: &str, lines: &str, once: String) -> Result<Answer, Failure> {
        let body = Some(Content { bytes: lines.as_bytes().to_vec(), kind: "application/jsonl" });
        let url = self.url(path, &[])?;
        self.ask(Request { method: Method::POST, url, body, once: Some(once) }).await
    }

    /// Opens a stream of server-sent events.
    pub(super) async fn stream(&self, path: &str, query: &[(&str, &str)]) -> Result<Messages, Failure> {
        let request = Request { method: Method::GET, url: self.url(path, query)?, body: None, once: None };
        match &self.way {
            Way::Remote(remote) => remote.stream(request).await,
            Way::Here(here) => here.stream(request).await,
        }
    }

    /// Ends what runs in this process.
    pub(super) async fn close(self) {
        if let Way::Here(here) = self.way {
            here.close().await;
        }
    }

    async fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let (status, body) = match &self.way {
            Way::Remote(remote) => remote.ask(request).await?,
            Way::Here(here) => here.ask(request).await?,
        };
        if status.is_success() {
            return Ok(Answer { status, body });
        }
        Err(Failure::refused(status, &body))
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        {
            let unusable = |()| Failure::Usage(format!("{} cannot be a base address", self.base));
            let mut segments = url.path_segments_mut().map_err(unusable)?;
            segments.pop_if_empty().push("api").push("v1");
            segments.extend(path.split('/').map(|segment| {
                // A name may hold a slash: it comes here as %2F and must not be encoded once more.
                percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
            }));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

impl Answer {
    /// Reads the body.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(Failure::answer)
    }
}

/// Makes a name safe inside a path.
pub(super) fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn parse(url: &str) -> Result<Url, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::Usage(format!("the address {url:?} cannot be used: {why}; expected http://HOST:PORT"))
    };
    let parsed = Url::parse(url).map_err(|error| wrong(&error))?;
    match parsed.scheme() {
        "http" | "https" => Ok(parsed),
        other => Err(wrong(&format!("{other} is no http"))),
    }
}
