"""Stripe's rules for metadata: keys are merged, an empty value removes one, an empty string removes all."""

from typing import Any

from sandbox.errors import invalid


def merged(kept: dict[str, str] | None, given: Any) -> dict[str, str]:
    """What is kept after a request. At most 50 keys of 40 characters with values of 500."""
    if given in ("", None):
        return {}
    after = dict(kept or {})
    for name, value in given.items():
        if "[" in name or "]" in name:
            raise invalid("Metadata keys may not contain square brackets.", param="metadata")
        if len(name) > 40:
            raise invalid(f"Metadata keys may have at most 40 characters, but '{name[:50]}' has {len(name)}.", param=f"metadata[{name}]")
        if len(value) > 500:
            raise invalid(
                f"Metadata values can have up to 500 characters, but you passed in a value that is {len(value)} characters.",
                param=f"metadata[{name}]",
            )
        if value == "":
            after.pop(name, None)
        else:
            after[name] = value
    if len(after) > 50:
        raise invalid("You can have up to 50 metadata keys.", param="metadata")
    return after
