//! A proxy between a node and its server that understands the protocol's messages: it cuts, delays, swallows and
//! forges them as it is told, and counts what it did, which is how a fault proves that it landed.

mod frames;
mod mutant;
mod pump;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

pub use self::mutant::{MUTANTS, Mutant};

/// What is done once, to the next message that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// Cut the connection instead of sending an append.
    CutBefore,
    /// Cut it in the middle of an append.
    CutWithin,
    /// Cut it when the server has answered a commit, and pass no answer on.
    CutAfter,
    /// Answer a statement of that kind with this SQLSTATE, and do not pass it on.
    Forge(Kind, &'static str),
    /// Hold everything the node sends back for so long, from an append on.
    Hold(Duration),
}

/// Which way messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToNode,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Append,
    Commit,
    Claim,
    Heartbeat,
    Other,
}

/// What is done for as long as it stands.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    latency: Duration,
    swallow: Option<Way>,
    drop_notifications: bool,
    held_until: Option<Instant>,
}

/// What was done so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub cut_before: u64,
    pub cut_within: u64,
    /// Commits whose answer was lost.
    pub cut_after: u64,
    pub forged: u64,
    pub held: u64,
    pub delayed: u64,
    pub delay: Duration,
    pub swallowed_bytes: u64,
    pub listens: u64,
    pub notifications_dropped: u64,
    /// What the server itself refused, by SQLSTATE.
    pub refusals: BTreeMap<String, u64>,
    /// The edits of the mutant that were made, by place.
    pub edits: BTreeMap<usize, u64>,
}

/// One node's way to its server.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    /// The server's socket.
    server: PathBuf,
    mutant: Option<Mutant>,
    once: Mutex<Option<Once>>,
    standing: Mutex<Standing>,
    counts: Mutex<Counts>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Listens on a free port and passes on to the server's socket.
    pub async fn open(server: PathBuf, mutant: Option<Mutant>) -> anyhow::Result<Proxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (once, standing, counts) = Default::default();
        let shared = Arc::new(Shared { server, mutant, once, standing, counts });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                // A connection that breaks is no news here: that is what this is for.
                tokio::spawn(async move { drop(pump::pass(node, shared).await) });
            }
        });
        Ok(Proxy { port, shared })
    }

    /// The URL of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    pub fn counts(&self) -> Counts {
        lock(&self.shared.counts).clone()
    }

    /// Has something done to the next message that fits.
    pub fn once(&self, what: Once) {
        *lock(&self.shared.once) = Some(what);
    }

    /// Takes an order back that nothing fitted.
    pub fn relent(&self) {
        *lock(&self.shared.once) = None;
    }

    /// Sets the delay of everything that the node sends.
    pub fn set_latency(&self, latency: Duration) {
        lock(&self.shared.standing).latency = latency;
    }

    /// Swallows whatever goes that way, and keeps connections open. A connection that lost something stays mute, and is
    /// cut in the end.
    pub fn swallow(&self, way: Option<Way>) {
        lock(&self.shared.standing).swallow = way;
    }

    pub fn drop_notifications(&self, drop: bool) {
        lock(&self.shared.standing).drop_notifications = drop;
    }
}

impl Shared {
    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut lock(&self.counts));
    }

    fn standing(&self) -> Standing {
        *lock(&self.standing)
    }

    /// Takes the order, if it is for a statement of this kind.
    fn take_once(&self, kind: Kind) -> Option<Once> {
        let mut once = lock(&self.once);
        let fits = match (*once)? {
            Once::CutBefore | Once::CutWithin | Once::Hold(_) => kind == Kind::Append,
            Once::CutAfter => matches!(kind, Kind::Append | Kind::Commit),
            Once::Forge(wanted, _) => kind == wanted,
        };
        once.take_if(|_| fits)
    }
}
