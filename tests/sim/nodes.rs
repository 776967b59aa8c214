//! The processes: each a real runtime on a connection of its own, started, killed and paused by the plan.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use runlog::clock::Clock;
use runlog::model::Timestamp;
use runlog::store::Store;
use runlog::store::memory::MemoryStore;
use runlog::{Error, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::faults::{Connection, Sky};
use crate::marks::sometimes;
use crate::oracle::Oracle;
use crate::plan::{Plan, Request, Rng, Trouble};
use crate::trace::Trace;
use crate::workload::Workload;

/// All processes of one world.
pub struct Cluster {
    pub store: Arc<MemoryStore>,
    pub plan: Plan,
    pub workload: Workload,
    pub trace: Trace,
    pub oracle: Arc<Oracle>,
    sky: Arc<Sky>,
    is_calm: AtomicBool,
    processes: Mutex<Vec<Process>>,
    requests: Mutex<Vec<(String, JoinHandle<()>)>>,
}

/// One process at its place, and the one that comes after its death.
struct Process {
    incarnation: u64,
    life: Option<Life>,
}

struct Life {
    connection: Arc<Connection>,
    runtime: Option<Runtime>,
    starting: JoinHandle<()>,
    /// True once the process is dead: its clients hear nothing more.
    dead: watch::Sender<bool>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.connection.cut();
        self.starting.abort();
        self.dead.send_replace(true);
        if let Some(runtime) = &self.runtime {
            runtime.crash();
        }
    }
}

/// The pause of a process that could not start.
pub const RESTART_PAUSE: Duration = Duration::from_millis(500);

impl Cluster {
    pub fn new(
        store: Arc<MemoryStore>,
        plan: Plan,
        workload: Workload,
        trace: Trace,
        oracle: Arc<Oracle>,
    ) -> Arc<Cluster> {
        let processes = (0..plan.processes).map(|_| Process { incarnation: 0, life: None }).collect();
        Arc::new(Cluster {
            store,
            plan,
            workload,
            trace,
            oracle,
            sky: Arc::default(),
            is_calm: AtomicBool::new(false),
            processes: Mutex::new(processes),
            requests: Mutex::default(),
        })
    }

