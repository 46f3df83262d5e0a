"""The digest of a call's arguments in its audit row: an HMAC under a secret of the deployment, so that nobody finds out small values by trying.

The secret holds all its versions as `2:…,1:…`. The highest counts for new rows; the others stay, so that old rows can still be compared.
"""

import asyncio
import hashlib
import hmac
import re
from contextlib import suppress
from typing import Any

import orjson

from shared.context import Context
from shared.entered import trimmed

SECRET = "audit-digest"  # noqa: S105 - the secret's name
FORM = "hmac-sha256"
FRESH = 30.0  # seconds for which a version is used without asking for the secret again
PATIENCE = 2.0  # seconds for the secret: a digest keeps no call waiting
_VERSION = re.compile(r"\s*(\d{1,6})\s*:\s*(\S{32,})\s*")


def first_version(drawn: str) -> str:
    """The secret of a new deployment."""
    return f"1:{drawn}"


def versions(secret: str | None) -> dict[int, bytes]:
    """The versions in a secret's text; what is none is left out."""
    found = (_VERSION.fullmatch(trimmed(each)) for each in (secret or "").split(","))
    return {int(each[1]): each[2].encode() for each in found if each}


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)


async def digest_of(context: Context, spelt: bytes) -> str | None:
    """`hmac-sha256:VERSION:HEX` of a value in its one spelling; None where there is no secret. Raises nothing: a call goes on without."""
    known = await _known(context)
    if not known:
        return None
    newest = max(known)
    return _digest(newest, known[newest], spelt)


def is_digest_of(value: Any, digest: str, secret: str | None) -> bool:
    """Whether a row's digest is that of a value, under whichever version of the secret it was made."""
    form, _, rest = digest.partition(":")
    version, _, _ = rest.partition(":")
    key = versions(secret).get(int(version)) if form == FORM and version.isdecimal() else None
    return key is not None and hmac.compare_digest(digest, _digest(int(version), key, canonical(value)))


async def _known(context: Context) -> dict[int, bytes]:
    """The versions as last read. One that cannot be read is tried again after as long as a good one is used."""
    read, known = context.digests or (float("-inf"), dict[int, bytes]())
    now = context.seam.now()
    if 0 <= now - read < FRESH:
        return known
    with suppress(Exception):  # then what was known is used on
        async with asyncio.timeout(PATIENCE):
            known = versions(await context.secrets.get(SECRET))
    context.digests[:] = (now, known)
    return known


def _digest(version: int, key: bytes, spelt: bytes) -> str:
    return f"{FORM}:{version}:{hmac.new(key, spelt, hashlib.sha256).hexdigest()}"
