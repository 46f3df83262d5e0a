"""What a handler may touch: the objects of one account and mode, inside one transaction."""

import re
from collections.abc import Iterable
from typing import Any

import orjson

from sandbox import dispatch
from sandbox.clock import Clock
from sandbox.errors import invalid, not_found
from sandbox.ids import Ids
from sandbox.store import LINKS, Store

Object = dict[str, Any]
CHOSEN = re.compile(r"[^/\x00-\x1f\x7f]{1,255}")

# Links that Stripe keeps deeper than the top level.
_DEEP = {
    ("invoice", "subscription"): ("parent", "subscription_details", "subscription"),
    ("invoiceitem", "subscription"): ("parent", "subscription_details", "subscription"),
    ("invoiceitem", "product"): ("pricing", "price_details", "product"),
    ("invoice_payment", "payment_intent"): ("payment", "payment_intent"),
    ("invoice_payment", "charge"): ("payment", "charge"),
    ("tax_id", "customer"): ("owner", "customer"),
}


def links_of(obj: Object) -> list[str | None]:
    """The ids that an object points to, in the order of the store's columns."""
    found: list[str | None] = []
    for link in LINKS:
        value: Any = obj
        for step in _DEEP.get((obj["object"], link), (link,)):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, dict):
            value = value.get("id")
        found.append(value if isinstance(value, str) else None)
    return found


def changed(before: Object, after: Object) -> Object:
    """What `data.previous_attributes` says: old values of what differs, hashes key by key, arrays whole, null for what was not there."""
    previous: Object = {}
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        previous[key] = changed(old, new) if isinstance(old, dict) and isinstance(new, dict) else old
    return previous


# Lists inside an object, of which it shows the first ten: the field, and the kind and the field of what is in it.
EMBEDDED = {"subscription": ("items", "subscription_item", "subscription")}
INLINE = 10


def shown(obj: Object) -> Object:
    """The object as it leaves: a list inside it is cut after ten, and says so."""
    field, _, _ = EMBEDDED.get(obj.get("object", ""), ("", "", ""))
    inside = obj.get(field)
    if not isinstance(inside, dict) or len(inside["data"]) <= INLINE:
        return obj
    return obj | {field: inside | {"data": inside["data"][:INLINE], "has_more": True}}


