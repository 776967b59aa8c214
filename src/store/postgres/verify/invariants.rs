//! What must hold.

use super::Scope;

/// Something that must hold of every run, and the statement that finds where it does not.
#[derive(Debug, PartialEq, Eq)]
pub struct Invariant {
    /// Its name, which reads as a claim.
    pub name: &'static str,
    /// What it says, in a line.
    pub says: &'static str,
    /// A statement of one row a violation: `run uuid, seqs int[], detail text`. Binds: the first and the last run's
    /// id, the snapshot's instant, the grace.
    pub sql: &'static str,
}

impl Invariant {
    /// Finds an invariant by its name.
    pub fn named(name: &str) -> Option<&'static Invariant> {
        INVARIANTS.iter().find(|invariant| invariant.name == name)
    }

    /// Returns the statement without binds, as `psql` takes it. [`Scope::since`] is left out: it needs a clock.
    pub fn for_psql(&self, scope: &Scope) -> String {
        let (first, last) =
            super::range(&Scope { since: None, ..scope.clone() }, super::Timestamp::UNIX_EPOCH);
        let binds = [
            ("$1", format!("'{first}'::uuid")),
            ("$2", format!("'{last}'::uuid")),
            ("$3::timestamptz", "clock_timestamp()".to_owned()),
            ("$4::interval", format!("interval '{} ms'", scope.grace.as_millis())),
        ];
        binds.iter().fold(self.sql.to_owned(), |sql, (bind, value)| sql.replace(bind, value))
    }
}

macro_rules! invariants {
    ($($name:literal says $says:literal;)+) => {
        /// Every invariant: a run's log first, then what it means, then what should have happened by now.
        pub static INVARIANTS: &[Invariant] =
            &[$(Invariant { name: $name, says: $says, sql: include_str!(concat!("sql/", $name, ".sql")) }),+];
    };
}

invariants! {
    "every_run_has_its_log" says "every run has its log, every log its run";
    "log_begins_with_creation" says "a log begins with run_created, and holds no second one";
    "log_is_dense" says "a log counts its events 1, 2, 3, … without a hole";
    "nothing_follows_the_end" says "a log has at most one terminal event, and nothing after it";
    "status_is_the_fold" says "a run's status is what its log says: ended with its terminal event, live without one";
    "status_moves_along_the_table" says "a log moves the status only along the status table";
    "row_is_the_fold" says "a run's row repeats what its log says of its creation, start and end";
    "a_stretch_opens_with_a_claim" says "nodes write a running run's log in stretches, each opened by a claim";
    "attempts_follow_one_another" says "a task's attempts count 1, 2, 3, …, each after the failure of the one before";
    "an_attempt_ends_once" says "an attempt has one end, and a task one output";
    "a_step_is_completed_once" says "a step has one recorded outcome";
    "a_child_ends_once" says "a parent records each child's end once";
    "a_signal_arrives_once" says "a signal is recorded once";
    "nothing_begins_after_its_completion" says "no attempt begins after its task's output, no try after its step's outcome";
    "operations_stand_inside_their_attempt" says "what an attempt does stands between its beginning and its end";
    "a_replay_takes_over_first" says "only a replay takes anything over, right after its creation";
    "an_operation_begins_once" says "a durable operation begins once, unless an earlier attempt dropped it";
    "a_wait_ends_once" says "a timer fires and a wait times out once, while it is open";
    "nothing_happens_early" says "timers, timeouts, retries and delayed starts happen at their time or after it";
    "no_message_is_delivered_twice" says "a run's log and inbox hold no more messages than were sent to it";
    "no_message_is_lost" says "every message that was sent to a live run is in its log or its inbox";
    "parent_and_child_know_each_other" says "each recorded child is a run that names its parent, and the other way round";
    "a_childs_end_reaches_its_parent" says "a live parent knows how its child ended, or is about to";
    "a_parents_end_reaches_its_children" says "a parent that ends without success takes its live children along";
    "a_parked_run_can_wake" says "a run that nobody owns is due no later than its queue, timers and messages ask";
    "an_owner_is_alive" says "no live run stays with a dead node";
    "no_more_run_than_the_limit" says "at no time more runs of a key run than its limit has slots";
    "no_more_start_than_the_rate" says "in no window more runs of a key are let in than its limit's rate says";
    "no_run_is_let_in_before_its_key_is_quiet" says "no run is let in before its key was quiet for as long as its limit says";
    "no_wake_up_is_overdue" says "no run that nobody owns stays overdue while a node has room for it";
    "no_timer_is_overdue" says "no timer or timeout of a run that a node owns stays overdue";
    "no_message_is_forgotten" says "no message stays in a live run's inbox";
    "no_message_outlives_its_run" says "no message stays in the inbox of a run that has ended";
    "an_occurrence_has_its_run" says "an occurrence of a schedule that was started is a run";
    "a_scheduled_run_has_its_occurrence" says "a schedule starts one run for an occurrence";
    "no_schedule_is_overdue" says "no schedule stays overdue";
    "a_trigger_event_has_its_runs" says "a run that a trigger event started is there and says so";
    "a_run_of_an_event_is_its_outcome" says "a trigger event starts the runs that it is recorded to have started, and no others";
    "a_wait_by_key_is_known" says "every open wait for a signal by key stands where senders look for it";
    "no_signal_by_key_is_forgotten" says "no signal by key stays undelivered while a live run waits for it";
    "no_snapshot_is_ahead" says "a snapshot holds no more events than the log";
    "a_stream_is_dense" says "a stream counts its chunks 1, 2, 3, … without a hole";
    "retention_touches_no_live_run" says "what is archived is nowhere else, and no live parent asks for it";
    "an_archived_log_is_whole" says "an archived log counts its events from the first one to its run's end";
}
