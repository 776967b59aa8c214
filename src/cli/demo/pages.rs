//! The demo's dashboard: on a port of this machine, for as long as the demo lasts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::cli::client::http;
use crate::dashboard;
use crate::model::Redaction;
use crate::runtime::Runtime;

/// Where it is unless the port is taken.
const PORT: u16 = 7777;

/// A dashboard that is being served.
pub(super) struct Pages {
    address: SocketAddr,
    serving: JoinHandle<io::Result<()>>,
}

/// Serves the dashboard to whoever is on this machine.
pub(super) async fn open(runtime: &Runtime, redaction: Redaction) -> io::Result<Pages> {
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
    };
    let address = listener.local_addr()?;
    let router = dashboard::router(runtime).hiding(redaction).allow_local_insecure().into_router();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(Pages { address, serving })
}

impl Pages {
    /// Writes the address of a page.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks for a page, as a browser does.
    pub(super) async fn text(&self, path: &str) -> reqwest::Result<String> {
        http()?.get(self.url(path)).send().await?.error_for_status()?.text().await
    }

    /// Stops serving.
    pub(super) fn close(self) {
        self.serving.abort();
    }
}
