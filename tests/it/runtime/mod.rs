//! What an embedder holds: starting runs, their statuses, and what survives.

mod start;
mod keys;
mod start_in;
mod bulk;
mod bulk_actions;
mod input;
mod status;
mod cancel;
mod signal_key;
mod replay;
mod timeouts;
mod timestamps;
mod read_your_write;
mod recovery;
mod lease;
mod outages;
mod journal;
mod settings;
mod databases;
mod watch;
mod logs;
mod stream;
mod retention;
mod schedules;
mod check;
