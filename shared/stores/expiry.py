"""For how long records are kept: one rule for every store."""

from collections.abc import Mapping
from typing import Any

DAY = 86_400

# Seconds after the last change for which a record of a collection is kept; others stay for ever.
EXPIRY: dict[str, int] = {
    "events": 30 * DAY,  # Stripe repeats a delivery for three days and lists events for thirty
    "claims": DAY,  # once it has ended; whoever asks for the same again does so within minutes
}


def kept_for(collection: str, document: Mapping[str, Any]) -> int | None:
    """Seconds from now on for which a record with this document is kept; None for ever.

    A claim that has not `ended` holds a movement of money of which nobody knows yet what became of it. Were it to expire, the movement
    could be made a second time.
    """
    if collection == "claims" and not document.get("ended"):
        return None
    return EXPIRY.get(collection)
