"""What of the synchronisation fails, and since when: an error stays told until what failed has passed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.instants import twins

STILL = 300  # seconds without a page after which a run that is under way stands still
EVENTS = "events"
RUN = "run"

type Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """`part` is a kind, `events` for Stripe's list of them, or `run`; `events` counts those of a kind that are set aside; `since` is an epoch second."""

    part: str
    error: dict[str, Any]
    since: int | None
    events: int = 0

    def shown(self) -> dict[str, Any]:
        """As `get_sync` shows it."""
        return {
            "part": self.part,
            **self.error,
            **({"events_set_aside": self.events} if self.events else {}),
            **twins({"since": self.since}),
        }


def failures(run: Document, kinds: Mapping[str, Document], feed: Document, now: float) -> list[Failure]:
    """All that fails, from the documents of the `sync` collection: the whole run first, then kinds, then the events."""
    found = [
        Failure(part, document["error"], document.get("failing_since"))
        for part, document in ((RUN, run), *kinds.items())
        if document.get("error")
    ]
    found += _aside(feed.get("aside") or {})
    if feed.get("error"):
        found.append(Failure(EVENTS, feed["error"], feed.get("failing_since")))
    return [*_still(run, kinds, now), *found]


def _aside(entries: Mapping[str, Document]) -> list[Failure]:
    by_part: dict[str, list[Document]] = {}
    for entry in entries.values():
        by_part.setdefault(EVENTS if entry["kind"] == "other" else str(entry["kind"]), []).append(entry)
    return [_oldest(part, each) for part, each in sorted(by_part.items())]


def _oldest(part: str, entries: list[Document]) -> Failure:
    first = min(entries, key=lambda entry: entry["since"])
    return Failure(part, first["error"], first["since"], len(entries))


def _still(run: Document, kinds: Mapping[str, Document], now: float) -> list[Failure]:
    """A run that is asked for or under way, and of which nothing moves, though nothing has failed either."""
    if run.get("state") not in ("requested", "running"):
        return []
    moments = [run.get("asked_at"), run.get("hurried_at"), run.get("started_at"), *(kind.get("moved_at") for kind in kinds.values())]
    moved = max((int(each) for each in moments if each is not None), default=None)
    if moved is None or now - moved <= STILL:
        return []
    error = {
        "code": "unavailable",
        "detail": "The synchronisation does not move on.",
        "next": "The timer wakes it every minute: see that the app, its queue and its timers run. `kinds` tells which kind is under way.",
    }
    return [Failure(RUN, error, moved)]
