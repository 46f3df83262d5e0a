"""What the company sells: products, prices in several currencies, coupons, promotion codes and payment links."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.company.prototypes import Past, call
from sandbox.resources import coupons, payment_links, prices, products, promotion_codes

DAY = 86_400
# Name and monthly price in units of a dollar.
PLANS = (("Basic", 9), ("Pro", 29), ("Team", 99), ("Enterprise", 499))
RETIRED = ("Legacy 2019", 19)
LOYAL = "LOYAL20"
# How much of a currency's minor unit a dollar is worth here, kept to what the currency can express.
RATES = {"usd": 100, "eur": 90, "gbp": 80, "cad": 130, "jpy": 150, "kwd": 300}


def amount(dollars: int | float, currency: str) -> int:
    """Minor units; three-decimal amounts end in 0."""
    minor = int(dollars * RATES[currency])
    return minor // 10 * 10 if currency == "kwd" else minor


@dataclass
class Shop:
    """Prices by currency; `coupon_rows` are the coupons that discounts are made from."""

    prices: dict[str, list[dict]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    coupon: dict = field(default_factory=dict)


def opened(world: Past, start: int) -> Shop:
    """Everything is on the shelf from the first day; the one-off links came later."""
    shop = Shop(prices={currency: [] for currency in RATES})
    world.clock.at = start  # type: ignore[attr-defined]
    for name, dollars in (*PLANS, RETIRED):
        product = products.build(world, {"name": name, "description": f"The {name} plan"})
        for currency in RATES:
            for interval, months in (("month", 1), ("year", 10)):
                price = prices.build(
                    world,
                    {
                        "product": product["id"],
                        "unit_amount": amount(dollars * months, currency),
                        "currency": currency,
                        "recurring": {"interval": interval},
                        "nickname": f"{name} {interval}ly",
                        "lookup_key": f"{name.lower().replace(' ', '_')}_{currency}_{interval}",
                    },
                )
                shop.prices[currency].append(price)
                shop.names[price["id"]] = name
        if name == RETIRED[0]:
            product["active"] = False
            world.save(product)
    _codes(world, shop, start)
    _links(world, start)
    return shop


def _codes(world: Past, shop: Shop, start: int) -> None:
    shop.coupon = coupons.create(call(world, {"id": LOYAL, "name": "Loyal customers", "percent_off": 20.0, "duration": "forever"}))
    welcome = coupons.create(call(world, {"id": "WELCOME10", "name": "Welcome", "percent_off": 10.0, "duration": "once"}))
    coupons.create(call(world, {"id": "FIVEOFF", "amount_off": 500, "currency": "usd", "duration": "repeating", "duration_in_months": 3}))
    spent = coupons.create(call(world, {"id": "LAUNCH", "percent_off": 50.0, "duration": "once", "max_redemptions": 5}))
    coupons.create(call(world, {"id": "BLACKFRIDAY", "percent_off": 40.0, "duration": "once", "redeem_by": start + 200 * DAY}))
    for code, extra in (("HELLO10", {}), ("PARTNER", {"max_redemptions": 100}), ("PAUSED", {"active": False})):
        promotion_codes.create(call(world, {"promotion": {"type": "coupon", "coupon": welcome["id"]}, "code": code, **extra}))
    spent |= {"times_redeemed": 5, "valid": False}
    world.save(spent)
    expired = world.require("coupon", "BLACKFRIDAY")
    expired["valid"] = False
    world.save(expired)


def _links(world: Past, start: int) -> None:
    book = products.build(world, {"name": "Handbook", "description": "The printed handbook"})
    for position, currency in enumerate(("usd", "eur", "jpy")):
        price = prices.build(world, {"product": book["id"], "unit_amount": amount(35, currency), "currency": currency})
        link = payment_links.create(call(world, {"line_items": [{"price": price["id"], "quantity": 1}], "metadata": {"campaign": "print"}}))
        if position == 2:
            link["active"] = False
            world.save(link)
