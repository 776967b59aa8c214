//! The pure core: what a run is, which moves are legal, how it is written down.

pub(crate) mod samples;
mod legality;
mod codec;
mod conditions;
mod payload;
mod fingerprint;
mod names;
mod retry;
mod rules;
pub(crate) mod life;
mod trace;
pub(crate) mod filters;
mod filter;
mod divergence;
mod schedule;
mod trigger;
mod redaction;
