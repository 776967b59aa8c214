//! What a test, a bench, an example or `runlog demo` needs around the engine; behind the feature `testing`.

#[cfg(unix)]
pub mod postgres;
