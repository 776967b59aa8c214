//! A process of the tests: one node, and the batches it writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use runlog::clock::Clock;
use runlog::model::event::{Encoded, RunBlocked, RunCreated, Trigger};
use runlog::model::{
    Event, Key, Mail, MessageBody, MessageId, Namespace, NodeId, Payload, RunEvent, RunId, RunSummary,
    SignalName, Status, Timestamp, Version, WorkflowName,
};
use runlog::store::{
    Append, Appended, Claimed, Commit, Created, FenceCause, Heartbeat, Joined, NewRun, NodeInfo, Release,
    RowChange, RunRow, Sent, Served, Store, StoreError, Wanted,
};

/// A lease that no test outlives.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// A lease that a test waits for.
pub(super) const SHORT: Duration = Duration::from_millis(300);
/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// One node of a test.
pub(super) struct Process {
    pub(super) store: Arc<dyn Store>,
    pub(super) node: NodeId,
    pub(super) joined: Joined,
    pub(super) clock: Clock,
}

impl Process {
    /// Joins with two lanes and a lease that no test outlives.
    pub(super) async fn join(store: &Arc<dyn Store>) -> Process {
        Process::join_for(store, LONG).await
    }

    pub(super) async fn join_for(store: &Arc<dyn Store>, lease: Duration) -> Process {
        Process::join_as(store, info(), lease).await
    }

    pub(super) async fn join_as(store: &Arc<dyn Store>, info: NodeInfo, lease: Duration) -> Process {
        let joined = store.join(&info, 2, lease).await.expect("join");
        Process { store: Arc::clone(store), node: joined.node, joined, clock: Clock::starting_at(joined.now) }
    }

    /// Writes commits on lane 0.
    pub(super) async fn append(&self, batch: &[Commit]) -> Result<Appended, StoreError> {
        self.store.append(self.node, 0, batch).await
    }

    /// Writes one append on lane 0, which must succeed.
    pub(super) async fn write(&self, append: Append) -> Appended {
        self.append(&[commit([append])]).await.expect("append")
    }

    /// Makes the birth of a run with one event.
    pub(super) fn birth(&self, status: Status) -> Append {
        birth(self.clock.new_run_id(), status)
    }

    /// Makes a run that this process owns and that is RUNNING; its log has one event.
    pub(super) async fn started(&self) -> RunId {
        let birth = self.birth(Status::Running);
        let run = birth.run;
        self.write(birth).await;
        run
    }

    /// Makes a QUEUED run, with what `change` makes of its row.
    pub(super) async fn queued(&self, change: impl FnOnce(&mut NewRun)) -> RunId {
        let birth = self.birth(Status::Queued).born(change);
        assert_eq!(
            self.store.create(std::slice::from_ref(&birth)).await.expect("create"),
            [Created { run: birth.run, created: true }]
        );
        birth.run
    }

    /// Parks a run of this process whose log has one event; it gets a second one.
    pub(super) async fn park(&self, run: RunId, wake_at: Option<Timestamp>) {
        let mut park = append(run, 1).note("parked").released(wake_at, 0);
        let release = park.row.as_mut().and_then(|row| row.release.as_mut()).expect("a release");
        release.claims = self.row(run).await.claims;
        assert_eq!(self.write(park).await.kept, []);
    }

    /// Ends a run of this process whose log has one event.
    pub(super) async fn end(&self, run: RunId, status: Status) -> Appended {
        self.write(append(run, 1).note("ended").row(status)).await
    }

    pub(super) async fn claim(&self, wanted: Wanted) -> Claimed {
        self.store.claim(self.node, &wanted).await.expect("claim")
    }

    /// Claims runs by name.
    pub(super) async fn claim_named(&self, runs: &[RunId]) -> Vec<RunId> {
        self.claim(Wanted { runs: runs.to_vec(), limit: 100, ..Wanted::default() }).await.runs
    }

    /// Claims what is due of `workflow`.
    pub(super) async fn claim_served(&self, limit: usize) -> Vec<RunId> {
        self.claim(Wanted { served: vec![served()], limit, ..Wanted::default() }).await.runs
    }

    pub(super) async fn row(&self, run: RunId) -> RunRow {
        self.store.row(run).await.expect("row").expect("a run")
    }

