//! One test binary; a test's path names what it tests.
#![expect(unreachable_pub, reason = "a test binary: there is nobody outside")]

// Without `cfg(test)` clippy takes the functions that tests call for product code and forbids `expect` in them.
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod model;
#[cfg(test)]
mod store;
#[cfg(test)]
mod workflow;
#[cfg(test)]
mod runtime;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod http;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod cli;

#[cfg(test)]
mod support;
