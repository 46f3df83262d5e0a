"""What can happen to one request on its way to Stripe, inside it, and on the way back."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.road import answers
from tests.road.answers import Answer, Change


@dataclass(frozen=True, slots=True)
class Fault:
    """In the order in which a request meets it; times are virtual seconds. The plain `Fault()` is a request that all is well with.

    `stored` belongs to the result of the execution, which is what `fails` or the endpoint says.
    """

    late: float = 0.0  # until it arrives: its caller may have given up by then
    arrives: bool = True  # False: the connection breaks before
    pruned: bool = False  # Stripe forgets all keys just before it arrives
    door: Answer | None = None  # it is turned away before its key is looked at
    during: float = 0.0  # between the taking of its key and the effect: a second request meets `idempotency_key_in_use`
    acts: bool = True  # False: it has no effect
    fails: Answer | None = None  # what the execution says in place of what the endpoint says
    stored: bool = True  # whether the key keeps what the execution says
    slow: float = 0.0  # between the effect and the answer
    lost: bool = False  # the connection breaks in place of the answer
    answers: bool = True  # False: the connection stands, and nothing ever comes
    said: Change | None = None  # what arrives in place of Stripe's answer
    again: float | None = None  # the same request arrives once more so much later: a proxy repeats it


FINE = Fault()
IN_USE = Fault(door=answers.in_use())
PRUNED = Fault(pruned=True)  # Stripe promises a day; so it is none of those that may come at any time

# What a search draws from. Where a name says `acted`, the effect is there.
FAULTS: Mapping[str, Fault] = {
    "not arrived": Fault(arrives=False),
    "acted, lost": Fault(lost=True),
    "acted, cut": Fault(said=answers.cut()),
    "acted, empty": Fault(said=answers.changed(body=b"")),
    "acted, empty 204": Fault(said=answers.changed(status=204, body=b"")),
    "acted, null": Fault(said=answers.changed(body=b"null")),
    "acted, list": Fault(said=answers.changed(body=b"[]")),
    "acted, no text": Fault(said=answers.changed(body=b"\xff\xfe")),
    "acted, page 200": Fault(said=answers.instead(answers.page(200))),
    "acted, page 404": Fault(said=answers.instead(answers.page(404))),
    "acted, page 502": Fault(said=answers.instead(answers.page(502))),
    "acted, page 403 with request id": Fault(said=answers.instead(answers.page(403, request_id=True))),
    "acted, error without type": Fault(said=answers.changed(status=400, body=b'{"error":{"message":"x"}}')),
    "acted, error as text": Fault(said=answers.changed(status=400, body=b'{"error":"x"}', request_id=False)),
    "acted, 503 from the edge": Fault(said=answers.instead(answers.failed(503))),
    "page 502 from the edge": Fault(door=answers.page(502)),
    "503 from the edge": Fault(door=answers.failed(503)),
    "409 in use": IN_USE,
    "429": Fault(door=answers.limited()),
    "429, retry": Fault(door=answers.limited(True)),
    "429, no retry": Fault(door=answers.limited(False)),
    "429 lock timeout": Fault(acts=False, fails=answers.limited(True, "lock_timeout"), stored=False),
    "401": Fault(door=answers.unauthorised()),
    "403": Fault(door=answers.forbidden()),
    "500 stored": Fault(acts=False, fails=answers.failed()),
    "acted, 500 stored": Fault(fails=answers.failed()),
    "402 stored": Fault(acts=False, fails=answers.declined()),
    "500 not stored": Fault(acts=False, fails=answers.failed(), stored=False),
    "never answers": Fault(answers=False, acts=False, fails=answers.failed(), stored=False),
    "acted, never answers": Fault(answers=False),
    "arrives after 15 s": Fault(late=15),
    "arrives after 30 s": Fault(late=30),
    "arrives after 100 s": Fault(late=100),
    "acts after 15 s": Fault(during=15),
    "acts after 30 s": Fault(during=30),
    "acts after 100 s": Fault(during=100),
    "acted, answers after 15 s": Fault(slow=15),
    "acted, answers after 30 s": Fault(slow=30),
    "repeated by a proxy": Fault(again=2),
    "repeated by a proxy, lost": Fault(again=2, lost=True),
}
