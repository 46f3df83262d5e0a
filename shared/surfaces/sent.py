"""What the caller sent, beside what the host handed over: what was dropped on the way is refused, never taken for left out.

The Functions host hands over no body that came without a length, no query parameter without a value, and one that came twice as one text
with a comma. The headers and the address still tell.
"""

from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from shared.errors import BillyError

DROPPED = ("transfer-encoding", "trailer")  # headers of a body in pieces, which the host does not read
DESCRIBED = (*DROPPED, "content-type", "content-encoding", "expect")  # headers that nobody sends for a body that is not there


def check_body(headers: Mapping[str, str], body: bytes, *, taken: bool) -> None:
    """Raises `length_required` where a body was announced and is not there. `taken`: the route takes one, so its description announces it.

    A GET that describes a body and has none is what several clients send always; it loses nothing.
    """
    if body:
        return
    length = headers.get("content-length")
    pieces = any(name in headers for name in DROPPED)
    if (
        pieces
        or (length is not None and length.strip().strip("0"))
        or (taken and length is None and any(name in headers for name in DESCRIBED))
    ):
        raise BillyError(
            "length_required",
            "A body was announced and did not arrive: this server reads a body only where its length is declared.",
            next="Send the header Content-Length with the size of the body in bytes (0 for none), and no Transfer-Encoding. Nothing was done.",
        )


def check_query(url: str, params: Mapping[str, str], known: Collection[str] = (), lists: Collection[str] = ()) -> None:
    """Raises `invalid_request` for a parameter without a value and for one that came twice.

    `url` is the address as it was sent, `params` what the host made of it. A name is repeated only where it is one of `known`; those that
    begin with one of `lists` may come several times.
    """
    seen: set[str] = set()
    pairs = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    for name, value in [*pairs, *((name, value) for name, value in params.items() if not value)]:
        if not value:
            raise _refused(name, known, "it has no value", "Give it a value, or leave it out.")
        spelling = name.lower()  # the host tells no capitals apart
        if spelling in seen and not any(spelling.startswith(each) for each in lists):
            raise _refused(name, known, "it is given twice", "Give each parameter once.")
        seen.add(spelling)


def _refused(name: str, known: Collection[str], problem: str, next: str) -> BillyError:
    field = name if name in known else "query"
    return BillyError(
        "invalid_request",
        "A parameter of the address cannot be read as it was sent.",
        next=f"{next} Nothing was done.",
        fields=({"field": field, "problem": problem},),
    )
