"""PROTOCOL.md's table of faults and attacks: each of its lines has tests, listed here by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

TESTS: Final = {
    "crash, kill -9, power loss at any moment": (
        "e2e/test_kill.py::test_a_device_killed_at_any_moment_has_everything_it_acknowledged_and_no_halves",
        "e2e/test_power.py::test_a_store_has_everything_it_acknowledged_and_no_halves_whenever_power_fails",
    ),
    "links that lose, cut, stall": (
        "e2e/test_bad_lan.py::test_writes_while_frames_are_lost_and_late_and_doubled_and_reordered_reach_every_device",
        "sync/test_forks.py::test_a_large_change_of_a_branch_that_broke_off_goes_on_where_it_stopped",
        "sync/test_snapshots.py::test_a_broken_transfer_goes_on_where_it_stopped_though_the_sender_moved_on",
    ),
    "a copied, restored or rolled-back store": (
        "workspace/test_lives.py::test_a_copied_folder_writes_under_a_new_actor_and_both_copies_sync",
        "workspace/test_lives.py::test_a_restored_backup_writes_under_a_new_actor_and_gets_back_what_it_had_lost",
    ),
    "a disk that is put back to before it let a newcomer in": (
        "sync/test_readmission.py::test_what_a_newcomer_wrote_reaches_everybody_once_it_is_let_in_again",
        "sync/test_readmission.py::test_the_lost_change_may_turn_up_after_it_was_let_in_again",
        "sync/test_readmission.py::test_a_newcomer_that_is_put_back_to_before_it_was_let_in_again_writes_nothing_twice",
        "cli/test_let_in_again.py::test_a_person_is_told_and_mends_it_with_an_invitation_and_loses_nothing",
    ),
    "two stores in one life all the same": (
        "sync/test_forks.py::test_two_branches_of_an_actor_end_as_two_lives_and_nothing_is_lost",
        "sync/test_forks.py::test_three_branches_end_equal_in_whatever_order_they_meet",
        "sync/test_forks.py::test_nobody_waits_for_the_author",
        "cli/test_status.py::test_a_store_that_exists_more_than_once_says_so",
    ),
    "a store's file that is taken away, emptied or overwritten, in use or not": (
        "engine/test_opening.py::test_a_store_that_was_lost_is_not_replaced_by_an_empty_one",
        "engine/test_opening.py::test_a_running_device_ends_when_its_file_is_taken_away",
        "engine/test_opening.py::test_nothing_is_acknowledged_in_a_file_that_was_taken_away",
        "cli/test_lost.py::test_a_store_that_was_overwritten_comes_back_as_the_message_says",
        "cli/test_lost.py::test_a_running_device_whose_folder_is_moved_away_stops_and_says_so",
        "store/sqlite/test_place.py::test_no_transaction_is_acknowledged_in_a_file_that_is_not_where_it_was",
        "store/sqlite/test_place.py::test_nothing_is_acknowledged_in_a_journal_that_was_taken_away",
    ),
    "a file that is put back beside the journal of another one": (
        "cli/test_lost.py::test_an_older_file_that_is_put_back_under_a_running_device_is_whole_and_everybody_is_told",
        "store/sqlite/test_journal.py::test_a_copy_that_was_made_while_the_journal_began_anew_does_not_mix_both",
    ),
    "a journal that rots, or is taken away": (
        "engine/test_missing.py::test_a_store_that_lost_acknowledged_changes_says_how_many",
        "engine/test_missing.py::test_peers_give_back_the_missing_changes",
    ),
    "another program that changes tables, indexes or triggers": (
        "store/sqlite/test_shape.py::test_changes_of_other_programs_to_the_schema_are_named_and_put_right",
    ),
    "a reader that nobody ends": (
        "store/sqlite/test_readers.py::test_a_forgotten_reader_is_ended_before_the_journal_has_grown_too_much_and_it_shrinks_again",
        "store/sqlite/test_readers.py::test_a_transaction_that_another_process_has_forgotten_is_ended_there",
    ),
    "a disk that rots": (
        "engine/test_made_anew.py::test_what_is_read_is_what_was_written_and_the_file_is_sound_again",
        "e2e/test_flips.py::test_a_flipped_bit_is_found_or_nothing_depends_on_it",
        "sync/test_replica.py::test_counterexample_13_a_bit_that_flips_in_a_stored_state_is_found_by_the_scrub_alone",
        "sync/test_mending.py::test_a_log_that_rotted_is_never_folded",
        "sync/test_mending.py::test_what_rotted_is_fetched_from_a_peer_and_mended",
        "test_device_faults.py::test_damage_that_the_scrub_finds_is_mended_even_if_the_first_try_fails",
    ),
    "a network that swallows large packets without a word": (
        "e2e/test_black_hole.py::test_large_packets_that_vanish_are_noticed_and_smaller_ones_sent_by_either_side",
        "transport/test_packets.py::test_after_a_link_that_stalled_packets_are_smaller_and_after_the_next_one_the_smallest",
        "transport/test_sockets.py::test_packets_are_limited_both_ways_by_the_caller_or_by_the_one_that_is_called_and_by_neither_later",
    ),
    "a device that is lost while it is paired": (
        "e2e/test_pairing_killed.py::test_whoever_is_killed_while_two_pair",
        "transport/pairing/test_inviter.py::test_nobody_is_let_in_and_told_a_secret_before_it_has_confirmed_its_welcome",
    ),
    "clocks that are years off": (
        "test_counterexamples.py::test_counterexample_3_a_clock_a_year_ahead_once_loses_to_a_later_edit_after_it_was_set_right",
        "e2e/test_faults.py::test_a_clock_that_is_set_back_a_year_changes_neither_order_nor_sync",
        "e2e/test_clocks.py::test_devices_whose_clocks_are_decades_apart_pair_and_find_each_other_on_a_lan_and_say_it",
        "transport/test_tls.py::test_no_clock_makes_a_certificate_invalid_on_either_side",
    ),
    "a stranger on the LAN": (
        "transport/test_listener.py::test_a_stranger_ends_in_the_tls_layer_and_never_reaches_http",
        "e2e/test_hostile.py::test_a_device_that_is_no_member_ends_in_tls_and_never_reaches_http",
    ),
    "strangers that open connections without end": (
        "transport/test_doorway.py::test_a_network_that_calls_too_often_displaces_only_its_own_callers",
        "transport/pairing/test_turns.py::test_a_network_that_has_had_no_turn_yet_is_next_however_many_others_wait",
        "e2e/test_hostile.py::test_a_member_links_at_once_while_a_stranger_fills_the_port_again_and_again",
        "e2e/test_hostile.py::test_memory_stays_bounded_however_many_callers_come_and_go",
    ),
    "strangers that repeat announcements, or make them up": (
        "device/test_peers.py::test_hints_however_many_make_few_calls_and_shorten_the_pauses_between_them_a_few_times",
        "device/test_joining.py::test_an_invitation_of_somebody_else_under_the_same_digits_keeps_nobody_out",
        "transport/test_discovery.py::test_names_that_are_not_ours_are_passed_over_in_silence",
        "transport/test_interfaces.py::test_an_announcement_leads_nowhere_but_into_the_networks_of_this_machine",
    ),
    "somebody who guesses a code": (
        "transport/pairing/test_joiner.py::test_a_wrong_code_on_either_side_ends_both_and_spends_the_code",
        "transport/pairing/test_ends.py::test_a_wrong_code_ends_the_invitation_and_both_people_hear_why",
    ),
    "a member that sends garbage, oversize frames, zstd bombs": (
        "e2e/test_hostile.py::test_a_member_that_breaks_the_rules_is_disconnected_and_leaves_no_trace",
        "e2e/test_hostile.py::test_the_others_go_on_undisturbed",
        "sync/test_wire.py::test_no_bytes_raise_anything_but_a_protocol_error",
    ),
    "a member that forges another's change": (
        "sync/test_session.py::test_a_change_under_anothers_actor_is_refused",
        "sync/test_session.py::test_an_actor_that_is_not_the_hash_of_its_birth_is_refused",
        "sync/test_session.py::test_a_batch_that_nothing_vouches_for_is_refused_and_leaves_no_trace",
        "attacks/test_trust.py::test_a_key_that_was_never_made_a_member_is_refused_whatever_it_claims",
        "sync/test_taking.py::test_a_signature_vouches_for_its_own_workspace_alone",
    ),
    "a member that writes nonsense under its own name": (
        "attacks/test_operations.py::test_an_operation_that_fits_no_type_is_refused_everywhere_and_ends_nothing",
        "test_counterexamples_sync.py::test_unreadable_operations_are_kept_and_relayed_and_later_changes_arrive_and_all_are_proved_equal",
        "crdt/test_operation.py::test_a_timestamp_in_a_cell_does_no_harm",
        "attacks/test_waiting.py::test_within_a_change_only_earlier_operations_make_an_operation_wait",
    ),
    "members that write more into one entity than a store holds in one piece, told in halves": (
        "attacks/test_overfull.py::test_two_halves_by_four_lives_told_to_two_devices_leave_all_devices_equal",
        "attacks/test_overfull.py::test_a_newcomer_with_a_segment_and_one_with_the_log_hold_it_as_all_others_do",
        "attacks/test_overfull.py::test_two_authors_who_together_wrote_more_than_it_may_hold_are_both_told_so",
        "crdt/test_overfull.py::test_every_causal_order_of_changes_that_overfill_entities_gives_the_same_result",
        "crdt/test_overfull.py::test_all_orders_of_four_writers_end_in_the_same_state_and_hash",
    ),
    "a member that forges a segment": (
        "sync/test_fallback.py::test_what_a_forged_segment_showed_falsely_was_not_seen_and_is_not_replaced",
        "attacks/test_segments.py::test_nothing_is_taken_on_top_of_a_segment_that_everybody_else_refuses",
        "attacks/test_segments.py::test_a_log_that_everybody_refuses_cannot_confirm_a_segment",
        "sync/test_behind.py::test_a_forged_segment_is_provisional_and_dropped_when_its_log_is_here_and_its_maker_named",
        "sync/test_behind.py::test_what_one_wrote_on_top_of_a_forged_segment_survives",
        "sync/test_behind.py::test_words_typed_into_a_text_that_never_was_are_written_again_under_a_new_life",
        "sync/test_kept.py::test_words_for_which_the_true_text_has_no_room_are_in_it_all_the_same",
        "sync/test_kept.py::test_what_is_about_an_entity_that_takes_nothing_is_kept",
    ),
    "a member that signs a change for a segment, and shows it to nobody": (
        "sync/test_fallback.py::test_a_segment_at_a_change_that_nobody_shows_is_given_up_and_what_was_written_goes_to_all",
        "sync/test_fallback.py::test_what_is_written_on_a_segment_is_given_to_nobody_until_the_log_has_confirmed_it",
    ),
    "a member that says a fork is where none is": (
        "attacks/test_trust.py::test_claims_of_forks_begin_no_life_and_are_no_forks",
        "sync/test_forks.py::test_a_hello_that_lies_of_a_head_begins_no_life_and_folds_nothing_anew",
        "sync/test_session.py::test_a_head_under_another_hash_parts_that_actor_and_all_else_goes_on",
    ),
    "a member that tells a change in two versions": (
        "attacks/test_schedules.py::test_a_change_that_builds_on_one_version_of_another_change_does_not_count_as_built_on_the_other_version",
        "test_limits_reached.py::test_a_signature_at_a_larger_distance_than_any_device_makes_vouches_for_nothing",
        "sync/test_forks.py::test_a_branch_that_forks_again_ends_equal_in_whatever_order_the_proofs_come",
        "sync/test_forks.py::test_a_fork_at_an_old_dot_is_proved_however_much_was_built_on_it",
        "attacks/test_forked_pasts.py::test_a_change_that_depends_on_one_branch_is_taken_where_nobody_has_heard_of_the_fork",
        "attacks/test_forked_pasts.py::test_a_change_that_goes_back_on_a_branch_is_refused_by",
    ),
    "a member that tells proofs without end, long ones or by strangers' keys": (
        "attacks/test_floods.py::test_a_proof_by_a_key_that_is_no_member_is_kept_by_nobody",
        "attacks/test_floods.py::test_a_proof_is_kept_by_everybody_whether_it_comes_before_its_member_is_added_or_after",
        "attacks/test_floods.py::test_forks_of_one_device_beyond_the_rate_are_all_learned_later",
        "attacks/test_floods.py::test_one_hello_is_answered_with_at_most_as_much_evidence_at_once_as_the_window_holds",
        "workspace/test_closing.py::test_a_closing_has_a_maximal_length_since_everybody_keeps_and_passes_it_on",
    ),
    "a member that names evidence it does not hold, or asks for some without end": (
        "attacks/test_floods.py::test_a_peer_that_asks_again_and_again_is_told_a_limited_number_of_times",
        "attacks/test_floods.py::test_a_peer_that_does_not_answer_is_not_asked_again",
        "attacks/test_floods.py::test_a_peer_whose_proofs_name_new_evidence_each_time_is_asked_a_limited_number_of_times",
        "sync/test_telling.py::test_evidence_that_somebody_claims_to_have_reaches_everybody_through_others",
        "sync/test_telling.py::test_of_names_that_nobody_here_knows_only_so_many_are_kept_and_all_that_count",
    ),
    "a member that claims actors without end": (
        "attacks/test_floods.py::test_endless_pages_of_heads_make_nothing_grow",
        "attacks/test_floods.py::test_acknowledgements_of_unknown_actors_make_nothing_grow",
    ),
    "a member that makes thousands of lives": (
        "attacks/test_trust.py::test_thousands_of_lives_do_not_stop_anybody",
        "sync/test_births.py::test_lives_beyond_the_rate_come_late_and_are_not_refused",
        "test_limits_reached.py::test_more_actors_than_any_message_could_name_sync_and_serve_a_newcomer",
        "test_limits_reached.py::test_the_first_change_on_a_segment_of_more_lives_than_a_header_names_reaches_everybody",
        "cli/test_status.py::test_a_device_with_implausibly_many_lives_is_named",
    ),
    "a member that has others work, keep or send more than it does itself": (
        "attacks/test_growth.py::test_signatures_in_another_order_than_their_changes_are_tried_a_bounded_number_of_times",
        "attacks/test_growth.py::test_the_ways_to_signatures_fit_into_a_frame_even_if_many_lives_have_the_longest_one",
        "attacks/test_growth.py::test_a_text_that_70_nested_branches_wrote_is_read_again_and_passed_on",
        "attacks/test_growth.py::test_a_chain_with_100_nested_forks_needs_no_deeper_stack_than_a_chain_with_one",
        "attacks/test_growth.py::test_branches_that_begin_at_a_proved_fork_come_as_slowly_as_lives",
        "attacks/test_growth.py::test_versions_and_lives_with_large_changes_do_not_push_out_the_large_changes_of_others",
        "attacks/test_growth.py::test_two_lives_that_write_at_one_place_of_a_text_take_as_many_steps_as_they_write_letters",
        "attacks/test_growth.py::test_the_pasts_of_lives_that_continue_each_other_are_gathered_once",
        "attacks/test_growth.py::test_frames_that_expand_to_many_times_their_size_come_slowly_but_completely",
        "attacks/test_strangers.py::test_no_part_of_a_large_change_is_awaited_from_a_device_that_is_no_member",
        "attacks/test_strangers.py::test_waiting_operations_are_looked_up_once_even_if_many_changes_are_refused",
        "attacks/test_names_of_branches.py::test_one_piece_of_a_chain_is_compared_with_the_chain_once_even_if_many_branches_are_held",
        "attacks/test_names_of_branches.py::test_pieces_of_chains_are_told_at_a_limited_rate_but_completely",
    ),
    "a member that lies about its content": (
        "attacks/test_trust.py::test_a_false_proof_causes_no_refold_and_a_true_one_is_believed_again",
        "sync/test_replica.py::test_lie_truth_lie_has_no_more_folded_anew_than_is_allowed_and_the_truth_is_believed",
        "sync/test_replica.py::test_whoever_drops_and_comes_back_has_no_new_budget",
        "attacks/test_floods.py::test_false_proofs_cause_a_limited_number_of_full_comparisons",
    ),
    "a member that gives parts of files that are not what they should be": (
        "sync/test_filing.py::test_a_wrong_chunk_is_dropped_its_giver_named_and_it_comes_from_another",
        "sync/test_filing.py::test_a_peer_that_gives_wrong_chunks_is_asked_for_no_more_files",
        "sync/test_filing.py::test_an_answer_to_another_question_ends_the_session",
    ),
    "a member that asks for parts of files without end, or sends some that nobody asked for": (
        "sync/test_filing.py::test_more_questions_than_may_be_under_way_end_the_session",
        "sync/test_filing.py::test_what_nobody_asked_for_is_passed_over_and_not_kept",
    ),
    "a member that adds a device under another's name, or writes another's record": (
        "attacks/test_trust.py::test_nobody_overwrites_the_record_of_another_device",
        "attacks/test_trust.py::test_a_member_that_adds_a_device_says_so_itself",
    ),
    "somebody with a device's own key, such as from a copied folder": (
        "device/test_introducing.py::test_only_who_has_the_devices_own_key_comes_in_that_way_and_only_that_way",
        "device/test_introducing.py::test_what_is_no_run_of_changes_ends_the_link_and_changes_nothing",
    ),
    "a place of backups that changes, cuts or swaps what lies there, or another workspace's objects there": (
        "backup/test_sealed.py::test_two_thousand_flipped_bits_are_all_found",
        "backup/test_sealed.py::test_an_object_that_is_cut_or_longer_is_found",
        "backup/test_sealed.py::test_no_object_takes_the_place_of_another",
        "backup/test_sealed.py::test_an_object_opens_under_one_key_only",
        "backup/test_keys.py::test_flipped_bits_are_all_found",
        "backup/test_recovering.py::test_a_backup_that_is_damaged_makes_nothing_and_a_later_try_does",
    ),
    "somebody who can write where backups lie, and knows for whom to seal keys": (
        "backup/test_keys.py::test_keys_that_somebody_sealed_in_anothers_name_are_refused",
        "backup/test_keys.py::test_the_log_says_which_keys_are_those_of_the_workspace",
        "backup/test_lockbox.py::test_a_device_takes_no_keys_that_another_one_sealed_for_it",
        "backup/test_admitting.py::test_a_ring_with_no_key_of_the_workspace_is_not_kept",
    ),
    "a member that writes a second record, to make another device a recovery code": (
        "workspace/test_codes.py::test_a_member_cannot_make_a_code_of_another_device_by_a_second_record_beside_its_own",
    ),
    "a member that lies within the rules (backdated clocks, deletions)": (
        "test_counterexamples.py::test_counterexample_5_an_edit_unseen_by_a_deletion_with_a_fast_clock_is_found",
    ),
    "a thief with the disk": (
        "cli/test_private.py::test_others_can_read_nothing_that_edda_makes_in_an_existing_folder",
        "cli/test_private.py::test_no_file_is_open_to_others_even_for_a_moment",
    ),
}
"""The first cell of each line, and the tests that show what its second cell says."""


def rows() -> list[str]:
    """Return the first cell of each line of the table."""
    text = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
    table = text[text.index("| what happens | what follows |") :]
    return re.findall(r"^\| (?!what happens)(?!-)(.+?) \| .+ \|$", table, flags=re.MULTILINE)


def test_every_line_of_the_table_has_its_tests_and_every_test_has_its_line() -> None:
    assert rows() == list(TESTS)


@pytest.mark.parametrize("test", [test for tests in TESTS.values() for test in tests])
def test_the_tests_of_the_table_are_there(test: str) -> None:
    path, name = test.split("::")
    source = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert re.search(rf"^(?:async )?def {name}\(", source, flags=re.MULTILINE)
