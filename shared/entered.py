"""What people enter, as settings and as secrets: normalised here alone, or refused by what is needed and never by what was given.

Editors, portals and shells add spaces, line ends, byte order marks and capitals to a value, which mean nothing. What stands around or between
values, such as quotes, means that something else was meant.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from shared.errors import BillyError

# White space, and what is not seen: control characters, the soft hyphen, zero-width and direction marks, the byte order mark (also as it
# looks where UTF-8 was read as Latin 1).
_UNSEEN = r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"
_AROUND = re.compile(rf"^(?:{_UNSEEN}|ï»¿)+|{_UNSEEN}+$")
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII)
_LOOPBACK = re.compile(r"localhost|127(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}|::1", re.ASCII)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@]+)(:[0-9]+)?", re.ASCII)
_PORTS = {"https": 443, "http": 80}

# One shape for whoever takes a value in and whoever reads it later.
STRIPE_KEY = re.compile(r"(rk|sk)_(test|live)_[A-Za-z0-9_]{3,250}", re.ASCII)
OWN_KEY = re.compile(r"billy_[A-Za-z0-9_-]{43,128}", re.ASCII)  # 256 bits of chance at least
_SIGNING_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]{1,250}", re.ASCII)
_VERSION = re.compile(r"[0-9]{1,6}\s*:\s*[^\s,\"']{32,}", re.ASCII)
_BASE_64 = re.compile(r"[A-Za-z0-9+/_-]{1,500}={0,2}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class Unfit(Exception):
    """The text is not what is needed. It says nothing of the text."""


@dataclass(frozen=True, slots=True)
class Reader:
    """`takes` completes the sentence "It is …"; `read` answers the value of a text without anything around it, or raises `Unfit`."""

    takes: str
    read: Callable[[str], object]


class Keeping(Protocol):
    """Where secrets are kept, as far as it matters here."""

    async def get(self, name: str) -> str | None: ...


def trimmed(text: str) -> str:
    """The text without what is not seen before and after it."""
    return _AROUND.sub("", text)


def is_loopback(address: str) -> bool:
    """Whether a URL names this very machine. Only there may a key stand in for the identity, or plain HTTP for TLS."""
    try:
        return _is_this_machine(urlsplit(address).hostname)
    except ValueError:
        return False


def choice(*words: str) -> Reader:
    def read(text: str) -> str:
        if (word := text.lower()) not in words:
            raise Unfit
        return word

    return Reader(f"either {' or '.join(words)}", read)


def flag() -> Reader:
    words = choice("true", "false")
    return Reader(words.takes, lambda text: words.read(text) == "true")


def number(least: int, most: int, unit: str = "") -> Reader:
    def read(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise Unfit
        return int(text)

    return Reader(f"a whole number{unit} from {least} to {most}", read)


def pattern(takes: str, shape: re.Pattern[str], fold: Callable[[str], str] = str) -> Reader:
    """A text that has a shape from end to end, so that nothing stands beside it."""

    def read(text: str) -> str:
        if not shape.fullmatch(folded := fold(text)):
            raise Unfit
        return folded

    return Reader(takes, read)


def several(each: Reader, takes: str) -> Reader:
    """Values separated by commas, each once, in their order."""

    def read(text: str) -> tuple[object, ...]:
        parts = (trimmed(part) for part in text.split(","))
        return tuple(dict.fromkeys(each.read(part) for part in parts if part))

    return Reader(takes, read)


def address(takes: str, *, path: bool = False) -> Reader:
    """An address without a slash at its end: https, or http on this machine. `path`: one may follow, on this machine alone."""

    def read(text: str) -> str:
        scheme, host, port, parts = _split(text if "://" in text else f"https://{text}")
        local = _is_this_machine(parts.hostname)
        if scheme not in (("https", "http") if local else ("https",)) or ("://" not in text and local):
            raise Unfit
        below = parts.path.rstrip("/")
        if below and not (path and local and re.fullmatch(r"(/[A-Za-z0-9_-]+)+", below)):
            raise Unfit
        return f"{scheme}://{host}{port}{below}"

    return Reader(takes, read)


def _origin(text: str) -> str:
    """The origin as browsers write it."""
    if "://" not in text:
        raise Unfit
    scheme, host, port, parts = _split(text)
    if parts.path not in ("", "/") or scheme not in (("https", "http") if _is_this_machine(parts.hostname) else ("https",)):
        raise Unfit
    return f"{scheme}://{host}{port}"


def _host(text: str) -> str:
    """The name of a host, in lower case, without port: as it stands in a Host header."""
    if re.fullmatch(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*", text):
        text = f"[{text}]"
    _, host, _, parts = _split(text if "://" in text else f"https://{text}")
    if parts.path not in ("", "/"):
        raise Unfit
    return host


def _proxy(text: str) -> str:
    """`azure`, or a network in its one spelling. One that is too wide would believe anybody."""
    if (word := text.lower()) == "azure":
        return word
    try:
        network = ip_network(text.strip("[]") if text.startswith("[") else text, strict=False)
    except ValueError:  # its text holds what was given
        raise Unfit from None
    if network.prefixlen < (8 if network.version == 4 else 16):
        raise Unfit
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _split(text: str) -> tuple[str, str, str, SplitResult]:
    """Scheme, host and port as they are written in one way, and the parts of an address that carries no user, query or fragment."""
    try:
        parts = urlsplit(text)
        name, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:  # its text holds the address
        raise Unfit from None
    if re.search(_UNSEEN, text) or not _AUTHORITY.fullmatch(parts.netloc) or "?" in text or "#" in text or port == 0:
        raise Unfit
    if ":" in name:
        if not re.fullmatch(r"[0-9a-f:.]+", name):
            raise Unfit
        name = f"[{name}]"
    elif not _NAME.fullmatch(name) or name == "null" or len(name) > 253:
        raise Unfit
    scheme = parts.scheme.lower()
    return scheme, name, "" if port in (None, _PORTS.get(scheme)) else f":{port}", parts


def _is_this_machine(host: str | None) -> bool:
    return bool(host and _LOOPBACK.fullmatch(host))


def _some_path(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text) or text[0] in "\"'`" or text[-1] in "\"'`":
        raise Unfit
    return text


PATH = Reader("the path of a folder, without quotes", _some_path)
HOSTS = several(Reader("", _host), "host names, separated by commas, without * and without paths")
ORIGINS = several(
    Reader("", _origin),
    "origins of web pages, separated by commas: https:// and a host (http:// on this machine alone), never * and never null",
)
PROXIES = several(Reader("", _proxy), "azure, and addresses or networks (/8 at the widest; /16 of IPv6) of proxies, separated by commas")
CLIENT_ID = pattern("the client id of a managed identity: 32 hexadecimal digits with hyphens between", _UUID, str.lower)
EMULATORS_KEY = pattern("one key of an emulator in base 64, and nothing beside it", _BASE_64)

# The secrets that people store. Their settings take the same.
SECRETS: dict[str, Reader] = {
    "stripe-api-key": pattern("one Stripe key that begins with rk_test_ or rk_live_, and nothing beside it", STRIPE_KEY),
    "stripe-webhook-secrets": several(
        pattern("", _SIGNING_SECRET), "one signing secret that begins with whsec_, or several separated by commas, and nothing beside them"
    ),
    "first-owner-key": pattern("one key drawn as docs/deploy.md says: billy_ and at least 43 letters, and nothing beside it", OWN_KEY),
    "audit-digest": several(pattern("", _VERSION), "a version, a colon and at least 32 letters, as 1:…, or several separated by commas"),
}


async def secret(secrets: Keeping, name: str) -> object | None:
    """The value of a stored secret, normalised; None where none is set. Raises `unavailable`, which shows no part of the stored text."""
    text = trimmed(await secrets.get(name) or "")
    return read_secret(name, text) or None if text else None


def read_secret(name: str, stored: str) -> object:
    """The value in a text that is kept as a secret. Raises `unavailable`, which shows no part of the text."""
    text = trimmed(stored)
    try:
        return SECRETS[name].read(text)
    except Unfit:
        more = re.search(rf"{_UNSEEN}|[\"'`“”‘’,;=]", text) is not None
        raise BillyError(
            "unavailable",
            f"What is stored as {name} holds more than a key." if more else f"What is stored as {name} is not what is needed.",
            next=f"Store {SECRETS[name].takes}.",
        ) from None
