"""The host's own keys: a master key for `admin` functions and routes, a host key for `function` ones."""

import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, repr=False)
class HostKeys:
    master: str
    function: str

    def allow(self, auth_level: str, presented: str | None) -> bool:
        """Whether a key opens a function of this level; the master key opens all of them."""
        if auth_level == "anonymous":
            return True
        if not presented:
            return False
        given = presented.encode()
        if hmac.compare_digest(given, self.master.encode()):
            return True
        return auth_level == "function" and hmac.compare_digest(given, self.function.encode())


def host_keys(home: Path) -> HostKeys:
    """Reads `home`/keys.json, which is made with mode 0600 and random keys when there is none."""
    path = home / "keys.json"
    if not path.exists():
        keys = {"master": secrets.token_urlsafe(40), "function": secrets.token_urlsafe(40)}
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(keys, file)
        part.replace(path)
    document = json.loads(path.read_text())
    return HostKeys(document["master"], document["function"])
