"""The kinds of objects that the mirror holds, as one table, and how Stripe's JSON becomes a mirror write."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.gateway.searchable import searchable
from shared.stores.protocols import Write

API_VERSION = "2026-10-28.endive"  # the pinned SDK's; a test holds the two together, so that the SDK need not be loaded to know it
ID = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)
CHOSEN_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")  # it can be kept and found
NOT_IN_PATH = re.compile(r"\.{1,2}\Z|.*/", re.DOTALL)  # of those: it can be listed but not asked for
CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)  # a status, a currency
LARGEST = 2**53 - 1  # the largest whole number that every store keeps exactly
LATEST = 2**32 - 1  # no object was made after this second

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One mirrored kind. `events` are the webhook event types that carry it; dotted paths reach into the object."""

    name: str
    path: str
    permission: str
    events: tuple[str, ...]
    params: tuple[tuple[str, str], ...] = ()
    status: str | None = None
    amount: str | None = None
    taken: str | None = None  # in place of `amount` once it succeeded: an authorisation that was not captured took nothing
    refunded: str | None = None
    words: tuple[str, ...] = ()
    deletable: bool = False
    previews: str | None = None  # how the ids begin of what is worked out in advance and is nowhere
    chosen_ids: bool = False  # people may choose the ids: they hold more than letters and digits, and come again after a deletion


def _events(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names.split())


