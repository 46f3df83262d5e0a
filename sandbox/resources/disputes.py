"""Disputes: opened by cards that dispute, answered with evidence, closed as won or lost. An open one blocks refunds."""

from typing import Any, get_args

import stripe

from sandbox import timers
from sandbox.errors import invalid
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources import balance_transactions, early_fraud_warnings
from sandbox.route import Call, route
from sandbox.schema import fields
from sandbox.world import Object, World

FEE = 1500
ANSWER_WITHIN = 9 * 86400
EACH_TEXT, ALL_TEXTS = 20_000, 150_000
_NETWORK = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6.1", "subscription_canceled": "13.2"}
_CLOSED = ("won", "lost", "warning_closed", "prevented")


def _evidence_fields() -> list[str]:
    hint = fields(stripe.params.DisputeUpdateParams)[0]["evidence"]
    shape = next((option for option in (hint, *get_args(hint)) if isinstance(option, type) and hasattr(option, "__required_keys__")), None)
    return sorted(fields(shape)[0]) if shape else []


def opened(world: World, charge: Object, reason: str, *, created: int | None = None) -> Object:
    """A dispute about the whole charge. `inquiry` is one that takes no money yet and leaves refunds possible."""
    inquiry = reason == "inquiry"
    created = created or world.clock.now()
    method = charge["payment_method_details"]
    network = _NETWORK.get(reason, "10.4")
    dispute: Object = {
        "id": world.new_id("du"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_evidence_fields()) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": created + ANSWER_WITHIN,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": None,
        },
        "intended_submission_method": None,
        "is_charge_refundable": inquiry,
        "livemode": world.livemode,
        "metadata": {},
        "network_reason_code": network,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": method.get("card", {}).get("brand", "visa"),
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": method.get("card", {}).get("brand", "visa"),
                "network_reason_code": network,
            },
            "type": "card",
        },
        "reason": "fraudulent" if inquiry else reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    if not inquiry:
        dispute["balance_transactions"] = [_moved(world, dispute, -charge["amount"], fee=FEE)]
    world.insert(dispute)
    charge["disputed"] = True
    world.save(charge)
    world.emit("charge.dispute.created", dispute)
    if not inquiry:
        world.emit("charge.dispute.funds_withdrawn", dispute)
    timers.later(world, dispute["evidence_details"]["due_by"] - world.clock.now(), "dispute_is_past_due", dispute["id"])
    early_fraud_warnings.answered(world, charge["id"])
    # The charge is `disputed` from now on, but no event tells that of the charge itself.
    return dispute


def _moved(world: World, dispute: Object, amount: int, *, fee: int = 0) -> Object:
    return balance_transactions.recorded(
        world, "adjustment", amount, dispute["currency"], dispute["id"], fee=fee, description=f"Chargeback for {dispute['charge']}"
    )


def blocking(world: World, charge: str) -> Object | None:
    """The dispute that forbids refunding this charge."""
    return next((dispute for dispute in world.find("dispute", charge=charge) if not dispute["is_charge_refundable"]), None)


def ended(world: World, dispute: Object, status: str) -> Object:
    """Close a dispute as `won`, `lost` or `warning_closed`."""
    if status == "won" and dispute["balance_transactions"]:
        dispute["balance_transactions"].append(_moved(world, dispute, dispute["amount"]))
    dispute |= {"status": status, "is_charge_refundable": status != "lost"}
    world.save(dispute)
    if status == "won":
        world.emit("charge.dispute.funds_reinstated", dispute)
    world.emit("charge.dispute.closed", dispute)
    return dispute


def _check_evidence(dispute: Object, given: Object) -> None:
    """At most 20,000 letters in each text, and 150,000 in all of them."""
    for name, value in given.items():
        if isinstance(value, str) and len(value) > EACH_TEXT:
            raise invalid(f"Evidence text may have at most {EACH_TEXT} characters.", param=f"evidence[{name}]")
    texts = [value for value in (dispute["evidence"] | given).values() if isinstance(value, str)]
    if sum(len(text) for text in texts) > ALL_TEXTS:
        raise invalid(f"All evidence texts together may have at most {ALL_TEXTS} characters.", param="evidence")


@timers.timer("dispute_is_past_due")
def _past_due(world: World, id: str) -> None:
    """Whoever says nothing in time loses; an inquiry ends."""
    dispute = world.get("dispute", id)
    if dispute is None or not dispute["status"].endswith("needs_response"):
        return
    dispute["evidence_details"]["past_due"] = True
    ended(world, dispute, "warning_closed" if dispute["status"].startswith("warning") else "lost")


def _open(call: Call) -> Object:
    dispute = call.world.require("dispute", call.path["dispute"])
    if dispute["status"] in _CLOSED:
        raise invalid("This dispute is already closed")
    return dispute


@route("GET", "/v1/disputes", params=stripe.params.DisputeListParams, permission="dispute_read", list_of="dispute")
def every(call: Call) -> Object:
    return page(call, "dispute", filters={"charge": "charge", "payment_intent": "payment_intent"})


@route("GET", "/v1/disputes/{dispute}", permission="dispute_read")
def retrieve(call: Call) -> Object:
    return call.world.require("dispute", call.path["dispute"])


@route("POST", "/v1/disputes/{dispute}", params=stripe.params.DisputeUpdateParams, permission="dispute_write")
def update(call: Call) -> Object:
    """Evidence is submitted unless `submit=false`; `winning_evidence` and `losing_evidence` as its text decide a test dispute."""
    world, params = call.world, call.params
    dispute = _open(call)
    _check_evidence(dispute, params.get("evidence") or {})
    if "metadata" in params:
        dispute["metadata"] = merged(dispute["metadata"], params["metadata"])
    if "intended_submission_method" in params:
        dispute["intended_submission_method"] = params["intended_submission_method"] or None
    evidence: dict[str, Any] = params.get("evidence") or {}
    if evidence or params.get("submit"):
        if params.get("submit", True) and dispute["evidence_details"]["submission_count"]:
            raise invalid("Evidence has already been submitted for this dispute; it can be submitted once.")
        dispute["evidence"] |= {name: value or None for name, value in evidence.items()}
        dispute["evidence_details"]["has_evidence"] = any(value for value in dispute["evidence"].values())
        if params.get("submit", True):
            dispute["evidence_details"]["submission_count"] += 1
            dispute["evidence_details"]["submission_method"] = "manual"
            dispute["status"] = "warning_under_review" if dispute["status"].startswith("warning") else "under_review"
    world.save(dispute)
    world.emit("charge.dispute.updated", dispute)
    if dispute["status"].endswith("under_review") and evidence.get("uncategorized_text") in ("winning_evidence", "losing_evidence"):
        timers.later(world, 1, "dispute_decided", dispute["id"])
    return dispute


@timers.timer("dispute_decided")
def _decided(world: World, id: str) -> None:
    dispute = world.get("dispute", id)
    if dispute and dispute["status"] not in _CLOSED:
        won = dispute["evidence"]["uncategorized_text"] == "winning_evidence"
        ended(world, dispute, "warning_closed" if dispute["status"].startswith("warning") else "won" if won else "lost")


@route("POST", "/v1/disputes/{dispute}/close", params=stripe.params.DisputeCloseParams, permission="dispute_write")
def close(call: Call) -> Object:
    dispute = _open(call)
    return ended(call.world, dispute, "warning_closed" if dispute["status"].startswith("warning") else "lost")
