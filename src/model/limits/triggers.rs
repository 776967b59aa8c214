//! Of what starts runs: schedules and trigger events.

use std::time::Duration;

/// Bytes of a cron expression: twelve lists of every minute would fit.
pub const CRON_BYTES_MAX: usize = 1 << 10;

/// How late an occurrence may be without having been missed: longer than a failover or a restart takes.
pub const MISFIRE_GRACE: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// Missed occurrences of one schedule that are made up for, and occurrences of one schedule that are started at once.
pub const MISFIRES_MAX: u16 = 100;

/// Schedules that are created, changed or deleted by one call.
pub const SCHEDULES_AT_ONCE_MAX: usize = 1_000;

/// Due schedules that one statement takes up: a few milliseconds of work.
pub const SCHEDULES_FIRED_MAX: u32 = 200;

/// How long after its end a one-off schedule is still listed.
pub const SCHEDULE_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long it is known of an occurrence that it was started, besides by its run: the schedule itself never goes back.
pub const OCCURRENCE_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// The first pause before an occurrence that could not be started is tried again; it doubles up to the other.
pub const SCHEDULE_RETRY_MIN: Duration = Duration::from_secs(1);
/// See [`SCHEDULE_RETRY_MIN`].
pub const SCHEDULE_RETRY_MAX: Duration = Duration::from_secs(60);

/// How far apart two looks for due schedules are when nothing says that one is due, unless the poll interval is longer: what
/// another process made in between is heard of at once where there is `LISTEN`.
pub const SCHEDULE_POLL: Duration = Duration::from_secs(5);

/// Bytes of a subscription's filter: it is parsed at every push.
pub const EVENT_FILTER_BYTES_MAX: usize = 1 << 10;

/// Levels of a filter's expression, each an operator, a call or a bracket around the one below: its evaluation recurses.
pub const EVENT_FILTER_DEPTH_MAX: usize = 64;

/// The stack on which filters are read and evaluated. What a filter of the longest length took most was between 16 and 32 MiB, in
/// the reading, without optimisation.
pub const EVENT_FILTER_STACK_BYTES: usize = 64 << 20;

/// Bytes of a payload that a filter with a pass over a list looks at: what each element is compared with may be as long as the list.
pub const EVENT_FILTER_LOOP_BYTES_MAX: usize = 16 << 10;

/// Bytes of a trigger event's payload: each run that it starts holds it twice.
pub const EVENT_PAYLOAD_BYTES_MAX: usize = 128 << 10;

/// Characters of the reason why a subscription started nothing: it may repeat what the payload says.
pub const REFUSAL_CHARS_MAX: usize = 300;

/// Subscriptions to one key: all their runs are created by one statement.
pub const SUBSCRIBERS_MAX: u32 = 100;

/// Subscriptions that the code of a process declares: one statement keeps them.
pub const SUBSCRIPTIONS_DECLARED_MAX: usize = 1_000;

/// Pushes that a process has under way: more than its connections can serve, and few enough to be answered soon.
pub const PUSHES_MAX: usize = 64;

/// After when a push that was refused may be tried again.
pub const PUSH_RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long a trigger event is known by its id.
pub const TRIGGER_EVENT_KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
