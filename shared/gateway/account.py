"""Which account of Stripe's, in which of its modes, a deployment works with: the first key that is used fixes both.

A key of another account would mix two companies' objects in one mirror. So before anything is read with a key that is new here, the account
is asked for. A restricted key may lack the permission for that; then an object that is kept here, and that Stripe never deletes, has to be
known to it.
"""

import hashlib
from typing import Any

import orjson

from shared.errors import BillyError
from shared.gateway import progress
from shared.gateway.client import StripeGateway
from shared.gateway.failures import is_permission
from shared.gateway.kinds import KINDS, as_object
from shared.stores import changes
from shared.stores.deployment import COLLECTION, PINNED, pinned_to
from shared.stores.protocols import Mirror, Query, Records

ON_PURPOSE = "Where the deployment is to work with the other account from now on, ask for move_account first: docs/operate.md says how."


async def pin(records: Records, mirror: Mirror, stripe: StripeGateway, key: str) -> None:
    """Raises `unavailable` where the records belong to the other mode or another account, and what Stripe raises. Sets `stripe.account_id`."""
    pinned = await _pinned(records, stripe.livemode)
    _check_mode(pinned, stripe.livemode)
    mark = hashlib.sha256(key.encode()).hexdigest()[:16]
    if pinned.get("checked") == mark:
        stripe.account_id = pinned.get("account")
        return
    told, kept = await _account_of(stripe), pinned.get("account")
    moves = bool(told) and told == pinned.get("moving_to")
    if told and kept and told != kept and not moves:
        raise BillyError(
            "unavailable",
            f"The Stripe key is of account {told}, and what is kept here is of account {kept}.",
            next=f"Set a key of {kept}. {ON_PURPOSE}",
        )
    if told is None and pinned.get("moving_to"):
        raise BillyError(
            "unavailable",
            f"This deployment moves to account {pinned['moving_to']}, and the key may not read of which account it is.",
            next="Let the key read its account (Connect: read, in Stripe's dashboard), until the move is done.",
        )
    if moves:
        await _begin_anew(records)
    elif told is None:
        await _recognise(mirror, stripe)

    def turn(document: dict[str, Any]) -> dict[str, Any]:
        left = {"moving_to": None, "emptied": False, "emptying_at": None} if moves else {}
        return document | {"account": told or document.get("account"), "checked": mark} | left

    await changes.change(records, COLLECTION, PINNED, turn)
    stripe.account_id = told or kept


async def _begin_anew(records: Records) -> None:
    """Nothing is complete any more, and the events are read from where the new account's begin."""
    for name in KINDS:
        await changes.change(records, progress.COLLECTION, progress.kind_id(name), _incomplete)
    await changes.change(records, progress.COLLECTION, progress.FEED, lambda feed: {"open": False} if feed else None)


def _incomplete(document: dict[str, Any]) -> dict[str, Any] | None:
    return document | {"complete": False, "as_of": None, "aside": 0, "run": None} if document else None


async def _pinned(records: Records, livemode: bool) -> dict[str, Any]:
    """The record, with the mode of the first key in it."""

    def turn(document: dict[str, Any]) -> dict[str, Any] | None:
        return None if "livemode" in document else document | {"livemode": livemode}

    await changes.change(records, COLLECTION, PINNED, turn)
    return await pinned_to(records)


def _check_mode(pinned: dict[str, Any], livemode: bool) -> None:
    if pinned["livemode"] is not livemode:
        given, kept = ("live", "test") if livemode else ("test", "live")
        raise BillyError(
            "unavailable",
            f"The Stripe key is of {given} mode, and what is kept here is of {kept} mode.",
            next=f"Set a key that begins with rk_{kept}_, or keep the {given} mode in a deployment of its own (BILLY_HOME on a laptop).",
        )


async def _account_of(stripe: StripeGateway) -> str | None:
    """The account's id; None where the key may not read it."""
    try:
        id = (await stripe.account()).get("id")
    except BillyError as error:
        if is_permission(error):
            return None
        raise
    return id if isinstance(id, str) and id else None


async def _recognise(mirror: Mirror, stripe: StripeGateway) -> None:
    """Raises `unavailable` where the key does not know the newest object that is kept here of a kind that Stripe never deletes."""
    for kind in (kind for kind in KINDS.values() if not kind.deletable):
        page = await mirror.list(Query(kind.name, limit=1))
        if not page.bodies:
            continue
        id = str(as_object(orjson.loads(page.bodies[0])).get("id"))
        try:
            await stripe.retrieve(kind.name, id)
        except BillyError as error:
            if is_permission(error):
                continue
            if error.code != "not_found":
                raise
            raise BillyError(
                "unavailable",
                f"The Stripe key is of an account that does not know {id}, which is kept here.",
                next=f"Set a key of the account that this deployment works with. {ON_PURPOSE}",
            ) from None
        return
