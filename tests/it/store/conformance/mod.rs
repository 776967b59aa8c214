//! The words of `store::Store`, sentence by sentence, on every store.
//!
//! A sentence is a function of an empty store; [`contract!`] makes one test of it for each kind of store.

mod nodes;
mod fence;
mod append;
mod status;
mod release;
mod birth;
mod create;
mod claim;
mod flow;
mod limits;
mod rates;
mod debounces;
mod mail;
mod read;
mod register;
mod deaths;
mod serving;
mod summaries;
mod writings;
mod outbox;
mod signals;
mod lists;
mod schedules;
mod triggers;

use super::{Backend, Memory, Postgres};

macro_rules! test_on {
    ($store:ident, $backend:ty, $($noun:ident { $($sentence:ident)+ })+) => {
        mod $store {
            $(mod $noun {
                $(#[tokio::test]
                async fn $sentence() {
                    use super::super::*;
                    let (store, _guard) = <$backend as Backend>::open().await;
                    crate::store::conformance::$noun::$sentence(store).await;
                })+
            })+
        }
    };
}

macro_rules! contract {
    ($store:ident, $backend:ty) => {
        test_on! { $store, $backend,
            nodes {
                every_node_gets_an_id_of_its_own
                a_heartbeat_renews_the_lease_on_every_lane
                a_heartbeat_never_revives_an_expired_lease
                dead_is_final
                a_rescue_releases_the_runs_of_dead_nodes_only
                a_rescue_names_a_dead_node_once
                a_rescue_tells_when_the_next_lease_expires
                a_node_that_leaves_releases_its_runs_due_at_once
                leaving_twice_is_leaving_once
            }
            deaths {
                a_death_counts_against_runs_that_got_no_further
                an_event_since_the_claim_clears_the_run_of_suspicion
                a_change_of_the_runs_row_clears_it_at_once
                a_node_that_leaves_is_no_death
                a_process_that_goes_on_takes_its_death_back
                suspects_are_given_in_smaller_and_smaller_groups
                a_node_that_watches_suspects_takes_no_others_but_healthy_runs
                poison_is_given_to_any_node_whatever_it_serves
            }
            serving {
                living_nodes_that_serve_a_version_are_counted
                a_node_is_full_by_its_slots_or_by_those_of_the_workflow
                a_claim_takes_no_more_of_a_workflow_than_there_is_room_for
                the_clock_is_the_databases
                what_one_announces_the_others_hear
            }
            fence {
                an_expired_node_writes_nothing_even_before_a_rescue
                a_dead_node_writes_nothing
                a_node_that_left_writes_nothing
                an_unknown_node_writes_nothing
                a_node_writes_nothing_on_a_lane_it_did_not_join
                a_node_writes_on_each_of_its_lanes
                a_dead_node_claims_nothing
            }
            append {
                events_get_the_seqs_after_expected_the_node_and_one_time
                payloads_come_back_byte_for_byte
                a_batch_is_written_whole_or_not_at_all
                an_event_of_another_node_is_a_conflict
                another_event_of_the_same_node_is_a_conflict
                a_batch_that_comes_again_is_answered_as_the_first_time
                a_batch_that_comes_again_sends_its_mail_once
                a_batch_that_comes_again_names_kept_and_existing_runs_again
                a_release_without_events_may_come_again
                a_batch_that_comes_again_does_not_take_a_run_from_its_next_owner
                many_runs_share_one_batch
            }
            status {
                every_legal_move_is_made
                an_illegal_move_is_refused_and_writes_nothing
                nothing_leaves_an_end
                an_ended_run_is_owned_by_nobody_and_never_due
                started_at_and_finished_at_are_the_times_of_their_commits
                a_deadline_is_what_the_last_change_says
            }
            release {
                an_old_release_of_a_run_that_was_claimed_again_changes_nothing
                a_parked_run_is_owned_by_nobody_and_due_when_it_says
                a_release_is_left_out_alone_when_an_unseen_message_came
                a_release_goes_through_when_every_message_was_seen
                a_message_in_the_same_batch_is_not_slept_through
            }
            birth {
                a_run_born_running_belongs_to_its_creator
                a_run_born_queued_belongs_to_nobody
                a_taken_key_leaves_out_its_own_commit_only
                the_first_of_two_commits_with_one_key_wins
                a_commit_with_a_child_of_a_taken_key_is_left_out_whole
                a_key_is_taken_per_namespace_and_workflow
                a_key_stays_taken_after_the_end
            }
            create {
                a_created_run_is_queued_and_owned_by_nobody
                a_thousand_runs_are_created_in_the_order_given
                the_run_that_has_the_key_is_answered
                one_key_twice_in_a_call_is_one_run
                a_create_that_comes_again_is_answered_as_the_first_time
                runs_are_created_all_or_none
                two_clients_with_one_key_make_one_run
            }
            claim {
                a_claimed_run_belongs_to_the_node_and_is_counted
                only_due_runs_of_served_workflows_are_claimed
                a_run_of_higher_priority_goes_first
                a_step_of_priority_counts_for_a_minute_of_waiting
                the_longer_due_goes_first
                claimed_at_is_the_present_owners
                a_claim_stops_at_its_limit
                a_named_run_is_claimed_whatever_its_workflow
                a_run_with_a_message_is_claimed_whatever_its_workflow
                a_run_past_its_deadline_is_claimed_whatever_its_workflow
                an_owned_run_is_not_claimed
                an_ended_run_is_not_claimed
                nodes_never_claim_the_same_run
                a_claim_names_the_nodes_own_runs_with_messages
                a_claim_tells_when_the_next_served_run_is_due
            }
            flow {
                a_run_of_a_paused_workflow_does_not_start_but_goes_on
                a_pause_is_of_one_workflow_in_one_namespace
                what_a_message_or_a_deadline_brings_of_a_paused_workflow_is_held_back
                the_runs_of_a_resumed_workflow_keep_their_order
                a_claim_names_the_served_workflows_that_are_paused
                a_pause_stays_as_it_was_made_until_it_is_ended
                a_run_that_a_pause_holds_back_is_not_late
            }
            limits {
                no_more_runs_of_a_key_are_let_in_than_there_are_slots
                a_slot_is_given_on_when_its_run_ends
                a_parked_run_keeps_its_slot_and_is_not_held_back
                a_run_of_a_dead_node_keeps_its_slot
                what_a_message_brings_from_a_gate_is_held_back_and_stands_there_again
                a_run_that_ends_at_its_gate_frees_no_slot
                a_run_at_its_gate_is_no_suspect_when_its_nodes_die
                a_run_that_is_to_start_later_takes_no_slot_before
                under_the_policy_queue_the_longest_due_goes_first
                under_round_robin_the_keys_take_turns
                under_round_robin_a_key_stands_where_it_was_served
                under_cancel_newest_a_run_without_a_slot_is_cancelled
                under_cancel_oldest_as_many_are_cancelled_as_wait
                a_limit_that_grows_lets_more_in
                a_limit_that_is_gone_holds_nobody_back
                gates_limits_and_keys_are_told
                many_claimers_let_in_no_more_than_there_are_slots
            }
            rates {
                no_more_runs_of_a_key_are_let_in_than_its_rate_says
                a_start_that_falls_out_of_its_window_lets_the_next_in
                under_cancel_newest_a_run_beyond_the_rate_is_cancelled
                under_cancel_oldest_a_rate_has_nobody_cancelled
                a_run_that_counts_for_a_rate_is_not_archived
            }
            debounces {
                the_newest_of_a_burst_stands_for_all_of_it
                a_burst_lasts_no_longer_than_it_may
                until_its_key_is_quiet_nobody_is_cancelled_for_a_slot
                a_run_comes_when_it_is_to_start_and_not_before_it_is_created
                who_is_away_from_its_gate_is_cancelled_for_a_newer_run_too
            }
            mail {
                an_accepted_message_tells_the_owner
                a_message_to_an_ended_run_says_how_it_ended
                a_message_to_an_unknown_run_is_not_found
                an_inbox_is_read_oldest_first_and_counts_every_message
                a_message_comes_back_byte_for_byte
                a_message_makes_a_parked_run_due_at_once
                a_message_makes_a_delayed_run_due_at_once
                a_message_leaves_an_owned_run_with_its_owner
                a_taken_message_waits_no_more
                a_message_to_a_run_that_ended_waits_no_more
                mail_from_a_run_waits_at_another
                mail_makes_a_parked_run_due_at_once
                mail_to_an_ended_or_unknown_run_is_dropped
            }
            read {
                a_load_gives_row_log_and_inbox
                an_unknown_run_is_left_out
                a_load_continues_after_the_snapshot
                an_older_snapshot_never_replaces_a_newer_one
                a_log_is_read_in_pages
                a_key_finds_its_run
                children_are_listed_oldest_first
                the_last_good_runs_are_listed_newest_first
                replays_are_listed_oldest_first
            }
            summaries {
                a_birth_records_what_started_the_run
                a_run_in_the_queue_records_what_started_it
                an_end_records_its_node_and_why_it_failed
                a_run_that_ends_well_records_its_node_only
                runs_that_failed_for_one_cause_are_counted_and_the_newest_named
                a_parked_run_is_told_from_one_that_is_held
            }
            signals {
                a_signal_is_brought_to_every_run_that_waits_for_its_key
                a_signal_that_nobody_waits_for_is_kept_for_the_first_that_asks
                kept_signals_are_taken_in_their_order_one_by_each_wait
                a_wait_that_has_its_signal_gets_no_second_one
                a_signal_comes_once_to_a_run_with_two_waits
                whichever_of_a_wait_and_a_signal_comes_second_finds_the_first
                a_signal_that_comes_again_is_answered_as_the_first_time
                a_run_that_ended_or_gave_up_waits_for_nothing
                a_wait_that_gave_up_while_its_signal_came_leaves_it_to_the_next_one
                a_batch_that_comes_again_waits_once
                a_parked_run_is_due_when_its_signal_comes
                no_more_signals_are_kept_than_may_be
                a_signal_whose_sender_died_is_found
                no_signal_is_lost_and_none_comes_twice_in_any_order
                no_signal_is_lost_and_none_comes_twice_at_the_same_time
            }
            writings {
                a_line_comes_back_as_it_was_written
                lines_that_come_again_stay_as_they_were
                lines_are_read_by_task_attempt_and_level_in_pages
                the_last_lines_are_read_from_the_end
                lines_are_counted_by_level
                chunks_get_the_places_at_their_streams_ends
                a_chunk_that_is_sent_again_stays_where_it_is
                a_source_that_lacks_a_chunk_is_not_said_to_be_known
            }
            outbox {
                nothing_is_kept_while_nobody_exports
                every_commit_that_writes_events_leaves_a_row
                a_run_that_is_left_out_has_no_log
                a_row_is_read_until_it_is_passed
                rows_are_read_in_pages
                who_is_not_the_exporter_changes_nothing
                an_exporter_that_says_nothing_is_none
                runs_that_live_are_looked_through_when_the_outbox_opens
                an_outbox_is_open_for_a_while
                logs_are_read_after_a_seq_and_within_a_limit
                runs_that_have_ended_are_named
                refused_spans_are_listed_the_last_first
                the_backlog_tells_how_old_its_oldest_commit_is
            }
            lists {
                a_filter_finds_the_runs_it_matches_and_no_others
                pages_hold_each_run_once_while_more_arrive
                a_page_ends_where_the_next_one_begins
                a_count_is_by_status
                a_count_stops_at_its_limit
                a_registered_task_is_found_by_after_its_version_is_gone
                the_newest_runs_of_a_namespace_tell_what_they_have
            }
            schedules {
                a_schedule_is_kept_once_by_its_name
                what_is_as_it_should_be_stays_as_it_is
                a_schedule_that_is_changed_is_due_as_it_says_and_stays_paused
                the_next_one_to_look_at_is_the_earliest_that_is_not_paused
                a_firing_starts_its_runs_and_moves_the_schedule_on
                what_a_firing_starts_is_told_to_the_exporter
                an_occurrence_is_started_once_whoever_fires_it
                a_firing_or_change_of_an_old_revision_changes_nothing
                a_failure_is_noted_and_forgotten_when_it_succeeds
                a_one_off_schedule_ends_and_is_due_again_when_it_is_moved
                schedules_are_listed_by_name_in_pages
                a_deleted_schedule_leaves_its_runs
            }
            triggers {
                a_subscription_is_kept_once_by_its_name
                subscriptions_are_found_by_key_and_listed_by_name
                an_event_starts_its_runs_once_by_its_id
                what_an_event_starts_is_told_to_the_exporter
                of_those_who_push_an_event_at_once_one_starts_its_runs
                events_are_listed_newest_first_in_pages
            }
            register {
                a_shape_is_registered_again_and_again
                a_changed_shape_is_refused_while_a_run_of_the_old_one_runs
                a_changed_shape_is_taken_when_no_run_of_the_old_one_runs
                another_version_may_have_another_shape
                a_refused_registration_records_nothing
                a_start_by_name_is_given_the_newest_version_that_lives
            }
        }
    };
}

contract!(memory, Memory);
contract!(postgres, Postgres);