class World:
    """One per request. `livemode`, `account`, `clock` and `request` say whose and when; the rest reads and changes objects."""

    def __init__(
        self,
        store: Store,
        *,
        livemode: bool,
        account: str,
        clock: Clock,
        ids: Ids,
        request: Object | None = None,
        webhooks_anywhere: bool = False,
        unpromised: bool = False,
    ) -> None:
        self.store = store
        self.livemode = livemode
        self.account = account
        self.clock = clock
        self.ids = ids
        self.request = request or {"id": None, "idempotency_key": None}
        self.webhooks_anywhere = webhooks_anywhere
        self.unpromised = unpromised
        self._previous: dict[tuple[str, str], Object] = {}

    def new_id(self, prefix: str) -> str:
        return self.ids.new(prefix)

    def chosen_id(self, kind: str, wanted: str | None) -> str | None:
        """An id that the caller chose, if it is free; the id of a deleted object is."""
        if wanted and (not CHOSEN.fullmatch(wanted)):
            raise invalid(f"Invalid {kind} id: it may have at most 255 characters, and no slash or control character.", param="id")
        if wanted and self.get(kind, wanted):
            raise invalid(f"{kind.capitalize()} already exists.", param="id", code="resource_already_exists")
        return wanted or None

    def insert(self, obj: Object, *, private: Object | None = None) -> Object:
        """Keep a new object as it is; `obj["object"]` is its kind. `created` falls back to now where the kind has none."""
        self.insert_many([(obj, private)])
        return obj

    def insert_many(self, objects: Iterable[tuple[Object, Object | None]]) -> None:
        now = self.clock.now()
        self.store.db.executemany(
            f"INSERT OR REPLACE INTO objects (kind, livemode, id, created, {', '.join(LINKS)}, body, private)"  # noqa: S608 — the columns are ours
            f" VALUES (?, ?, ?, ?, {', '.join('?' * len(LINKS))}, ?, ?)",
            (
                (
                    obj["object"],
                    self.livemode,
                    obj["id"],
                    obj.get("created", now),
                    *links_of(obj),
                    orjson.dumps(shown(obj)).decode(),
                    orjson.dumps(private).decode() if private else None,
                )
                for obj, private in objects
            ),
        )

    def get(self, kind: str, id: str, *, deleted: bool = False) -> Object | None:
        """The object, or None. A deleted one is None too unless `deleted` asks for what is left of it."""
        row = self.store.db.execute(
            "SELECT body, deleted FROM objects WHERE kind = ? AND livemode = ? AND id = ?", (kind, self.livemode, id)
        ).fetchone()
        if row is None or (row[1] and not deleted):
            return None
        return self._whole(orjson.loads(row[0]))

    def _whole(self, obj: Object) -> Object:
        """With all that its list holds, as handlers work on it."""
        field, kind, link = EMBEDDED.get(obj["object"], ("", "", ""))
        if field in obj and obj[field]["has_more"]:
            obj[field] |= {"data": self.find(kind, **{link: obj["id"]})[::-1], "has_more": False}
        return obj

    def require(self, kind: str, id: str, *, param: str = "id", deleted: bool = False) -> Object:
        """The object, or Stripe's resource_missing naming `param`."""
        found = self.get(kind, id, deleted=deleted)
        if found is None:
            raise not_found(kind, id, param=param)
        return found

    def private(self, kind: str, id: str) -> Object:
        """What the sandbox knows about an object and Stripe would not show."""
        row = self.store.db.execute(
            "SELECT private FROM objects WHERE kind = ? AND livemode = ? AND id = ?", (kind, self.livemode, id)
        ).fetchone()
        return orjson.loads(row[0]) if row and row[0] else {}

    def set_private(self, kind: str, id: str, data: Object) -> None:
        self.store.db.execute(
            "UPDATE objects SET private = ? WHERE kind = ? AND livemode = ? AND id = ?",
            (orjson.dumps(data).decode(), kind, self.livemode, id),
        )

    def find(self, kind: str, *, limit: int = -1, **equals: Any) -> list[Object]:
        """Objects that are not deleted, newest first. A name is a column of the store or a top-level field."""
        where, values = ["kind = ?", "livemode = ?", "deleted = 0"], [kind, self.livemode]
        for name, value in equals.items():
            where.append(f"{column(name)} IS ?")
            values.append(value)
        rows = self.store.db.execute(
            f"SELECT body FROM objects WHERE {' AND '.join(where)} ORDER BY created DESC, seq DESC LIMIT ?",  # noqa: S608 — names come from the code, values are bound
            (*values, limit),
        )
        return [self._whole(orjson.loads(body)) for (body,) in rows.fetchall()]

    def save(self, obj: Object) -> Object:
        """Replace an object whole; what changed is remembered for the next `*.updated` event about it."""
        kind, id = obj["object"], obj["id"]
        before = self.require(kind, id)
        self._previous[kind, id] = changed(before, obj)
        self.store.db.execute(
            f"UPDATE objects SET {', '.join(f'{link} = ?' for link in LINKS)}, body = ? WHERE kind = ? AND livemode = ? AND id = ?",  # noqa: S608 — the columns are ours
            (*links_of(obj), orjson.dumps(shown(obj)).decode(), kind, self.livemode, id),
        )
        return obj

    def delete(self, kind: str, id: str) -> Object:
        """Leave `{id, object, deleted: true}` behind: lists skip it, `get(…, deleted=True)` gives it."""
        self.require(kind, id)
        stub = {"id": id, "object": kind, "deleted": True}
        self.store.db.execute(
            "UPDATE objects SET deleted = 1, body = ? WHERE kind = ? AND livemode = ? AND id = ?",
            (orjson.dumps(stub).decode(), kind, self.livemode, id),
        )
        return stub

    def emit(self, type: str, obj: Object, previous: Object | None = None, *, promised: bool = True) -> None:
        """Record an event and queue its deliveries. An `*.updated` event about nothing that changed is not sent, and one that Stripe does
        not promise (`promised=False`) only where the sandbox was asked to be so kind."""
        if not promised and not self.unpromised:
            return
        if previous is None and type.endswith(".updated"):
            previous = self._previous.get((obj["object"], obj["id"]), {})
            if not previous:
                return
        dispatch.record(self, type, shown(obj), previous)


def column(name: str) -> str:
    """A column of the store, or the SQL that reads a field (`a.b` for a nested one) out of the body."""
    if name in LINKS or name in ("id", "created"):
        return name
    return f"json_extract(body, '$.{name}')"
