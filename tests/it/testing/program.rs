//! Random programs, and the one workflow that plays them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use runlog::{Cx, Retry, RunId, Workflow};

use crate::workflow::{Infallible, Numbered, secs};

/// One thing that a program does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    Step {
        name: String,
        input: u32,
        takes: u64,
        fails: u32,
    },
    Once(String),
    Sleep(u64),
    Signal(String),
    Child {
        name: String,
        input: u32,
    },
    Now,
    /// A step behind a patch.
    Patch(String),
    /// A step in a future of its own.
    Spawn(String),
    /// Two sleeps side by side.
    Naps(u64, u64),
    Join(Vec<Act>, Vec<Act>),
    /// Against a sleep.
    Race(Vec<Act>, u64),
    /// Fails the first attempt.
    Fail,
}

/// Draws numbers: SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Draws the program of a seed. Names are its own, but for what has none.
pub(crate) fn draw(seed: u64, with_failures: bool) -> Vec<Act> {
    let mut draw = Draw(seed);
    let mut names = 0;
    let length = 3 + draw.below(6);
    (0..length).map(|_| act(&mut draw, &mut names, with_failures, 0)).collect()
}

/// Draws an act. Branches that run side by side hold nothing that has no name of its own: which sleep is whose would
/// depend on which branch gets there first.
fn act(draw: &mut Draw, names: &mut u32, with_failures: bool, depth: u32) -> Act {
    *names += 1;
    let name = format!("n{names}");
    if depth > 0 {
        return named(draw, name, names, depth);
    }
    match draw.below(16) {
        0 | 1 => Act::Sleep([0, 10, 10, 60][draw.below(4) as usize]),
        2 => Act::Naps([10, 20][draw.below(2) as usize], 10),
        3 | 4 => Act::Now,
        5 | 6 => {
            let branch = branch(draw, names, depth);
            Act::Race(branch, [1, 10, 30][draw.below(3) as usize])
        }
        7 if with_failures => Act::Fail,
        _ => named(draw, name, names, depth),
    }
}

fn named(draw: &mut Draw, name: String, names: &mut u32, depth: u32) -> Act {
    match draw.below(if depth < 2 { 12 } else { 10 }) {
        0..=3 => {
            let fails = if draw.below(4) == 0 { 1 + draw.below(2) as u32 } else { 0 };
            Act::Step { name, input: draw.below(100) as u32, takes: draw.below(3), fails }
        }
        4 => Act::Once(name),
        5 | 6 => Act::Signal(name),
        7 => Act::Child { name: format!("c{names}"), input: draw.below(100) as u32 },
        8 => Act::Patch(name),
        9 => Act::Spawn(name),
        _ => Act::Join(branch(draw, names, depth), branch(draw, names, depth)),
    }
}

fn branch(draw: &mut Draw, names: &mut u32, depth: u32) -> Vec<Act> {
    let length = 1 + draw.below(3);
    (0..length).map(|_| act(draw, names, false, depth + 1)).collect()
}

/// Lists the signals that a program waits for.
pub(crate) fn signals(program: &[Act]) -> Vec<String> {
    let below = |act: &Act| match act {
        Act::Signal(name) => vec![name.clone()],
        Act::Join(first, second) => [signals(first), signals(second)].concat(),
        Act::Race(branch, _) => signals(branch),
        _ => Vec::new(),
    };
    program.iter().flat_map(below).collect()
}

/// The workflow whose input is a seed, and whose code is what `write` makes of it.
pub(crate) fn workflow(write: impl Fn(u64) -> Vec<Act> + Send + Sync + 'static) -> Workflow<u64, u64> {
    let write = Arc::new(write);
    Workflow::function("program", move |cx: Cx, seed: u64| {
        let program = write(seed);
        async move { play(&cx, &program).await }
    })
    .retry(Retry::fixed(secs(5)).max_attempts(4))
}

pub(crate) fn child(name: &str) -> Workflow<u32, u64> {
    Workflow::function(name, |cx: Cx, input: u32| async move {
        cx.sleep(secs(u64::from(input % 7))).await?;
        anyhow::Ok(u64::from(input))
    })
}

/// How often each step of each run was tried.
static TRIES: Mutex<BTreeMap<(RunId, String), u32>> = Mutex::new(BTreeMap::new());

/// Plays a program; gives a number that depends on every outcome but the clock's.
fn play<'a>(cx: &'a Cx, program: &'a [Act]) -> BoxFuture<'a, anyhow::Result<u64>> {
    async move {
        let mut told = 0_u64;
        for act in program {
            let outcome = perform(cx, act).await?;
            told = told.wrapping_mul(31).wrapping_add(outcome);
        }
        Ok(told)
    }
    .boxed()
}

async fn perform(cx: &Cx, act: &Act) -> anyhow::Result<u64> {
    Ok(match act {
        Act::Step { name, input, takes, fails } => {
            let body = || async {
                tokio::time::sleep(secs(*takes)).await;
                // The code is run anew after each parking: what it counted must not be.
                let mut tries = TRIES.lock().unwrap_or_else(PoisonError::into_inner);
                let tried = tries.entry((cx.run_id(), name.clone())).or_default();
                *tried += 1;
                if *tried > *fails { Ok(u64::from(*input)) } else { Err(Numbered(*tried)) }
            };
            cx.step(name, body).input(input).retry(Retry::fixed(secs(3)).max_attempts(5)).await?
        }
        Act::Once(name) => cx.step(name, || async { Ok::<_, Infallible>(7_u64) }).at_most_once().await?,
        Act::Sleep(seconds) => {
            cx.sleep(secs(*seconds)).await?;
            1
        }
        Act::Signal(name) => cx.signal::<u64>(name).timeout(secs(120)).await?.unwrap_or(2),
        Act::Child { name, input } => cx.child(&child(name), *input).await?,
        Act::Now => {
            let _now = cx.now();
            3
        }
        Act::Patch(name) => match cx.patched(name) {
            true => cx.step(name, || async { Ok::<_, Infallible>(4_u64) }).await?,
            false => 5,
        },
        Act::Spawn(name) => {
            let (cx, name) = (cx.clone(), name.clone());
            let spawned =
                tokio::spawn(async move { cx.step(&name, || async { Ok::<_, Infallible>(6_u64) }).await });
            spawned.await??
        }
        Act::Naps(first, second) => {
            let (first, second) = cx.join(cx.sleep(secs(*first)), cx.sleep(secs(*second))).await;
            first.and(second)?;
            10
        }
        Act::Join(first, second) => {
            let (first, second) = cx.join(play(cx, first), play(cx, second)).await;
            first?.wrapping_mul(7).wrapping_add(second?)
        }
        Act::Race(branch, seconds) => match cx.race(play(cx, branch), cx.sleep(secs(*seconds))).await {
            runlog::Either::First(told) => told?,
            runlog::Either::Second(slept) => {
                slept?;
                8
            }
        },
        Act::Fail if cx.attempt() == 1 => return Err(Numbered(0).into()),
        Act::Fail => 9,
    })
}
