//! One connection: what the node sends goes up in whole batches, what the server sends comes down message by message.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::unix;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use super::frames::Frame;
use super::{Kind, Once, Shared, Way, lock};

/// The requests that come before a connection's beginning, and want encryption.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// How often a mute connection looks whether its time is over.
const MUTE_POLL: Duration = Duration::from_millis(50);

/// What both ways of a connection know.
#[derive(Default)]
struct Session {
    /// The kinds of prepared statements by name.
    statements: HashMap<Vec<u8>, Kind>,
    /// The answer under way is not to be passed on if it is a commit's.
    loses_answer: bool,
    /// The server's last word on its transaction.
    status: u8,
}

type ToNode = Arc<tokio::sync::Mutex<OwnedWriteHalf>>;

/// Passes messages on until one side closes, or a fault does.
pub(super) async fn pass(node: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    node.set_nodelay(true)?;
    let (from_node, mut to_node) = node.into_split();
    let mut from_node = BufReader::with_capacity(64 << 10, from_node);
    let first = loop {
        let first = Frame::read_first(&mut from_node).await?;
        if !ENCRYPTION.contains(&first.request()) {
            break first;
        }
        to_node.write_all(b"N").await?;
    };
    let (from_server, mut to_server) = UnixStream::connect(&shared.server).await?.into_split();
    to_server.write_all(first.bytes()).await?;
    let session = Mutex::new(Session { status: b'I', ..Session::default() });
    let to_node = Arc::new(tokio::sync::Mutex::new(to_node));
    let up = Up { shared: &shared, session: &session, to_node: Arc::clone(&to_node), to_server };
    let down = Down { shared: &shared, session: &session, to_node };
    tokio::select! {
        ended = up.run(from_node) => ended,
        ended = down.run(from_server) => ended,
    }
}

/// From the node to the server.
struct Up<'a> {
    shared: &'a Shared,
    session: &'a Mutex<Session>,
    to_node: ToNode,
    to_server: unix::OwnedWriteHalf,
}

