"""Stripe's errors: what a handler raises and how it looks on the wire."""

from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"


class StripeError(Exception):
    """An answer other than 200.

    `keep` commits what the handler did before it raised (a declined charge leaves a failed charge behind);
    otherwise everything the request changed is rolled back. `extra` is merged into the error object.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        keep: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.decline_code = decline_code
        self.extra = extra or {}
        self.headers = headers or {}
        self.keep = keep

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        error: dict[str, Any] = {}
        if self.code:
            error |= {"code": self.code, "doc_url": DOCS + self.code.replace("_", "-")}
        if self.decline_code:
            error["decline_code"] = self.decline_code
        error["message"] = self.message
        if self.param:
            error["param"] = self.param
        return {"error": error | self.extra | {"type": self.type}}


def invalid(message: str, *, param: str | None = None, code: str | None = None, **extra: Any) -> StripeError:
    """400 invalid_request_error."""
    return StripeError(400, message, param=param, code=code, extra=extra)


def missing(param: str) -> StripeError:
    """400 parameter_missing."""
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")


NOUNS = {
    "payment_method": "PaymentMethod",
    "setup_intent": "setupintent",
    "promotion_code": "promotion code",
    "webhook_endpoint": "webhook endpoint",
    "invoiceitem": "invoiceitem",
    "subscription_item": "subscription_item",
    "credit_note": "credit note",
    "tax_id": "tax ID",
    "payment_link": "payment_link",
    "balance_transaction": "balance transaction",
}


def not_found(kind: str, id: str, *, param: str = "id", status: int | None = None) -> StripeError:
    """`No such …`: 404 for the object of the path (`param="id"`), 400 for one that a parameter names."""
    return StripeError(
        status or (404 if param == "id" else 400),
        f"No such {NOUNS.get(kind, kind)}: '{id}'",
        code="resource_missing",
        param=param,
    )