    /// Reads what a list shows of a run.
    pub(super) async fn summary(&self, run: RunId) -> RunSummary {
        let mut found = self.store.summaries(&[run, run]).await.expect("summaries");
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    /// Reads the notes in a run's log: what [`Append::note`] wrote.
    pub(super) async fn notes(&self, run: RunId) -> Vec<String> {
        let log = self.store.log(run, 0, 1_000).await.expect("log");
        let note = |event| match event {
            Event::Run(RunEvent::Blocked(event)) => event.report,
            event => event.kind().to_owned(),
        };
        log.into_iter().map(|recorded| note(recorded.event)).collect()
    }

    /// Sends a signal that must be accepted.
    pub(super) async fn signal(&self, run: RunId, name: &str) -> MessageId {
        match self.store.send(run, &signal(name, "null")).await.expect("send") {
            Sent::Accepted { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until this node's lease is over.
    pub(super) async fn expire(&self) {
        within(async || {
            let claimed = self.store.claim(self.node, &Wanted::default()).await;
            matches!(claimed, Err(StoreError::Fenced))
        })
        .await;
    }
}

/// Polls until `done`, for at most 20 s.
pub(super) async fn within(done: impl AsyncFn() -> bool) {
    let poll = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.expect("it happens in time");
}

/// The workflow of every run unless a test says otherwise.
pub(super) fn served() -> Served {
    let workflow = WorkflowName::new("checkout").expect("a name");
    Served { workflow, version: Version::new("1").expect("a version"), slots: usize::MAX }
}

/// What a node says of itself.
pub(super) fn info() -> NodeInfo {
    let (name, release) = ("test".to_owned(), "0.1.0".to_owned());
    NodeInfo { name, pid: 7, release, slots: 100, served: vec![served()], resumes: None }
}

/// The answer to the heartbeat of a node whose lease is over.
pub(super) const OVER: Heartbeat = Heartbeat::Fenced { cause: FenceCause::LeaseOver };

pub(super) fn key(text: &str) -> Option<Key> {
    Some(Key::new(text).expect("a key"))
}

pub(super) fn signal(name: &str, payload: &str) -> MessageBody {
    let payload = Payload::parse(payload).expect("JSON");
    MessageBody::Signal { name: SignalName::new(name).expect("a name"), key: None, payload }
}

pub(super) fn commit(appends: impl IntoIterator<Item = Append>) -> Commit {
    Commit { appends: appends.into_iter().collect() }
}

pub(super) fn encode(event: impl Into<Event>) -> Encoded {
    event.into().encode().expect("JSON")
}

/// Makes an append that changes nothing yet.
pub(super) fn append(run: RunId, expected: u32) -> Append {
    Append {
        run,
        expected,
        events: vec![],
        born: None,
        row: None,
        mail: vec![],
        taken: vec![],
        awaits: vec![],
    }
}

/// Makes the birth of a run, due long ago, with RunCreated as its only event.
pub(super) fn birth(run: RunId, status: Status) -> Append {
    let Served { workflow, version, .. } = served();
    let created = RunCreated {
        workflow: workflow.clone(),
        version: version.clone(),
        namespace: Namespace::default(),
        key: None,
        input: Payload::null(),
        metadata: BTreeMap::new(),
        priority: 0,
        start_at: None,
        start_deadline: None,
        timeout_ms: None,
        trigger: Trigger::Manual,
        parent: None,
        trace: None,
        limit: None,
    };
    let born = NewRun {
        namespace: Namespace::default(),
        workflow,
        version,
        key: None,
        status,
        priority: 0,
        wake_at: (status == Status::Queued).then_some(long_ago()),
        deadline_at: None,
        trigger: (&Trigger::Manual).into(),
        parent: None,
        metadata: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
        limit_key: None,
    };
    Append { events: vec![encode(RunEvent::from(created))], born: Some(Box::new(born)), ..append(run, 0) }
}

pub(super) fn long_ago() -> Timestamp {
    "2020-01-01T00:00:00Z".parse().expect("a time")
}

pub(super) fn far_ahead() -> Timestamp {
    "2090-01-01T00:00:00Z".parse().expect("a time")
}

/// What a test says of an append.
pub(super) trait AppendExt: Sized {
    /// Adds an event that holds `text`.
    fn note(self, text: &str) -> Self;
    fn event(self, event: impl Into<Event>) -> Self;
    fn row(self, status: Status) -> Self;
    fn deadline(self, at: Timestamp) -> Self;
    fn released(self, wake_at: Option<Timestamp>, mail_seen: i32) -> Self;
    fn mail(self, to: RunId, body: MessageBody) -> Self;
    fn taken(self, message: MessageId) -> Self;
    fn born(self, change: impl FnOnce(&mut NewRun)) -> Self;
}

impl AppendExt for Append {
    fn note(self, text: &str) -> Append {
        self.event(RunEvent::from(RunBlocked { report: text.to_owned() }))
    }

    fn event(mut self, event: impl Into<Event>) -> Append {
        self.events.push(encode(event));
        self
    }

    fn row(mut self, status: Status) -> Append {
        self.row = Some(RowChange { status, deadline_at: None, release: None, failure: None });
        self
    }

    fn deadline(mut self, at: Timestamp) -> Append {
        self.row.as_mut().expect("a row").deadline_at = Some(at);
        self
    }

    fn released(self, wake_at: Option<Timestamp>, mail_seen: i32) -> Append {
        let release = Some(Release { wake_at, mail_seen, claims: 0 });
        Append {
            row: Some(RowChange { status: Status::Running, deadline_at: None, release, failure: None }),
            ..self
        }
    }

    fn mail(mut self, to: RunId, body: MessageBody) -> Append {
        self.mail.push(Mail { to, body });
        self
    }

    fn taken(mut self, message: MessageId) -> Append {
        self.taken.push(message);
        self
    }

    fn born(mut self, change: impl FnOnce(&mut NewRun)) -> Append {
        change(self.born.as_mut().expect("a birth"));
        self
    }
}
