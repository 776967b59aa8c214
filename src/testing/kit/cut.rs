//! Where a crash happens: a connection that is cut at a commit.

use std::fmt;

use tokio::sync::watch;

use crate::store::memory::{Call, Fate, Faults};

/// A place in a scenario at which its process crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Before or after.
    pub side: Side,
    /// Which of the process's commits, from 1.
    pub commit: u32,
}

/// On which side of a commit a process crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Nothing of the commit is written.
    Before,
    /// It is written, and nobody hears of it.
    After,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        write!(f, "a crash {side} commit {}", self.commit)
    }
}

/// Counts the commits of a connection, and cuts it at one of them: that call and all later ones are lost.
#[derive(Debug)]
pub(super) struct Cut {
    at: Option<Crash>,
    state: watch::Sender<(u32, bool)>,
}

impl Cut {
    pub(super) fn at(crash: Option<Crash>) -> Cut {
        Cut { at: crash, state: watch::Sender::new((0, false)) }
    }

    pub(super) fn commits(&self) -> u32 {
        self.state.borrow().0
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state.borrow().1
    }

    /// Waits until the connection is cut.
    pub(super) async fn cut(&self) {
        // Fails only without a sender, which `self` is.
        let _ = self.state.subscribe().wait_for(|(_, cut)| *cut).await;
    }

    fn pass(&self, is_commit: bool, side: Side) -> Fate {
        self.state.send_if_modified(|(commits, cut)| {
            if *cut || !is_commit {
                return false;
            }
            if side == Side::Before {
                *commits += 1;
            }
            *cut = self.at == Some(Crash { side, commit: *commits });
            *cut
        });
        if self.is_cut() { Fate::Lost } else { Fate::Passes }
    }
}

impl Faults for Cut {
    fn on_call(&self, call: &Call) -> Fate {
        self.pass(is_commit(call), Side::Before)
    }

    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        self.pass(is_commit(call), Side::After)
    }
}

fn is_commit(call: &Call) -> bool {
    matches!(call.method, "append" | "create" | "post_signal" | "tell_signal" | "ask_signal")
}