impl Up<'_> {
    async fn run(mut self, mut from: BufReader<OwnedReadHalf>) -> io::Result<()> {
        let mut batch = Vec::new();
        while let Some(frame) = Frame::read(&mut from).await? {
            // What the server answers by itself ends a batch: Sync, Query, Flush, Terminate, a password.
            let is_last = matches!(frame.tag(), b'S' | b'Q' | b'H' | b'X' | b'p');
            batch.push(frame);
            if is_last {
                if self.shared.standing().swallow == Some(Way::ToServer) {
                    let lost: usize = batch.iter().map(|frame| frame.bytes().len()).sum();
                    self.shared.count(|counts| counts.swallowed_bytes += lost as u64);
                    return mute(&mut from, self.shared, Way::ToServer).await;
                }
                if !self.send(std::mem::take(&mut batch)).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Passes a batch on, or does to it what is ordered; false when the connection is to be cut.
    async fn send(&mut self, mut batch: Vec<Frame>) -> io::Result<bool> {
        let kind = batch.iter_mut().fold(Kind::Other, |kind, frame| self.look(frame).unwrap_or(kind));
        let bytes: Vec<u8> = batch.iter().flat_map(|frame| frame.bytes()).copied().collect();
        match self.shared.take_once(kind) {
            Some(Once::CutBefore) => {
                self.shared.count(|counts| counts.cut_before += 1);
                return Ok(false);
            }
            Some(Once::CutWithin) => {
                self.to_server.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default()).await?;
                self.shared.count(|counts| counts.cut_within += 1);
                return Ok(false);
            }
            Some(Once::CutAfter) => lock(self.session).loses_answer = true,
            Some(Once::Forge(_, code)) => {
                self.forge(code).await?;
                return Ok(true);
            }
            Some(Once::Hold(time)) => {
                lock(&self.shared.standing).held_until = Some(Instant::now() + time);
                self.shared.count(|counts| counts.held += 1);
            }
            None => {}
        }
        self.delay(kind).await;
        self.to_server.write_all(&bytes).await?;
        Ok(true)
    }

    /// Takes note of a statement, and mutates it; returns its kind if this message executes it.
    fn look(&self, frame: &mut Frame) -> Option<Kind> {
        match frame.tag() {
            b'P' => {
                self.mutate(frame);
                let (name, statement) = name_and_statement(frame);
                let kind = kind_of(&statement);
                lock(self.session).statements.insert(name, kind);
                None
            }
            b'B' => {
                let name = frame.texts().nth(1).unwrap_or_default();
                Some(lock(self.session).statements.get(name).copied().unwrap_or(Kind::Other))
            }
            b'Q' => {
                let statement = String::from_utf8_lossy(frame.body()).to_uppercase();
                if statement.starts_with("LISTEN") {
                    self.shared.count(|counts| counts.listens += 1);
                }
                Some(if statement.starts_with("COMMIT") { Kind::Commit } else { Kind::Other })
            }
            _ => None,
        }
    }

    fn mutate(&self, frame: &mut Frame) {
        let Some(mutant) = self.shared.mutant else { return };
        let (name, mut statement) = name_and_statement(frame);
        let edits = mutant.change(&mut statement);
        if edits.is_empty() {
            return;
        }
        let types = frame.body().get(name.len() + 1..).and_then(|rest| {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest.get(end + 1..)
        });
        let body = [&name, b"\0".as_slice(), statement.as_bytes(), b"\0", types.unwrap_or_default()].concat();
        *frame = Frame::new(b'P', &body);
        self.shared
            .count(|counts| edits.iter().for_each(|edit| *counts.edits.entry(*edit).or_default() += 1));
    }

    /// Answers in the server's place. The client waits for nothing else at this moment: it sends batches one by one.
    async fn forge(&self, code: &str) -> io::Result<()> {
        let status = if lock(self.session).status == b'I' { b'I' } else { b'E' };
        let mut answer = Frame::error(code, "forged by the proxy").bytes().to_vec();
        answer.extend(Frame::new(b'Z', &[status]).bytes());
        self.to_node.lock().await.write_all(&answer).await?;
        self.shared.count(|counts| counts.forged += 1);
        Ok(())
    }

    async fn delay(&self, kind: Kind) {
        let standing = self.shared.standing();
        if !standing.latency.is_zero() {
            let since = Instant::now();
            tokio::time::sleep(standing.latency).await;
            let took = since.elapsed();
            self.shared.count(|counts| {
                counts.delayed += 1;
                counts.delay += took;
            });
        }
        if let Some(until) = standing.held_until.filter(|until| *until > Instant::now()) {
            tokio::time::sleep_until(until).await;
            // What was held arrives after whatever else this node says.
            if kind == Kind::Append {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// From the server to the node.
struct Down<'a> {
    shared: &'a Shared,
    session: &'a Mutex<Session>,
    to_node: ToNode,
}

impl Down<'_> {
    async fn run(self, from: unix::OwnedReadHalf) -> io::Result<()> {
        let mut from = BufReader::with_capacity(64 << 10, from);
        let mut answer: Vec<u8> = Vec::new();
        let mut is_refused = false;
        while let Some(frame) = Frame::read(&mut from).await? {
            if self.shared.standing().swallow == Some(Way::ToNode) {
                let lost = answer.len() + frame.bytes().len();
                self.shared.count(|counts| counts.swallowed_bytes += lost as u64);
                return mute(&mut from, self.shared, Way::ToNode).await;
            }
            match frame.tag() {
                b'A' if self.shared.standing().drop_notifications => {
                    self.shared.count(|counts| counts.notifications_dropped += 1);
                    continue;
                }
                b'E' => {
                    is_refused = true;
                    let code = frame.code().unwrap_or_default();
                    self.shared.count(|counts| *counts.refusals.entry(code).or_default() += 1);
                }
                b'Z' => {
                    let status = frame.body().first().copied().unwrap_or_default();
                    let mut session = lock(self.session);
                    session.status = status;
                    if session.loses_answer && !is_refused && status == b'I' {
                        session.loses_answer = false;
                        self.shared.count(|counts| counts.cut_after += 1);
                        return Ok(());
                    }
                    // Nothing was committed: another answer is lost instead.
                    if std::mem::take(&mut session.loses_answer) {
                        *lock(&self.shared.once) = Some(Once::CutAfter);
                    }
                    drop(session);
                    is_refused = false;
                }
                _ => {}
            }
            answer.extend(frame.bytes());
            let is_whole = matches!(frame.tag(), b'Z' | b'A' | b'N' | b'R' | b'E');
            let is_kept = lock(self.session).loses_answer;
            if !is_kept && (is_whole || from.buffer().is_empty()) {
                self.to_node.lock().await.write_all(&std::mem::take(&mut answer)).await?;
            }
        }
        Ok(())
    }
}

impl Drop for Down<'_> {
    /// A connection that ends before the answer has lost none that was committed: another one's is lost instead.
    fn drop(&mut self) {
        if std::mem::take(&mut lock(self.session).loses_answer) {
            *lock(&self.shared.once) = Some(Once::CutAfter);
        }
    }
}

/// Reads on and answers nothing, until the fault is over.
async fn mute(from: &mut (impl tokio::io::AsyncRead + Unpin), shared: &Shared, way: Way) -> io::Result<()> {
    let mut lost = [0; 4096];
    while shared.standing().swallow == Some(way) {
        if let Ok(read) = tokio::time::timeout(MUTE_POLL, from.read(&mut lost)).await {
            let read = read?;
            shared.count(|counts| counts.swallowed_bytes += read as u64);
            if read == 0 {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn name_and_statement(frame: &Frame) -> (Vec<u8>, String) {
    let mut texts = frame.texts();
    let name = texts.next().unwrap_or_default().to_vec();
    (name, String::from_utf8_lossy(texts.next().unwrap_or_default()).into_owned())
}

fn kind_of(statement: &str) -> Kind {
    // `create` writes events, too, but under no fence and without being asked twice.
    if statement.contains("insert into runlog.events") && statement.contains("runlog.leases") {
        Kind::Append
    } else if statement.contains("renewal as materialized") {
        Kind::Heartbeat
    } else if statement.contains("claimed as (") {
        Kind::Claim
    } else {
        Kind::Other
    }
}
