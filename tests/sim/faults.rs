//! What goes wrong between one process and the store, as its seed says.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use runlog::model::NodeId;
use runlog::store::StoreError;
use runlog::store::memory::{Call, Fate, Faults, Transaction};
use tokio::time::Instant;

use crate::marks::sometimes;
use crate::plan::{Rng, Weather};
use crate::trace::Trace;

/// What all processes suffer together.
#[derive(Default)]
pub struct Sky {
    /// Until when nobody reaches the store.
    pub outage_until: Mutex<Option<Instant>>,
}

/// The faults of one process: of one connection.
pub struct Connection {
    name: String,
    weather: Weather,
    trace: Trace,
    sky: Arc<Sky>,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    is_cut: bool,
    is_calm: bool,
    paused_until: Option<Instant>,
    /// The process's last incarnation that was heard of.
    node: Option<NodeId>,
}

impl Connection {
    pub fn new(name: String, weather: Weather, trace: Trace, sky: Arc<Sky>, rng: Rng) -> Arc<Connection> {
        let state = State { rng, is_cut: false, is_calm: false, paused_until: None, node: None };
        Arc::new(Connection { name, weather, trace, sky, state: Mutex::new(state) })
    }

    /// Nothing arrives any more, on either side: the process is dead.
    pub fn cut(&self) {
        self.state().is_cut = true;
    }

    /// The process stands still for a while.
    pub fn pause(&self, lasts: Duration) {
        self.state().paused_until = Some(Instant::now() + lasts);
    }

    /// Faults are over.
    pub fn calm(&self) {
        let mut state = self.state();
        state.is_calm = true;
        state.paused_until = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn is_away(&self) -> bool {
        self.sky.outage_until.lock().unwrap().is_some_and(|until| Instant::now() < until)
    }

    fn fate(&self, state: &mut State, lost: u64) -> Fate {
        if state.is_cut || self.is_away() {
            return Fate::Lost;
        }
        if state.is_calm {
            return Fate::Passes;
        }
        if state.rng.permille(lost) {
            return Fate::Lost;
        }
        match state.rng.permille(self.weather.delayed) {
            true => Fate::Delayed(state.rng.millis(1, self.weather.delay_ms)),
            false => Fate::Passes,
        }
    }

    fn note(&self, call: &Call, what: std::fmt::Arguments<'_>) {
        let node = call.node.map(|node| format!(" n{node}")).unwrap_or_default();
        self.trace.note(format_args!("{}{node} {} {what}", self.name, call.method));
    }
}

impl Faults for Connection {
    fn on_call(&self, call: &Call) -> Fate {
        let mut state = self.state();
        if let Some(node) = call.node {
            if state.node.is_some_and(|known| known < node) {
                sometimes!("a node was fenced and joined anew");
            }
            state.node = state.node.max(Some(node));
        }
        let fate = self.fate(&mut state, self.weather.lost_call);
        match fate {
            Fate::Passes => {}
            Fate::Delayed(delay) => self.note(call, format_args!("comes {} ms later", delay.as_millis())),
            Fate::Lost => self.note(call, format_args!("never comes")),
        }
        fate
    }

    fn on_answer(&self, call: &Call, events: u64) -> Fate {
        let mut state = self.state();
        let was_cut = state.is_cut;
        let fate = self.fate(&mut state, self.weather.lost_answer);
        match fate {
            Fate::Passes => self.note(call, format_args!("done, {events} events")),
            Fate::Delayed(delay) => {
                self.note(call, format_args!("done, {events} events, told {} ms later", delay.as_millis()))
            }
            Fate::Lost => {
                if call.method == "append" && events > 0 {
                    sometimes!("an append's answer was lost");
                    if was_cut {
                        sometimes!("a transaction outlived its process");
                    }
                }
                self.note(call, format_args!("done, {events} events, never told"));
            }
        }
        fate
    }

    fn on_commit(&self, call: &Call) -> Transaction {
        let mut state = self.state();
        if state.is_cut || state.is_calm || !state.rng.permille(self.weather.slow_commit) {
            return Transaction::default();
        }
        let lasts = state.rng.millis(1, self.weather.commit_ms);
        let outlives_caller = state.rng.percent(self.weather.outlive);
        drop(state);
        self.note(call, format_args!("takes {} ms", lasts.as_millis()));
        Transaction { lasts, outlives_caller }
    }

    fn standstill(&self) -> Duration {
        let state = self.state();
        match state.paused_until {
            Some(until) if !state.is_cut => until.saturating_duration_since(Instant::now()),
            _ => Duration::ZERO,
        }
    }

    fn on_end(&self, call: &Call, error: Option<&StoreError>) {
        let Some(error) = error else { return };
        if matches!((call.method, error), ("append", StoreError::Fenced)) {
            sometimes!("an append met the fence");
        }
        self.note(call, format_args!("refused: {error}"));
    }
}
