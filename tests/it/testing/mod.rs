pub(crate) mod program;
mod check;
#[cfg(unix)]
pub(crate) mod postgres;
#[cfg(unix)]
mod databases;
