//! What a seed decides: the cluster, the weather, the troubles and the requests.

use std::time::Duration;

use runlog::model::limit::Policy;

/// The place among the workflows of the one that may be limited.
pub const LEAF: usize = 2;

/// The longest body of a step, in milliseconds.
pub const LONGEST_STEP_MS: u64 = 2_500;

/// How many keys signals are sent to: few, so that runs meet.
pub const KEYS: u64 = 2;

/// Chance, drawn from a seed: SplitMix64.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Makes another one, which does not depend on how often this one is asked later.
    pub fn fork(&mut self) -> Rng {
        Rng(self.draw())
    }

    /// Draws a number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n.max(1)
    }

    /// Draws a number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Says yes in `percent` of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Says yes in `permille` of a thousand cases.
    pub fn permille(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }

    pub fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len() as u64) as usize;
        &from[at]
    }
}

/// Everything about one world that is decided before it begins.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub processes: usize,
    pub lease: Duration,
    pub poll: Duration,
    pub park_after: Duration,
    pub lanes: u16,
    pub live_runs: usize,
    pub limit: Option<Limit>,
    /// How long faults happen.
    pub troubled: Duration,
    pub weather: Weather,
    pub troubles: Vec<(Duration, Trouble)>,
    pub requests: Vec<(Duration, Request)>,
}

/// How many leaves of a key may run at once.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub slots: u32,
    pub keys: u64,
    pub policy: Policy,
    /// How many leaves of a key may start in how many milliseconds.
    pub rate: Option<(u32, u64)>,
    /// For how many milliseconds a key must be quiet before its newest leaf starts, and how many it waits for that at most.
    pub debounce: Option<(u64, Option<u64>)>,
}

/// How bad the connections are: chances in a thousand, times in milliseconds.
#[derive(Clone, Debug)]
pub struct Weather {
    pub lost_call: u64,
    pub lost_answer: u64,
    pub delayed: u64,
    pub delay_ms: u64,
    /// Transactions that take time.
    pub slow_commit: u64,
    pub commit_ms: u64,
    /// Of a hundred slow transactions, how many go on without their caller.
    pub outlive: u64,
}

/// What befalls a process, or all of them.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// `kill -9`, and a new process after a while.
    Kill { process: usize, down: Duration },
    /// It stands still.
    Pause { process: usize, lasts: Duration },
    /// It shuts down, and a new process comes after a while.
    Shutdown { process: usize, grace: Duration, down: Duration },
    /// Nobody reaches the store.
    Outage { lasts: Duration },
}

/// What a client asks of a process.
#[derive(Clone, Debug)]
pub struct Request {
    pub process: usize,
    pub ask: Ask,
    /// How the target among the runs of that instant is chosen.
    pub choice: u64,
}

#[derive(Clone, Debug)]
pub enum Ask {
    Start(Box<NewRun>),
    Signal {
        token: u64,
    },
    /// A signal to a key; `again`: who gets no answer asks again, with the same id.
    SignalKey {
        token: u64,
        key: u64,
        again: bool,
    },
    /// A trigger event; `again`: who gets no answer pushes it again.
    Push {
        id: u64,
        job: u64,
        again: bool,
    },
    Cancel {
        grace: Duration,
    },
    Replay {
        from: u64,
        again: bool,
    },
    Wait,
}

/// A run to be started.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub workflow: usize,
    pub job: u64,
    pub key: Option<u64>,
    pub delay: Option<Duration>,
    pub timeout: Option<Duration>,
    pub start_timeout: Option<Duration>,
    pub priority: i16,
    pub waits: bool,
}

