"""The account that the keys belong to."""

import stripe

from sandbox.route import Call, route
from sandbox.world import Object


@route("GET", "/v1/account", params=stripe.params.AccountRetrieveParams)
def retrieve(call: Call) -> Object:
    return _account(call)


@route("GET", "/v1/accounts/{account}", params=stripe.params.AccountRetrieveParams)
def by_id(call: Call) -> Object:
    if call.path["account"] != call.world.account:
        return call.world.require("account", call.path["account"])
    return _account(call)


def _account(call: Call) -> Object:
    name = "Billy's Sandbox"
    return {
        "id": call.world.account,
        "object": "account",
        "business_profile": {"mcc": "5734", "name": name, "support_email": None, "support_phone": None, "support_url": None, "url": None},
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {
            "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
            "card_payments": {"statement_descriptor_prefix": None},
            "dashboard": {"display_name": name, "timezone": "Etc/UTC"},
            "payments": {"statement_descriptor": "BILLY SANDBOX"},
            "payouts": {"debit_negative_balances": True, "schedule": {"delay_days": 2, "interval": "daily"}, "statement_descriptor": None},
        },
        "type": "standard",
    }
