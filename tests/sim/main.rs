//! Deterministic simulation.
fn main() {}