impl Plan {
    pub fn of(seed: u64) -> Plan {
        let mut rng = Rng::new(seed);
        let lease = Duration::from_millis(*rng.pick(&[2_000, 3_000, 4_000, 6_000, 10_000]));
        let processes = rng.between(2, 4) as usize;
        let mut troubled = rng.millis(8_000, 30_000);
        let weather = Weather::of(&mut rng.fork(), lease);
        let mut troubles = troubles(&mut rng.fork(), processes, lease, troubled);
        if rng.permille(8) {
            let at = rng.millis(1_000, 5_000);
            troubles.push((at, Trouble::Outage { lasts: Duration::from_secs(600) }));
            troubled += Duration::from_secs(600);
        }
        troubles.sort_by_key(|(at, _)| *at);
        let mut requests = requests(&mut rng.fork(), processes, troubled.min(Duration::from_secs(30)));
        requests.extend(replays(seed, processes, troubled));
        requests.extend(signals_to_keys(seed, processes, troubled));
        requests.extend(pushes(seed, processes, troubled.min(Duration::from_secs(30))));
        let limit = Limit::of(seed);
        if limit.is_some() {
            requests.extend(leaves(seed, processes));
        }
        requests.sort_by_key(|(at, _)| *at);
        Plan {
            seed,
            processes,
            lease,
            poll: Duration::from_millis(*rng.pick(&[500, 1_000, 1_000])),
            park_after: Duration::from_millis(*rng.pick(&[5, 200, 1_000, 1_000])),
            lanes: rng.between(1, 3) as u16,
            live_runs: if rng.percent(6) { rng.between(2, 5) as usize } else { 1_000 },
            limit,
            troubled,
            weather,
            troubles,
            requests,
        }
    }
}

impl Limit {
    /// Drawn from chance of its own.
    fn of(seed: u64) -> Option<Limit> {
        let mut rng = Rng::new(seed ^ 0x6c69_6d69_74);
        let policies = [Policy::Queue, Policy::RoundRobin, Policy::CancelOldest, Policy::CancelNewest];
        let (slots, keys) = (rng.between(1, 3) as u32, rng.between(1, 2));
        let policy = *rng.pick(&policies);
        let is_limited = rng.percent(40);
        let rate = (rng.between(1, 3) as u32, rng.between(200, 3_000));
        let rate = rng.percent(50).then_some(rate);
        let quiet_ms = rng.between(50, 2_000);
        let max_wait_ms = rng.percent(50).then_some(quiet_ms + rng.between(0, 2_000));
        let debounce = rng.percent(35).then_some((quiet_ms, max_wait_ms));
        is_limited.then_some(Limit { slots, keys, policy, rate, debounce })
    }
}

impl Weather {
    fn of(rng: &mut Rng, lease: Duration) -> Weather {
        let lease_ms = lease.as_millis() as u64;
        let bad = *rng.pick(&[0, 1, 1, 2, 4]);
        Weather {
            lost_call: 10 * bad,
            lost_answer: 10 * bad,
            delayed: *rng.pick(&[20, 200, 500]),
            delay_ms: *rng.pick(&[5, 40, 400, lease_ms / 2]),
            slow_commit: *rng.pick(&[0, 100, 400, 800]),
            commit_ms: *rng.pick(&[5, 50, lease_ms / 2, lease_ms + lease_ms / 2]),
            outlive: *rng.pick(&[0, 50, 100]),
        }
    }
}

fn troubles(rng: &mut Rng, processes: usize, lease: Duration, until: Duration) -> Vec<(Duration, Trouble)> {
    let until_ms = until.as_millis() as u64;
    let count = rng.between(0, 7);
    (0..count)
        .map(|_| {
            let at = rng.millis(0, until_ms);
            let process = rng.below(processes as u64) as usize;
            let lease_ms = lease.as_millis() as u64;
            let trouble = match rng.below(10) {
                0..=3 => Trouble::Kill { process, down: rng.millis(0, 2 * lease_ms) },
                4..=6 => Trouble::Pause { process, lasts: rng.millis(lease_ms / 4, 3 * lease_ms) },
                7..=8 => {
                    Trouble::Shutdown { process, grace: rng.millis(0, 1_500), down: rng.millis(0, lease_ms) }
                }
                _ => Trouble::Outage { lasts: rng.millis(50, 2 * lease_ms) },
            };
            (at, trouble)
        })
        .collect()
}

