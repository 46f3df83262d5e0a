"""Who calls the host's own routes: no page of another site, and none that made its name lead here."""

import re
from ipaddress import ip_address

_PORT = re.compile(r":\d{1,5}$")


def is_foreign(headers: dict[str, str]) -> bool:
    """Whether a browser's page of another site may be behind a request.

    A page that is served under a name can make the name lead to this machine; an address in digits, and `localhost`, it cannot have.
    Functions check their callers themselves, because they know under which names they are reached.
    """
    host = headers.get("host", "")
    if not _is_local(_PORT.sub("", host)):
        return True
    origin = headers.get("origin")
    return origin not in (None, f"http://{host}", f"https://{host}") or headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _is_local(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        return False
    return True
