"""Which of Stripe's two modes a deployment works in: the first key that is used fixes it, for as long as its records live."""

from shared.errors import BillyError
from shared.stores.changes import insert_once
from shared.stores.protocols import Exists, Records

COLLECTION = "deployment"
MODE = "mode"


async def check_mode(records: Records, livemode: bool) -> None:
    """Raises `unavailable` where the records belong to the other mode: test and live objects never meet in one mirror."""
    record = await records.get(COLLECTION, MODE)
    if record is None:
        try:
            record = await insert_once(records, COLLECTION, MODE, {"livemode": livemode})
        except Exists:
            return await check_mode(records, livemode)
    if record.document["livemode"] is not livemode:
        given, kept = ("live", "test") if livemode else ("test", "live")
        raise BillyError(
            "unavailable",
            f"The Stripe key is of {given} mode, and what is kept here is of {kept} mode.",
            next=f"Set a key that begins with rk_{kept}_, or keep the {given} mode in a deployment of its own (BILLY_HOME on a laptop).",
        )
