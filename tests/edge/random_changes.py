"""Changes of every kind that people make at Stripe, one after the other by chance; those that Stripe refuses change nothing."""

import random
from typing import Any

import httpx

CARDS = ("visa", "visa", "visa", "mastercard", "chargeDeclined", "createDispute", "refundFail", "authenticationRequired")
MONEY = (("usd", 100, 50_000), ("eur", 100, 50_000), ("jpy", 100, 50_000), ("kwd", 1_000, 500_000))
WORDS = ("acme", "Zürich", "東京", "Ignore all rules", "naïve 🙂", "O'Brien", "a\tb", '"quoted" \\ back')


class Changes:
    """Makes changes over Stripe's HTTP API, of objects that it made itself and of those that were there. Counts what was done."""

    def __init__(self, sandbox_url: str, seed: int) -> None:
        self.done = 0
        self.refused = 0
        self._chance = random.Random(seed)
        self._http = httpx.Client(
            base_url=sandbox_url,
            headers={"authorization": "Bearer rk_test_changes"},
            timeout=30,
            trust_env=False,
        )
        self._known: dict[str, list[str]] = {}
        self._kinds = [
            *[self._pay] * 6,
            *[self._refund] * 5,
            *[self._customer, self._change_customer] * 3,
            *[self._invoice] * 3,
            *[self._subscribe, self._change_subscription] * 3,
            self._delete_customer,
            self._capture,
            self._cancel_payment,
            self._refund_metadata,
            self._product,
            self._change_product,
            self._price,
            self._change_price,
            self._coupon,
            self._delete_coupon,
            self._promotion,
            self._change_promotion,
            self._end_invoice,
            self._credit,
            self._dispute,
            self._charge_metadata,
        ]

    def make(self, count: int) -> None:
        """So many requests of change, each with what it needs."""
        for _ in range(count):
            self._chance.choice(self._kinds)()

    def close(self) -> None:
        self._http.close()

    def _call(self, path: str, form: dict[str, Any] | None = None, method: str = "POST") -> dict[str, Any] | None:
        answer = self._http.request(method, path, data=form if method == "POST" else None)
        assert answer.status_code < 500, (method, path, form, answer.text)
        self.done, self.refused = self.done + (answer.status_code < 400), self.refused + (answer.status_code >= 400)
        return answer.json() if answer.status_code < 400 else None

    def _made(self, kind: str, value: dict[str, Any] | None) -> None:
        if value:
            self._known.setdefault(kind, []).append(value["id"])

    def _one(self, kind: str) -> str:
        """An object of a kind (`charges`, `customers`, …): one made here, or one of the newest hundred."""
        if kind not in self._known or self._chance.random() < 0.1:
            page = self._http.get(f"/v1/{kind}?limit=100").json()["data"]
            self._known.setdefault(kind, []).extend(each["id"] for each in page)
        return self._chance.choice(self._known[kind] or ["none"])

    def _word(self) -> str:
        return f"{self._chance.choice(WORDS)} {self._chance.randrange(1000)}"

    def _pay(self) -> None:
        currency, least, most = self._chance.choice(MONEY)
        form: dict[str, Any] = {
            "amount": self._chance.randrange(least, most, 10),
            "currency": currency,
            "payment_method": f"pm_card_{self._chance.choice(CARDS)}",
            "confirm": "true",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "description": self._word(),
        }
        if self._chance.random() < 0.2:
            form["capture_method"] = "manual"
        if self._chance.random() < 0.5:
            form["customer"] = self._one("customers")
        made = self._call("/v1/payment_intents", form)
        self._made("payment_intents", made)
        if made and made["latest_charge"]:
            self._made("charges", {"id": made["latest_charge"]})

    def _refund(self) -> None:
        form: dict[str, Any] = {"charge": self._one("charges")}
        if self._chance.random() < 0.7:
            form["amount"] = self._chance.randrange(10, 3_000, 10)
        self._made("refunds", self._call("/v1/refunds", form))

    def _refund_metadata(self) -> None:
        self._call(f"/v1/refunds/{self._one('refunds')}", {"metadata[note]": self._word()})

    def _charge_metadata(self) -> None:
        self._call(f"/v1/charges/{self._one('charges')}", {"metadata[note]": self._word()})

    def _capture(self) -> None:
        intent = f"/v1/payment_intents/{self._one('payment_intents')}"
        part = self._chance.randrange(50, 1_000, 10)  # the rest is given back, which is no refund
        self._call(f"{intent}/capture", {"amount_to_capture": part} if self._chance.random() < 0.5 else None)

    def _cancel_payment(self) -> None:
        self._call(f"/v1/payment_intents/{self._one('payment_intents')}/cancel")

    def _customer(self) -> None:
        form = {
            "name": self._word(),
            "email": f"c{self._chance.randrange(10**6)}@example.com",
            "payment_method": "pm_card_visa",
            "invoice_settings[default_payment_method]": "pm_card_visa",
        }
        self._made("customers", self._call("/v1/customers", form))

    def _change_customer(self) -> None:
        self._call(f"/v1/customers/{self._one('customers')}", {"name": self._word(), "metadata[k]": self._word()})

    def _delete_customer(self) -> None:
        self._call(f"/v1/customers/{self._one('customers')}", method="DELETE")

    def _product(self) -> None:
        self._made("products", self._call("/v1/products", {"name": self._word()}))

    def _change_product(self) -> None:
        product = f"/v1/products/{self._one('products')}"
        if self._chance.random() < 0.3:
            self._call(product, method="DELETE")
        else:
            self._call(product, {"name": self._word(), "active": self._chance.choice(("true", "false"))})

    def _price(self) -> None:
        currency, least, most = self._chance.choice(MONEY)
        form: dict[str, Any] = {
            "product": self._one("products"),
            "currency": currency,
            "unit_amount": self._chance.randrange(least, most, 10),
            "recurring[interval]": "month",
        }
        self._made("prices", self._call("/v1/prices", form))

    def _change_price(self) -> None:
        self._call(f"/v1/prices/{self._one('prices')}", {"nickname": self._word()})

    def _coupon(self) -> None:
        form: dict[str, Any] = {"percent_off": self._chance.randrange(1, 100), "duration": "once"}
        if self._chance.random() < 0.5:
            form["id"] = f"AGAIN {self._chance.randrange(4)}"  # refused while there is one, and another coupon after that
        self._made("coupons", self._call("/v1/coupons", form))

    def _delete_coupon(self) -> None:
        self._call(f"/v1/coupons/{self._one('coupons')}", method="DELETE")

    def _promotion(self) -> None:
        form = {"promotion[type]": "coupon", "promotion[coupon]": self._one("coupons")}
        self._made("promotion_codes", self._call("/v1/promotion_codes", form))

    def _change_promotion(self) -> None:
        self._call(f"/v1/promotion_codes/{self._one('promotion_codes')}", {"active": self._chance.choice(("true", "false"))})

    def _subscribe(self) -> None:
        form: dict[str, Any] = {"customer": self._one("customers"), "items[0][price]": self._one("prices")}
        if self._chance.random() < 0.3:
            form["trial_period_days"] = self._chance.randrange(1, 30)
        if self._chance.random() < 0.3:
            form |= {"collection_method": "send_invoice", "days_until_due": 14}
        self._made("subscriptions", self._call("/v1/subscriptions", form))

    def _change_subscription(self) -> None:
        subscription = f"/v1/subscriptions/{self._one('subscriptions')}"
        if self._chance.random() < 0.3:
            self._call(subscription, method="DELETE")
        else:
            self._call(subscription, {"cancel_at_period_end": self._chance.choice(("true", "false")), "metadata[k]": self._word()})

    def _invoice(self) -> None:
        currency, least, most = self._chance.choice(MONEY)
        customer = self._one("customers")
        made = self._call("/v1/invoices", {"customer": customer, "currency": currency, "auto_advance": "false"})
        if made is None:
            return
        self._made("invoices", made)
        amount = self._chance.randrange(least, most, 10)
        self._call("/v1/invoiceitems", {"customer": customer, "invoice": made["id"], "amount": amount, "currency": currency})
        for step, chance in (("finalize", 0.8), ("pay", 0.5)):
            if self._chance.random() < chance:
                self._call(f"/v1/invoices/{made['id']}/{step}")

    def _end_invoice(self) -> None:
        invoice = f"/v1/invoices/{self._one('invoices')}"
        if self._chance.random() < 0.4:
            self._call(invoice, method="DELETE")
        else:
            self._call(f"{invoice}/{self._chance.choice(('void', 'mark_uncollectible', 'pay', 'send'))}")

    def _credit(self) -> None:
        invoice = self._one("invoices")
        if self._http.get(f"/v1/invoices/{invoice}").json().get("status") == "open":
            return  # it would lower the amount of the invoice's payment intent, of which Stripe has no event to tell
        form: dict[str, Any] = {"invoice": invoice, "amount": self._chance.randrange(10, 500, 10), "memo": self._word()}
        made = self._call("/v1/credit_notes", form)
        self._made("credit_notes", made)
        if made and self._chance.random() < 0.5:
            self._call(f"/v1/credit_notes/{made['id']}/void")

    def _dispute(self) -> None:
        dispute = f"/v1/disputes/{self._one('disputes')}"
        if self._chance.random() < 0.5:
            self._call(f"{dispute}/close")
        else:
            self._call(
                dispute,
                {"evidence[uncategorized_text]": self._chance.choice(("winning_evidence", "losing_evidence", "x")), "submit": "true"},
            )
