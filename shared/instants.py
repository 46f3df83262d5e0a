"""Instants: epoch seconds, and the text that people read beside them."""

from datetime import UTC, datetime


def iso(moment: float) -> str:
    """Epoch seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(int(moment), UTC).isoformat()[:19] + "Z"
