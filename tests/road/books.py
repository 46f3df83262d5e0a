"""What Stripe keeps for the road: charges, their refunds and disputes, movements of the balance, customers. Effects are at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import StripeError, invalid, missing, not_found

type Object = dict[str, Any]
type Params = Mapping[str, Any]

REFUND_TAKES = {
    *("charge", "payment_intent", "amount", "currency", "metadata", "reason", "reverse_transfer", "refund_application_fee", "expand"),
    *("instructions_email", "origin", "customer"),
}
REASONS = {"duplicate", "fraudulent", "requested_by_customer"}
CUSTOMER_TAKES = {"email", "name", "description", "phone", "metadata", "expand"}
LISTS_TAKE = {"limit", "starting_after", "ending_before", "created", "charge", "payment_intent", "customer", "type", "types", "expand"}
BOUNDS: Mapping[str, Callable[[int, int], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


@dataclass(slots=True)
class Books:
    """`objects` by kind and id, the oldest first. `refund_status` is that of the refunds still to come."""

    now: Callable[[], float]
    refund_status: Callable[[], str] = lambda: "succeeded"
    objects: dict[str, dict[str, Object]] = field(default_factory=dict)

    def every(self, kind: str) -> list[Object]:
        return list(self.objects.get(kind, {}).values())

    def get(self, kind: str, id: str, *, param: str = "id") -> Object:
        """Raises Stripe's `resource_missing`."""
        found = self.objects.get(kind, {}).get(id)
        if found is None:
            raise not_found(kind, id, param=param, status=404)
        return found

    def charge(self, amount: int, currency: str = "usd", id: str | None = None, *, captured: int | None = None, **facts: Any) -> Object:
        """A charge that took its money (`captured`: only so much of it; 0 leaves it an authorisation)."""
        took = amount if captured is None else captured
        made = self._made(
            "charge",
            "ch",
            id,
            amount=amount,
            amount_captured=took,
            amount_refunded=amount - took if took else 0,
            application_fee=None,
            balance_transaction=None,
            billing_details={"address": None, "email": None, "name": None, "phone": None},
            captured=took > 0,
            currency=currency,
            customer=None,
            description=None,
            disputed=False,
            failure_code=None,
            livemode=False,
            metadata={},
            paid=True,
            payment_intent=None,
            payment_method="pm_1",
            receipt_email=None,
            refunded=False,
            status="succeeded",
            transfer=None,
        )
        made |= facts
        if took and made["status"] == "succeeded":
            made["balance_transaction"] = self._movement("charge", took, currency, made["id"], fee=30 + took * 29 // 1000)
        return made

    def refund(self, params: Params) -> Object:
        """Makes a refund. Raises what Stripe refuses."""
        charge = self._refundable(params)
        amount = self._amount(charge, params)
        if params.get("reason") not in {None, *REASONS}:
            raise invalid(f"Invalid reason: must be one of {', '.join(sorted(REASONS))}", param="reason")
        for name, needs in (("reverse_transfer", "transfer"), ("refund_application_fee", "application_fee")):
            if params.get(name) == "true" and not charge[needs]:
                raise invalid(f"{name} cannot be used: the charge has no {needs}.", param=name)
        made = self._made(
            "refund",
            "re",
            None,
            amount=amount,
            balance_transaction=None,
            charge=charge["id"],
            currency=charge["currency"],
            customer=charge["customer"],
            destination_details={"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
            metadata=dict(params.get("metadata") or {}),
            payment_intent=charge["payment_intent"],
            payment_method=charge["payment_method"],
            reason=params.get("reason"),
            receipt_number=None,
            source_transfer_reversal=None,
            status="pending",
            transfer_reversal="trr_1" if params.get("reverse_transfer") == "true" else None,
        )
        made["balance_transaction"] = self._movement("refund", -amount, charge["currency"], made["id"])
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self.refund_becomes(made["id"], self.refund_status())
        return made

    def refund_becomes(self, id: str, status: str) -> Object:
        """Its status from now on. With `failed` and `canceled` the charge has that much more left."""
        refund = self.get("refund", id)
        undone = {"failed", "canceled"}
        charge = self.get("charge", refund["charge"])
        if status in undone and refund["status"] not in undone:
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False
            refund["failure_balance_transaction"] = self._movement("refund_failure", refund["amount"], refund["currency"], id)
        refund["status"] = status
        refund.pop("failure_reason", None)
        if status == "failed":
            refund["failure_reason"] = "expired_or_canceled_card"
        return refund

    def dispute(self, charge: str, status: str = "needs_response", amount: int | None = None) -> Object:
        """The cardholder disputes a charge; while that is open and after it is lost, it cannot be refunded."""
        disputed = self.get("charge", charge)
        disputed["disputed"] = True
        return self._made(
            "dispute",
            "dp",
            None,
            amount=disputed["amount"] if amount is None else amount,
            balance_transactions=[],
            charge=charge,
            currency=disputed["currency"],
            evidence={},
            evidence_details={"due_by": int(self.now()) + 7 * 86_400, "has_evidence": False, "submission_count": 0},
            is_charge_refundable=False,
            livemode=False,
            metadata={},
            payment_intent=disputed["payment_intent"],
            reason="fraudulent",
            status=status,
        )

    def customer(self, params: Params) -> Object:
        made = {name: params.get(name) for name in ("email", "name", "description", "phone")}
        return self._made("customer", "cus", None, **made, livemode=False, metadata=dict(params.get("metadata") or {}))

    def change_customer(self, id: str, params: Params) -> Object:
        there = self.get("customer", id)
        metadata = {**there["metadata"], **(params.get("metadata") or {})}
        there |= {name: value or None for name, value in params.items() if name not in ("metadata", "expand")}
        there["metadata"] = {name: value for name, value in metadata.items() if value != ""}
        return there

    def page(self, kind: str, url: str, params: Params) -> Object:
        """A page of a list, newest first."""
        limit = _whole(params, "limit", 10)
        if not 1 <= limit <= 100:
            raise invalid("This value must be between 1 and 100.", param="limit", code="parameter_invalid_integer")
        rows = [each for each in reversed(self.every(kind)) if _is_asked_for(each, params)]
        if "starting_after" in params:
            self.get(kind, params["starting_after"], param="starting_after")
            newer = [each["id"] for each in reversed(self.every(kind))]
            seen = set(newer[: newer.index(params["starting_after"]) + 1])
            rows = [each for each in rows if each["id"] not in seen]
        return {"object": "list", "data": rows[:limit], "has_more": len(rows) > limit, "url": url}

    def _refundable(self, params: Params) -> Object:
        if "charge" in params:
            return self.get("charge", params["charge"], param="charge")
        if "payment_intent" not in params:
            raise missing("charge")
        for each in reversed(self.every("charge")):
            if each["payment_intent"] == params["payment_intent"]:
                return each
        raise not_found("payment_intent", params["payment_intent"], param="payment_intent", status=404)

    def _amount(self, charge: Object, params: Params) -> int:
        """How much is to be refunded, or Stripe's refusal."""
        left = charge["amount"] - charge["amount_refunded"]
        if charge["status"] != "succeeded":
            raise invalid(f"Charge {charge['id']} has failed and cannot be refunded.", code="charge_not_refundable", param="charge")
        if charge["disputed"]:
            raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
        if params.get("currency", charge["currency"]).lower() != charge["currency"]:
            raise invalid(f"The currency of the refund must be that of the charge: {charge['currency']}.", param="currency")
        if left <= 0:
            raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        amount = _whole(params, "amount", left)
        if amount > left:
            raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
        return amount

    def _movement(self, type: str, amount: int, currency: str, source: str, fee: int = 0) -> str:
        facts = {
            "amount": amount,
            "currency": currency,
            "fee": fee,
            "net": amount - fee,
            "source": source,
            "status": "pending",
            "type": type,
        }
        return str(self._made("balance_transaction", "txn", None, **facts, exchange_rate=None, fee_details=[])["id"])

    def _made(self, kind: str, prefix: str, id: str | None, **facts: Any) -> Object:
        shelf = self.objects.setdefault(kind, {})
        made: Object = {"id": id or f"{prefix}_{len(shelf) + 1:04}", "object": kind, "created": int(self.now()), **facts}
        assert made["id"] not in shelf
        shelf[made["id"]] = made
        return made


def check(takes: set[str], params: Params) -> None:
    """What Stripe looks at before anything begins: unknown parameters, and amounts that are none."""
    for name in params:
        if name not in takes:
            raise StripeError(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    if "amount" in params and _whole(params, "amount", 0) < 1:
        raise invalid("This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer")


def _whole(params: Params, name: str, default: int) -> int:
    try:
        return int(params.get(name, default))
    except (TypeError, ValueError):
        raise invalid(f"Invalid integer: {params[name]}", param=name, code="parameter_invalid_integer") from None


def _is_asked_for(each: Object, params: Params) -> bool:
    created = params.get("created", {})
    bounds = created.items() if isinstance(created, dict) else [("gte", created), ("lte", created)]
    return all(BOUNDS[name](each["created"], int(value)) for name, value in bounds) and all(
        each.get(name) == params[name] for name in ("charge", "payment_intent", "customer") if name in params
    )
