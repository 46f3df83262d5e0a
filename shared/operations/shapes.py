"""What is shown of each kind, as one table: facts that are always there, and those that are seldom but turn what the others mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.instants import iso
from shared.operations import embedded, fields
from shared.operations.fields import Reader, currency, flag, id_of, ids, number, second, share, text, tree, word

type Twin = Callable[[Any, str | None], Any]


def amount(value: Any) -> int | None:
    """Money in the object's currency, with its formatted twin."""
    return number(value)


def balance(value: Any) -> int | None:
    """The same where the sign tells a credit from a debt."""
    return number(value)


_TWINS: Mapping[Reader, tuple[str, Twin]] = {
    second: ("_iso", lambda moment, _: None if moment is None else iso(moment)),
    amount: ("_formatted", fields.formatted),
    balance: ("_formatted", fields.formatted_balance),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `last` of the names `above` it. One that is `seldom` there is left out where Stripe gives none, or nought."""

    name: str
    above: tuple[str, ...]
    last: str
    below: tuple[str, ...]  # what is walked from the first name on
    read: Reader
    twin: str
    write: Twin | None
    seldom: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The fields of one name of the object: the value itself, or what is `inside` of it."""

    name: str
    fields: tuple[Field, ...]
    seldom: bool
    inside: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """`texts` were written by others. `lists` are inside the object: name, how a row is shown, and whether lists of objects show them too."""

    facts: tuple[Group, ...]
    texts: tuple[Group, ...]
    lists: tuple[tuple[str, embedded.Row, bool], ...] = ()


def _fields(table: Mapping[Reader, str], *, seldom: bool) -> list[Field]:
    made: list[Field] = []
    for read, names in table.items():
        for name in names.split():
            path = tuple(name.split("."))
            ending, write = _TWINS.get(read, ("", None))
            made.append(Field(name, path[:-1], path[-1], path[1:], read, path[-1] + ending, write, seldom))
    return made


def _groups(listed: list[Field]) -> tuple[Group, ...]:
    groups: dict[str, list[Field]] = {}
    for each in listed:
        groups.setdefault((*each.above, each.last)[0], []).append(each)
    return tuple(
        Group(name, tuple(members), all(each.seldom for each in members), any(each.below for each in members))
        for name, members in groups.items()
    )


def _shape(
    always: Mapping[Reader, str],
    seldom: Mapping[Reader, str],
    texts: Mapping[Reader, str],
    lists: tuple[tuple[str, embedded.Row, bool], ...] = (),
) -> Shape:
    facts = _fields(always, seldom=False) + _fields(seldom, seldom=True)
    return Shape(_groups(facts), _groups(_fields(texts, seldom=True)), lists)


SHAPES: dict[str, Shape] = {
    "charge": _shape(
        always={
            amount: "amount amount_captured amount_refunded",
            id_of: "balance_transaction customer payment_intent payment_method",
            word: "failure_code outcome.reason outcome.risk_level outcome.type payment_method_details.type status "
            "payment_method_details.card.brand payment_method_details.card.last4",
            flag: "captured disputed paid refunded",
            currency: "currency",
            second: "created",
        },
        seldom={
            amount: "application_fee_amount transfer_data.amount",
            id_of: "application application_fee failure_balance_transaction on_behalf_of review source_transfer transfer "
            "transfer_data.destination",
            word: "fraud_details.stripe_report fraud_details.user_report outcome.advice_code outcome.network_decline_code "
            "outcome.network_status",
            number: "presentment_details.presentment_amount",
            currency: "presentment_details.presentment_currency",
            second: "payment_method_details.card.capture_before",
        },
        texts={
            text: "billing_details.email billing_details.name description failure_message receipt_email",
            tree: "metadata",
        },
        lists=(("refunds", embedded.refund, False),),
    ),
    "customer": _shape(
        always={
            balance: "balance",
            id_of: "default_source invoice_settings.default_payment_method",
            word: "tax_exempt",
            flag: "delinquent",
            currency: "currency",
            second: "created",
        },
        seldom={
            id_of: "discount.promotion_code discount.source.coupon discount.subscription test_clock",
            second: "discount.end",
        },
        texts={text: "description email name phone", tree: "address metadata preferred_locales shipping"},
        lists=(("tax_ids", embedded.tax_id, False),),
    ),
    "subscription": _shape(
        always={
            id_of: "customer default_payment_method latest_invoice",
            word: "cancellation_details.reason collection_method status",
            flag: "cancel_at_period_end",
            currency: "currency",
            second: "billing_cycle_anchor cancel_at canceled_at created ended_at start_date trial_end trial_start",
        },
        seldom={
            word: "automatic_tax.disabled_reason cancellation_details.feedback pause_collection.behavior "
            "status_details.paused.subscription.type status_details.paused.type trial_settings.end_behavior.missing_payment_method",
            id_of: "application default_source on_behalf_of pending_setup_intent schedule test_clock transfer_data.destination",
            ids: "discounts",
            number: "days_until_due",
            share: "application_fee_percent transfer_data.amount_percent",
            amount: "billing_thresholds.amount_gte",
            second: "next_pending_invoice_item_invoice pause_collection.resumes_at pending_update.expires_at "
            "status_details.paused.transitioned_at",
        },
        texts={text: "cancellation_details.comment description", tree: "metadata"},
        lists=(("items", embedded.item, True),),
    ),
    "invoice": _shape(
        always={
            amount: "amount_due amount_overpaid amount_paid amount_remaining subtotal total",
            number: "attempt_count",
            flag: "attempted auto_advance",
            id_of: "customer parent.subscription_details.subscription",
            word: "billing_reason collection_method number status",
            currency: "currency",
            second: "created due_date next_payment_attempt period_end period_start status_transitions.finalized_at "
            "status_transitions.paid_at status_transitions.voided_at",
        },
        seldom={
            amount: "amount_paid_off_stripe amount_shipping post_payment_credit_notes_amount pre_payment_credit_notes_amount "
            "subtotal_excluding_tax total_excluding_tax",
            balance: "ending_balance starting_balance",
            id_of: "application default_payment_method default_source from_invoice.invoice latest_revision on_behalf_of test_clock",
            ids: "discounts",
            word: "automatic_tax.disabled_reason automatic_tax.status customer_tax_exempt from_invoice.action "
            "last_finalization_error.code last_finalization_error.type status_details.uncollectible.reason",
            second: "automatically_finalizes_at effective_at status_transitions.marked_uncollectible_at",
        },
        texts={
            text: "customer_email customer_name description footer last_finalization_error.message",
            tree: "metadata",
        },
        lists=(("lines", embedded.line, False), ("payments", embedded.payment, False)),
    ),
    "refund": _shape(
        always={
            amount: "amount",
            id_of: "charge payment_intent",
            word: "failure_reason reason status",
            currency: "currency",
            second: "created",
        },
        seldom={
            id_of: "balance_transaction customer failure_balance_transaction payment_method source_transfer_reversal transfer_reversal",
            word: "destination_details.card.type destination_details.type next_action.type pending_reason",
            number: "presentment_details.presentment_amount",
            currency: "presentment_details.presentment_currency",
            second: "next_action.display_details.email_sent.email_sent_at next_action.display_details.expires_at",
        },
        texts={text: "description instructions_email", tree: "metadata"},
    ),
}
