"""Which test shows which scenario of messages (13 to 20), of several invoices (27), of credits (28 to 32), of automatic
charges (33 to 41), of checks and wires (42 to 46), of money that goes back (47 to 52), of mail (59), of the books (61)
and of zones (63).

13  return before message, message before return, only one of them, neither: the same end
14  a message that comes before our own commit is redelivered to itself, then settled
15  the same message five times, in parallel: one effect
16  success, then late news of less: stays paid
17  failure, then success: paid
18  unsigned, wrong secret, old, tampered, no secret, unknown type, foreign object, unreadable
19  through every middleware; stored even if working on it raises
20  another amount or currency than asked: not paid, staff queue
27  three invoices at once, one of them void meanwhile
28  credits of 30 on an invoice of 100 that is charged automatically
29  credits of 100 or more
30  two invoices issued at once with one credit of 50
31  a credit granted while a payment is under way
32  an invoice of zero; one below the gateway's minimum
33  an automatic charge: too little money on the account
34  an automatic charge: a stolen, lost or closed card
35  an automatic charge: the bank wants the payer
36  the networks' cap of tries of a card
37  what people tried does not use up the automatic tries
38  the default card removed, expired or replaced between plan and charge
39  a card that was detached at the gateway
40  a new card while invoices have failed
41  daylight saving, ends of months, missed days, run twice
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
59  the mail server is away when a payment settles
61  what the gateway took is what attempts, invoices, credits and refunds say
63  reader, profile and server in different zones

An event of test mode where live keys are used is told by the provider's own flag, so each gateway's own tests show it.
"""

from importlib import import_module

import pytest