    fn processes(&self) -> MutexGuard<'_, Vec<Process>> {
        self.processes.lock().unwrap()
    }

    /// Starts the process at a place, unless it lives.
    pub fn start(self: &Arc<Cluster>, at: usize) {
        let mut processes = self.processes();
        let process = &mut processes[at];
        if process.life.is_some() {
            return;
        }
        process.incarnation += 1;
        let incarnation = process.incarnation;
        let name = format!("p{at}.{incarnation}");
        self.trace.note(format_args!("{name} starts"));
        let mut rng = Rng::new(self.plan.seed ^ ((at as u64) << 48) ^ (incarnation << 40));
        let (sky, trace) = (Arc::clone(&self.sky), self.trace.clone());
        let connection = Connection::new(name.clone(), self.plan.weather.clone(), trace, sky, rng.fork());
        if self.is_calm.load(Ordering::Relaxed) {
            connection.calm();
        }
        // The process's own wall clock may be days off.
        let skew = chrono::TimeDelta::milliseconds(rng.between(0, 400_000_000) as i64 - 200_000_000);
        let clock = Arc::new(Clock::seeded(self.store.clock().now() + skew, rng.draw()));
        let (cluster, through) = (Arc::clone(self), Arc::clone(&connection));
        let starting = tokio::spawn(async move {
            let runtime = loop {
                match cluster.build(&name, &through, &clock).await {
                    Ok(runtime) => break runtime,
                    Err(error) => cluster.trace.note(format_args!("{name} does not start: {error}")),
                }
                tokio::time::sleep(RESTART_PAUSE).await;
            };
            let mut processes = cluster.processes();
            let process = &mut processes[at];
            match process.life.as_mut().filter(|_| process.incarnation == incarnation) {
                Some(life) => life.runtime = Some(runtime),
                None => runtime.crash(),
            }
        });
        process.life = Some(Life { connection, runtime: None, starting, dead: watch::Sender::new(false) });
    }

    async fn build(
        &self,
        name: &str,
        through: &Arc<Connection>,
        clock: &Arc<Clock>,
    ) -> Result<Runtime, Error> {
        let plan = &self.plan;
        let store = self.store.connect_with(Arc::clone(through) as _) as Arc<dyn Store>;
        let oracle = Arc::clone(&self.oracle);
        let builder = Runtime::on_store(store)
            .clock(Arc::clone(clock))
            .on_body(move |node, body| oracle.ran(node, body))
            .node_name(name)
            .lease(plan.lease)
            .poll_interval(plan.poll)
            .park_after(plan.park_after)
            .lanes(plan.lanes)
            .live_runs(plan.live_runs);
        self.workload.serve(builder).start().await
    }

    fn end(&self, at: usize) {
        let life = self.processes()[at].life.take();
        if life.is_some() {
            self.trace.note(format_args!("p{at} is dead"));
        }
    }

    /// Brings a trouble about.
    pub fn trouble(self: &Arc<Cluster>, trouble: &Trouble) {
        self.trace.note(format_args!("{trouble:?}"));
        match *trouble {
            Trouble::Kill { process, down } => {
                self.end(process);
                self.start_later(process, down);
            }
            Trouble::Pause { process, lasts } => {
                if let Some(life) = &self.processes()[process].life {
                    life.connection.pause(lasts);
                }
            }
            Trouble::Shutdown { process, grace, down } => {
                let cluster = Arc::clone(self);
                tokio::spawn(async move {
                    cluster.shut_down(process, grace).await;
                    cluster.start_later(process, down);
                });
            }
            Trouble::Outage { lasts } => {
                if lasts >= Duration::from_secs(600) {
                    sometimes!("the store was away for ten minutes");
                }
                let mut until = self.sky.outage_until.lock().unwrap();
                *until = (*until).max(Some(Instant::now() + lasts));
            }
        }
    }

    fn start_later(self: &Arc<Cluster>, at: usize, down: Duration) {
        let cluster = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(down).await;
            cluster.start(at);
        });
    }

    /// Shuts a process down as its own code would, and ends it.
    pub async fn shut_down(&self, at: usize, grace: Duration) {
        let runtime = self.processes()[at].life.as_ref().and_then(|life| life.runtime.clone());
        let incarnation = self.processes()[at].incarnation;
        if let Some(runtime) = runtime {
            let stopped = runtime.shutdown(grace).await;
            self.trace.note(format_args!("p{at} shut down: {}", stopped.is_ok()));
        }
        // It may have been killed meanwhile, and another one may have come.
        if self.processes()[at].incarnation == incarnation {
            self.end(at);
        }
    }

    /// No more faults: every process lives, and nothing is lost or late.
    pub fn calm(self: &Arc<Cluster>) {
        self.trace.note(format_args!("the faults are over"));
        self.is_calm.store(true, Ordering::Relaxed);
        *self.sky.outage_until.lock().unwrap() = None;
        for process in self.processes().iter() {
            if let Some(life) = &process.life {
                life.connection.calm();
            }
        }
        self.start_all();
    }

    pub fn start_all(self: &Arc<Cluster>) {
        (0..self.plan.processes).for_each(|at| self.start(at));
    }

    pub fn end_all(&self) {
        (0..self.plan.processes).for_each(|at| self.end(at));
    }

    /// Returns the first living process at or after a place, and how its death is heard of.
    fn serving(&self, at: usize) -> Option<(Runtime, watch::Receiver<bool>)> {
        let processes = self.processes();
        let places = (0..processes.len()).map(|n| (at + n) % processes.len());
        places.into_iter().find_map(|at| {
            let life = processes[at].life.as_ref()?;
            Some((life.runtime.clone()?, life.dead.subscribe()))
        })
    }

    /// Lets a client ask.
    pub fn ask(self: &Arc<Cluster>, request: &Request) {
        let Some((runtime, mut dead)) = self.serving(request.process) else {
            return self.trace.note(format_args!("nobody to ask: {:?}", request.ask));
        };
        let what = format!("{:?}", request.ask);
        self.trace.note(format_args!("asks p{}: {what}", request.process));
        let (cluster, request) = (Arc::clone(self), request.clone());
        let asked = tokio::spawn(async move {
            let answered = cluster.answer(&runtime, &request);
            tokio::select! {
                biased;
                () = answered => {}
                _ = dead.wait_for(|dead| *dead) => {}
            }
        });
        self.requests.lock().unwrap().push((what, asked));
    }

    /// Returns what clients asked and never heard of.
    pub fn unanswered(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(_, asked)| !asked.is_finished()).map(|(what, _)| what.clone()).collect()
    }

    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }
}
