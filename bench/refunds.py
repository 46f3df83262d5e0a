"""A refund over the whole HTTP road beside the bare request to the same Stripe double; and how often the road waits for a store and for Stripe."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench import home as homes
from bench.load import Seen, request, run_load, write_requests
from bench.table import Row, middle, pair
from quickstart.client import call
from shared.actor import system
from shared.people.keys import make_key
from shared.road.catalogue import BY_NAME
from shared.road.execute import execute
from shared.settings import Settings
from shared.wiring import close_context, make_context

if TYPE_CHECKING:
    from bench.run import Run

ROUNDS = 5
REFUNDS = 60  # of one round
FORM = {
    "amount": "5000",
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "confirm": "true",
    "automatic_payment_methods[enabled]": "true",
    "automatic_payment_methods[allow_redirects]": "never",
}
KINDS = ("without a key", "with a key")


def measure(run: Run) -> list[Row]:
    home = run.folder("refunds")
    folder = run.folder("refunds-sandbox")
    with homes.sandbox(folder) as stripe:
        owner = homes.owner_key(home)
        seen: dict[str, list[Seen]] = {}
        with homes.host(home, stripe=stripe.url, settings=homes.QUIET) as host:
            for number in range(run.rounds(ROUNDS) + 1):
                for side in ("bare", *KINDS):
                    charges = [_charge(stripe.url) for _ in range(run.sized(REFUNDS, 20))]
                    port = stripe.port if side == "bare" else host.port
                    write_requests(home / "refunds", [_request(side, charge, owner) for charge in charges])
                    found = run_load(port, home / "refunds", 1)
                    if found.failed:
                        raise RuntimeError(f"{found.failed} refunds were refused ({side})")
                    if number:
                        seen.setdefault(side, []).append(found)
        counted = asyncio.run(_counted(run.folder("refunds-counted"), stripe.url, folder / "control.token"))
    bare = seen["bare"]
    rows = [_timed(f"HTTP: a refund {kind}", seen[kind], bare) for kind in KINDS]
    for kind in KINDS:
        waits, asked = counted[kind]
        told = ", ".join(f"{name} × {times}" for name, times in sorted(asked.items()))
        rows.append(Row(f"a refund {kind}: waits for a store, one after the other", str(waits)))
        rows.append(Row("… and what it asks of Stripe, the charge's refresh after the answer was recorded included", told))
    return rows


def _timed(name: str, ours: list[Seen], bare: list[Seen]) -> Row:
    mine, slow = middle(each.p50 for each in ours), middle(each.p95 for each in ours)
    theirs, tail = middle(each.p50 for each in bare), middle(each.p95 for each in bare)
    return Row(name, pair(mine, slow), f"{pair(theirs, tail)} bare POST /v1/refunds", mine / theirs)


def _charge(url: str) -> str:
    return str(call("POST", f"{url}/v1/payment_intents", key=homes.STRIPE_KEY, form=FORM)["latest_charge"])


def _request(side: str, charge: str, owner: str) -> bytes:
    if side == "bare":
        headers = {
            "authorization": f"Bearer {homes.STRIPE_KEY}",
            "idempotency-key": charge,
            "content-type": "application/x-www-form-urlencoded",
        }
        return request("POST", "/v1/refunds", headers, f"charge={charge}&amount=100".encode())
    headers = {"authorization": f"Bearer {owner}"} | ({"idempotency-key": charge} if side == "with a key" else {})
    return request("POST", "/api/refunds", headers, json.dumps({"charge": charge, "amount": 100}).encode())


@dataclass(slots=True)
class Waits:
    """Counts how often something is asked while nothing else is: what is asked side by side is one wait."""

    times: int = 0
    under_way: int = 0
    on: bool = field(default=False)

    def over[Store](self, store: Store) -> Store:
        return cast(Store, _Counted(store, self))


class _Counted:
    def __init__(self, store: Any, waits: Waits) -> None:
        self._store, self._waits = store, waits

    def __getattr__(self, name: str) -> Any:
        found: Callable[..., Awaitable[Any]] = getattr(self._store, name)

        async def counted(*arguments: Any, **keywords: Any) -> Any:
            waits = self._waits
            waits.times += waits.on and waits.under_way == 0
            waits.under_way += 1
            try:
                await asyncio.sleep(0)  # so that what is asked side by side is under way together
                return await found(*arguments, **keywords)
            finally:
                waits.under_way -= 1

        return counted


async def _counted(home: Path, stripe: str, token: Path) -> dict[str, tuple[int, Counter[str]]]:
    """Of one refund of each kind: its waits for records and audit log, and the requests that Stripe saw."""
    context = await make_context(Settings(home=home, stripe_api_base=stripe, stripe_api_key=homes.STRIPE_KEY))
    waits, found = Waits(), dict[str, tuple[int, Counter[str]]]()
    counted = replace(context, records=waits.over(context.records), audit=waits.over(context.audit))
    key = await make_key(context, "bench", "owner", None, "system")
    actor = replace(system("bench"), id=key["id"], kind="key")
    try:
        for kind in KINDS:
            charge = await asyncio.to_thread(_charge, stripe)
            before = len(await asyncio.to_thread(_asked, stripe, token))
            waits.times, waits.on = 0, True
            keyed = {"idempotency_key": charge} if kind == "with a key" else {}
            await execute(BY_NAME["create_refund"], {"charge": charge, "amount": 100, **keyed}, actor, counted)
            waits.on = False
            asked = await asyncio.to_thread(_asked, stripe, token)
            found[kind] = waits.times, Counter(f"{each['method']} {each['path'].replace(charge, '{id}')}" for each in asked[before:])
    finally:
        await close_context(context)
    return found


def _asked(url: str, token: Path) -> list[dict[str, Any]]:
    request = urllib.request.Request(f"{url}/_sandbox/requests", headers={"sandbox-token": token.read_text()})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["requests"]