_KINDS = (
    Kind(
        "product",
        "/v1/products",
        "rak_product_read",
        _events("product", "created updated deleted"),
        words=("name", "description"),
        deletable=True,
        chosen_ids=True,
    ),
    Kind(
        "price",
        "/v1/prices",
        "rak_plan_read",
        _events("price", "created updated deleted"),
        amount="unit_amount",
        words=("nickname", "lookup_key", "product"),
        deletable=True,
        chosen_ids=True,  # those of the plans from which they were made
    ),
    Kind(
        "coupon",
        "/v1/coupons",
        "rak_coupon_read",
        _events("coupon", "created updated deleted"),
        words=("name",),
        deletable=True,
        chosen_ids=True,
    ),
    Kind(
        "promotion_code",
        "/v1/promotion_codes",
        "rak_promotion_code_read",
        _events("promotion_code", "created updated"),
        words=("code", "promotion.coupon"),
    ),
    Kind(
        "customer",
        "/v1/customers",
        "rak_customer_read",
        _events("customer", "created updated deleted"),
        words=("email", "name", "description", "phone"),
        deletable=True,
        chosen_ids=True,
    ),
    Kind(
        "subscription",
        "/v1/subscriptions",
        "rak_subscription_read",
        _events(
            "customer.subscription",
            "created updated deleted paused resumed pending_update_applied pending_update_expired trial_will_end",
        ),
        params=(("status", "all"),),  # without it Stripe leaves cancelled ones out
        status="status",
        words=("customer", "description", "latest_invoice"),
    ),
    Kind(
        "invoice",
        "/v1/invoices",
        "rak_invoice_read",
        _events(
            "invoice",
            "created updated deleted finalized finalization_failed marked_uncollectible overdue overpaid paid payment_action_required "
            "payment_attempt_required payment_failed payment_succeeded sent voided will_be_due",
        ),
        status="status",
        amount="total",
        words=("number", "customer", "customer_email", "customer_name", "description", "parent.subscription_details.subscription"),
        previews="upcoming_",
        deletable=True,
    ),
    Kind(
        "payment_intent",
        "/v1/payment_intents",
        "rak_payment_intent_read",
        _events(
            "payment_intent",
            "created amount_capturable_updated canceled partially_funded payment_failed processing requires_action succeeded",
        ),
        status="status",
        amount="amount",
        words=("customer", "description", "receipt_email", "latest_charge"),
    ),
    Kind(
        "charge",
        "/v1/charges",
        "rak_charge_read",
        _events("charge", "captured expired failed pending refunded succeeded updated"),
        status="status",
        amount="amount",
        taken="amount_captured",
        refunded="amount_refunded",
        words=(
            *("customer", "payment_intent", "receipt_email", "description", "receipt_number", "statement_descriptor_suffix"),
            *("billing_details.email", "billing_details.name"),
        ),
    ),
    Kind(
        "refund",
        "/v1/refunds",
        "rak_refund_read",
        (*_events("refund", "created failed updated"), "charge.refund.updated"),
        status="status",
        amount="amount",
        words=("charge", "payment_intent", "description", "receipt_number"),
    ),
    Kind(
        "dispute",
        "/v1/disputes",
        "rak_dispute_read",
        _events("charge.dispute", "created updated closed funds_reinstated funds_withdrawn"),
        status="status",
        amount="amount",
        words=("charge", "payment_intent"),
    ),
    Kind(
        "credit_note",
        "/v1/credit_notes",
        "rak_credit_note_read",
        _events("credit_note", "created updated voided"),
        status="status",
        amount="total",
        words=("number", "customer", "invoice", "memo"),
    ),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
EVENT_TYPES: tuple[str, ...] = tuple(type for kind in _KINDS for type in kind.events)  # that carry what is mirrored


def is_id(id: str, kind: str | None = None) -> bool:
    """Whether Stripe can be asked for a text as the id of an object of that kind (of any other object without a kind)."""
    return may_be_id(id, kind) and not NOT_IN_PATH.match(id)


def may_be_id(id: str, kind: str | None = None) -> bool:
    """Whether a text can be an id at all: people choose such with a slash too, which no path may hold. What was worked out in advance has none."""
    facts = KINDS.get(kind) if kind else None
    if facts and facts.previews and id.startswith(facts.previews):
        return False
    return bool((CHOSEN_ID if facts and facts.chosen_ids else ID).fullmatch(id))


def write_from_object(kind: str, value: Object, stamp: int, raw: bytes | None = None, *, expects: int | None = None) -> Write:
    """The mirror write of an object as Stripe stated it: amounts in minor units, times in epoch seconds.

    `raw` is the object's JSON where it is at hand. A deleted object leaves its id alone, whatever the body still tells.
    """
    if value.get("deleted") is True:
        return tombstone(kind, str(value["id"]), stamp, created=_second(value.get("created")), expects=expects)
    facts = KINDS[kind]
    return Write(
        kind=kind,
        id=str(value["id"]),
        created=_second(value.get("created")),
        stamp=stamp,
        body=orjson.dumps(value) if raw is None else raw,
        status=_status(facts, value),
        customer=_customer(value),
        currency=_code(value.get("currency")),
        amount=_amount(facts, value),
        refunded=_refunded(facts, value),
        words=searchable(facts.words, value),
        expects=expects,
        chosen_id=facts.chosen_ids,
    )


def _amount(facts: Kind, value: Object) -> int | None:
    field = facts.taken if facts.taken and value.get("status") == "succeeded" else facts.amount
    return _whole(value.get(field)) if field else None


def _refunded(facts: Kind, value: Object) -> int | None:
    """What went back of what was taken: Stripe counts what a partial capture or a cancelled authorisation released among the refunds.

    Of a subscription, where no money is counted, it is 1 where its collection is paused: so the roll-up tells how many do not collect.
    """
    if facts.name == "subscription":
        return 1 if value.get("pause_collection") else None
    told = _whole(value.get(facts.refunded)) if facts.refunded else None
    amount, taken = _whole(value.get(facts.amount)) if facts.amount else None, _whole(value.get(facts.taken)) if facts.taken else None
    if told is None or amount is None or taken is None or value.get("status") != "succeeded":
        return told
    return max(0, told - (amount - taken))


def tombstone(kind: str, id: str, stamp: int, *, created: int = 0, expects: int | None = None) -> Write:
    """The write of a deletion. Of what was deleted nothing but the id stays."""
    body = orjson.dumps({"id": id, "object": kind, "deleted": True})
    chosen = KINDS[kind].chosen_ids
    return Write(kind=kind, id=id, created=created, stamp=stamp, body=body, deleted=True, expects=expects, chosen_id=chosen)


def writes_from_event(event: Object) -> list[Write]:
    """The writes of a snapshot event: none where it carries nothing that is mirrored.

    The object itself says what it is, not the event's type: `customer.tax_id.deleted` deletes no customer, and
    `customer.subscription.deleted` carries a cancelled subscription that is still there. An upcoming invoice is a preview.
    """
    value = as_object(as_object(event.get("data")).get("object"))
    kind, id = value.get("object"), value.get("id")
    if not isinstance(kind, str) or kind not in KINDS or not isinstance(id, str) or not may_be_id(id, kind):
        return []
    stamp = _second(event.get("created"))
    if KINDS[kind].deletable and event.get("type") == f"{kind}.deleted":
        return [tombstone(kind, id, stamp, created=_second(value.get("created")))]
    return [write_from_object(kind, value, stamp)]


def as_object(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _status(facts: Kind, value: Object) -> str | None:
    if facts.status:
        return _code(value.get(facts.status))
    active = value.get("active", value.get("valid"))
    return None if active is None else "active" if active else "inactive"


def id_of(value: Any) -> str | None:
    if isinstance(value, dict):  # expanded
        value = value.get("id")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value if isinstance(value, str) else None


def _customer(value: Object) -> str | None:
    id = id_of(value.get("customer"))
    return id if id is not None and may_be_id(id, "customer") else None


def _code(value: Any) -> str | None:
    return value if isinstance(value, str) and CODE.fullmatch(value) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST else None


def _second(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LATEST else 0
