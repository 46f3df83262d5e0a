"""The caller's address, which no function sees itself: it is what the proxies that a setting names have written."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from shared.credentials import address

AZURE = "azure"  # the platform's own front end, which adds the address that it saw as the last one


def forwarded(header: str, proxies: Sequence[str]) -> str | None:
    """The last address of X-Forwarded-For that is no named proxy's own. None where no proxy is named, or none wrote an address.

    Whatever stands further to the left was written by the caller.
    """
    if not proxies:
        return None
    networks = [ip_network(each, strict=False) for each in proxies if each != AZURE]
    for part in reversed(header.split(",")):
        seen = address(part)
        if seen is None or not any(ip_address(seen) in network for network in networks):
            return seen
    return None
