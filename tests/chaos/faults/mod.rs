//! The faults. Each inflicts itself, and returns once its guard has seen that it landed.

mod network;
mod process;
mod server;

use futures_util::future::LocalBoxFuture;

use crate::ground::Ground;

/// What became of a fault.
#[derive(Debug)]
pub enum Outcome {
    /// It landed: what its guard saw.
    Landed(String),
    /// This machine cannot inflict it: why.
    Skipped(String),
}

/// One kind of fault.
#[derive(Clone, Copy)]
pub struct Fault {
    pub name: &'static str,
    pub inflict: for<'a> fn(&'a Ground) -> LocalBoxFuture<'a, anyhow::Result<Outcome>>,
}

macro_rules! faults {
    ($($name:literal => $inflict:path,)+) => {
        &[$(Fault { name: $name, inflict: |ground| Box::pin($inflict(ground)) },)+]
    };
}

/// Every kind but the kill, which has a stream of its own.
pub const FAULTS: &[Fault] = faults! {
    "sigterm" => process::leave,
    "pause below the lease" => process::pause_below,
    "pause beyond the lease" => process::pause_beyond,
    "pause in mid-commit" => process::pause_in_commit,
    "panic" => process::panic,
    "blocking code" => process::block,
    "wall clock off by an hour" => process::wall_clock,
    "cut before send" => network::cut_before,
    "cut within a frame" => network::cut_within,
    "cut after commit" => network::cut_after,
    "latency" => network::latency,
    "half-open to the server" => network::half_open_up,
    "half-open to the node" => network::half_open_down,
    "late frames" => network::late,
    "lost notifications" => network::lost_notifications,
    "forged serialization failure" => network::forged_serialization,
    "forged deadlock" => network::forged_deadlock,
    "forged too many connections" => network::forged_connections,
    "backends terminated" => server::terminate,
    "server crash" => server::crash,
    "too many connections" => server::connections,
    "read-only" => server::read_only,
    "row lock" => server::row_lock,
    "long snapshot" => server::snapshot,
    "slow commit" => server::slow_commit,
};

/// The kill -9 of a node.
pub const KILL: Fault = Fault { name: "kill -9", inflict: |ground| Box::pin(process::kill(ground)) };

/// The kind of that name.
pub fn named(name: &str) -> Option<Fault> {
    std::iter::once(&KILL).chain(FAULTS).find(|fault| fault.name == name).copied()
}
