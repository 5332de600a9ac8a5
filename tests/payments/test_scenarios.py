"""Which test shows which scenario of messages (13 to 20), of several invoices (27), of checks and wires (42 to 46), of
money that goes back (47 to 52) and of zones (63).

13  return before message, message before return, only one of them, neither: the same end
14  a message that comes before our own commit is redelivered to itself, then settled
15  the same message five times, in parallel: one effect
16  success, then late news of less: stays paid
17  failure, then success: paid
18  unsigned, wrong secret, old, tampered, no secret, unknown type, foreign object, unreadable
19  through every middleware; stored even if working on it raises
20  another amount or currency than asked: not paid, staff queue
27  three invoices at once, one of them void meanwhile
42  the default switched to check or wire
43  our account for wires changed
44  the same check recorded twice
46  a check that comes back after it paid
47  a refund in full, in parts, above what was taken, by two clerks at once, by a double click
48  a refund that is pending and fails later
49  a refund whose answer is lost
50  a refund in the provider's dashboard, and its messages
51  a refund after the card was removed and the profile disabled
52  a dispute opened, won and lost, of a payment for several invoices
63  reader, profile and server in different zones

An event of test mode where live keys are used is told by the provider's own flag, so each gateway's own tests show it.
"""

from importlib import import_module

import pytest

REMITTANCES, REMINDING = "tests.invoices.test_remittances", "tests.invoices.test_reminding"
MESSAGES, MONEY_BACK = "test_scenarios_messages", "test_scenarios_money_back"
SHOWN_BY = {
    13: [
        (MESSAGES, "test_return_message_both_or_neither_end_the_same"),
        ("test_challenge", "test_whichever_news_comes_first_the_end_is_the_same"),
    ],
    14: [
        ("test_webhooks", "test_a_message_that_comes_before_our_own_commit_is_tried_again"),
        ("test_foreign_refunds", "test_one_that_may_be_of_a_payment_whose_answer_was_lost_waits_for_it"),
    ],
    15: [(MESSAGES, "test_the_same_message_five_times_at_once_has_one_effect")],
    16: [("test_webhooks", "test_late_news_of_failure_leaves_a_paid_invoice_paid")],
    17: [("test_webhooks", "test_a_gateway_that_changed_its_mind_after_a_decline_is_believed")],
    18: [
        (MESSAGES, "test_a_forged_message_is_refused_and_changes_nothing"),
        (MESSAGES, "test_without_a_secret_the_door_stays_closed"),
        (MESSAGES, "test_unknown_types_and_foreign_objects_are_acknowledged_and_ignored"),
        ("test_webhooks", "test_a_genuine_message_about_another_payment_cannot_pay_our_invoice"),
        ("test_pages_webhook", "test_a_strange_message_that_is_signed_is_kept_for_staff_and_not_asked_for_again"),
    ],
    19: [
        (MESSAGES, "test_the_door_needs_no_session_no_token_no_https_and_sends_nobody_elsewhere"),
        (MESSAGES, "test_a_message_is_stored_even_if_working_on_it_breaks"),
        (MESSAGES, "test_a_message_that_cannot_be_stored_is_asked_for_again"),
        (MESSAGES, "test_no_transaction_is_open_around_the_door"),
    ],
    20: [
        (MESSAGES, "test_a_message_about_another_amount_or_currency_pays_nothing"),
        ("test_unknown", "test_another_amount_or_currency_than_asked_pays_nothing_and_waits_for_staff"),
    ],
    27: [("test_refusals", "test_one_invoice_that_was_voided_meanwhile_stops_the_payment_of_all")],
    42: [("test_default_method", "test_drafts_follow_the_switch_and_issued_invoices_keep_what_they_say")],
    43: [
        (
            REMITTANCES,
            "test_a_changed_account_reaches_new_invoices_and_the_portal_and_no_document",
        )
    ],
    44: [("test_recording", "test_the_same_check_twice_is_refused_and_the_same_form_twice_is_one_payment")],
    46: [
        ("test_returning", "test_a_check_that_comes_back_leaves_the_invoice_due_and_those_who_handle_it_told"),
        (REMINDING, "test_paid_back_after_the_plan_there_is_one_more_reminder_a_week_later"),
    ],
    47: [
        ("test_refunds", "test_a_full_refund_makes_the_invoice_due_again_and_says_so"),
        ("test_refunds", "test_two_parts_and_then_no_more_than_was_taken"),
        ("test_refunds", "test_a_double_click_refunds_once"),
        ("test_races", "test_two_clerks_cannot_refund_more_than_was_taken"),
    ],
    48: [
        ("test_refunds", "test_a_refund_that_fails_days_later_puts_everything_back_and_tells_staff"),
        (MONEY_BACK, "test_a_refund_in_the_dashboard_that_fails_later_is_put_back"),
    ],
    49: [("test_refunds", "test_a_refund_whose_answer_is_lost_is_repeated_under_the_same_key_only")],
    50: [
        (MONEY_BACK, "test_a_refund_in_the_dashboard_and_its_messages_are_booked_once"),
        ("test_foreign_refunds", "test_one_without_a_reference_of_ours_is_found_by_its_payment"),
    ],
    51: [("test_refunds", "test_a_refund_works_after_the_card_was_removed_and_the_profile_disabled")],
    52: [
        (MONEY_BACK, "test_a_dispute_marks_every_invoice_of_the_payment_and_winning_unmarks_them"),
        (MONEY_BACK, "test_a_lost_dispute_makes_the_invoices_due_again_newest_first"),
        (MONEY_BACK, "test_messages_of_a_dispute_out_of_order_and_twice_have_one_effect"),
        (MONEY_BACK, "test_four_workers_take_the_money_of_a_lost_dispute_once"),
    ],
    63: [
        ("test_paying", "test_due_dates_and_amounts_do_not_depend_on_where_the_reader_is"),
        ("test_statements", "test_the_day_ends_where_the_profile_is"),
        (REMINDING, "test_the_day_is_that_of_the_profile"),
    ],
}


@pytest.mark.parametrize("scenario", SHOWN_BY)
def test_every_scenario_has_the_tests_that_show_it(scenario):
    for module, name in SHOWN_BY[scenario]:
        assert callable(getattr(import_module(module if "." in module else f"tests.payments.{module}"), name))
