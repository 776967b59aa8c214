//! Several processes on one database: who executes what, who is told, and what a death costs.

mod across;
mod deploy;
mod clients;
mod schedules;
mod triggers;
mod slots;
mod paused;
mod limited;
mod turns;
mod debounced;
mod waiting;
mod poison;
mod failover;
mod silence;
mod restored;
mod promoted;
mod pooler;