REMITTANCES, REMINDING = "tests.invoices.test_remittances", "tests.invoices.test_dunning_reminders"
AT_ISSUE, LEDGER = "tests.invoices.test_credits_at_issue", "tests.invoices.test_credit_ledger"
CLOSING = "tests.invoices.test_closing"
DAYS, PERIODS, MAIL = "tests.invoices.test_closing_days", "tests.invoices.test_periods", "tests.core.test_mail"
CREDITS, PLAN, AUTOPAY = "test_scenarios_credits", "test_autopay_plan", "test_autopay"
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
        ("test_webhooks", "test_a_strange_message_that_is_signed_is_kept_for_staff_and_not_asked_for_again"),
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
    28: [
        (CREDITS, "test_a_credit_of_30_leaves_70_for_the_automatic_charge"),
        (AT_ISSUE, "test_a_credit_of_30_leaves_70_of_an_invoice_of_100"),
    ],
    29: [(CREDITS, "test_a_credit_that_covers_it_leaves_nothing_to_charge")],
    30: [
        (AT_ISSUE, "test_two_invoices_at_once_use_one_credit_of_50_once"),
        (AT_ISSUE, "test_two_drafts_issued_at_once_use_one_credit_of_50_once"),
        (AT_ISSUE, "test_without_the_lock_the_second_is_refused_by_the_database_only"),
    ],
    31: [(LEDGER, "test_a_credit_granted_while_an_attempt_is_pending_is_not_applied_to_that_invoice")],
    32: [
        (CLOSING, "test_a_profile_that_wants_one_gets_an_invoice_of_zero_that_is_settled_at_once"),
        ("test_refusals", "test_below_the_gateways_minimum_the_invoice_stays_due_and_says_so"),
    ],
    33: [
        (PLAN, "test_too_little_money_is_tried_on_the_planned_days_and_then_no_more"),
        ("test_autopay_mails", "test_the_first_failure_names_the_next_day"),
    ],
    34: [
        (PLAN, "test_a_card_refused_for_good_is_not_tried_again"),
        ("test_autopay_pages", "test_what_failed_is_offered_to_be_paid_and_never_charged_by_itself"),
    ],
    35: [(PLAN, "test_a_bank_that_wants_the_payer_ends_the_plan_and_the_mail_leads_to_the_payment_page")],
    36: [
        (PLAN, "test_banks_are_asked_no_more_often_than_the_networks_allow"),
        ("test_autopay_caps", "test_a_card_that_is_stored_again_has_the_tries_that_it_had"),
    ],
    37: [
        (PLAN, "test_what_people_tried_does_not_count"),
        (PLAN, "test_what_was_tried_automatically_leaves_people_their_own_tries"),
    ],
    38: [
        (AUTOPAY, "test_what_changed_since_issue_counts_and_then_nothing_is_charged"),
        (AUTOPAY, "test_no_other_card_takes_the_place_of_a_default_that_is_gone"),
        (AUTOPAY, "test_a_new_default_is_the_one_that_is_charged"),
        (PLAN, "test_the_next_try_goes_to_the_new_default_and_what_has_stopped_stays_stopped"),
    ],
    39: [
        (
            "test_method_updates",
            "test_a_card_that_was_forgotten_at_the_provider_leaves_the_profile_and_the_managers_are_told",
        ),
        (PLAN, "test_a_card_that_the_provider_forgot_is_taken_off_and_ends_the_plan"),
    ],
    40: [
        ("test_autopay_pages", "test_what_failed_is_offered_to_be_paid_and_never_charged_by_itself"),
        ("test_autopay_pages", "test_a_card_that_becomes_the_default_while_paying_offers_what_failed_too"),
    ],
    41: [
        (DAYS, "test_a_day_of_25_hours_is_closed_once"),
        (DAYS, "test_months_that_were_missed_are_closed_in_order_each_with_its_charges"),
        (DAYS, "test_the_leap_day_is_on_an_invoice"),
        (PERIODS, "test_ends_of_months_and_years"),
        (PERIODS, "test_periods_tile_the_calendar_whatever_the_invoice_day_is_changed_to"),
        (CLOSING, "test_a_run_a_second_time_changes_nothing"),
        (AUTOPAY, "test_a_missed_day_is_made_up_for_once"),
        (AUTOPAY, "test_the_day_begins_where_the_profile_is"),
    ],
    42: [
        ("test_methods", "test_what_was_going_to_be_charged_is_not_after_the_switch_to_wire"),
        ("test_methods", "test_drafts_follow_the_switch_and_issued_invoices_keep_what_they_say"),
    ],
    43: [
        (
            REMITTANCES,
            "test_a_changed_account_reaches_new_invoices_and_the_portal_and_no_document",
        )
    ],
    44: [
        ("test_manual_payments", "test_the_same_check_twice_is_refused_and_the_same_form_twice_is_one_payment"),
        ("test_races", "test_two_clerks_at_once_record_a_check_once"),
    ],
    46: [
        ("test_manual_payments", "test_a_check_that_comes_back_leaves_the_invoice_due_and_those_who_handle_it_told"),
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
        (AUTOPAY, "test_a_dispute_that_is_lost_makes_it_due_again_and_charges_nobody"),
        (PLAN, "test_a_dispute_between_two_tries_ends_the_plan"),
        (MONEY_BACK, "test_a_dispute_marks_every_invoice_of_the_payment_and_winning_unmarks_them"),
        (MONEY_BACK, "test_a_lost_dispute_makes_the_invoices_due_again_newest_first"),
        (MONEY_BACK, "test_messages_of_a_dispute_out_of_order_and_twice_have_one_effect"),
        (MONEY_BACK, "test_four_workers_take_the_money_of_a_lost_dispute_once"),
    ],
    59: [
        ("test_autopay_mails", "test_a_mail_server_that_is_away_delays_the_receipt_and_nothing_else"),
        (MAIL, "test_a_mail_server_that_is_away_delays_the_mail"),
        (MAIL, "test_workers_at_the_same_moment_send_each_mail_once"),
    ],
    61: [
        (CREDITS, "test_what_the_gateway_took_is_what_the_books_say"),
        ("test_crashes", "test_random_kills_with_a_gateway_that_loses_answers_charge_no_invoice_twice"),
        ("test_tampering", "test_a_row_changed_by_hand_is_refused_or_named_or_may_change"),
    ],
    63: [
        ("test_pay", "test_due_dates_and_amounts_do_not_depend_on_where_the_reader_is"),
        ("test_statements", "test_the_day_ends_where_the_seller_is"),
        (REMINDING, "test_the_day_is_that_of_the_profile"),
    ],
}


@pytest.mark.parametrize("scenario", SHOWN_BY)
def test_every_scenario_has_the_tests_that_show_it(scenario):
    for module, name in SHOWN_BY[scenario]:
        assert callable(getattr(import_module(module if "." in module else f"tests.payments.{module}"), name))