fn requests(rng: &mut Rng, processes: usize, until: Duration) -> Vec<(Duration, Request)> {
    let until_ms = until.as_millis() as u64;
    let starts = rng.between(2, 7);
    let mut requests = Vec::new();
    for _ in 0..starts {
        let at = if rng.percent(40) { rng.millis(0, 50) } else { rng.millis(0, until_ms * 3 / 4) };
        let ask = Ask::Start(Box::new(NewRun::of(rng)));
        requests.push((at, Request { process: rng.below(processes as u64) as usize, ask, choice: 0 }));
    }
    for token in 0..rng.between(0, 3 * starts) {
        let at = rng.millis(0, until_ms);
        let ask = match rng.below(10) {
            0..=5 => Ask::Signal { token },
            6..=7 => Ask::Cancel { grace: rng.millis(0, 3_000) },
            _ => Ask::Wait,
        };
        let (process, choice) = (rng.below(processes as u64) as usize, rng.draw());
        requests.push((at, Request { process, ask, choice }));
    }
    requests.sort_by_key(|(at, _)| *at);
    requests
}

/// Wishes to replay: during the faults, and after them, when more has ended. Drawn from chance of their own.
fn replays(seed: u64, processes: usize, troubled: Duration) -> Vec<(Duration, Request)> {
    let mut rng = Rng::new(seed ^ 0x7265_706c_6179);
    let until_ms = troubled.as_millis() as u64 + 10_000;
    let count = rng.between(0, 4);
    (0..count)
        .map(|_| {
            let at = rng.millis(until_ms / 4, until_ms);
            let ask = Ask::Replay { from: rng.below(10), again: rng.percent(30) };
            let (process, choice) = (rng.below(processes as u64) as usize, rng.draw());
            (at, Request { process, ask, choice })
        })
        .collect()
}

/// Signals to keys: some before any run waits, some while several do. Drawn from chance of their own.
fn signals_to_keys(seed: u64, processes: usize, troubled: Duration) -> Vec<(Duration, Request)> {
    let mut rng = Rng::new(seed ^ 0x006b_6579_7321);
    let until_ms = troubled.as_millis() as u64 + 5_000;
    let count = rng.between(0, 6);
    (0..count)
        .map(|n| {
            let at = rng.millis(0, until_ms);
            // Tokens that no signal to a run has.
            let ask = Ask::SignalKey { token: 1_000 + n, key: rng.below(KEYS), again: rng.percent(60) };
            (at, Request { process: rng.below(processes as u64) as usize, ask, choice: 0 })
        })
        .collect()
}

/// Starts of leaves, which crowd at their limit. Drawn from chance of their own.
fn leaves(seed: u64, processes: usize) -> Vec<(Duration, Request)> {
    let mut rng = Rng::new(seed ^ 0x6c65_6176_6573);
    let at_ms = rng.below(5_000);
    (0..rng.between(2, 6))
        .map(|_| {
            let ask = Ask::Start(Box::new(NewRun { workflow: LEAF, ..NewRun::of(&mut rng) }));
            let (at, process) = (rng.millis(at_ms, at_ms + 800), rng.below(processes as u64) as usize);
            (at, Request { process, ask, choice: 0 })
        })
        .collect()
}

/// Trigger events, some of them by two clients. Drawn from chance of their own.
fn pushes(seed: u64, processes: usize, until: Duration) -> Vec<(Duration, Request)> {
    let mut rng = Rng::new(seed ^ 0x0070_7573_6865_6421);
    let mut requests = Vec::new();
    for id in 0..rng.between(0, 3) {
        // Half of the largest number: a filter counts with signed ones.
        let (at, job) = (rng.millis(0, until.as_millis() as u64), rng.draw() / 2);
        let apart_ms = *rng.pick(&[0, 40, 4_000]);
        for _ in 0..rng.between(1, 2) {
            let ask = Ask::Push { id, job, again: rng.percent(60) };
            let request = Request { process: rng.below(processes as u64) as usize, ask, choice: 0 };
            requests.push((at + rng.millis(0, apart_ms), request));
        }
    }
    requests
}

impl NewRun {
    fn of(rng: &mut Rng) -> NewRun {
        NewRun {
            workflow: rng.below(4) as usize,
            job: rng.draw(),
            key: rng.percent(25).then(|| rng.below(3)),
            delay: rng.percent(20).then(|| rng.millis(1, 8_000)),
            timeout: rng.percent(15).then(|| rng.millis(500, 20_000)),
            start_timeout: rng.percent(15).then(|| rng.millis(200, 10_000)),
            priority: rng.below(3) as i16,
            waits: rng.percent(50),
        }
    }
}
